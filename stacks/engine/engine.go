// Package engine drives the Pulumi engine inside our process: preview, up, refresh and destroy of a stacks.Graph, with
// Pulumi's own diffing, state and provider protocol, and a journal that a kill or a power cut cannot tear.
//
// State is in the stock layout of Pulumi's file backend (Dir/.pulumi/stacks/PROJECT/STACK.json), so that
// `pulumi login file://DIR` takes over. While a run is on, each finished step is in the journal beside it, flushed to disk before
// the engine goes on; the checkpoint is written once, at the end.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks/engine/journal"
	"surety/stacks/engine/vault"
)

// Config says where the state is and what the engine works with.
type Config struct {
	// Dir is the state folder: what `pulumi login file://DIR` is given.
	Dir string
	// Project and Stack name the state inside Dir.
	Project, Stack string
	// Passphrase gives the passphrase of the state's secrets. It is called only when a secret is first touched.
	Passphrase func() (string, error)
	// KeyCache is the path of a 0600 file that keeps the derived key, or empty for none. Set it only where the passphrase itself is in such a file.
	KeyCache string
	// Providers maps a package name ("surety") to a provider in this process. Other packages are Pulumi plugins.
	Providers map[string]ProviderFactory
	// Parallel is how many steps run at once; 0 means four per processor and at least eight.
	Parallel int
	// Now is the clock of durations; time.Now when nil.
	Now func() time.Time
}

// ProviderFactory makes a provider. It is called once per run and package; the engine closes what it made.
type ProviderFactory func() (plugin.Provider, error)

// Engine works on one stack. Preview and the reading methods may be called at any time; Up, Refresh and Destroy need the lock.
type Engine struct {
	cfg      Config
	paths    paths
	scrubber *vault.Scrubber
	keeper   *vault.Keeper

	mu   sync.Mutex
	held bool // by this Engine
}

// paths are the files of one stack.
type paths struct {
	home       string // Pulumi's home: plugins; also the folder of the file backend
	meta       string
	checkpoint string
	journal    string
	lock       string
}

// Open prepares the engine for a stack. It changes nothing on disk, reads nothing yet and takes no lock; a journal that an
// interrupted run left behind is read by every method from then on, and folded into the checkpoint by the next one that holds the lock.
func Open(cfg Config) (*Engine, error) {
	if cfg.Dir == "" {
		return nil, errors.New("open engine: no state folder given")
	}
	if _, err := tokens.ParseStackName(cfg.Stack); err != nil {
		return nil, fmt.Errorf("open engine: stack name %q: %w", cfg.Stack, err)
	}
	if err := tokens.ValidateProjectName(cfg.Project); err != nil {
		return nil, fmt.Errorf("open engine: project name %q: %w", cfg.Project, err)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	cfg.Dir = dir
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = max(8, 4*runtime.GOMAXPROCS(0))
	}
	home := filepath.Join(dir, ".pulumi")
	own := filepath.Join(home, "surety", cfg.Project)
	e := &Engine{
		cfg: cfg,
		paths: paths{
			home:       home,
			meta:       filepath.Join(home, "meta.yaml"),
			checkpoint: filepath.Join(home, "stacks", cfg.Project, cfg.Stack+".json"),
			journal:    filepath.Join(own, cfg.Stack+".journal"),
			lock:       filepath.Join(own, cfg.Stack+".lock"),
		},
		scrubber: vault.NewScrubber(),
	}
	e.keeper = vault.New(cfg.Passphrase, cfg.KeyCache, e.scrubber)
	if err := settle(home); err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	return e, nil
}

// settle points Pulumi's own settings at our folder: no access to the user's ~/.pulumi, no look for newer versions, no
// downloads. They are variables of the process, so with several state folders in one process the last opened one holds plugins.
func settle(home string) error {
	for name, value := range map[string]string{
		"PULUMI_HOME":                                 home,
		"PULUMI_CREDENTIALS_PATH":                     "/proc/self", // is always there, so that it is not made, and nobody can put credentials into it
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// State is a light look at a stack without decrypting anything.
type State struct {
	Exists    bool            `json:"exists"` // a checkpoint or a journal is there
	Resources []StateResource `json:"resources"`
	// Pending are operations that were begun and not finished when a run was interrupted.
	Pending []Pending `json:"pending,omitempty"`
	// Interrupted says that the last run left its journal behind (or is still going on).
	Interrupted bool `json:"interrupted,omitempty"`
}

// StateResource is one resource in the state.
type StateResource struct {
	Name string `json:"name"`
	Type string `json:"type"`
	URN  string `json:"urn"`
	ID   string `json:"id"`
	// Deleting says that this is the old one of a replacement, still to be deleted.
	Deleting bool `json:"deleting,omitempty"`
}

// Pending is an operation whose outcome is not known.
type Pending struct {
	Name string `json:"name"`
	Type string `json:"type"`
	URN  string `json:"urn"`
	Op   string `json:"op"` // creating, updating, deleting, reading
}

// State reads names, types and IDs, without the passphrase.
func (e *Engine) State() (*State, error) {
	l, err := e.load()
	if err != nil {
		return nil, err
	}
	s := &State{Exists: l.exists, Interrupted: l.journal, Pending: l.pending()}
	for _, r := range l.deployment.Resources {
		if journal.Bookkeeping(r.Type) {
			continue
		}
		s.Resources = append(s.Resources, StateResource{Name: r.URN.Name(), Type: string(r.Type), URN: string(r.URN), ID: string(r.ID), Deleting: r.Delete})
	}
	return s, nil
}

// locked tells whether this Engine holds the lock.
func (e *Engine) locked() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.held
}

// ErrWrongPassphrase says that the passphrase given does not open the secrets of the state.
var ErrWrongPassphrase = vault.ErrWrongPassphrase

// ErrNotLocked is returned by Up, Refresh and Destroy when Lock was not called first.
var ErrNotLocked = errors.New("the state is not locked by this engine: call Lock first")

// notCancelled is a plain check at the door.
func notCancelled(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("not started: %w", err)
	}
	return nil
}
