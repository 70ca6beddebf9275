package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pulumi/pulumi/pkg/v3/codegen/convert"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
	pkghost "github.com/pulumi/pulumi/pkg/v3/host"
	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/env"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"surety/stacks/engine/vault"
)

// runtimeName is the "language" of our programs: a Graph, walked in this process.
const runtimeName = "surety"

// host is the plugin host of one run. Providers of Config.Providers and the language live in this process and need no
// server and no subprocess; everything else goes to Pulumi's stock host, which is started only when a foreign plugin is wanted.
type host struct {
	ctx      context.Context
	d        diag.Sink
	status   diag.Sink
	debug    plugin.DebugContext
	own      map[string]ProviderFactory
	home     string
	scrubber *vault.Scrubber
	program  *program // nil when the run has no program

	mu        sync.Mutex
	stock     plugin.Host
	providers []plugin.Provider
	closed    bool
}

var _ plugin.Host = (*host)(nil)

// foreign starts the stock host at the first need.
func (h *host) foreign() (plugin.Host, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stock == nil {
		stock, err := pkghost.New(h.ctx, h.d, h.status, h.debug, nil, schema.NewLoaderServerFromContext, convert.NewMapperServerFromContext, nil)
		if err != nil {
			return nil, fmt.Errorf("start Pulumi's plugin host: %w", err)
		}
		h.stock = stock
	}
	return h.stock, nil
}

// started gives the stock host if something started it.
func (h *host) started() plugin.Host {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stock
}

// Provider makes a provider of a package: ours in this process, or a plugin.
func (h *host) Provider(ctx *plugin.Context, d workspace.PluginDescriptor, e env.Env) (plugin.Provider, error) {
	factory, mine := h.own[d.Name]
	if !mine {
		stock, err := h.foreign()
		if err != nil {
			return nil, err
		}
		p, err := stock.Provider(ctx, d, e)
		return p, h.missing(err)
	}
	guarded, err := startGuarded(d.Name, factory, h.scrubber)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.providers = append(h.providers, guarded)
	return guarded, nil
}

// missing turns "no such plugin" into the command that mends it.
func (h *host) missing(err error) error {
	var gone *workspace.MissingError
	if !errors.As(err, &gone) {
		return err
	}
	d := gone.Spec()
	version := ""
	if d.Version != nil {
		version = " v" + d.Version.String()
	}
	return fmt.Errorf("the Pulumi plugin for %q is not installed: run `PULUMI_HOME=%s pulumi plugin install %s %s%s`", d.Name, h.home, d.Kind, d.Name, version)
}

// LanguageRuntime gives the walker of the Graph.
func (h *host) LanguageRuntime(ctx *plugin.Context, runtime string) (plugin.LanguageRuntime, error) {
	if runtime == runtimeName {
		return &language{program: h.program}, nil
	}
	stock, err := h.foreign()
	if err != nil {
		return nil, err
	}
	return stock.LanguageRuntime(ctx, runtime)
}

// ResolvePlugin finds a plugin; ours have no path.
func (h *host) ResolvePlugin(ctx *plugin.Context, d workspace.PluginDescriptor) (*workspace.PluginInfo, error) {
	if _, mine := h.own[d.Name]; mine && d.Kind == apitype.ResourcePlugin || d.Name == runtimeName && d.Kind == apitype.LanguagePlugin {
		return &workspace.PluginInfo{Name: d.Name, Kind: d.Kind, Version: d.Version}, nil
	}
	stock, err := h.foreign()
	if err != nil {
		return nil, err
	}
	info, err := stock.ResolvePlugin(ctx, d)
	return info, h.missing(err)
}

// ServerAddr is where plugins reach the engine; without plugins there is nobody to reach it.
func (h *host) ServerAddr() string {
	if stock := h.started(); stock != nil {
		return stock.ServerAddr()
	}
	return ""
}

// Log passes a provider's message on.
func (h *host) Log(sev diag.Severity, urn resource.URN, msg string, stream int32) {
	h.d.Logf(sev, diag.StreamMessage(urn, msg, stream))
}

// LogStatus passes a provider's passing message on.
func (h *host) LogStatus(sev diag.Severity, urn resource.URN, msg string, stream int32) {
	h.status.Logf(sev, diag.StreamMessage(urn, msg, stream))
}

// PolicyAnalyzer is Pulumi's.
func (h *host) PolicyAnalyzer(ctx *plugin.Context, name tokens.QName, path string, opts *plugin.PolicyAnalyzerOptions) (plugin.Analyzer, error) {
	stock, err := h.foreign()
	if err != nil {
		return nil, err
	}
	return stock.PolicyAnalyzer(ctx, name, path, opts)
}

// ReleaseContext closes what was started for ctx.
func (h *host) ReleaseContext(ctx *plugin.Context) error {
	if stock := h.started(); stock != nil {
		return stock.ReleaseContext(ctx)
	}
	return nil
}

// Loader, Mapper and Resolver serve programs in other languages; ours needs none.
func (h *host) Loader(ctx *plugin.Context) (*plugin.GrpcServer, error) {
	if stock := h.started(); stock != nil {
		return stock.Loader(ctx)
	}
	return nil, nil
}

// Mapper is as Loader.
func (h *host) Mapper(ctx *plugin.Context) (*plugin.GrpcServer, error) {
	if stock := h.started(); stock != nil {
		return stock.Mapper(ctx)
	}
	return nil, nil
}

// Resolver is as Loader.
func (h *host) Resolver(*plugin.Context) (*plugin.GrpcServer, error) { return nil, nil }

// SignalCancellation asks all providers to end what they do soon.
func (h *host) SignalCancellation() error {
	h.mu.Lock()
	stock, own := h.stock, append([]plugin.Provider(nil), h.providers...)
	h.mu.Unlock()
	var errs []error
	for _, p := range own {
		errs = append(errs, p.SignalCancellation(h.ctx))
	}
	if stock != nil {
		errs = append(errs, stock.SignalCancellation())
	}
	return errors.Join(errs...)
}

// StartDebugging is not offered.
func (h *host) StartDebugging(plugin.DebuggingInfo) error {
	return errors.New("there is no program to debug: the graph is data")
}

// AttachDebugger is not offered.
func (h *host) AttachDebugger(plugin.DebugSpec) bool { return false }

// Close closes all providers and, if it was started, the stock host.
func (h *host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	stock, own := h.stock, h.providers
	h.mu.Unlock()
	var errs []error
	for _, p := range own {
		if err := p.Close(); status.Code(err) != codes.Unimplemented { // it need not have anything to close
			errs = append(errs, err)
		}
	}
	if stock != nil {
		errs = append(errs, stock.Close())
	}
	return errors.Join(errs...)
}
