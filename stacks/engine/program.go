package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"surety/stacks"
	"surety/stacks/engine/vault"
)

// language is the "language runtime" whose programs are Graphs.
type language struct {
	plugin.LanguageRuntime // the methods for projects in files, which are never called
	program                *program
}

func (l *language) Close() error                 { return nil }
func (l *language) Cancel(context.Context) error { return nil }

// GetPluginInfo names us.
func (l *language) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	return plugin.PluginInfo{}, nil
}

// GetRequiredPackages names nothing: providers are asked for when the first resource of a package comes.
func (l *language) GetRequiredPackages(context.Context, plugin.ProgramInfo) ([]workspace.PackageDescriptor, []workspace.PackageSpec, error) {
	return nil, nil, nil
}

// Run walks the Graph. A resource that failed was reported by the engine already, hence "bail" and no message.
func (l *language) Run(ctx context.Context, info plugin.RunInfo) (message string, bail bool, err error) {
	if l.program == nil {
		return "", false, nil
	}
	_, err = protect(func() (any, error) { return nil, l.program.run(ctx, info) }, "walk the graph")
	switch {
	case errors.Is(err, errIncomplete):
		return "", true, nil
	case err != nil:
		return l.program.scrubber.Clean(err.Error()), false, nil
	default:
		return "", false, nil
	}
}

var errIncomplete = errors.New("some resources were not built")

// program registers the resources of a Graph with the engine, each as soon as what it needs stands.
type program struct {
	graph    stacks.Graph
	scrubber *vault.Scrubber
	width    int // registrations at once

	mu    sync.Mutex
	stood map[string]stood
}

func newProgram(g stacks.Graph, s *vault.Scrubber, parallel int) *program {
	// Registrations wait in the engine for their turn; more of them than steps keeps its queue filled.
	return &program{graph: g, scrubber: s, width: 2 * parallel, stood: map[string]stood{}}
}

func (p *program) run(ctx context.Context, info plugin.RunInfo) error {
	conn, err := grpc.NewClient(info.MonitorAddress, grpc.WithTransportCredentials(insecure.NewCredentials()), rpcutil.GrpcChannelOptions())
	if err != nil {
		return fmt.Errorf("reach the engine: %w", err)
	}
	defer func() { _ = conn.Close() }()
	monitor := pulumirpc.NewResourceMonitorClient(conn)
	root, err := monitor.RegisterResource(ctx, &pulumirpc.RegisterResourceRequest{
		Type: string(resource.RootStackType), Name: info.Project + "-" + info.Stack, SupportsResultReporting: true, AcceptSecrets: true,
	})
	if err != nil {
		return fmt.Errorf("register the stack: %w", err)
	}
	w := &walk{program: p, monitor: monitor, root: root.GetUrn(), preview: info.DryRun}
	return w.all(ctx)
}

// walk is one passage over the Graph.
type walk struct {
	*program
	monitor pulumirpc.ResourceMonitorClient
	root    string
	preview bool

	failed bool
	errs   []error
}

// all registers every resource, in dependency order, up to width at once.
// What needs a resource that failed is never registered, and so left as it is.
func (w *walk) all(ctx context.Context) error {
	total := len(w.graph.Resources)
	index := make(map[string]int, total)
	for i, r := range w.graph.Resources {
		index[r.Name] = i
	}
	waiting := make([]int, total)
	after := make([][]int, total)
	ready := make(chan int, total)
	for i, r := range w.graph.Resources {
		depends := r.Dependencies()
		waiting[i] = len(depends)
		for _, on := range depends {
			after[index[on]] = append(after[index[on]], i)
		}
		if waiting[i] == 0 {
			ready <- i
		}
	}
	// open counts the resources queued or running; when it falls to none, nothing more can become ready.
	open := len(ready)
	if open == 0 {
		return nil
	}
	var workers sync.WaitGroup
	for range min(w.width, total) {
		workers.Go(func() {
			for i := range ready {
				ok := w.one(ctx, w.graph.Resources[i])
				w.mu.Lock()
				if ok {
					for _, next := range after[i] {
						if waiting[next]--; waiting[next] == 0 {
							open++
							ready <- next
						}
					}
				}
				if open--; open == 0 {
					close(ready)
				}
				w.mu.Unlock()
			}
		})
	}
	workers.Wait()
	if len(w.errs) > 0 {
		return errors.Join(w.errs...)
	}
	if w.failed {
		return errIncomplete
	}
	return nil
}

// one registers a resource and waits for its step. It reports whether the resource stands.
func (w *walk) one(ctx context.Context, r stacks.Resource) bool {
	_, err := protect(func() (any, error) { return nil, w.register(ctx, r) }, "register "+r.Name)
	if err == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed = true
	if !errors.Is(err, errIncomplete) {
		w.errs = append(w.errs, fmt.Errorf("%s: %w", r.Name, err))
	}
	return false
}

var marshalOptions = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true, KeepResources: true, KeepOutputValues: true}

func (w *walk) register(ctx context.Context, r stacks.Resource) error {
	lookup := func(name string) (stood, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		s, ok := w.stood[name]
		return s, ok
	}
	inputs := make(resource.PropertyMap, len(r.Inputs))
	for key, value := range r.Inputs {
		v, err := resolve(value, lookup, w.preview)
		if err != nil {
			return fmt.Errorf("input %s: %w", key, err)
		}
		w.scrubber.AddSecrets(v, false)
		inputs[resource.PropertyKey(key)] = v
	}
	object, err := plugin.MarshalProperties(inputs, marshalOptions)
	if err != nil {
		return fmt.Errorf("encode inputs: %w", err)
	}
	urns := func(names []string) []string {
		out := make([]string, 0, len(names))
		for _, name := range names {
			if s, ok := lookup(name); ok {
				out = append(out, string(s.urn))
			}
		}
		slices.Sort(out)
		return out
	}
	byProperty := map[string]*pulumirpc.RegisterResourceRequest_PropertyDependencies{}
	for key, names := range r.Needs() {
		byProperty[key] = &pulumirpc.RegisterResourceRequest_PropertyDependencies{Urns: urns(names)}
	}
	response, err := w.monitor.RegisterResource(ctx, &pulumirpc.RegisterResourceRequest{
		Type: r.Type, Name: r.Name, Parent: w.root, Custom: true, Object: object,
		Dependencies: urns(r.Dependencies()), PropertyDependencies: byProperty,
		DeleteBeforeReplace: r.DeleteBeforeReplace, DeleteBeforeReplaceDefined: r.DeleteBeforeReplace,
		AcceptSecrets: true, AcceptResources: true, SupportsPartialValues: true, SupportsResultReporting: true,
	})
	switch {
	case status.Code(err) == codes.Unavailable || status.Code(err) == codes.Canceled:
		return errIncomplete // the engine is stopping, and has said why
	case err != nil:
		return errors.New(status.Convert(err).Message())
	case response.GetResult() != pulumirpc.Result_SUCCESS:
		return errIncomplete // the step failed, and was reported
	}
	outputs, err := plugin.UnmarshalProperties(response.GetObject(), marshalOptions)
	if err != nil {
		return fmt.Errorf("decode outputs: %w", err)
	}
	w.scrubber.AddSecrets(resource.NewProperty(outputs), false)
	id := resource.NewProperty(response.GetId())
	if response.GetId() == "" {
		id = unknown()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stood[r.Name] = stood{urn: resource.URN(response.GetUrn()), id: id, outputs: outputs}
	return nil
}
