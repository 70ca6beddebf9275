package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/stacks"
	"surety/stacks/engine/journal"
)

// childEnv makes the test binary play a part: "up" runs an up of as many resources as childCount says; "hold" holds the lock.
const (
	childEnv   = "SURETY_ENGINE_TEST_CHILD"
	childDir   = "SURETY_ENGINE_TEST_DIR"
	childCount = "SURETY_ENGINE_TEST_COUNT"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "up":
		os.Exit(childUp())
	case "hold":
		os.Exit(childHold())
	}
}

// childUp prints the name of each finished step as soon as it is told of it, and at the end "done".
func childUp() int {
	dir := os.Getenv(childDir)
	var n int
	_, _ = fmt.Sscan(os.Getenv(childCount), &n)
	w, err := openWorld(filepath.Join(dir, "world"))
	if err == nil {
		var e *Engine
		e, err = Open(Config{Dir: filepath.Join(dir, "state"), Project: "reader", Stack: "local", Providers: map[string]ProviderFactory{"surety": w.factory},
			Passphrase: func() (string, error) { return "correct horse", nil }})
		if err == nil {
			_, err = e.Lock(Holder{})
		}
		if err == nil {
			_, err = e.Up(context.Background(), layered(n), Options{}, func(ev Event) {
				if ev.Kind == Finished {
					_, _ = os.Stdout.WriteString(ev.Step.Name + "\n")
				}
			})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("done")
	return 0
}

func childHold() int {
	e, err := Open(Config{Dir: os.Getenv(childDir), Project: "reader", Stack: "local"})
	if err == nil {
		_, err = e.Lock(Holder{User: "ann", Command: "surety up"})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until killed, or stdin ends
	return 0
}

// layered makes n resources of which each needs the one ten places before it.
func layered(n int) stacks.Graph {
	g := graph()
	for i := range n {
		inputs := map[string]any{"value": i}
		if i >= 10 {
			inputs["from"] = stacks.Ref{Resource: fmt.Sprintf("r%04d", i-10), Property: "address"}
		}
		if i%100 == 0 {
			inputs["password"] = stacks.Secret{Value: fmt.Sprintf("pass-%d-word", i)}
		}
		g.Resources = append(g.Resources, data(fmt.Sprintf("r%04d", i), inputs))
	}
	return g
}

func child(t *testing.T, part, dir string, n int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+part, childDir+"="+dir, fmt.Sprintf("%s=%d", childCount, n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func TestKillLosesNoFinishedStep(t *testing.T) {
	const n = 1000
	points := []int{1, 137, 500, 871}
	if testing.Short() {
		points = points[1:2]
	}
	for _, point := range points {
		t.Run(fmt.Sprintf("after %d", point), func(t *testing.T) {
			dir := t.TempDir()
			worldDir := filepath.Join(dir, "world")
			if err := os.MkdirAll(worldDir, 0o700); err != nil {
				t.Fatal(err)
			}
			cmd, lines := child(t, "up", dir, n)
			told := map[string]bool{}
			for lines.Scan() {
				told[lines.Text()] = true
				if len(told) == point {
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = cmd.Wait()
			if told["done"] {
				t.Fatal("the child finished before it was killed")
			}

			w, err := openWorld(worldDir)
			if err != nil {
				t.Fatal(err)
			}
			e := open(t, filepath.Join(dir, "state"), w)
			s, err := e.State()
			if err != nil {
				t.Fatal(err)
			}
			kept := map[string]bool{}
			for _, r := range s.Resources {
				kept[r.Name] = true
			}
			pending := map[string]bool{}
			for _, p := range s.Pending {
				pending[p.Name] = true
			}
			for name := range told {
				if !kept[name] {
					t.Errorf("%s was told as finished and is not in the state", name)
				}
			}
			for _, name := range w.names() {
				if !kept[name] && !pending[name] {
					t.Errorf("%s stands and the state knows nothing of it", name)
				}
			}
			if !s.Interrupted || len(kept) < point || len(kept) == n {
				t.Errorf("interrupted %v, kept %d", s.Interrupted, len(kept))
			}

			lock(t, e) // frees itself with the process
			o := up(t, e, layered(n))
			if o.Recovered < point || o.Counts[OpSame] != len(kept) || o.Counts[OpCreate] != n-len(kept) {
				t.Errorf("recovered %d, kept %d, counts %v", o.Recovered, len(kept), o.Counts)
			}
			if len(w.names()) != n {
				t.Errorf("%d stand", len(w.names()))
			}
			log, err := os.ReadFile(filepath.Join(worldDir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			creates := map[string]int{}
			for _, line := range strings.Fields(strings.ReplaceAll(string(log), "create ", "")) {
				creates[line]++
			}
			for name, times := range creates {
				if times > 1 && !pending[name] || times > 2 {
					t.Errorf("%s was created %d times (pending: %v)", name, times, pending[name])
				}
			}
			if s, err = e.State(); err != nil || len(s.Resources) != n || len(s.Pending) > 0 || s.Interrupted {
				t.Errorf("after up: %d resources, pending %v, interrupted %v, %v", len(s.Resources), s.Pending, s.Interrupted, err)
			}
			wantCounts(t, up(t, e, layered(n)).Counts, map[Op]int{OpSame: n})
			if _, err := e.Destroy(context.Background(), nil); err != nil || len(w.names()) > 0 {
				t.Errorf("destroy: %v, left %v", err, w.names())
			}
		})
	}
}

// interrupted makes a state whose run was cut off while it created "b": the thing stands, or not, and nobody wrote it down.
func interrupted(t *testing.T, stands bool) (*Engine, *world, stacks.Graph) {
	t.Helper()
	w := newWorld()
	dir := t.TempDir()
	e := open(t, dir, w)
	unlock, err := e.Lock(Holder{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	release, returned := make(chan struct{}), make(chan struct{})
	w.gate = func(_ context.Context, call string) {
		if call == "create b" {
			cancel()
			<-release
			close(returned)
		}
	}
	if !stands {
		w.failing["create b"] = errors.New("cut off")
	}
	// The secret matters: what is pending is encrypted too, and is the first thing that the next run decrypts.
	g := graph(data("a", nil), data("b", map[string]any{"token": stacks.Secret{Value: "not to be seen"}}, "a"))
	stop := make(chan struct{})
	close(stop)
	if _, err := e.Up(ctx, g, Options{Terminate: stop}, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(release)
	<-returned
	deadline := time.Now().Add(5 * time.Second)
	for w.count("create b") == 0 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	w.mu.Lock()
	w.gate = nil
	delete(w.failing, "create b")
	w.mu.Unlock()
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, w), w, g
}

func TestPendingCreateIsRunAgain(t *testing.T) {
	for _, stands := range []bool{true, false} {
		e, w, g := interrupted(t, stands)
		lock(t, e)
		o, err := e.Up(context.Background(), g, Options{}, func(ev Event) {
			if ev.Kind == Diagnostic { // the engine's advice to look by hand
				t.Errorf("told %+v", ev)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, o.Counts, map[Op]int{OpCreate: 1, OpSame: 1})
		if len(w.names()) != 2 || w.count("create b") != 2 {
			t.Errorf("world %v, calls %v", w.names(), w.calls)
		}
	}
}

func TestPendingCreateThatNobodyWantsIsDeleted(t *testing.T) {
	for what, run := range map[string]func(e *Engine) (Outcome, error){
		"destroy":      func(e *Engine) (Outcome, error) { return e.Destroy(context.Background(), nil) },
		"out of graph": func(e *Engine) (Outcome, error) { return e.Up(context.Background(), graph(), Options{}, nil) },
	} {
		t.Run(what, func(t *testing.T) {
			e, w, _ := interrupted(t, true)
			lock(t, e)
			o, err := run(e)
			if err != nil {
				t.Fatal(err)
			}
			wantCounts(t, o.Counts, map[Op]int{OpDelete: 2})
			s, err := e.State()
			if err != nil || len(s.Resources) > 0 || len(s.Pending) > 0 || len(w.names()) > 0 {
				t.Errorf("state %+v, %v, world %v", s, err, w.names())
			}
		})
	}
}

func TestPendingCreateThatCannotBeRemovedStaysPending(t *testing.T) {
	e, w, _ := interrupted(t, true)
	lock(t, e)
	w.failing["create b"] = errors.New("still no room")
	_, err := e.Destroy(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "b: was being created") || !strings.Contains(err.Error(), "still no room") {
		t.Errorf("error %v", err)
	}
	s, err := e.State()
	if err != nil || len(s.Resources) > 0 || len(s.Pending) != 1 {
		t.Errorf("state %+v, %v", s, err)
	}
	delete(w.failing, "create b")
	if _, err := e.Destroy(context.Background(), nil); err != nil || len(w.names()) > 0 {
		t.Errorf("destroy: %v, world %v", err, w.names())
	}
}

func TestPreviewSeesAnInterruptedRunWithoutTheLock(t *testing.T) {
	e, _, g := interrupted(t, true)
	var logs []string
	plan, err := e.Preview(context.Background(), g, Options{}, func(ev Event) { logs = append(logs, ev.Step.Name+" "+ev.Message) })
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, plan.Counts, map[Op]int{OpCreate: 1, OpSame: 1})
	if !slices.Contains(logs, "b was interrupted while creating") {
		t.Errorf("logs: %v", logs)
	}
}

func TestStateWrittenByOthersOverAJournalIsRefused(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	up(t, e, graph(data("a", nil)))
	raw, err := os.ReadFile(e.paths.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Create(e.paths.journal, journal.Header{Base: digest([]byte("another state"))})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Barrier(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Up(context.Background(), graph(), Options{}, nil); !errors.Is(err, errMismatch) || !strings.Contains(err.Error(), e.paths.journal) {
		t.Errorf("error: %v", err)
	}
	after, err := os.ReadFile(e.paths.checkpoint)
	if err != nil || string(after) != string(raw) {
		t.Errorf("the checkpoint was touched: %v", err)
	}
	// A journal whose commit names the checkpoint is only a leftover.
	if err := journal.Commit(e.paths.journal, digest(raw)); err != nil {
		t.Fatal(err)
	}
	up(t, e, graph(data("a", nil)))
	if _, err := os.Stat(e.paths.journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("journal: %v", err)
	}
}
