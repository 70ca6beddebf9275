package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/display"
	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/pkg/v3/resource/deploy"
	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/pkg/v3/util/cancel"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/result"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"surety/internal/durable"
	"surety/stacks"
	"surety/stacks/engine/journal"
)

// defaultGrace is how long a cancelled run waits for its running steps.
const defaultGrace = 30 * time.Second

// operation is one of the engine's entry points.
type operation func(pulumi.UpdateInfo, *pulumi.Context, pulumi.UpdateOptions, bool) (*deploy.Plan, display.ResourceChanges, error)

// job is one run of the engine.
type job struct {
	op      operation
	name    string // for messages: "preview", "up", …
	dry     bool
	looking bool          // a refresh by itself
	clears  bool          // what interrupted creates may have left, and the run would not see, is removed first
	graph   *stacks.Graph // nil for refresh and destroy
	only    []string      // names of the resources that a refresh is limited to; nil: all
	options Options
	sink    func(Event)
}

// ran is what came of a job.
type ran struct {
	listener  *listener
	skipped   []string
	cancelled bool
	recovered int
}

// run does a job on a loaded state. A job that is not dry records to the journal and ends by writing the checkpoint.
func (e *Engine) run(ctx context.Context, j job, l *loaded) (ran, error) {
	snapshot, err := stack.DeserializeDeploymentV3(ctx, *l.deployment, e.keeper)
	if err != nil {
		return ran{}, fmt.Errorf("%s: read the state: %w", j.name, err)
	}
	// The engine is shown no pending operations: it would warn and leave them to a human. Creates are run again, being idempotent;
	// updates and deletes come up again by themselves, since the state holds what was before them.
	snapshot.PendingOperations = nil
	snapshot.SecretsManager = e.keeper
	var targets []string
	for _, r := range snapshot.Resources {
		if slices.Contains(j.only, r.URN.Name()) {
			targets = append(targets, string(r.URN))
		}
	}
	if j.only != nil && len(targets) == 0 { // none would be all of them to the engine
		return ran{}, fmt.Errorf("%s: the state holds none of %v", j.name, j.only)
	}

	listener := newListener(e.cfg.Now, j.sink, e.scrubber.Clean, j.graph)
	listener.looking = j.looking
	out := ran{listener: listener, recovered: l.recovered}
	e.tellPending(listener, l)

	var walker *program
	if j.graph != nil {
		walker = newProgram(*j.graph, e.scrubber, e.cfg.Parallel)
	}
	events := make(chan pulumi.Event)
	listening := make(chan struct{})
	recorded := make(chan running)
	if !j.dry {
		listener.recorded = recorded
	}
	go listener.listen(events, listening)

	scope, source := cancel.NewContext(context.Background())
	engineContext := &pulumi.Context{Cancel: scope, Events: events, BackendClient: noStacks{}}
	var recorder *journaler
	if !j.dry {
		recorder = newJournaler(context.Background(), e.keeper, e.paths.journal, l.digest, e.cfg.Now(), os.Getpid(), l.deployment.SecretsProviders != nil)
		manager, err := pulumi.NewJournalSnapshotManager(recorder, snapshot, e.keeper)
		if err != nil {
			return out, fmt.Errorf("%s: %w", j.name, err)
		}
		engineContext.SnapshotManager = &snapshotManager{JournalSnapshotManager: manager, recorded: recorded, over: listening}
	}
	info := pulumi.UpdateInfo{
		Root:    e.paths.home,
		Project: &workspace.Project{Name: tokens.PackageName(e.cfg.Project), Runtime: workspace.NewProjectRuntimeInfo(runtimeName, nil)},
		Target: &deploy.Target{
			Name: tokens.MustParseStackName(e.cfg.Stack), Organization: "organization", Config: config.Map{}, Decrypter: config.NopDecrypter, Snapshot: snapshot,
		},
	}
	var plugins *host
	options := pulumi.UpdateOptions{
		Targets:  deploy.NewUrnTargets(targets),
		Parallel: int32(min(e.cfg.Parallel, 1<<20)), Refresh: j.options.Refresh, ContinueOnError: j.options.KeepGoing, SkipPluginPreInstall: true,
		HostFactory: func(ctx context.Context, d, passing diag.Sink, debug plugin.DebugContext) (plugin.Host, error) {
			plugins = &host{ctx: ctx, d: d, status: passing, debug: debug, own: e.cfg.Providers, home: e.paths.home, scrubber: e.scrubber, program: walker}
			return plugins, nil
		},
	}

	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		out.cancelled = watch(ctx, source, j.options, ended)
	}()
	// The engine reports panics of its own goroutines by a panic in this call, where they are contained. What cannot be: a panic in
	// a goroutine that a provider starts by itself, or in the engine's server for resource registrations. They end the process; the journal is safe.
	_, err = protect(func() (any, error) {
		_, _, err := j.op(info, engineContext, options, j.dry)
		return nil, err
	}, j.name)
	close(ended)
	<-watched
	source.Terminate() // lets go of all that the engine still holds
	var closing error
	if plugins != nil {
		closing = plugins.Close() // the engine would do so too, but behind our back
	}
	close(events)
	<-listening
	if closing != nil {
		listener.sink(Event{Kind: Log, Message: e.scrubber.Clean(closing.Error())})
	}
	if err != nil {
		listener.conclude()
	}
	out.skipped = listener.skipped(j.graph)
	var bug *PanicError
	broken := errors.As(err, &bug)
	err = errors.Join(e.failure(j, out, err), listener.bug)
	switch {
	case recorder == nil:
	case broken:
		recorder.abandon() // left as it is: evidence, and safe
	default:
		err = errors.Join(err, e.record(recorder, l))
	}
	return out, err
}

// watch passes the caller's cancellation on: first gently, then, after the grace or at a word on Terminate, for good.
func watch(ctx context.Context, source *cancel.Source, o Options, ended <-chan struct{}) bool {
	select {
	case <-ended:
		return false
	case <-ctx.Done():
	}
	source.Cancel()
	grace := o.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		source.Terminate()
	case <-o.Terminate:
		source.Terminate()
	}
	return true
}

// failure gives the error of a job, in the caller's terms. Steps that failed are in the listener; they need no second telling.
func (e *Engine) failure(j job, out ran, err error) error {
	var bug *PanicError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bug):
		return fmt.Errorf("%s: the engine failed: %w; finished steps are in the journal %q and the next run picks them up", j.name, err, e.paths.journal)
	case out.cancelled:
		return fmt.Errorf("%s: %w", j.name, context.Canceled)
	case len(out.listener.failed) > 0:
		return &StepsError{Job: j.name, Failed: out.listener.failed}
	case len(out.listener.troubles) > 0:
		return fmt.Errorf("%s: %s", j.name, strings.Join(out.listener.troubles, "; "))
	case result.IsBail(err):
		return fmt.Errorf("%s: stopped", j.name)
	default:
		return fmt.Errorf("%s: %s", j.name, e.scrubber.Clean(plain(err.Error())))
	}
}

// StepsError says that steps failed.
type StepsError struct {
	Job    string
	Failed []Step
}

func (e *StepsError) Error() string {
	parts := make([]string, len(e.Failed))
	for i, s := range e.Failed {
		parts[i] = s.Name + ": " + s.Message
	}
	return e.Job + ": " + strings.Join(parts, "; ")
}

// record writes the checkpoint of a run, then removes its journal. If anything fails on the way the journal stays, and is replayed next time.
func (e *Engine) record(j *journaler, l *loaded) error {
	entries, matters, err := j.finish()
	if err != nil {
		j.abandon()
		return err
	}
	if !matters && len(l.deployment.PendingOperations) == 0 && l.exists {
		return nil
	}
	d, err := journal.Replay(l.deployment, entries)
	if err != nil {
		j.abandon()
		return fmt.Errorf("put the state together from the journal %q: %w", e.paths.journal, err)
	}
	if secrets := e.keeper.State(); secrets != nil && d.Deployment.SecretsProviders == nil {
		d.Deployment.SecretsProviders = &apitype.SecretsProvidersV1{Type: e.keeper.Type(), State: secrets}
	}
	raw, err := e.checkpointBytes(d)
	if err != nil {
		j.abandon()
		return err
	}
	if err := j.commit(digest(raw)); err != nil {
		return err
	}
	if err := e.writeCheckpoint(raw); err != nil {
		return err
	}
	return durable.Remove(e.paths.journal)
}

// tellPending says what an interrupted run left open.
func (e *Engine) tellPending(l *listener, from *loaded) {
	if from.journal {
		l.sink(Event{Kind: Log, Message: fmt.Sprintf("a run was interrupted: %d finished steps were read back from its journal", from.recovered)})
	}
	for _, p := range from.pending() {
		l.sink(Event{Kind: Log, Step: Step{Name: p.Name, Type: p.Type, URN: p.URN, Requirements: l.requires[p.Name]}, Message: "was interrupted while " + p.Op})
	}
}
