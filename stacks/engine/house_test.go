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
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks"
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

func TestResolve(t *testing.T) {
	of := func(name string) (stood, bool) {
		return stood{urn: "urn:x", id: resource.NewProperty("id-1"), outputs: resource.PropertyMap{
			"port": resource.NewProperty(5432.0), "up": resource.NewProperty(true), "list": resource.NewProperty([]resource.PropertyValue{resource.NewProperty("first")}),
			"pass": resource.MakeSecret(resource.NewProperty("word")), "soon": unknown(),
			"deep": resource.MakeSecret(resource.NewProperty(resource.PropertyMap{"key": resource.NewProperty("inner")})),
		}}, name == "a"
	}
	ref := func(p string) stacks.Ref { return stacks.Ref{Resource: "a", Property: p} }
	for name, c := range map[string]struct {
		in      any
		preview bool
		want    resource.PropertyValue
		err     string
	}{
		"number":            {in: 3, want: resource.NewProperty(3.0)},
		"null":              {in: nil, want: resource.NewNullProperty()},
		"output":            {in: ref("port"), want: resource.NewProperty(5432.0)},
		"path":              {in: ref("list[0]"), want: resource.NewProperty("first")},
		"id":                {in: ref("id"), want: resource.NewProperty("id-1")},
		"urn":               {in: ref("urn"), want: resource.NewProperty("urn:x")},
		"secret":            {in: stacks.Secret{Value: stacks.Secret{Value: "s"}}, want: resource.MakeSecret(resource.NewProperty("s"))},
		"secret output":     {in: ref("pass"), want: resource.MakeSecret(resource.NewProperty("word"))},
		"inside a secret":   {in: ref("deep.key"), want: resource.MakeSecret(resource.NewProperty("inner"))},
		"unknown":           {in: ref("soon"), preview: true, want: unknown()},
		"inside unknown":    {in: ref("soon.x"), preview: true, want: unknown()},
		"not yet":           {in: ref("nothing"), preview: true, want: unknown()},
		"never":             {in: ref("nothing"), err: `output "nothing" of "a"`},
		"past the end":      {in: ref("list[1]"), err: `output "list[1]"`},
		"malformed":         {in: ref("list["), err: "malformed path"},
		"not standing":      {in: stacks.Ref{Resource: "b", Property: "x"}, err: `"b"`},
		"join":              {in: stacks.Join{"p:", ref("port"), "/", ref("up")}, want: resource.NewProperty("p:5432/true")},
		"join of nothing":   {in: stacks.Join{}, want: resource.NewProperty("")},
		"join with secret":  {in: stacks.Join{"u:", ref("pass")}, want: resource.MakeSecret(resource.NewProperty("u:word"))},
		"join with unknown": {in: stacks.Join{ref("pass"), ref("soon")}, preview: true, want: resource.MakeSecret(unknown())},
		"join of a list":    {in: stacks.Join{ref("list")}, err: "cannot be joined"},
		"foreign":           {in: struct{}{}, err: "struct {}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolve(c.in, of, c.preview)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !got.DeepEquals(c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}
