package engine

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/engine/vault"
)

// guard stands before a provider in our process. It does what a process of its own would have done: a panic in a call fails that
// call and nothing else (a panic in a goroutine that the provider starts by itself cannot be caught by anybody and ends the
// process; the journal then holds all finished steps). And it does what Pulumi's client of a plugin process does: an output that
// carries a secret input is marked as secret, so that a provider cannot leak by forgetting.
type guard struct {
	plugin.Provider
	name     string
	scrubber *vault.Scrubber
}

// startGuarded makes a provider in this process and puts a guard before it.
func startGuarded(name string, factory ProviderFactory, s *vault.Scrubber) (*guard, error) {
	p, err := protect(func() (plugin.Provider, error) { return factory() }, "make it")
	if err != nil {
		return nil, fmt.Errorf("start provider %q: %w", name, err)
	}
	return &guard{Provider: p, name: name, scrubber: s}, nil
}

// protect turns a panic of f into an error with the place where it happened.
func protect[T any](f func() (T, error), what string) (out T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{What: what, Value: r, Stack: string(debug.Stack())}
		}
	}()
	return f()
}

// PanicError is a panic that was contained.
type PanicError struct {
	What  string // what was being done
	Value any    // what panic was called with
	Stack string // where
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("%s: a bug (panic): %v", e.What, e.Value)
}

func call[Q, R any](g *guard, what string, urn resource.URN, f func(context.Context, Q) (R, error), ctx context.Context, request Q) (R, error) {
	name := g.name
	if urn != "" {
		name = urn.Name()
	}
	return protect(func() (R, error) { return f(ctx, request) }, what+" "+name)
}

func (g *guard) CheckConfig(ctx context.Context, r plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	return call(g, "check the settings of provider", "", g.Provider.CheckConfig, ctx, r)
}

func (g *guard) DiffConfig(ctx context.Context, r plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	return call(g, "compare the settings of provider", "", g.Provider.DiffConfig, ctx, r)
}

func (g *guard) Configure(ctx context.Context, r plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	return call(g, "configure provider", "", g.Provider.Configure, ctx, r)
}

func (g *guard) Check(ctx context.Context, r plugin.CheckRequest) (plugin.CheckResponse, error) {
	g.scrubber.AddSecrets(resource.NewProperty(r.News), false)
	resp, err := call(g, "check", r.URN, g.Provider.Check, ctx, r)
	resp.Properties = markSecrets(resp.Properties, r.News)
	return resp, err
}

func (g *guard) Diff(ctx context.Context, r plugin.DiffRequest) (plugin.DiffResponse, error) {
	return call(g, "compare", r.URN, g.Provider.Diff, ctx, r)
}

func (g *guard) Create(ctx context.Context, r plugin.CreateRequest) (plugin.CreateResponse, error) {
	resp, err := call(g, "create", r.URN, g.Provider.Create, ctx, r)
	resp.Properties = g.mark(resp.Properties, r.Properties)
	return resp, err
}

func (g *guard) Update(ctx context.Context, r plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	resp, err := call(g, "update", r.URN, g.Provider.Update, ctx, r)
	resp.Properties = g.mark(g.mark(resp.Properties, r.NewInputs), r.OldOutputs)
	return resp, err
}

func (g *guard) Read(ctx context.Context, r plugin.ReadRequest) (plugin.ReadResponse, error) {
	resp, err := call(g, "read", r.URN, g.Provider.Read, ctx, r)
	resp.Inputs = g.mark(g.mark(resp.Inputs, r.Inputs), r.State)
	resp.Outputs = g.mark(g.mark(resp.Outputs, r.Inputs), r.State)
	return resp, err
}

func (g *guard) Delete(ctx context.Context, r plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	return call(g, "delete", r.URN, g.Provider.Delete, ctx, r)
}

func (g *guard) SignalCancellation(ctx context.Context) error {
	_, err := protect(func() (any, error) { return nil, g.Provider.SignalCancellation(ctx) }, "cancel provider "+g.name)
	return err
}

func (g *guard) Close() error {
	_, err := protect(func() (any, error) { return nil, g.Provider.Close() }, "close provider "+g.name)
	return err
}

// mark is markSecrets, and remembers what is secret among the outputs.
func (g *guard) mark(out, like resource.PropertyMap) resource.PropertyMap {
	out = markSecrets(out, like)
	g.scrubber.AddSecrets(resource.NewProperty(out), false)
	return out
}

// markSecrets marks in out what is marked in like at the same place. When a whole list was secret in part, the whole is marked,
// since places in a list move.
func markSecrets(out, like resource.PropertyMap) resource.PropertyMap {
	if out == nil {
		return nil
	}
	marked := make(resource.PropertyMap, len(out))
	for key, value := range out {
		if model, ok := like[key]; ok {
			value = markSecret(value, model)
		}
		marked[key] = value
	}
	return marked
}

func markSecret(value, model resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsSecret(), value.IsOutput() && value.OutputValue().Secret, !model.ContainsSecrets():
		return value
	case model.IsObject() && value.IsObject():
		return resource.NewProperty(markSecrets(value.ObjectValue(), model.ObjectValue()))
	default:
		return resource.MakeSecret(value)
	}
}
