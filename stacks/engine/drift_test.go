package engine

import (
	"context"
	"os"
	"testing"
)

func TestPreviewShowsDriftAndUpMendsIt(t *testing.T) {
	ctx := context.Background()
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	g := graph(data("a", map[string]any{"limits": map[string]any{"cpu": 2, "memory": 4}}), data("b", nil), data("c", nil, "a"))
	up(t, e, g)
	before, err := os.ReadFile(e.paths.checkpoint)
	if err != nil {
		t.Fatal(err)
	}

	plan, err := e.Preview(ctx, g, Options{Refresh: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, plan.Counts, map[Op]int{OpSame: 3})
	if len(plan.Drift) > 0 {
		t.Fatalf("drift where there is none: %+v", plan.Drift)
	}

	w.items["a"] = map[string]any{"limits": map[string]any{"cpu": 1.0, "memory": 4.0}}
	delete(w.items, "b")
	if plan, err = e.Preview(ctx, g, Options{}, nil); err != nil || plan.Changes() || len(plan.Drift) > 0 {
		t.Errorf("a plan that does not look saw %+v, %v", plan, err)
	}
	var events []Event
	if plan, err = e.Preview(ctx, g, Options{Refresh: true}, func(ev Event) { events = append(events, ev) }); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, plan.Counts, map[Op]int{OpUpdate: 1, OpCreate: 1, OpSame: 1})
	if len(plan.Drift) != 2 {
		t.Fatalf("drift: %+v", plan.Drift)
	}
	a := stepOf(t, plan.Drift, "a")
	if !a.Drift || a.Op != OpRefresh || len(a.Diff) != 1 || a.Diff[0] != (PropertyChange{Path: "limits.cpu", From: "2", To: "1", Kind: Changed}) || a.Requirements[0] != "servers.a" {
		t.Errorf("drift of a: %+v", a)
	}
	if b := stepOf(t, plan.Drift, "b"); b.Op != OpDelete || !b.Drift {
		t.Errorf("drift of b: %+v", b)
	}
	if d := stepOf(t, plan.Steps, "a").Diff; len(d) != 1 || d[0].From != "1" || d[0].To != "2" {
		t.Errorf("what up would do to a: %+v", d)
	}
	after, err := os.ReadFile(e.paths.checkpoint)
	if err != nil || string(after) != string(before) {
		t.Errorf("a preview changed the state: %v", err)
	}
	if w.count("update")+w.count("create") != 3 {
		t.Errorf("a preview changed the world: %v", w.calls)
	}

	o, err := e.Up(ctx, g, Options{Refresh: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, o.Counts, map[Op]int{OpUpdate: 1, OpCreate: 1, OpSame: 1})
	if len(o.Drift) != 2 || w.items["a"]["limits"].(map[string]any)["cpu"] != 2.0 || w.items["b"] == nil {
		t.Errorf("drift %+v, world %v", o.Drift, w.items)
	}
	if plan, err = e.Preview(ctx, g, Options{Refresh: true}, nil); err != nil || plan.Changes() || len(plan.Drift) > 0 {
		t.Errorf("after mending: %+v, %v", plan, err)
	}
}

func TestRefreshTakesTheWorldOver(t *testing.T) {
	ctx := context.Background()
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	g := graph(data("a", nil), data("b", nil, "a"), data("c", nil, "b"))
	up(t, e, g)
	if p, err := e.Refresh(ctx, nil); err != nil || len(p.Drift) > 0 {
		t.Errorf("drift where there is none: %+v, %v", p, err)
	}
	w.items["a"]["value"] = "by hand"
	delete(w.items, "b")
	calls := len(w.calls)
	p, err := e.Refresh(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Drift) != 2 || len(w.calls) != calls {
		t.Errorf("drift %+v, calls %v", p.Drift, w.calls[calls:])
	}
	d, err := e.Deployment(ctx)
	if err != nil || len(d.Resources) != 2 || d.Resources["a"].Outputs["value"] != "by hand" {
		t.Errorf("deployment %+v, %v", d, err)
	}
	plan, err := e.Preview(ctx, g, Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, plan.Counts, map[Op]int{OpUpdate: 1, OpCreate: 1, OpSame: 1})
}

func TestRefreshOfOneLeavesTheOthersToBeSeen(t *testing.T) {
	ctx := context.Background()
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	g := graph(data("a", nil), data("b", nil, "a"))
	up(t, e, g)
	w.items["a"]["value"], w.items["b"]["value"] = "on purpose", "by hand"
	if p, err := e.RefreshOnly(ctx, []string{"a"}, nil); err != nil || len(p.Drift) != 1 || p.Drift[0].Name != "a" {
		t.Errorf("refresh of one: %+v, %v", p.Drift, err)
	}
	if plan, err := e.Preview(ctx, g, Options{Refresh: true}, nil); err != nil || len(plan.Drift) != 1 || plan.Drift[0].Name != "b" {
		t.Errorf("what is still to be seen: %+v, %v", plan.Drift, err)
	}
	if _, err := e.RefreshOnly(ctx, []string{"nobody"}, nil); err == nil {
		t.Error("a resource that is not there was refreshed")
	}
}

func TestUpdateThatFailedIsTriedAgain(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	up(t, e, graph(data("a", map[string]any{"value": 1})))
	w.failing["update a"] = os.ErrDeadlineExceeded
	g := graph(data("a", map[string]any{"value": 2}))
	o, err := e.Up(context.Background(), g, Options{}, nil)
	if err == nil || len(o.Failed) != 1 || o.Failed[0].Op != OpUpdate {
		t.Fatalf("outcome %+v, %v", o, err)
	}
	delete(w.failing, "update a")
	wantCounts(t, up(t, e, g).Counts, map[Op]int{OpUpdate: 1})
}

func TestDeleteThatFailedIsTriedAgain(t *testing.T) {
	w := newWorld()
	e := open(t, t.TempDir(), w)
	lock(t, e)
	up(t, e, graph(data("a", nil), data("b", nil, "a")))
	w.failing["delete a"] = os.ErrDeadlineExceeded
	o, err := e.Destroy(context.Background(), nil)
	if err == nil || len(o.Failed) != 1 || o.Failed[0].Op != OpDelete || o.Counts[OpDelete] != 1 {
		t.Fatalf("outcome %+v, %v", o, err)
	}
	delete(w.failing, "delete a")
	if _, err := e.Destroy(context.Background(), nil); err != nil || len(w.names()) > 0 {
		t.Errorf("%v, left %v", err, w.names())
	}
	if w.count("delete b") != 1 {
		t.Errorf("calls: %v", w.calls)
	}
}
