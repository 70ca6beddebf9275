package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// world is what the test provider changes. With a folder it outlives the process, as real things do.
type world struct {
	mu    sync.Mutex
	items map[string]map[string]any
	dir   string
	calls []string // "create a", in order

	failing map[string]error // "create a" → error
	panics  map[string]bool
	partial map[string]bool // "create a" → made, but did not come up
	delay   time.Duration
	gate    func(ctx context.Context, call string) // called before each change, outside the mutex
	cancels int
}

func newWorld() *world {
	return &world{items: map[string]map[string]any{}, failing: map[string]error{}, panics: map[string]bool{}, partial: map[string]bool{}}
}

// openWorld reads the world kept in a folder.
func openWorld(dir string) (*world, error) {
	w := newWorld()
	w.dir = dir
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		item := map[string]any{}
		if err := json.Unmarshal(raw, &item); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		w.items[strings.TrimSuffix(filepath.Base(file), ".json")] = item
	}
	return w, nil
}

// do makes one change. It notes every attempt, in the folder's log too.
func (w *world) do(ctx context.Context, what, name string, item map[string]any) error {
	call := what + " " + name
	if w.gate != nil {
		w.gate(ctx, call)
	}
	if w.delay > 0 {
		select {
		case <-time.After(w.delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	if w.panics[call] {
		panic("test provider: " + call)
	}
	if err := w.failing[call]; err != nil {
		return err
	}
	if w.dir != "" {
		path := filepath.Join(w.dir, name+".json")
		if what == "delete" {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		} else {
			raw, err := json.Marshal(item)
			if err != nil {
				return err
			}
			// Whole or not at all, as the process may be killed in between.
			if err := os.WriteFile(path+".tmp", raw, 0o600); err != nil {
				return err
			}
			if err := os.Rename(path+".tmp", path); err != nil {
				return err
			}
		}
		log, err := os.OpenFile(filepath.Join(w.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if _, err := log.WriteString(call + "\n"); err != nil {
			return err
		}
		if err := log.Close(); err != nil {
			return err
		}
	}
	if what == "delete" {
		delete(w.items, name)
	} else {
		w.items[name] = item
	}
	return nil
}

func (w *world) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]string, 0, len(w.items))
	for name := range w.items {
		out = append(out, name)
	}
	return out
}

func (w *world) count(prefix string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

func (w *world) factory() (plugin.Provider, error) { return &dataProvider{world: w}, nil }

// dataProvider offers surety:local:Data: inputs are kept as they are, a change of "kind" needs a new one, everything else is changed in place.
type dataProvider struct {
	plugin.UnimplementedProvider
	world *world
}

func (p *dataProvider) CheckConfig(_ context.Context, r plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	return plugin.CheckConfigResponse{Properties: r.News}, nil
}

func (p *dataProvider) DiffConfig(context.Context, plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	return plugin.DiffResult{Changes: plugin.DiffNone}, nil
}

func (p *dataProvider) Configure(context.Context, plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	return plugin.ConfigureResponse{}, nil
}

func (p *dataProvider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	return plugin.PluginInfo{}, nil
}

func (p *dataProvider) Check(_ context.Context, r plugin.CheckRequest) (plugin.CheckResponse, error) {
	if v, ok := r.News["bad"]; ok {
		return plugin.CheckResponse{Failures: []plugin.CheckFailure{{Property: "bad", Reason: "is never right: " + show(v)}}}, nil
	}
	return plugin.CheckResponse{Properties: r.News}, nil
}

func (p *dataProvider) Diff(_ context.Context, r plugin.DiffRequest) (plugin.DiffResponse, error) {
	d := r.OldInputs.Diff(r.NewInputs)
	if d == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}, nil
	}
	detailed := plugin.NewDetailedDiffFromObjectDiff(d, true)
	result := plugin.DiffResult{Changes: plugin.DiffSome, DetailedDiff: detailed}
	for path, pd := range detailed {
		result.ChangedKeys = append(result.ChangedKeys, resource.PropertyKey(firstKey(path)))
		if firstKey(path) == "kind" {
			result.ReplaceKeys = append(result.ReplaceKeys, "kind")
			detailed[path] = pd.ToReplace()
		}
	}
	return result, nil
}

// outputs adds an address to the inputs. The secret mark of inputs is dropped on purpose: the engine must put it back.
func (p *dataProvider) outputs(name string, inputs resource.PropertyMap, preview bool) (resource.PropertyMap, map[string]any) {
	out := resource.PropertyMap{}
	item := map[string]any{}
	for key, value := range inputs {
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		out[key] = value
		item[string(key)] = opened(value)
	}
	out["address"] = resource.NewProperty("10.0.0." + fmt.Sprint(len(name)))
	if preview {
		out["address"] = unknown()
	}
	return out, item
}

func (p *dataProvider) Create(ctx context.Context, r plugin.CreateRequest) (plugin.CreateResponse, error) {
	name := r.URN.Name()
	out, item := p.outputs(name, r.Properties, r.Preview)
	if r.Preview {
		return plugin.CreateResponse{Properties: out}, nil
	}
	if err := p.world.do(ctx, "create", name, item); err != nil {
		return plugin.CreateResponse{Status: resource.StatusOK}, err
	}
	if p.world.partial["create "+name] {
		return plugin.CreateResponse{ID: resource.ID(name), Properties: out, Status: resource.StatusPartialFailure}, &plugin.InitError{Reasons: []string{"did not come up"}}
	}
	return plugin.CreateResponse{ID: resource.ID(name), Properties: out}, nil
}

func (p *dataProvider) Update(ctx context.Context, r plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	name := r.URN.Name()
	out, item := p.outputs(name, r.NewInputs, false)
	if r.Preview {
		return plugin.UpdateResponse{Properties: out}, nil
	}
	if err := p.world.do(ctx, "update", name, item); err != nil {
		return plugin.UpdateResponse{Status: resource.StatusOK}, err
	}
	return plugin.UpdateResponse{Properties: out}, nil
}

func (p *dataProvider) Delete(ctx context.Context, r plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	return plugin.DeleteResponse{}, p.world.do(ctx, "delete", r.URN.Name(), nil)
}

func (p *dataProvider) Read(_ context.Context, r plugin.ReadRequest) (plugin.ReadResponse, error) {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	item, ok := p.world.items[string(r.ID)]
	if !ok {
		return plugin.ReadResponse{}, nil
	}
	inputs := resource.NewPropertyMapFromMap(item)
	out, _ := p.outputs(string(r.ID), inputs, false)
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: r.ID, Inputs: inputs, Outputs: out}}, nil
}

func (p *dataProvider) SignalCancellation(context.Context) error {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	p.world.cancels++
	return nil
}
