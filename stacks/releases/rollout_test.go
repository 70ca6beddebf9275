package releases

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"surety/stacks"
	"surety/stacks/engine"
)

// servers gives a Graph of hosts that wait for one another, with the version that each runs.
func servers(versions ...string) stacks.Graph {
	g := stacks.Graph{Resources: []stacks.Resource{{Name: "network"}}}
	for i, version := range versions {
		r := stacks.Resource{Name: fmt.Sprintf("server-%d", i), DependsOn: []string{"network"},
			Inputs: map[string]any{"name": fmt.Sprintf("web-%d", i), "env": map[string]any{"VERSION": version}}}
		if i > 0 {
			r.DependsOn = append(r.DependsOn, fmt.Sprintf("server-%d", i-1))
		}
		g.Resources = append(g.Resources, r)
	}
	return g
}

func TestSteps(t *testing.T) {
	released, wanted := servers("1", "1", "1", "1", "1"), servers("2", "2", "2", "2", "2")
	for _, c := range []struct {
		batch   int
		changed []string
		want    []string // the versions after each step, and whom each host waits for
	}{
		{1, []string{"server-0", "server-1", "server-2", "server-3", "server-4"}, []string{
			"[web-0] 2- 1-0 1-1 1-2 1-3", "[web-1] 2- 2-0 1-1 1-2 1-3", "[web-2] 2- 2-0 2-1 1-2 1-3", "[web-3] 2- 2-0 2-1 2-2 1-3", "[web-4] 2- 2-0 2-1 2-2 2-3"}},
		{2, []string{"server-0", "server-1", "server-2", "server-3", "server-4"}, []string{
			"[web-0 web-1] 2- 2- 1-1 1-2 1-3", "[web-2 web-3] 2- 2-0 2-1 2-1 1-3", "[web-4] 2- 2-0 2-1 2-2 2-3"}},
		{9, []string{"server-0", "server-1", "server-2", "server-3", "server-4"}, []string{"[web-0 web-1 web-2 web-3 web-4] 2- 2- 2- 2- 2-"}},
		// The first was changed by a deploy that was cut short: it stays as wanted in every step.
		{1, []string{"server-1", "server-3"}, []string{"[web-1] 2- 2-0 2-1 1-2 2-3", "[web-3] 2- 2-0 2-1 2-2 2-3"}},
	} {
		var got []string
		for _, step := range Steps(released, wanted, c.changed, c.batch) {
			line := fmt.Sprint(step.Hosts)
			for _, r := range step.Graph.Resources[1:] {
				line += " " + r.Inputs["env"].(map[string]any)["VERSION"].(string) + "-"
				for _, name := range r.DependsOn {
					if name != "network" {
						line += name[len("server-"):]
					}
				}
			}
			got = append(got, line)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d at a time of %v:\n got %q\nwant %q", c.batch, c.changed, got, c.want)
		}
	}
	if !reflect.DeepEqual(wanted, servers("2", "2", "2", "2", "2")) {
		t.Error("Steps changed the Graph it was given")
	}
}

// Runs one after the other count each resource once, by what was done to it.
func TestJoinedRuns(t *testing.T) {
	step := func(op engine.Op, name string, diff ...engine.PropertyChange) engine.Step {
		return engine.Step{Op: op, Name: name, Diff: diff, Took: 1}
	}
	a := engine.Outcome{Plan: engine.Plan{Steps: []engine.Step{step(engine.OpUpdate, "a", engine.PropertyChange{Path: "p", From: "1", To: "2"}), step(engine.OpSame, "b"), step(engine.OpSame, "c")}}, Took: 2}
	b := engine.Outcome{Plan: engine.Plan{Steps: []engine.Step{step(engine.OpUpdate, "a", engine.PropertyChange{Path: "p", From: "2", To: "3"}), step(engine.OpUpdate, "b"), step(engine.OpSame, "c")}},
		Failed: []engine.Step{step(engine.OpUpdate, "d")}, Took: 3, Cancelled: true}
	got := join(a, b)
	want := engine.Outcome{Plan: engine.Plan{Steps: []engine.Step{
		{Op: engine.OpUpdate, Name: "a", Took: 2, Diff: []engine.PropertyChange{{Path: "p", From: "1", To: "3"}}}, {Op: engine.OpSame, Name: "c", Took: 2}, step(engine.OpUpdate, "b")},
		Counts: map[engine.Op]int{engine.OpUpdate: 2, engine.OpSame: 1}}, Failed: []engine.Step{step(engine.OpUpdate, "d")}, Took: 5, Cancelled: true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
