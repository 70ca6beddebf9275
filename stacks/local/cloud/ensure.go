package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Config says how an environment's daemon runs.
type Config struct {
	Dir    string           // the environment's folder; made if needed
	Binary string           // our executable, which also runs inside the hosts; os.Executable() when empty
	Clock  func() time.Time // time.Now when nil
	Log    *slog.Logger     // where the daemon logs; lines on standard error when nil
}

// withDefaults fills in what is not set and makes the paths absolute.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("no environment folder given")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("find environment folder: %w", err)
	}
	c.Dir = dir
	if c.Binary == "" {
		if c.Binary, err = os.Executable(); err != nil {
			return c, fmt.Errorf("find our executable: %w", err)
		}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return c, nil
}

// startTimeout bounds the wait for a new daemon's first answer.
const startTimeout = 10 * time.Second

// maxDaemonLog is the size in bytes from which a new daemon puts its predecessors' log aside. One older file is kept.
const maxDaemonLog = 4 << 20

// Ensure returns a client of a daemon that answers, starting the daemon when none does. Of several processes that call it at once,
// one starts the daemon and the others wait for it. The daemon outlives the caller: it has a session and a log file of its own
// (DIR/daemon.log) and no descriptor of ours.
func Ensure(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := Dial(cfg.Dir)
	if err := c.Ping(ctx); err == nil || !errors.Is(err, ErrNotRunning) {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*startTimeout)
	defer cancel()
	lock, err := lockFile(ctx, filepath.Join(cfg.Dir, "ensure.lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := c.Ping(ctx); err == nil || !errors.Is(err, ErrNotRunning) {
		return c, err // somebody else started it while we waited
	}
	exited, err := spawn(cfg)
	if err != nil {
		return nil, err
	}
	return c, awaitDaemon(ctx, c, cfg.Dir, exited)
}

// spawn starts the daemon and returns a channel that closes when it ends.
func spawn(cfg Config) (<-chan struct{}, error) {
	path := filepath.Join(cfg.Dir, "daemon.log")
	if info, err := os.Stat(path); err == nil && info.Size() > maxDaemonLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("put old daemon log aside: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open daemon log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(cfg.Binary, "cloud", "--dir", cfg.Dir)
	cmd.Dir = "/" // so that the caller's folder can be unmounted or removed
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start daemon: %w", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // reaps it if it ends before us; it does not end with us
	return exited, nil
}

// environment is what the daemon gets of ours: it outlives the caller, so the caller's passwords and tokens are not for it.
func environment() []string {
	var kept []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "PATH", "HOME", "LANG", "TMPDIR", "GODEBUG", CrashVariable:
			kept = append(kept, pair)
		}
	}
	return kept
}

// awaitDaemon waits for the first answer, the daemon's end or the time limit.
func awaitDaemon(ctx context.Context, c *Client, dir string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return &Failed{Message: "the daemon ended at its start", Log: tail(filepath.Join(dir, "daemon.log"), 20)}
		case <-ctx.Done():
			return &Failed{Message: fmt.Sprintf("the daemon did not answer within %s: %v", startTimeout, err), Log: tail(filepath.Join(dir, "daemon.log"), 20)}
		case <-tick.C:
		}
	}
}

// ensureExisting is Ensure for an environment that has a folder; for one that has none the client is nil.
func ensureExisting(ctx context.Context, cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(cfg.Dir); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return Ensure(ctx, cfg)
}

// Shutdown ends the daemon and removes the environment's folder. While anything still stands it is a *Conflict.
// An environment without a daemon is started first, so that what a killed daemon left behind is accounted for; one without a folder is
// already gone.
func Shutdown(ctx context.Context, cfg Config) error {
	c, err := ensureExisting(ctx, cfg)
	if err != nil || c == nil {
		return err
	}
	defer c.Close()
	return c.shutdown(ctx)
}

// Purge deletes everything that the daemon knows, in reverse order of making, with all content, and then shuts it down. It is for an
// environment whose Pulumi state was lost or never written, and for one in which a thing does not let itself be deleted by itself.
func Purge(ctx context.Context, cfg Config) error {
	c, err := ensureExisting(ctx, cfg)
	if err != nil || c == nil {
		return err
	}
	defer c.Close()
	recorded, err := c.recorded(ctx)
	if err != nil {
		return err
	}
	for _, layer := range deleteOrder {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var errs []error
		for _, kind := range layer {
			for _, name := range recorded[kind] {
				wg.Go(func() {
					if err := c.destroy(ctx, kind, name); err != nil {
						mu.Lock()
						defer mu.Unlock()
						errs = append(errs, fmt.Errorf("delete %s %q: %w", kind, name, err))
					}
				})
			}
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return c.shutdown(ctx)
}

// deleteOrder is the order of deletion; the kinds of one layer may go at the same time. Buckets and grants go with their store.
var deleteOrder = [][]Kind{
	{KindBalancer, KindServer, KindDatabase, KindObjectStore, KindSecurityGroup},
	{KindGrant, KindBucket, KindBackupJob}, // those without a store, and jobs, whose hosts are gone
	{KindNetwork},
}

// tail returns the last n lines of a file, of a long line its end; none when it cannot be read.
func tail(path string, n int) []string {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, io.SeekEnd); err != nil {
			return nil
		}
	}
	raw, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil || len(raw) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}
