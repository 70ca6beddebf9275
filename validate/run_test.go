package validate

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"surety/blueprints"
)

func quick(id string, run func(context.Context) Result) Check {
	return Check{ID: id, Suite: "suite", Requirements: []string{"name"}, Run: run}
}

// Whatever way a check goes wrong, it is unproven with the reason.
func TestWhatGoesWrongIsUnproven(t *testing.T) {
	blocked := make(chan struct{})
	defer close(blocked)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		run    func(context.Context) Result
		reason string
	}{
		{"a panic", t.Context(), func(context.Context) Result { panic("index out of range") }, "the check panicked: index out of range"},
		{"a nil map", t.Context(), func(context.Context) Result { var m map[string]int; m["x"] = 1; return Result{State: Pass} }, "panicked: assignment to entry in nil map"}, //nolint:staticcheck // the panic is what is tested
		{"the end of its goroutine", t.Context(), func(context.Context) Result { runtime.Goexit(); return Result{State: Pass} }, "ended without a verdict"},
		{"a verdict that is none", t.Context(), func(context.Context) Result { return Result{State: "fine", Summary: "all good"} }, `no verdict ("fine"): all good`},
		{"no verdict", t.Context(), func(context.Context) Result { return Result{} }, "no verdict"},
		{"a check that hears its deadline", t.Context(), func(ctx context.Context) Result {
			<-ctx.Done()
			return Result{State: Unproven, Summary: "the host did not answer"}
		}, "the host did not answer"},
		{"a check that does not", t.Context(), func(context.Context) Result { <-blocked; return Result{State: Pass} }, "did not end in time"},
		{"a run that is over", ended, func(context.Context) Result { return Result{State: Pass} }, "not begun: context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Runner{Timeout: 20 * time.Millisecond}.Run(c.ctx, []Check{quick("one", c.run)})[0]
			if r.State != Unproven || !strings.Contains(r.Summary, c.reason) {
				t.Errorf("%s: %q, want unproven: %q", r.State, r.Summary, c.reason)
			}
			if r.Check != "one" || r.Suite != "suite" || !slices.Equal(r.Requirements, []string{"name"}) {
				t.Errorf("the result does not say what it is of: %+v", r)
			}
		})
	}
}

func TestPanicNamesItsPlace(t *testing.T) {
	r := Runner{}.Run(t.Context(), []Check{quick("one", func(context.Context) Result { panic("oh") })})[0]
	if len(r.Evidence) != 1 || !strings.HasPrefix(r.Evidence[0].Got, "run_test.go:") {
		t.Errorf("evidence %+v, want the line of this test", r.Evidence)
	}
}

func TestOrderBoundAndSink(t *testing.T) {
	const n, parallel = 30, 4
	var under, most, told atomic.Int32
	var telling atomic.Bool
	var checks []Check
	for i := range n {
		checks = append(checks, quick(fmt.Sprint(i), func(context.Context) Result {
			now := under.Add(1)
			defer under.Add(-1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			time.Sleep(time.Duration(n-i) * 100 * time.Microsecond) // later ones end first
			return Result{State: Pass, Summary: fmt.Sprint(i)}
		}))
	}
	results := Runner{Parallel: parallel, Sink: func(Result) {
		if !telling.CompareAndSwap(false, true) {
			t.Error("the sink is told of two results at once")
		}
		told.Add(1)
		telling.Store(false)
	}}.Run(t.Context(), checks)
	for i, r := range results {
		if r.Check != fmt.Sprint(i) || r.Summary != r.Check {
			t.Fatalf("place %d holds check %s", i, r.Check)
		}
		if r.Took <= 0 || r.Started.IsZero() {
			t.Errorf("check %s has no time: %+v", r.Check, r)
		}
	}
	if most.Load() > parallel || told.Load() != n {
		t.Errorf("%d at once (at most %d), sink told of %d of %d", most.Load(), parallel, told.Load(), n)
	}
}

func TestClockAndPlacesAreInjected(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	r := Runner{
		Now:    func() time.Time { now = now.Add(time.Second); return now },
		Locate: func(id string) blueprints.Position { return blueprints.Position{File: id, Line: 3, Column: 7} },
	}
	results := r.Run(t.Context(), []Check{
		quick("bad", func(context.Context) Result { return Result{State: Fail, Requirements: []string{"a", "b"}} }),
	})
	results = append(results, r.Run(t.Context(), []Check{quick("good", func(context.Context) Result { return Result{State: Pass} })})...)
	if results[0].Took != time.Second || results[0].Started.Second() != 1 {
		t.Errorf("the clock was not used: %+v", results[0])
	}
	if len(results[0].Places) != 2 || results[0].Places[1].File != "b" || results[1].Places != nil {
		t.Errorf("places %v and %v; want those of the failed one's requirements only", results[0].Places, results[1].Places)
	}
}

func TestTallyIsNeverGreenByDefault(t *testing.T) {
	for want, results := range map[State][]Result{
		Pass: {{State: Pass}}, Fail: {{State: Pass}, {State: Fail}, {State: Unproven}}, Unproven: {{State: Pass}, {State: "odd"}},
	} {
		if got := Tally(results).State(); got != want {
			t.Errorf("%v is %s, want %s", results, got, want)
		}
	}
	if got := Tally(nil).State(); got != Unproven {
		t.Errorf("nothing at all is %s", got)
	}
}
