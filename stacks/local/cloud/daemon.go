package cloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"surety/stacks/local/host"
	"surety/stacks/local/network"
)

// kinds lists all kinds in the order in which they can be made.
var kinds = []Kind{KindNetwork, KindSecurityGroup, KindObjectStore, KindBucket, KindGrant, KindDatabase, KindServer, KindBalancer, KindBackupJob}

// daemon is the state of a running control plane. Nothing in it is needed after its death: records are on disk and the rest is in the kernel.
type daemon struct {
	cfg     Config
	book    *book
	locks   locks
	faults  *faults
	started time.Time
	entries entries
	base    context.Context    // ends when the daemon is told to end
	end     context.CancelFunc // ends base
	making  sync.RWMutex       // held for reading while something is made, for writing to see that nothing is
	closing atomic.Bool        // a shutdown has begun: nothing new may be made

	net         sync.Mutex // held while the router is made, changed or replaced
	router      *network.Router
	rulesWanted atomic.Int64 // counts the changes that rules follow from
	rulesDone   int64        // the last change that the kernel's rules hold; guarded by net
}

// Serve runs the control plane of the environment in cfg.Dir until ctx ends or a shutdown is asked for. At its end the hosts go on
// running: the next daemon finds them. Only one daemon can serve a folder. It sets the process's file mode mask and is meant to have
// the process for itself.
func Serve(ctx context.Context, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, 3*time.Second) // for one that is ending right now
	defer cancel()
	lock, err := lockFile(patience, filepath.Join(cfg.Dir, "daemon.lock"))
	if err != nil {
		return fmt.Errorf("another daemon serves %q: %w", cfg.Dir, err)
	}
	defer lock.Close()
	syscall.Umask(0o022) // hosts hold files for users that are not the caller
	d := &daemon{cfg: cfg, started: cfg.Clock(), faults: faultsFromEnvironment(cfg.Log)}
	d.base, d.end = context.WithCancel(ctx)
	defer d.end()
	if d.book, err = openBook(cfg.Dir); err != nil {
		return err
	}
	if err := d.adopt(); err != nil {
		return err
	}
	defer d.entries.closeAll()
	ln, err := listenSocket(cfg.Dir)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: d.routes(), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	cfg.Log.Info("serving", "dir", cfg.Dir, "pid", os.Getpid())
	select {
	case err = <-done:
	case <-d.base.Done():
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err = server.Shutdown(grace); err != nil { // requests that still run are cut; a PUT after the next start mends
			err = server.Close()
		}
	}
	if d.closing.Load() {
		return errors.Join(err, d.erase())
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return nil
}

// adopt finds what an earlier daemon left running: the router, and the balancers' entries. Hosts are looked up when needed.
func (d *daemon) adopt() error {
	router, err := network.Open(d.cfg.Dir)
	switch {
	case err == nil:
		d.router = router
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("adopt network: %w", err)
	}
	for _, r := range d.book.list(KindBalancer) {
		if r.Entry == 0 || r.Phase == phaseDeleting {
			continue
		}
		if err := d.openEntry(r); err != nil { // visible in GET as a missing entry; the next PUT tries again
			d.cfg.Log.Error("entry not opened", "balancer", r.Name, "error", err)
		}
	}
	return nil
}

// hostDir is the folder of a host.
func hostDir(dir, name string) string { return filepath.Join(dir, "hosts", name) }

// find returns a host, running or dead, or fs.ErrNotExist.
func (d *daemon) find(name string) (*host.Host, error) { return host.Adopt(hostDir(d.cfg.Dir, name)) }

// theRouter returns the network's router, or a Conflict when there is no network yet.
func (d *daemon) theRouter() (*network.Router, error) {
	d.net.Lock()
	defer d.net.Unlock()
	if d.router == nil {
		return nil, &Conflict{Message: "the environment has no network", Mend: "make the network first"}
	}
	return d.router, nil
}

// locks gives out one lock for each name, so that requests on different resources run at the same time.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

// lock waits for the name's lock and returns the function that gives it back.
func (l *locks) lock(ctx context.Context, name string) (func(), error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[string]chan struct{}{}
	}
	slot, ok := l.held[name]
	if !ok {
		slot = make(chan struct{}, 1)
		l.held[name] = slot
	}
	l.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for an earlier request on %s: %w", name, ctx.Err())
	}
}
