package cloud

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestEnsureStartsOneDaemon calls Ensure many times at once: one daemon comes of it.
func TestEnsureStartsOneDaemon(t *testing.T) {
	w := newWorld(t)
	w.kill()
	var mu sync.Mutex
	pids := map[int]bool{}
	var jobs []func() error
	for range 8 {
		jobs = append(jobs, func() error {
			c, err := Ensure(t.Context(), w.cfg)
			if err != nil {
				return err
			}
			defer c.Close()
			s, err := c.Status(t.Context())
			mu.Lock()
			defer mu.Unlock()
			pids[s.Pid] = true
			return err
		})
	}
	if err := together(jobs...); err != nil {
		t.Fatal(err)
	}
	if len(pids) != 1 {
		t.Errorf("%d daemons were started: %v", len(pids), pids)
	}
	if err := Serve(t.Context(), w.cfg); err == nil {
		t.Error("a second daemon served the same folder")
	}
}

var stepLine = regexp.MustCompile(`msg=step number=(\d+)`)

// steps counts the steps that the daemon's log tells of.
func (w *world) steps() int {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join(w.cfg.Dir, "daemon.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	last := 0
	for _, m := range stepLine.FindAllSubmatch(raw, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			w.t.Fatal(err)
		}
		last = max(last, n)
	}
	return last
}

// More rounds, and others, on demand: go test -run TestCrashes -args -rounds 30 -seed 7
var (
	rounds = flag.Int("rounds", 3, "crashes at steps; half as many at moments")
	seed   = flag.Uint64("seed", 5, "of the choice of steps and moments")
)

// TestCrashes kills the daemon at seeded steps of building, and of deleting, everything. Each time the next daemon takes up what it
// finds: building again gives the same environment as ever, and at the end nothing is left.
func TestCrashes(t *testing.T) {
	w := newWorld(t)
	if _, err := w.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	total := w.steps()
	want := w.addresses()
	w.destroy()
	random := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("%d steps, seed %d", total, *seed)
	for range *rounds {
		at := 1 + random.IntN(total)
		t.Run("at "+strconv.Itoa(at), func(t *testing.T) {
			w.t = t
			w.crashAt(at, want)
		})
	}
	for range *rounds / 2 {
		after := time.Duration(random.IntN(2000)) * time.Millisecond
		t.Run("after "+after.String(), func(t *testing.T) {
			w.t = t
			w.killAfter(after, want)
		})
	}
	w.t = t
	w.start()
}

func (w *world) addresses() map[string]string {
	w.t.Helper()
	hosts, err := w.Hosts(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, h := range hosts {
		out[h.Name] = h.Address
	}
	return out
}

func (w *world) crashAt(at int, want map[string]string) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	w.t.Setenv(CrashVariable, strconv.Itoa(at))
	w.start()
	if _, err := w.build(ctx); err == nil {
		w.t.Errorf("building outlived a crash at step %d", at)
	}
	w.t.Setenv(CrashVariable, "")
	w.start()
	if !w.converges(ctx, want) {
		w.destroy()
		return
	}
	// And once more while everything is deleted: each step of deleting comes early in the life of this new daemon.
	w.kill()
	w.t.Setenv(CrashVariable, strconv.Itoa(1+at%20))
	if err := Purge(ctx, w.cfg); err == nil {
		w.t.Errorf("purging outlived a crash")
	}
	w.t.Setenv(CrashVariable, "")
	w.destroy()
}

// killAfter kills the daemon some time into building, wherever it is then, and drops the caller's requests with it.
func (w *world) killAfter(after time.Duration, want map[string]string) {
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	w.start()
	s, err := w.Status(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	dropped, drop := context.WithCancel(ctx)
	timer := time.AfterFunc(after, func() { drop(); syscall.Kill(s.Pid, syscall.SIGKILL) })
	defer timer.Stop()
	_, err = w.build(dropped)
	w.t.Logf("killed while building: %v", err != nil)
	<-dropped.Done()
	w.start()
	w.converges(ctx, want)
	w.destroy()
}

// converges builds again and checks that the result is the same as ever.
func (w *world) converges(ctx context.Context, want map[string]string) bool {
	w.t.Helper()
	begun := time.Now()
	again, err := w.build(ctx)
	if err != nil {
		w.t.Errorf("build again: %v", err)
		return false
	}
	w.t.Logf("mended in %s", time.Since(begun).Round(time.Millisecond))
	if page, err := fetch(again.Entry); err != nil {
		w.t.Errorf("the entry: %q, %v", page, err)
	}
	if got := w.addresses(); !reflect.DeepEqual(got, want) {
		w.t.Errorf("hosts are %v, want %v", got, want)
	}
	if s, err := w.Status(ctx); err != nil || len(s.Unfinished) != 0 || len(s.Errors) != 0 {
		w.t.Errorf("status: unfinished %v, errors %v, %v", s.Unfinished, s.Errors, err)
	}
	return true
}
