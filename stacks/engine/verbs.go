package engine

import (
	"context"
	"errors"
	"fmt"

	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/sdk/v3/go/property"

	"surety/stacks"
)

// Preview says what Up would do. It changes neither state nor world and needs no lock. With Options.Refresh it looks at the
// world first, and Plan.Drift tells what changed there, property by property.
// A failure in a step is a *StepsError; the Plan then holds what could be seen.
func (e *Engine) Preview(ctx context.Context, g stacks.Graph, o Options, sink func(Event)) (Plan, error) {
	if err := e.checkGraph(ctx, g); err != nil {
		return Plan{}, fmt.Errorf("preview: %w", err)
	}
	l, err := e.load()
	if err != nil {
		return Plan{}, fmt.Errorf("preview: %w", err)
	}
	out, err := e.run(ctx, job{op: pulumi.Update, name: "preview", dry: true, graph: &g, options: o, sink: sink}, l)
	return e.planned(out, l, &g), err
}

// PlanDestroy says what Destroy would delete. It changes nothing and needs no lock.
func (e *Engine) PlanDestroy(ctx context.Context, sink func(Event)) (Plan, error) {
	if err := notCancelled(ctx); err != nil {
		return Plan{}, fmt.Errorf("plan to destroy: %w", err)
	}
	l, err := e.load()
	if err != nil {
		return Plan{}, fmt.Errorf("plan to destroy: %w", err)
	}
	out, err := e.run(ctx, job{op: pulumi.Destroy, name: "plan to destroy", dry: true, sink: sink}, l)
	return e.planned(out, l, nil), err
}

// planned gives the plan of a dry run, with what an interrupted run left to be removed first.
func (e *Engine) planned(out ran, l *loaded, g *stacks.Graph) Plan {
	if out.listener == nil {
		return Plan{}
	}
	p := out.listener.plan()
	for _, op := range e.orphans(l, g) {
		s := orphanStep(op)
		s.Message = orphanText
		p.Steps = append([]Step{s}, p.Steps...)
		p.Counts[OpDelete]++
	}
	return p
}

// Up makes the world as the Graph says. It needs the lock. It may be called again after any failure, cancellation or kill and
// then carries on: nothing finished is done twice. With Options.Refresh it looks at the world first, so that drift is mended.
// Failed steps are in the Outcome and make a *StepsError; cancellation gives context.Canceled. The Outcome is valid in both cases.
func (e *Engine) Up(ctx context.Context, g stacks.Graph, o Options, sink func(Event)) (Outcome, error) {
	if err := e.checkGraph(ctx, g); err != nil {
		return Outcome{}, fmt.Errorf("up: %w", err)
	}
	return e.change(ctx, job{op: pulumi.Update, name: "up", clears: true, graph: &g, options: o, sink: sink})
}

// Refresh takes over into the state what the world is like now. It changes nothing in the world. It needs the lock.
// Plan.Drift tells what was different.
func (e *Engine) Refresh(ctx context.Context, sink func(Event)) (Plan, error) {
	out, err := e.change(ctx, job{op: pulumi.Refresh, name: "refresh", looking: true, sink: sink})
	return out.Plan, err
}

// RefreshOnly is Refresh of some resources, by their names in the Graph: after something was done to them on purpose, while what else
// changed behind our back is still to be seen. It is an error when the state
// holds none of them.
func (e *Engine) RefreshOnly(ctx context.Context, names []string, sink func(Event)) (Plan, error) {
	out, err := e.change(ctx, job{op: pulumi.Refresh, name: "refresh", looking: true, only: append([]string{}, names...), sink: sink})
	return out.Plan, err
}

// Destroy deletes everything in the state. It needs the lock and may be called again until it succeeds.
func (e *Engine) Destroy(ctx context.Context, sink func(Event)) (Outcome, error) {
	return e.change(ctx, job{op: pulumi.Destroy, name: "destroy", clears: true, sink: sink})
}

// change does a job that writes state.
func (e *Engine) change(ctx context.Context, j job) (Outcome, error) {
	began := e.cfg.Now()
	if err := notCancelled(ctx); err != nil {
		return Outcome{Cancelled: true}, fmt.Errorf("%s: %w", j.name, err)
	}
	if !e.locked() {
		return Outcome{}, fmt.Errorf("%s: %w", j.name, ErrNotLocked)
	}
	l, err := e.load()
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", j.name, err)
	}
	if err := e.compact(l); err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", j.name, err)
	}
	var cleared, stuck []Step
	if j.clears {
		if cleared, stuck, err = e.clear(ctx, l, j); err != nil {
			return Outcome{}, fmt.Errorf("%s: remove what an interrupted run left: %w", j.name, err)
		}
	}
	out, err := e.run(ctx, j, l)
	o := Outcome{Cancelled: out.cancelled, Skipped: out.skipped, Recovered: out.recovered, Took: e.cfg.Now().Sub(began)}
	if out.listener != nil {
		o.Plan, o.Failed = out.listener.plan(), out.listener.failed
	}
	if len(cleared) > 0 && o.Counts != nil {
		o.Steps = append(cleared, o.Steps...)
		o.Counts[OpDelete] += len(cleared)
	}
	if len(stuck) > 0 {
		o.Failed = append(stuck, o.Failed...)
		err = errors.Join(&StepsError{Job: j.name, Failed: stuck}, err)
	}
	return o, err
}

func (e *Engine) checkGraph(ctx context.Context, g stacks.Graph) error {
	if err := notCancelled(ctx); err != nil {
		return err
	}
	if found := g.Check(); found.HasErrors() {
		errs := make([]error, len(found))
		for i, d := range found {
			errs[i] = errors.New(d.Summary)
		}
		return fmt.Errorf("the graph cannot be built: %w", errors.Join(errs...))
	}
	return nil
}

// noStacks answers the engine's questions about other stacks: there are none.
type noStacks struct{}

var errNoStacks = errors.New("references to other stacks are not supported")

func (noStacks) GetStackOutputs(context.Context, string, func(error) error) (property.Map, error) {
	return property.Map{}, errNoStacks
}

func (noStacks) GetStackResourceOutputs(context.Context, string) (property.Map, error) {
	return property.Map{}, errNoStacks
}
