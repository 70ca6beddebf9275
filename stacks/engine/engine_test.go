package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"

	"surety/stacks"
)

// data is a resource of the test provider.
func data(name string, inputs map[string]any, after ...string) stacks.Resource {
	if inputs == nil {
		inputs = map[string]any{"value": name}
	}
	return stacks.Resource{Name: name, Type: "surety:local:Data", Inputs: inputs, DependsOn: after, Requirements: []string{"servers." + name}}
}

func graph(resources ...stacks.Resource) stacks.Graph {
	return stacks.Graph{Project: "reader", Stack: "local", Resources: resources}
}

// chainless makes n resources that depend on nothing.
func chainless(n int) stacks.Graph {
	g := graph()
	for i := range n {
		g.Resources = append(g.Resources, data(fmt.Sprintf("r%05d", i), map[string]any{"value": i, "list": []any{"a", "b"}}))
	}
	return g
}

func open(t testing.TB, dir string, w *world) *Engine {
	t.Helper()
	e, err := Open(Config{Dir: dir, Project: "reader", Stack: "local", Providers: map[string]ProviderFactory{"surety": w.factory},
		Passphrase: func() (string, error) { return "correct horse", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func lock(t testing.TB, e *Engine) {
	t.Helper()
	unlock, err := e.Lock(Holder{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	})
}

func up(t testing.TB, e *Engine, g stacks.Graph) Outcome {
	t.Helper()
	o, err := e.Up(context.Background(), g, Options{}, nil)
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	return o
}

func wantCounts(t testing.TB, got map[Op]int, want map[Op]int) {
	t.Helper()
	for _, op := range []Op{OpCreate, OpUpdate, OpReplace, OpDelete, OpSame} {
		if got[op] != want[op] {
			t.Errorf("%s: %d, want %d (all: %v)", op, got[op], want[op], got)
		}
	}
}

func stepOf(t testing.TB, steps []Step, name string) Step {
	t.Helper()
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no step for %q in %+v", name, steps)
	}
	return steps[i]
}

func TestLifeOfAStack(t *testing.T) {
	w := newWorld()
	dir := filepath.Join(t.TempDir(), "not", "there")
	e := open(t, dir, w)
	g := graph(
		data("b", map[string]any{"url": stacks.Join{"http://", stacks.Ref{Resource: "a", Property: "address"}, ":80"}}),
		data("a", map[string]any{"value": 1, "kind": "x"}),
	)

	plan, err := e.Preview(context.Background(), g, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, plan.Counts, map[Op]int{OpCreate: 2})
	if len(w.names()) != 0 {
		t.Fatalf("a preview made %v", w.names())
	}
	if s, err := e.State(); err != nil || s.Exists {
		t.Fatalf("a preview left state: %+v, %v", s, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a preview made the state folder: %v", err)
	}
	lock(t, e)

	o := up(t, e, g)
	wantCounts(t, o.Counts, map[Op]int{OpCreate: 2})
	if got := w.items["b"]["url"]; got != "http://10.0.0.1:80" {
		t.Errorf("url of b: %v", got)
	}
	if s := stepOf(t, o.Steps, "b"); s.Requirements[0] != "servers.b" || s.Took <= 0 {
		t.Errorf("step of b: %+v", s)
	}

	wantCounts(t, up(t, e, g).Counts, map[Op]int{OpSame: 2})

	g.Resources[1].Inputs = map[string]any{"value": 2, "kind": "x"}
	o = up(t, e, g)
	wantCounts(t, o.Counts, map[Op]int{OpUpdate: 1, OpSame: 1})
	if d := stepOf(t, o.Steps, "a").Diff; len(d) != 1 || d[0] != (PropertyChange{Path: "value", From: "1", To: "2", Kind: Changed}) {
		t.Errorf("diff of a: %+v", d)
	}

	g.Resources[1].Inputs = map[string]any{"value": 2, "kind": "y"}
	plan, err = e.Preview(context.Background(), g, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := stepOf(t, plan.Steps, "a").Diff; len(d) != 1 || !d[0].ForcesReplace || d[0].From != "x" || d[0].To != "y" {
		t.Errorf("diff of a: %+v", d)
	}
	o = up(t, e, g)
	if s := stepOf(t, o.Steps, "a"); s.Op != OpReplace || len(s.Diff) != 1 {
		t.Errorf("step of a: %+v", s)
	}

	g.Resources = g.Resources[1:]
	wantCounts(t, up(t, e, g).Counts, map[Op]int{OpDelete: 1, OpSame: 1})

	d, err := e.Deployment(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Resources) != 1 || d.Resources["a"].Outputs["kind"] != "y" || d.Resources["a"].ID != "a" {
		t.Errorf("deployment: %+v", d)
	}

	o, err = e.Destroy(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, o.Counts, map[Op]int{OpDelete: 1})
	if len(w.names()) != 0 {
		t.Errorf("left after destroy: %v", w.names())
	}
	if s, err := e.State(); err != nil || len(s.Resources) != 0 || s.Interrupted {
		t.Errorf("state after destroy: %+v, %v", s, err)
	}
}

func TestUpWithoutChangesWritesNothing(t *testing.T) {
	e := open(t, t.TempDir(), newWorld())
	lock(t, e)
	g := chainless(20)
	up(t, e, g)
	before, err := os.Stat(e.paths.checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	l, err := e.load()
	if err != nil {
		t.Fatal(err)
	}
	e.paths.journal = filepath.Join(t.TempDir(), "\x00") // no journal can be begun here
	out, err := e.run(context.Background(), job{op: pulumi.Update, name: "up", graph: &g}, l)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, out.listener.plan().Counts, map[Op]int{OpSame: 20})
	after, err := os.Stat(e.paths.checkpoint)
	if err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the checkpoint was written: %v", err)
	}
}
