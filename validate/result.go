// Package validate holds what is judged: semantic checks of a spec, checks as values, their results and the writers of results.
package validate

import (
	"context"
	"time"

	"surety/blueprints"
)

// State is the outcome of a check.
type State string

// A check that could not run is Unproven, with the reason; it is never a Pass.
const (
	Pass     State = "pass"
	Fail     State = "fail"
	Unproven State = "unproven"
)

// Evidence is one observed fact behind a result.
type Evidence struct {
	What string `json:"what"`           // what was observed, as "SHOW server_version"
	Want string `json:"want,omitempty"` // what the requirement asks
	Got  string `json:"got"`            // what was seen
	From string `json:"from,omitempty"` // where it was observed: the host's name
	// Drawing shows it over several lines of equal-width characters, as a history of clients does; most evidence has none.
	Drawing string `json:"drawing,omitempty"`
}

// Result is what a check found. Requirements are the IDs it serves.
type Result struct {
	Check        string        `json:"check"` // stable ID, as "connectivity/web-0/main:5432"
	Suite        string        `json:"suite"` // connectivity, host, http, database, storage, identity
	Requirements []string      `json:"requirements"`
	State        State         `json:"state"`
	Summary      string        `json:"summary"` // one line, with the figure
	Evidence     []Evidence    `json:"evidence,omitempty"`
	Started      time.Time     `json:"started"`
	Took         time.Duration `json:"took"` // nanoseconds
	// Places are where the requirements stand in the spec, in their order; only of what failed or is unproven.
	Places []blueprints.Position `json:"places,omitempty"`
}

// Check is a value: something that can be run to judge requirements.
type Check struct {
	ID           string
	Suite        string
	Requirements []string
	// Run judges. It must honour ctx and return Unproven with the reason when it cannot judge.
	Run func(ctx context.Context) Result
}
