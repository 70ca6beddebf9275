package releases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"surety/stacks"
	"surety/stacks/engine"
)

// Runner brings releases about. Its functions are the parts of the tool it must not know itself.
type Runner struct {
	Engine    *engine.Engine
	Store     *Store
	Artifacts *Artifacts
	// Verify measures a deployment against the spec it was made from.
	Verify func(ctx context.Context, spec Candidate, d stacks.Deployment) (Verdict, error)
	// Entries lists the URLs at which a deployment serves callers.
	Entries func(stacks.Deployment) []string
	// Now is the clock.
	Now func() time.Time
	// Stage is told what is being done; Events receives the engine's events.
	Stage  func(Stage)
	Events func(engine.Event)
	// By, Tool and Fingerprint are written into each record.
	By, Tool    string
	Fingerprint map[string]string
	// Grace is how long a roll-back may take after the caller was interrupted; the world is not left half built.
	Grace time.Duration
}

// Stage is a step of making a release.
type Stage string

// Stages, in order. A release that is kept ends after StageVerify.
const (
	StageApply      Stage = "apply"
	StageVerify     Stage = "verify"
	StageBack       Stage = "roll back"
	StageVerifyBack Stage = "verify after rolling back"
)

// Candidate is what is to be released.
type Candidate struct {
	File  string // of the spec, as named by the user
	Spec  string // its text
	Graph stacks.Graph
	Cause string // "up", "rollback to 3"
	// Rollout changes hosts in steps, each found good before the next; nil leaves the order to the engine.
	Rollout *Rollout
}

// Release applies a candidate, verifies it and keeps it; or, when either fails, puts the current release back, verifies
// that, and records both. The record says how it ended; an error is a fault of the tool or the machine.
// The engine's lock must be held. It is safe to run again after being killed at any point: the engine continues from its
// journal, and no record is written before the release has ended.
func (r *Runner) Release(ctx context.Context, c Candidate) (*Record, error) {
	records, err := r.Store.All()
	if err != nil {
		return nil, err
	}
	current := Current(records)
	if err := r.Artifacts.Keep(c.Graph); err != nil {
		return nil, err
	}
	before, err := r.Engine.Deployment(ctx)
	if err != nil {
		return nil, err
	}
	started := r.Now()
	record := &Record{Made: started, Cause: c.Cause, By: r.By, Tool: r.Tool, File: c.File, Spec: c.Spec,
		Graph: c.Graph, Fingerprint: r.Fingerprint}

	watch := func() Service { return Service{} }
	entries := r.Entries(before)
	if len(entries) > 0 {
		watch = Watch(context.WithoutCancel(ctx), entries)
	}
	problem := r.attempt(ctx, c, record)
	switch {
	case problem == nil:
		record.State = Kept
	case current == nil:
		record.State, record.Reason = Failed, problem.Error()
	default:
		record.Reason = problem.Error()
		record.Back = r.back(ctx, current)
		if c.Rollout != nil && record.Rollout != nil {
			if err := c.Rollout.unrolled(context.WithoutCancel(ctx), record.Rollout); err != nil && record.Back.Problem == "" {
				record.Back.Problem = err.Error()
			}
		}
		record.State = RolledBack
		if record.Back.Problem != "" || record.Back.Verdict.Breached > 0 {
			record.State = Failed
		}
	}
	if seen := watch(); len(entries) > 0 {
		record.Service = &seen
	}
	record.Took = r.Now().Sub(started)
	return record, r.Store.Append(record)
}

// attempt applies and verifies. Its error says why the candidate cannot be kept.
func (r *Runner) attempt(ctx context.Context, c Candidate, record *Record) error {
	r.Stage(StageApply)
	changes, err := r.apply(ctx, c, record)
	record.Changes = changes
	switch {
	case changes.Cancelled || ctx.Err() != nil:
		return errors.New("interrupted while applying")
	case len(changes.Failed) > 0:
		return fmt.Errorf("%s could not be made as planned", names(changes.Failed)) // each with its own message in Changes
	case err != nil:
		return err
	}
	r.Stage(StageVerify)
	verdict, err := r.verify(ctx, c)
	record.Verdict = verdict
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted while verifying")
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case verdict.Breached > 0:
		return fmt.Errorf("%d of %d requirements breached", verdict.Breached, verdict.Met+verdict.Breached+verdict.Unproven)
	}
	return nil
}

func (r *Runner) apply(ctx context.Context, c Candidate, record *Record) (engine.Outcome, error) {
	if c.Rollout != nil {
		return r.roll(ctx, c, record)
	}
	return r.Engine.Up(ctx, r.Artifacts.Place(c.Graph), engine.Options{Refresh: true}, r.Events)
}

// back puts a release back by running its Graph against the state of now, and verifies it.
// Being interrupted does not stop it, for that would leave the world half way; Grace bounds it.
func (r *Runner) back(ctx context.Context, to *Record) *Back {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Grace)
	defer cancel()
	r.Stage(StageBack)
	started := r.Now()
	back := &Back{To: to.Number}
	changes, err := r.Engine.Up(ctx, r.Artifacts.Place(to.Graph), engine.Options{Refresh: true}, r.Events)
	back.Took = r.Now().Sub(started)
	if len(changes.Failed) > 0 {
		err = errors.Join(fmt.Errorf("%s could not be put back", names(changes.Failed)), err)
	}
	if err == nil {
		r.Stage(StageVerifyBack)
		back.Verdict, err = r.verify(ctx, Candidate{File: to.File, Spec: to.Spec, Graph: to.Graph})
	}
	if err != nil {
		back.Problem = err.Error()
	}
	return back
}

func (r *Runner) verify(ctx context.Context, c Candidate) (Verdict, error) {
	d, err := r.Engine.Deployment(ctx)
	if err != nil {
		return Verdict{}, err
	}
	return r.Verify(ctx, c, d)
}

// Removed records that the environment is gone, where anything was recorded of it.
func (r *Runner) Removed(started time.Time, changes engine.Outcome) error {
	records, err := r.Store.All()
	if err != nil || len(records) == 0 {
		return err
	}
	return r.Store.Append(&Record{Made: started, Took: r.Now().Sub(started), Cause: "destroy", By: r.By, Tool: r.Tool,
		State: Destroyed, File: records[len(records)-1].File, Changes: changes})
}

func names(steps []engine.Step) string {
	list := make([]string, len(steps))
	for i, s := range steps {
		list[i] = s.Name
	}
	return strings.Join(list, ", ")
}
