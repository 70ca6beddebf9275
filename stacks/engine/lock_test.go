package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockNamesItsHolder(t *testing.T) {
	dir := t.TempDir()
	cmd, lines := child(t, "hold", dir, 0)
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if !lines.Scan() || lines.Text() != "held" {
		t.Fatal("the child did not take the lock")
	}
	e := open(t, dir, newWorld())
	_, err := e.Lock(Holder{})
	var locked *LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("error: %v", err)
	}
	h := locked.Holder
	host, _ := os.Hostname()
	if h.PID != cmd.Process.Pid || h.User != "ann" || h.Host != host || h.Command != "surety up" || time.Since(h.Since) > time.Minute {
		t.Errorf("holder: %+v", h)
	}
	for _, want := range []string{"surety up", "ann", host, fmt.Sprint(h.PID)} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	// A preview needs no lock.
	if _, err := e.Preview(context.Background(), graph(data("a", nil)), Options{}, nil); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	unlock, err := e.Lock(Holder{})
	if err != nil {
		t.Fatalf("the lock of a dead process holds: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	// A second engine of the same process is another holder.
	if unlock, err = e.Lock(Holder{}); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, newWorld()).Lock(Holder{}); !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() {
		t.Errorf("error: %v", err)
	}
	if err := errors.Join(unlock(), unlock()); err != nil {
		t.Error(err)
	}
}

func TestStockLockIsHonoured(t *testing.T) {
	e := open(t, t.TempDir(), newWorld())
	dir := filepath.Join(e.paths.home, "locks", "organization", "reader", "local")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(host string, pid int) {
		raw, err := json.Marshal(stockLock{PID: pid, Username: "bob", Hostname: host, Timestamp: time.Now()})
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "some-id.json"), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write("elsewhere", 1)
	var locked *LockedError
	if _, err := e.Lock(Holder{}); !errors.As(err, &locked) || locked.Holder.User != "bob" {
		t.Errorf("error: %v", err)
	}
	host, _ := os.Hostname()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skipf("needs true: %v", err)
	}
	write(host, dead.Process.Pid)
	unlock, err := e.Lock(Holder{})
	if err != nil {
		t.Fatalf("the lock of a process that is no more holds: %v", err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(found) != 1 {
		t.Errorf("locks that the stock CLI sees: %v", found)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(found) != 0 {
		t.Errorf("locks left: %v", found)
	}
	// One of ours is stale when our own lock is free, even if its process is still on its way out or its number was given anew.
	write(host, os.Getppid())
	if err := os.Rename(filepath.Join(dir, "some-id.json"), filepath.Join(dir, ownPrefix+"7.json")); err != nil {
		t.Fatal(err)
	}
	if unlock, err = e.Lock(Holder{}); err != nil {
		t.Fatalf("our own stale lock holds: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestBusyTellsWhoIsAtWork(t *testing.T) {
	dir := t.TempDir()
	at, other := open(t, dir, newWorld()), open(t, dir, newWorld())
	if err := other.Busy(); err != nil {
		t.Errorf("before any lock: %v", err)
	}
	unlock, err := at.Lock(Holder{Command: "surety up"})
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if err := other.Busy(); !errors.As(err, &locked) || locked.Holder.Command != "surety up" || locked.Holder.PID != os.Getpid() {
		t.Errorf("while it is held: %v", err)
	}
	if err := at.Busy(); err != nil {
		t.Errorf("the holder is in its own way: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := other.Busy(); err != nil {
		t.Errorf("after it was given back: %v", err)
	}
	if _, err := other.Lock(Holder{}); err != nil {
		t.Errorf("looking has left a lock: %v", err)
	}
}

// While somebody measures, others may measure and look, and nobody may change.
func TestShareKeepsChangesOut(t *testing.T) {
	dir := t.TempDir()
	e, other := open(t, dir, newWorld()), open(t, dir, newWorld())
	unlock, err := e.Lock(Holder{}) // makes the folder, as up does
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := other.Share(Holder{}); !errors.As(err, &locked) {
		t.Errorf("shared while it is being changed: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	first, err := e.Share(Holder{Command: "surety verify"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := other.Share(Holder{Command: "surety verify"})
	if err != nil {
		t.Fatalf("two cannot measure at once: %v", err)
	}
	if err := open(t, dir, newWorld()).Busy(); err != nil {
		t.Errorf("looking is refused: %v", err)
	}
	if err := first(); err != nil {
		t.Error(err)
	}
	if _, err := e.Lock(Holder{}); !errors.As(err, &locked) || locked.Holder.Command != "surety verify" {
		t.Errorf("changed while it is measured: %v", err)
	}
	if err := second(); err != nil {
		t.Error(err)
	}
	if unlock, err = e.Lock(Holder{}); err != nil {
		t.Fatal(err)
	}
	_ = unlock()
}
