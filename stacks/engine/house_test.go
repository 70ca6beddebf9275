package engine

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/display"
	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/pkg/v3/resource/deploy"
)

func TestTheUsersHomeIsNotTouched(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("PULUMI_HOME", "")
	e := open(t, t.TempDir(), newWorld())
	lock(t, e)
	up(t, e, graph(data("a", nil)))
	if _, err := e.Destroy(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(home)
	if err != nil || len(left) > 0 {
		t.Errorf("in the home: %v, %v", left, err)
	}
}

// Pulumi's engine itself leaves three goroutines and a loopback listener per run; none of ours may stay.
func TestRunsLeaveNoneOfOurGoroutinesBehind(t *testing.T) {
	e := open(t, t.TempDir(), newWorld())
	lock(t, e)
	g := graph(data("a", nil), data("b", nil, "a"))
	up(t, e, g)
	for range 20 {
		if _, err := e.Preview(context.Background(), g, Options{}, nil); err != nil {
			t.Fatal(err)
		}
		up(t, e, g)
	}
	ours := func() (found []string) {
		buf := make([]byte, 1<<22)
		for _, one := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(one, "surety/stacks/engine.") && !strings.Contains(one, "testing.tRunner") {
				found = append(found, one)
			}
		}
		return found
	}
	left := ours()
	for deadline := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = ours() {
		time.Sleep(10 * time.Millisecond)
	}
	if len(left) > 0 {
		t.Errorf("%d are left, as\n%s", len(left), left[0])
	}
}

func TestEnginePanicIsContainedAndKeepsTheJournal(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	l, err := e.load()
	if err != nil {
		t.Fatal(err)
	}
	g := graph(data("a", nil), data("b", nil))
	broken := func(u pulumi.UpdateInfo, c *pulumi.Context, o pulumi.UpdateOptions, dry bool) (*deploy.Plan, display.ResourceChanges, error) {
		if _, _, err := pulumi.Update(u, c, o, dry); err != nil {
			return nil, nil, err
		}
		panic("the engine has a bug")
	}
	_, err = e.run(context.Background(), job{op: broken, name: "up", graph: &g}, l)
	var bug *PanicError
	if !errors.As(err, &bug) || !strings.Contains(err.Error(), e.paths.journal) || !strings.Contains(bug.Stack, "broken") && !strings.Contains(bug.Stack, "house_test") {
		t.Fatalf("error: %v", err)
	}
	if s, err := e.State(); err != nil || len(s.Resources) != 2 || !s.Interrupted {
		t.Errorf("state %+v, %v", s, err)
	}
	o := up(t, e, g)
	wantCounts(t, o.Counts, map[Op]int{OpSame: 2})
	if o.Recovered < 2 || w.count("create") != 2 {
		t.Errorf("recovered %d, calls %v", o.Recovered, w.calls)
	}
}

func TestReplaceOrders(t *testing.T) {
	for _, before := range []bool{false, true} {
		w := newWorld()
		e := open(t, t.TempDir(), w)
		lock(t, e)
		a := data("a", map[string]any{"kind": "x"})
		a.DeleteBeforeReplace = before
		up(t, e, graph(a))
		w.calls = nil
		a.Inputs = map[string]any{"kind": "y"}
		var told []string
		o, err := e.Up(context.Background(), graph(a), Options{}, func(ev Event) {
			if ev.Kind == Finished {
				told = append(told, string(ev.Step.Op)+" "+ev.Message)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		wantCounts(t, o.Counts, map[Op]int{OpReplace: 1})
		calls, events := []string{"create a", "delete a"}, []string{"replace the new one", "replace the old one"}
		if before {
			slices.Reverse(calls)
			slices.Reverse(events)
		}
		if !slices.Equal(w.calls, calls) || !slices.Equal(told, events) {
			t.Errorf("delete before replace %v: calls %v, told %v", before, w.calls, told)
		}
		if s := o.Steps[0]; s.Took <= 0 || len(s.Diff) != 1 || !s.Diff[0].ForcesReplace {
			t.Errorf("step %+v", s)
		}
	}
}

func TestPlanDestroyListsWhatGoes(t *testing.T) {
	e, w, _ := interrupted(t, true)
	calls := len(w.calls)
	p, err := e.PlanDestroy(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, p.Counts, map[Op]int{OpDelete: 2})
	if s := stepOf(t, p.Steps, "b"); s.Message != orphanText || len(w.calls) != calls {
		t.Errorf("step %+v, calls %v", s, w.calls[calls:])
	}
}
