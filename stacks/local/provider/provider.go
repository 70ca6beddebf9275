// Package provider is the Pulumi provider of the local cloud. It runs in the engine's process and drives the control plane's API.
package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks/local/cloud"
)

// Package is the Pulumi package that the provider serves.
const Package tokens.Package = "surety"

// version is the provider's version in state files. Only its first number means anything: states of another are not understood.
var version = semver.MustParse("1.0.0")

// Options say which environment a provider serves.
type Options struct {
	// Dir is the environment's folder. It and the daemon in it come and go with the network.
	Dir string
	// Binary is our executable, which the daemon runs from; empty: this one.
	Binary string
	// Random is where secrets come from; nil: the system's secure source.
	Random io.Reader
}

// Provider implements plugin.Provider. Each operation is idempotent; a cancelled one leaves what was begun, and says in the
// state that it is not settled.
type Provider struct {
	plugin.UnimplementedProvider
	config  cloud.Config
	random  io.Reader
	base    context.Context // ends on cancellation
	cancel  context.CancelFunc
	linking sync.Mutex // held while a program's link is moved
	mu      sync.Mutex
	session *cloud.Client // nil until the daemon is first needed
}

var _ plugin.Provider = (*Provider)(nil)

// New makes a factory of providers for one environment; the engine asks it for one for each run. Nothing is started and no folder made before an operation needs it.
func New(o Options) func() (plugin.Provider, error) {
	return func() (plugin.Provider, error) {
		dir, err := filepath.Abs(o.Dir)
		if o.Dir == "" || err != nil {
			return nil, fmt.Errorf("find the environment's folder %q: %w", o.Dir, err)
		}
		p := &Provider{config: cloud.Config{Dir: dir, Binary: o.Binary}, random: o.Random}
		if p.random == nil {
			p.random = rand.Reader
		}
		p.base, p.cancel = context.WithCancel(context.Background())
		return p, nil
	}
}

// Handshake implements plugin.Provider.
func (p *Provider) Handshake(context.Context, plugin.ProviderHandshakeRequest) (*plugin.ProviderHandshakeResponse, error) {
	return &plugin.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true}, nil
}

// Pkg names the package.
func (p *Provider) Pkg() tokens.Package { return Package }

// GetPluginInfo implements plugin.Provider.
func (p *Provider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	return plugin.PluginInfo{Version: &version}, nil
}

// GetSchema implements plugin.Provider. No SDK is generated from it, so it names the package and no more.
func (p *Provider) GetSchema(context.Context, plugin.GetSchemaRequest) (plugin.GetSchemaResponse, error) {
	return plugin.GetSchemaResponse{Schema: fmt.Appendf(nil, `{"name":%q,"version":%q}`, Package, version)}, nil
}

// CheckConfig implements plugin.Provider. The environment is given when the provider is made, so there is nothing to configure.
func (p *Provider) CheckConfig(_ context.Context, r plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	return plugin.CheckConfigResponse{Properties: r.News}, nil
}

// DiffConfig implements plugin.Provider.
func (p *Provider) DiffConfig(context.Context, plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	return plugin.DiffConfigResponse{Changes: plugin.DiffNone}, nil
}

// Configure implements plugin.Provider.
func (p *Provider) Configure(context.Context, plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	return plugin.ConfigureResponse{}, nil
}

// SignalCancellation implements plugin.Provider: running operations end as soon as they can, and no new one begins.
func (p *Provider) SignalCancellation(context.Context) error {
	p.cancel()
	return nil
}

// Close implements plugin.Provider. The daemon goes on running.
func (p *Provider) Close() error {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.session != nil {
		p.session.Close()
		p.session = nil
	}
	return nil
}

// GetMapping implements plugin.Provider: the package has no counterpart elsewhere.
func (p *Provider) GetMapping(context.Context, plugin.GetMappingRequest) (plugin.GetMappingResponse, error) {
	return plugin.GetMappingResponse{}, nil
}

// GetMappings implements plugin.Provider.
func (p *Provider) GetMappings(context.Context, plugin.GetMappingsRequest) (plugin.GetMappingsResponse, error) {
	return plugin.GetMappingsResponse{}, nil
}

// within joins an operation's context with the provider's, and with the time limit in seconds when there is one.
func (p *Provider) within(ctx context.Context, limit float64) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(limit*float64(time.Second)))
	}
	stop := context.AfterFunc(p.base, cancel)
	return ctx, func() { stop(); cancel() }
}

func unknownType(token tokens.Type) error {
	return fmt.Errorf("there is no resource type %s in package %s", token, Package)
}

// partial says that a resource is there but not as it should be, so that the engine keeps it and tries again the next time.
func partial(err error) (resource.Status, error) {
	return resource.StatusPartialFailure, &plugin.InitError{Reasons: []string{err.Error()}}
}
