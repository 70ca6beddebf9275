package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/stacks"
)

func TestFailureSkipsWhatNeedsItAndKeepsTheRest(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	w.failing["create b"] = errors.New("no room")
	g := graph(data("a", nil), data("b", nil, "a"), data("c", nil, "b"), data("d", nil, "c"), data("x", nil), data("y", nil, "x"))

	var events []Event
	o, err := e.Up(context.Background(), g, Options{KeepGoing: true}, func(ev Event) { events = append(events, ev) })
	var steps *StepsError
	if !errors.As(err, &steps) || len(steps.Failed) != 1 || !strings.Contains(err.Error(), "b: ") || !strings.Contains(err.Error(), "no room") {
		t.Fatalf("error: %v", err)
	}
	if len(o.Failed) != 1 || o.Failed[0].Name != "b" || o.Failed[0].Op != OpCreate || o.Failed[0].Requirements[0] != "servers.b" {
		t.Errorf("failed: %+v", o.Failed)
	}
	if want := []string{"c", "d"}; !slices.Equal(o.Skipped, want) {
		t.Errorf("skipped %v, want %v", o.Skipped, want)
	}
	got := w.names()
	slices.Sort(got)
	if want := []string{"a", "x", "y"}; !slices.Equal(got, want) {
		t.Errorf("world has %v, want %v", got, want)
	}
	if !slices.ContainsFunc(events, func(ev Event) bool {
		return ev.Kind == Failed && ev.Step.Name == "b" && strings.Contains(ev.Message, "no room")
	}) {
		t.Errorf("no failed event: %+v", events)
	}
	told := 0
	for _, ev := range events {
		told += strings.Count(ev.Message, "no room")
	}
	if told != 1 {
		t.Errorf("the reason was told %d times", told)
	}

	delete(w.failing, "create b")
	wantCounts(t, up(t, e, g).Counts, map[Op]int{OpCreate: 3, OpSame: 3})
	if n := w.count("create"); n != 7 { // six, and b's failed attempt
		t.Errorf("%d creates", n)
	}
}

func TestFailureStopsNewStepsByDefault(t *testing.T) {
	w := newWorld()
	e, err := Open(Config{Dir: t.TempDir(), Project: "reader", Stack: "local", Parallel: 1, Providers: map[string]ProviderFactory{"surety": w.factory}})
	if err != nil {
		t.Fatal(err)
	}
	lock(t, e)
	g := graph(data("a", nil))
	for i := range 50 {
		g.Resources = append(g.Resources, data(fmt.Sprintf("b%02d", i), nil, "a"))
	}
	g.Resources = append(g.Resources, data("z", nil, "b49"))
	w.failing["create b00"] = errors.New("no room")
	o, err := e.Up(context.Background(), g, Options{}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	if !slices.Contains(o.Skipped, "z") {
		t.Errorf("skipped: %v", o.Skipped)
	}
	// What was queued before the failure may still run; the state must hold exactly what the world does.
	s, err := e.State()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Resources) != len(w.names()) {
		t.Errorf("state has %d, world %d", len(s.Resources), len(w.names()))
	}
}

func TestHalfMadeResourceIsKeptAndMended(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	w.partial["create a"] = true
	g := graph(data("a", nil), data("b", nil, "a"))
	o, err := e.Up(context.Background(), g, Options{}, nil)
	if err == nil || !strings.Contains(err.Error(), "did not come up") || len(o.Failed) != 1 || !slices.Equal(o.Skipped, []string{"b"}) {
		t.Fatalf("outcome %+v, %v", o, err)
	}
	s, err := e.State()
	if err != nil || len(s.Resources) != 1 || s.Resources[0].ID != "a" || len(s.Pending) > 0 {
		t.Errorf("state %+v, %v", s, err)
	}
	wantCounts(t, up(t, e, g).Counts, map[Op]int{OpUpdate: 1, OpCreate: 1})
	if w.count("create a") != 1 {
		t.Errorf("calls %v", w.calls)
	}
}

func TestCheckFailureNamesTheProperty(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	g := graph(data("a", map[string]any{"bad": 1}), data("b", nil, "a"))
	_, err := e.Preview(context.Background(), g, Options{}, nil)
	if err == nil || !strings.Contains(err.Error(), "a: ") || !strings.Contains(err.Error(), "bad") || !strings.Contains(err.Error(), "never right") {
		t.Errorf("error: %v", err)
	}
	told := 0
	o, err := e.Up(context.Background(), g, Options{}, func(ev Event) {
		if strings.Contains(ev.Message, "never right") {
			told++
		}
	})
	var steps *StepsError
	if !errors.As(err, &steps) || len(o.Failed) != 1 || o.Failed[0].Name != "a" || !slices.Equal(o.Skipped, []string{"b"}) || told != 1 {
		t.Errorf("outcome %+v, %v, told %d times", o, err, told)
	}
}

func TestProviderPanicIsContained(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	w.panics["create b"] = true
	_, err := e.Up(context.Background(), graph(data("a", nil), data("b", nil, "a"), data("c", nil, "b")), Options{}, nil)
	if err == nil || !strings.Contains(err.Error(), "panic") || !strings.Contains(err.Error(), "create b") {
		t.Fatalf("error: %v", err)
	}
	delete(w.panics, "create b")
	up(t, e, graph(data("a", nil), data("b", nil, "a"), data("c", nil, "b")))
	if len(w.names()) != 3 || w.count("create a") != 1 {
		t.Errorf("world: %v, calls %v", w.names(), w.calls)
	}
}

func TestSinkPanicIsReportedAndStopsNothing(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	_, err := e.Up(context.Background(), graph(data("a", nil), data("b", nil, "a")), Options{}, func(Event) { panic("bad sink") })
	var bug *PanicError
	if !errors.As(err, &bug) || len(w.names()) != 2 {
		t.Errorf("error %v, world %v", err, w.names())
	}
}

func TestCancelFinishesRunningStepsAndStartsNone(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	w.gate = func(_ context.Context, call string) {
		if call == "create b" {
			cancel()
			<-release
		}
	}
	go func() {
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // the step is still running when the engine hears of the cancellation
		close(release)
	}()
	g := graph(data("a", nil), data("b", nil, "a"), data("c", nil, "b"))
	o, err := e.Up(ctx, g, Options{}, nil)
	if !errors.Is(err, context.Canceled) || !o.Cancelled {
		t.Fatalf("outcome %+v, error %v", o, err)
	}
	if !slices.Equal(o.Skipped, []string{"c"}) {
		t.Errorf("skipped %v", o.Skipped)
	}
	s, err := e.State()
	if err != nil || len(s.Resources) != 2 || len(s.Pending) != 0 || s.Interrupted {
		t.Errorf("state %+v, %v", s, err)
	}
	if w.cancels == 0 {
		t.Error("the provider was not told")
	}
	w.gate = nil
	wantCounts(t, up(t, e, g).Counts, map[Op]int{OpCreate: 1, OpSame: 2})
}

func TestTerminateAbandonsRunningStepsAsPending(t *testing.T) {
	for name, options := range map[string]func() Options{
		"by word":  func() Options { c := make(chan struct{}); close(c); return Options{Terminate: c} },
		"by grace": func() Options { return Options{Grace: 20 * time.Millisecond} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			e := open(t, t.TempDir(), w)
			lock(t, e)
			ctx, cancel := context.WithCancel(context.Background())
			release := make(chan struct{})
			defer close(release)
			w.gate = func(_ context.Context, call string) {
				if call == "create b" {
					cancel()
					<-release
				}
			}
			g := graph(data("a", nil), data("b", nil, "a"), data("c", nil, "b"))
			o, err := e.Up(ctx, g, options(), nil)
			if !errors.Is(err, context.Canceled) || !o.Cancelled {
				t.Fatalf("outcome %+v, error %v", o, err)
			}
			s, err := e.State()
			if err != nil || len(s.Resources) != 1 || len(s.Pending) != 1 || s.Pending[0].Name != "b" || s.Pending[0].Op != "creating" {
				t.Fatalf("state %+v, %v", s, err)
			}
			w.gate = nil
			wantCounts(t, up(t, e, g).Counts, map[Op]int{OpCreate: 2, OpSame: 1})
			if s, err = e.State(); err != nil || len(s.Resources) != 3 || len(s.Pending) != 0 {
				t.Errorf("state %+v, %v", s, err)
			}
		})
	}
}

func TestUpNeedsTheLockAndASoundGraph(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	if _, err := e.Up(context.Background(), graph(), Options{}, nil); !errors.Is(err, ErrNotLocked) {
		t.Errorf("error: %v", err)
	}
	lock(t, e)
	_, err := e.Up(context.Background(), graph(data("a", map[string]any{"v": stacks.Ref{Resource: "gone", Property: "x"}})), Options{}, nil)
	if err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("error: %v", err)
	}
}

func TestMissingPluginNamesTheCommand(t *testing.T) {
	e := open(t, t.TempDir(), newWorld())
	r := data("a", nil)
	r.Type = "nosuch:index:Thing"
	_, err := e.Preview(context.Background(), graph(r), Options{}, nil)
	if err == nil || !strings.Contains(err.Error(), "pulumi plugin install resource nosuch") {
		t.Errorf("error: %v", err)
	}
}

func TestNothingIsPrinted(t *testing.T) {
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = out, out
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	w.failing["create b"] = errors.New("no room")
	w.panics["create c"] = true
	_, upErr := e.Up(context.Background(), graph(data("a", nil), data("b", nil), data("c", nil)), Options{}, nil)
	_, destroyErr := e.Destroy(context.Background(), nil)
	os.Stdout, os.Stderr = stdout, stderr
	if upErr == nil || destroyErr != nil {
		t.Errorf("up %v, destroy %v", upErr, destroyErr)
	}
	raw, err := os.ReadFile(out.Name())
	if err != nil || len(raw) > 0 {
		t.Errorf("printed %q, %v", raw, err)
	}
}
