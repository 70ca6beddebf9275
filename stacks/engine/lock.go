package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Holder says who holds a lock. Fields left empty are filled in by Lock.
type Holder struct {
	PID     int       `json:"pid"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	Command string    `json:"command"` // "surety up"
	Since   time.Time `json:"since"`
}

// LockedError says that somebody else holds the lock, and who.
type LockedError struct {
	Holder Holder
	Path   string
}

func (e *LockedError) Error() string {
	h := e.Holder
	if h.PID == 0 {
		return fmt.Sprintf("the state is locked by another process (%s)", e.Path)
	}
	what := h.Command
	if what == "" {
		what = "another process"
	}
	return fmt.Sprintf("the state is locked by %s: process %d of %s on %s, since %s", what, h.PID, h.User, h.Host, h.Since.Format(time.RFC3339))
}

// Lock takes the lock of the stack, or returns a *LockedError at once. The lock is the kernel's on an open file, so it
// ends with its process, however that dies; only the name in the file may then be stale, and is overwritten.
// A lock of the stock CLI on the same state is honoured, and ours is visible to it.
func (e *Engine) Lock(holder Holder) (unlock func() error, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	holder = e.complete(holder)
	if err := os.MkdirAll(filepath.Dir(e.paths.lock), 0o700); err != nil {
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	f, err := os.OpenFile(e.paths.lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		locked := &LockedError{Path: e.paths.lock, Holder: readHolder(f)}
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, locked
		}
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	stock, err := e.lockStock(holder)
	if err == nil {
		err = writeHolder(f, holder)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	e.held = true
	released := false
	return func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if released {
			return nil
		}
		released, e.held = true, false
		// The file stays: removing it could take it from under one who just opened it.
		gone := os.Remove(stock)
		if errors.Is(gone, os.ErrNotExist) {
			gone = nil // by `pulumi cancel`
		}
		if err := errors.Join(gone, f.Truncate(0), f.Close()); err != nil {
			return fmt.Errorf("unlock the state: %w", err)
		}
		return nil
	}, nil
}

// Busy returns a *LockedError when another process holds the lock, and nil when nobody does. By the time it is read it may be
// otherwise: it is for telling a person, and for not getting in the way.
func (e *Engine) Busy() error {
	f, err := os.Open(e.paths.lock)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the lock of the state: %w", err)
	}
	defer f.Close()
	if e.locked() {
		return nil
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return &LockedError{Path: e.paths.lock, Holder: readHolder(f)}
	}
	return nil // closing gives the shared lock back
}

// Share holds the stack as it is while it is measured: others may measure too, and Lock is refused, with the name of the holder, until
// unlock. It returns a *LockedError at once while somebody holds the lock.
func (e *Engine) Share(holder Holder) (unlock func() error, err error) {
	f, err := os.OpenFile(e.paths.lock, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("hold the state: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		locked := &LockedError{Path: e.paths.lock, Holder: readHolder(f)}
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, locked
		}
		return nil, fmt.Errorf("hold the state: %w", err)
	}
	if err := writeHolder(f, e.complete(holder)); err != nil { // of several who measure, the last is named
		_ = f.Close()
		return nil, err
	}
	return f.Close, nil // what the file then says is stale: nobody reads it but one who is refused
}

func (e *Engine) complete(h Holder) Holder {
	if h.PID == 0 {
		h.PID = os.Getpid()
	}
	if h.User == "" {
		if u, err := user.Current(); err == nil {
			h.User = u.Username
		}
	}
	if h.Host == "" {
		h.Host, _ = os.Hostname()
	}
	if h.Command == "" {
		h.Command = strings.TrimSpace(filepath.Base(os.Args[0]) + " " + strings.Join(firstWord(os.Args[1:]), " "))
	}
	if h.Since.IsZero() {
		h.Since = e.cfg.Now()
	}
	return h
}

// firstWord keeps the verb of a command line: what follows may hold what is private.
func firstWord(args []string) []string {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	return args[:1]
}

func readHolder(f *os.File) (h Holder) {
	raw := make([]byte, 4096)
	n, _ := f.ReadAt(raw, 0)
	_ = json.Unmarshal(raw[:n], &h)
	return h
}

func writeHolder(f *os.File, h Holder) error {
	raw, err := json.Marshal(h)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(raw, 0)
	}
	if err != nil {
		return fmt.Errorf("lock the state: %w", err)
	}
	return nil
}

// ownPrefix begins the names of the stock locks that we write.
const ownPrefix = "surety-"

// stockLock is the file form of the stock file backend's lock.
type stockLock struct {
	PID       int       `json:"pid"`
	Username  string    `json:"username"`
	Hostname  string    `json:"hostname"`
	Timestamp time.Time `json:"timestamp"`
}

// lockStock writes a lock that the stock CLI sees, unless it holds one itself. A stock lock of a process of this machine that is
// no more is removed. It is called with our own lock held, so a live lock of ours cannot be among those found.
func (e *Engine) lockStock(h Holder) (path string, err error) {
	dir := filepath.Join(e.paths.home, "locks", "organization", e.cfg.Project, e.cfg.Stack)
	found, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return "", fmt.Errorf("lock the state: %w", err)
	}
	for _, file := range found {
		var s stockLock
		raw, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(raw, &s) != nil {
			return "", fmt.Errorf("lock the state: cannot read the lock %q; remove it if no Pulumi runs", file)
		}
		ours := strings.HasPrefix(filepath.Base(file), ownPrefix) // and so stale, whatever has its process number by now
		if !ours && (s.Hostname != h.Host || alive(s.PID) && s.PID != h.PID) {
			return "", &LockedError{Path: file, Holder: Holder{PID: s.PID, User: s.Username, Host: s.Hostname, Since: s.Timestamp, Command: "pulumi"}}
		}
		if err := os.Remove(file); err != nil {
			return "", fmt.Errorf("remove the lock of a process that is no more: %w", err)
		}
	}
	raw, err := json.Marshal(stockLock{PID: h.PID, Username: h.User, Hostname: h.Host, Timestamp: h.Since})
	if err != nil {
		return "", fmt.Errorf("lock the state: %w", err)
	}
	path = filepath.Join(dir, fmt.Sprintf("%s%d.json", ownPrefix, h.PID))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("lock the state: %w", err)
	}
	// No flush: after a power cut no process of before is left to be protected from.
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return "", fmt.Errorf("lock the state: %w", err)
	}
	return path, nil
}

// alive tells whether a process of this machine is there.
func alive(pid int) bool {
	return pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
}
