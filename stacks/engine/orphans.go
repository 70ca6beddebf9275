package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks"
)

// A create that was begun when a run was killed may have made its resource or not. When the Graph still holds the resource, the
// engine creates it again and, creates being idempotent, so takes it over. When it does not (it was taken out of the Graph since, or all
// is being destroyed), nothing would ever look at it again. So here it is created again too, which is the one way to
// learn its ID, and then deleted. Nothing can depend on it yet, so it may go before all else.

// orphans gives the pending creates, of providers in this process, that the run about to start would not run again.
func (e *Engine) orphans(l *loaded, g *stacks.Graph) []apitype.OperationV2 {
	wanted := map[resource.URN]bool{}
	if g != nil {
		for _, r := range g.Resources {
			wanted[resource.NewURN(tokens.QName(e.cfg.Stack), tokens.PackageName(e.cfg.Project), "", tokens.Type(r.Type), r.Name)] = true
		}
	}
	var out []apitype.OperationV2
	for _, op := range l.deployment.PendingOperations {
		_, mine := e.cfg.Providers[string(op.Resource.Type.Package())]
		if op.Type == apitype.OperationTypeCreating && mine && !wanted[op.Resource.URN] {
			out = append(out, op)
		}
	}
	return out
}

// clear removes the orphans and saves the state without them, giving the steps done. Those that could not be removed stay
// pending, are among the failed steps, and are tried again by the next run.
func (e *Engine) clear(ctx context.Context, l *loaded, j job) (done, failed []Step, err error) {
	orphans := e.orphans(l, j.graph)
	if len(orphans) == 0 {
		return nil, nil, nil
	}
	say := newListener(e.cfg.Now, j.sink, e.scrubber.Clean, j.graph).sink
	providers := map[string]*guard{}
	defer func() {
		for _, p := range providers {
			_ = p.Close()
		}
	}()
	for _, op := range orphans {
		name := string(op.Resource.Type.Package())
		p, ok := providers[name]
		if !ok {
			if p, err = e.bare(ctx, name); err != nil {
				return done, failed, err
			}
			providers[name] = p
		}
		s := orphanStep(op)
		say(Event{Kind: Started, Step: s, Message: orphanText})
		began := e.cfg.Now()
		err := e.clearOne(ctx, l, p, op)
		s.Took = e.cfg.Now().Sub(began)
		if err != nil {
			s.Message = "was being created when a run was interrupted, and could not be removed: " + e.scrubber.Clean(err.Error())
			failed = append(failed, s)
			say(Event{Kind: Failed, Step: s, Took: s.Took, Message: s.Message})
			continue
		}
		done = append(done, s)
		say(Event{Kind: Finished, Step: s, Took: s.Took})
	}
	raw, err := e.checkpointBytes(apitype.TypedDeployment{Version: l.version, Features: l.features, Deployment: l.deployment})
	if err == nil {
		err = e.writeCheckpoint(raw)
		l.digest, l.exists = digest(raw), true
	}
	return done, failed, err
}

const orphanText = "its create was interrupted"

func orphanStep(op apitype.OperationV2) Step {
	return Step{Op: OpDelete, Name: op.Resource.URN.Name(), Type: string(op.Resource.Type), URN: string(op.Resource.URN)}
}

// bare makes a provider outside of a run of the engine.
func (e *Engine) bare(ctx context.Context, name string) (*guard, error) {
	g, err := startGuarded(name, e.cfg.Providers[name], e.scrubber)
	if err != nil {
		return nil, err
	}
	if _, err := g.Configure(ctx, plugin.ConfigureRequest{Inputs: resource.PropertyMap{}}); err != nil {
		return nil, errors.Join(fmt.Errorf("configure provider %q: %w", name, err), g.Close())
	}
	return g, nil
}

func (e *Engine) clearOne(ctx context.Context, l *loaded, p *guard, op apitype.OperationV2) error {
	pending, err := stack.DeserializeOperation(op, e.keeper)
	if err != nil {
		return err
	}
	state := pending.Resource
	made, err := p.Create(ctx, plugin.CreateRequest{URN: state.URN, Name: state.URN.Name(), Type: state.Type, Properties: state.Inputs})
	if err != nil && made.ID == "" { // one that failed with an ID was made all the same, and must go
		return err
	}
	// Where one of that name and ID stands, the unfinished replacement was the same thing over again: it stays.
	stands := slices.ContainsFunc(l.deployment.Resources, func(r apitype.ResourceV3) bool { return r.URN == state.URN && r.ID == made.ID })
	if !stands {
		_, err := p.Delete(ctx, plugin.DeleteRequest{URN: state.URN, Name: state.URN.Name(), Type: state.Type, ID: made.ID, Inputs: state.Inputs, Outputs: made.Properties})
		if err != nil {
			return err
		}
	}
	l.deployment.PendingOperations = slices.DeleteFunc(l.deployment.PendingOperations, func(o apitype.OperationV2) bool {
		return o.Type == op.Type && o.Resource.URN == op.Resource.URN
	})
	return nil
}
