package releases

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"surety/stacks"
	"surety/stacks/engine"
)

// Rollout brings a candidate about host by host, in steps that are each found good before the next begins. A release without one
// leaves the order to the engine.
type Rollout struct {
	Group string // "servers.web"
	Batch int    // how many hosts change at a time
	// Steps are applied in order, each from the one before; then the candidate's own Graph, which may have nothing left to change.
	Steps []RolloutStep
	// Read reads from the hosts themselves, and not from the state, what they hold. It is called before the first step, after each, and
	// after a return. An error before the first step ends the release with nothing changed; after a step it fails the release.
	Read func(ctx context.Context) (map[string][]Holding, error)
	// Good judges what a host of a step holds after it; its error fails the release. Whether the host is healthy the engine knows.
	Good func(host string, holds []Holding) error
	// Told hears of each step that was found good, and once more, with Back filled in, of hosts that were put back. May be nil.
	Told func(hosts []RolledHost)
}

// RolloutStep changes some hosts; the others are as released.
type RolloutStep struct {
	Hosts []string // in order
	Graph stacks.Graph
}

// Holding is one thing that a host holds. SHA256 is empty where it is not there.
type Holding struct {
	Kind   string // "program", "running program", "file", "command line", "environment"
	Of     string // path or process
	SHA256 string
}

// Rolled says what a rollout did to the hosts, as read from them.
type Rolled struct {
	Group string       `json:"group"`
	Batch int          `json:"batch"`
	Hosts []RolledHost `json:"hosts"`
}

// RolledHost is one host of a rollout. One that was not reached has no digests after.
type RolledHost struct {
	Host    string          `json:"host"`
	Step    int             `json:"step"`           // counts from 1
	Took    time.Duration   `json:"took,omitempty"` // of its step, until it was found good
	Good    bool            `json:"good"`           // healthy, and holding what was planned
	Digests []HoldingDigest `json:"digests"`
}

// HoldingDigest are the SHA-256 of one thing on a host before and after its step and, when it was put back, after that; empty where it
// was not there or not read. Those of command lines and environments are keyed with a key that was not kept, since both may hold secrets:
// they can be compared with each other, and with nothing else.
type HoldingDigest struct {
	Kind   string `json:"kind"`
	Of     string `json:"of"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	Back   string `json:"back,omitempty"`
}

// roll applies a candidate's steps. What was done is in the record's Rollout, whatever comes of it.
func (r *Runner) roll(ctx context.Context, c Candidate, record *Record) (engine.Outcome, error) {
	o := c.Rollout
	before, err := o.Read(ctx)
	if err != nil {
		return engine.Outcome{}, fmt.Errorf("nothing was changed: read what the hosts hold: %w", err)
	}
	done := &Rolled{Group: o.Group, Batch: o.Batch}
	record.Rollout = done
	for i, step := range o.Steps {
		for _, host := range step.Hosts {
			h := RolledHost{Host: host, Step: i + 1}
			h.note(before[host], func(d *HoldingDigest, sum string) { d.Before = sum })
			done.Hosts = append(done.Hosts, h)
		}
	}
	var all engine.Outcome
	for i, step := range o.Steps {
		began := r.Now()
		changes, err := r.Engine.Up(ctx, r.Artifacts.Place(step.Graph), engine.Options{Refresh: i == 0}, r.Events)
		all = join(all, changes)
		if err != nil || len(changes.Failed) > 0 || changes.Cancelled {
			o.look(context.WithoutCancel(ctx), done, i+1) // what stands where it failed is worth knowing; so is that it cannot be read
			return all, err
		}
		if err := o.good(ctx, done, i+1); err != nil {
			return all, err
		}
		for at := range done.Hosts {
			if done.Hosts[at].Step == i+1 {
				done.Hosts[at].Good, done.Hosts[at].Took = true, r.Now().Sub(began)
			}
		}
		o.tell(done, i+1)
	}
	changes, err := r.Engine.Up(ctx, r.Artifacts.Place(c.Graph), engine.Options{Refresh: true}, r.Events)
	return join(all, changes), err
}

// look reads what the hosts of a step hold now.
func (o *Rollout) look(ctx context.Context, done *Rolled, step int) (map[string][]Holding, error) {
	holds, err := o.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the hosts hold: %w", err)
	}
	for i := range done.Hosts {
		if h := &done.Hosts[i]; h.Step == step {
			h.note(holds[h.Host], func(d *HoldingDigest, sum string) { d.After = sum })
		}
	}
	return holds, nil
}

// good reads what the hosts of a step hold, and judges it.
func (o *Rollout) good(ctx context.Context, done *Rolled, step int) error {
	holds, err := o.look(ctx, done, step)
	if err != nil {
		return err
	}
	var wrong []error
	for _, host := range o.Steps[step-1].Hosts {
		if err := o.Good(host, holds[host]); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", host, err))
		}
	}
	return errors.Join(wrong...)
}

// unrolled reads what the hosts that were begun hold after a return.
func (o *Rollout) unrolled(ctx context.Context, done *Rolled) error {
	holds, err := o.Read(ctx)
	if err != nil {
		return fmt.Errorf("read what the hosts hold: %w", err)
	}
	last := 0
	for i := range done.Hosts {
		h := &done.Hosts[i]
		if h.begun() {
			last = max(last, h.Step)
			h.note(holds[h.Host], func(d *HoldingDigest, sum string) { d.Back = sum })
		}
	}
	for step := range last {
		o.tell(done, step+1)
	}
	return nil
}

func (o *Rollout) tell(done *Rolled, step int) {
	if o.Told == nil {
		return
	}
	var of []RolledHost
	for _, h := range done.Hosts {
		if h.Step == step {
			of = append(of, h)
		}
	}
	o.Told(of)
}

// begun tells whether a host's step was applied, or begun to be.
func (h *RolledHost) begun() bool {
	return h.Good || slices.ContainsFunc(h.Digests, func(d HoldingDigest) bool { return d.After != "" })
}

// note fills in one column of a host's digests.
func (h *RolledHost) note(holds []Holding, set func(*HoldingDigest, string)) {
	for _, one := range holds {
		at := slices.IndexFunc(h.Digests, func(d HoldingDigest) bool { return d.Kind == one.Kind && d.Of == one.Of })
		if at < 0 {
			at = len(h.Digests)
			h.Digests = append(h.Digests, HoldingDigest{Kind: one.Kind, Of: one.Of})
		}
		set(&h.Digests[at], one.SHA256)
	}
}

// join gives two runs, one after the other, as if they had been one: a resource that either changed was changed.
func join(a, b engine.Outcome) engine.Outcome {
	all := engine.Outcome{Failed: slices.Concat(a.Failed, b.Failed), Skipped: b.Skipped, Cancelled: a.Cancelled || b.Cancelled,
		Recovered: a.Recovered + b.Recovered, Took: a.Took + b.Took}
	all.Drift = slices.Concat(a.Drift, b.Drift)
	all.Counts = map[engine.Op]int{}
	place := map[string]int{} // of a step among all, by resource and operation, so that a resource deleted and made anew is there twice
	steps := map[string]bool{}
	for _, s := range slices.Concat(a.Steps, b.Steps) {
		if s.Op != engine.OpSame {
			steps[s.Name] = true
		}
	}
	for _, s := range slices.Concat(a.Steps, b.Steps) {
		if s.Op == engine.OpSame && steps[s.Name] {
			continue
		}
		key := string(s.Op) + " " + s.Name
		if at, seen := place[key]; seen {
			all.Steps[at].Took += s.Took
			all.Steps[at].Diff = differences(all.Steps[at].Diff, s.Diff)
			continue
		}
		place[key] = len(all.Steps)
		all.Steps = append(all.Steps, s)
		all.Counts[s.Op]++
	}
	return all
}

// differences merges what two updates of a resource changed: from before the first to after the second.
func differences(a, b []engine.PropertyChange) []engine.PropertyChange {
	byPath := map[string]engine.PropertyChange{}
	for _, c := range slices.Concat(a, b) {
		if was, seen := byPath[c.Path]; seen {
			c.From = was.From
		}
		byPath[c.Path] = c
	}
	var merged []engine.PropertyChange
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		merged = append(merged, byPath[path])
	}
	return merged
}
