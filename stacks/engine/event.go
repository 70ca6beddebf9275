package engine

import (
	"time"

	"surety/stacks/engine/vault"
)

// Op is what a step does to a resource.
type Op string

// The operations. A replacement is one step, whether the old one goes first or last.
const (
	OpCreate  Op = "create"
	OpUpdate  Op = "update"
	OpReplace Op = "replace"
	OpDelete  Op = "delete"
	OpSame    Op = "same"
	OpRead    Op = "read"
	OpRefresh Op = "refresh" // the world was looked at
)

// ChangeKind is how a property differs.
type ChangeKind string

// The kinds of change of a property.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// Placeholders for values that are not shown or not known.
const (
	SecretText  = vault.Blot  // stands for a secret value
	UnknownText = "[unknown]" // stands for a value that exists only after the step it comes from
)

// PropertyChange is one difference. From and To are the text of strings and compact JSON of anything else, "" when absent.
type PropertyChange struct {
	Path          string     `json:"path"`
	From          string     `json:"from,omitempty"`
	To            string     `json:"to,omitempty"`
	Kind          ChangeKind `json:"kind"`
	ForcesReplace bool       `json:"forcesReplace,omitempty"`
}

// Step is one operation on one resource. It never holds a secret in the clear.
type Step struct {
	Op           Op               `json:"op"`
	Name         string           `json:"name"` // in the Graph
	Type         string           `json:"type"`
	URN          string           `json:"urn"`
	Diff         []PropertyChange `json:"diff,omitempty"`
	Drift        bool             `json:"drift,omitempty"` // the world differs from the state
	Requirements []string         `json:"requirements,omitempty"`
	Took         time.Duration    `json:"took,omitempty"`    // nanoseconds
	Message      string           `json:"message,omitempty"` // of a failed step: why
}

// EventKind says what an Event tells.
type EventKind string

// The kinds of event.
const (
	Started    EventKind = "started"    // of a step
	Progress   EventKind = "progress"   // of a step: a message while it runs
	Finished   EventKind = "finished"   // of a step
	Failed     EventKind = "failed"     // of a step, with the message
	Diagnostic EventKind = "diagnostic" // a warning or an error that belongs to no step, or to the step named
	Log        EventKind = "log"        // anything else worth a line under -v
)

// Event tells what happens during a run. Events of one run are given to the sink one at a time, from one goroutine, in order.
type Event struct {
	Kind    EventKind     `json:"kind"`
	Step    Step          `json:"step"`
	Took    time.Duration `json:"took,omitempty"` // nanoseconds, when Finished or Failed
	Message string        `json:"message,omitempty"`
}

// Plan is what a run would do. Steps holds every resource once, also those that stay the same.
type Plan struct {
	Steps  []Step     `json:"steps"`
	Counts map[Op]int `json:"counts"`
	Drift  []Step     `json:"drift,omitempty"` // what changed behind our back
}

// Changes tells whether anything would be done.
func (p Plan) Changes() bool {
	return p.Counts[OpCreate]+p.Counts[OpUpdate]+p.Counts[OpReplace]+p.Counts[OpDelete] > 0
}

// Outcome is what a run did. Steps holds finished steps, with how long each took.
type Outcome struct {
	Plan
	Failed    []Step        `json:"failed,omitempty"`
	Skipped   []string      `json:"skipped,omitempty"` // names not attempted, because something they need failed or the run was cancelled
	Cancelled bool          `json:"cancelled,omitempty"`
	Recovered int           `json:"recovered,omitempty"` // finished steps of an interrupted run that were read back from its journal
	Took      time.Duration `json:"took"`                // nanoseconds
}

// Options shape a run.
type Options struct {
	// Refresh looks at the world first: Preview then shows drift, Up mends it.
	Refresh bool
	// KeepGoing carries on with what does not depend on a failed resource. Otherwise a failure lets running steps finish and starts no more.
	KeepGoing bool
	// Terminate, when it is closed or sent to, stops a cancelled run without waiting for its running steps; they are recorded as pending.
	Terminate <-chan struct{}
	// Grace is how long running steps may take after cancellation before they are abandoned as by Terminate; 30 s when 0.
	Grace time.Duration
}
