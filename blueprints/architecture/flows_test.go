package architecture

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"surety/blueprints"
)

func TestFlowsOfReader(t *testing.T) {
	a := mustDesign(t, reader())
	var got []string
	for _, f := range a.Flows {
		got = append(got, fmt.Sprintf("%s>%s:%d %s %s %v", f.From, f.To, f.Port, f.Speaks, f.CIDR, f.Requirements))
	}
	want := []string{
		"servers.web>balancers.api:9000 http  [servers.web.uses[2]]",
		"internet>balancers.web:80 http 0.0.0.0/0 [servers.web.public]",
		"servers.web>buckets.media:7070 s3  [servers.web.uses[1]]",
		"databases.main>databases.main:5432 postgres  [databases.main.highAvailability]",
		"servers.api>databases.main:5432 postgres  [servers.api.uses[0]]",
		"servers.web>databases.main:5432 postgres  [servers.web.uses[0]]",
		"balancers.api>servers.api:9000 tcp  [servers.web.uses[2]]",
		"balancers.web>servers.web:8080 http  [servers.web.public]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("flows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPublicGroupIsUsedAtItsPublicPort(t *testing.T) {
	doc := reader()
	api := doc.Spec.Servers["api"]
	api.Public = &blueprints.Public{Port: 443, From: "10.0.0.0/8"}
	doc.Spec.Servers["api"] = api
	a := mustDesign(t, doc)
	if !permits(a, "servers.web", "balancers.api", 443) || permits(a, "servers.web", "balancers.api", 9000) {
		t.Errorf("flows %+v", a.Flows)
	}
	if !permits(a, Internet, "balancers.api", 443) || !permits(a, "balancers.api", "servers.api", 9000) {
		t.Errorf("flows %+v", a.Flows)
	}
}

func permits(a Architecture, from, to string, port int) bool {
	return slices.ContainsFunc(a.Flows, func(f Flow) bool { return f.From == from && f.To == to && f.Port == port })
}

func TestThingUsedTwiceIsOneFlow(t *testing.T) {
	doc := reader()
	web := doc.Spec.Servers["web"]
	web.Uses = append(web.Uses, "databases.main")
	doc.Spec.Servers["web"] = web
	doc.Requirements = append(doc.Requirements, blueprints.Requirement{ID: "servers.web.uses[3]"})
	var served [][]string
	for _, f := range mustDesign(t, doc).Flows {
		if f.From == "servers.web" && f.To == "databases.main" {
			served = append(served, f.Requirements)
		}
	}
	if want := [][]string{{"servers.web.uses[0]", "servers.web.uses[3]"}}; !reflect.DeepEqual(served, want) {
		t.Errorf("flows to main serve %v, want %v", served, want)
	}
}

func TestStartOrderHonoursEveryDependency(t *testing.T) {
	a := mustDesign(t, wide(60))
	layer := map[string]int{}
	for i, ids := range a.StartOrder {
		for _, id := range ids {
			layer[id] = i
		}
	}
	if len(layer) != len(a.Components) {
		t.Fatalf("%d of %d components have a place", len(layer), len(a.Components))
	}
	for id, needs := range a.Dependencies() {
		for _, n := range needs {
			if layer[n] >= layer[id] {
				t.Errorf("%s starts in layer %d, before %s in %d", id, layer[id], n, layer[n])
			}
		}
	}
}

func TestCyclesAreReportedNotFollowed(t *testing.T) {
	server := func(uses ...string) blueprints.Server {
		return blueprints.Server{Runs: blueprints.Software{Port: 1}, Uses: uses}
	}
	doc := document(blueprints.Spec{Servers: map[string]blueprints.Server{
		"a": server("servers.b"), "b": server("servers.c"), "c": server("servers.a"), // one circle
		"x": server("servers.y"), "y": server("servers.x"), // another
		"waits": server("servers.a"), "free": server(),
	}})
	a, ds := Design(doc)
	var got [][]string
	for _, d := range ds {
		if strings.Contains(d.Summary, "circle") {
			got = append(got, d.Conflict)
		}
	}
	want := [][]string{{"servers.a.uses[0]", "servers.b.uses[0]", "servers.c.uses[0]"}, {"servers.x.uses[0]", "servers.y.uses[0]"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("circles %v, want %v", got, want)
	}
	n := 0
	for _, l := range a.StartOrder {
		n += len(l)
	}
	if n != len(a.Components) || a.StartOrder[0][0] != "servers.free" {
		t.Errorf("start order %v loses components", a.StartOrder)
	}
}

// wide builds n components: public groups that use databases, buckets and earlier groups.
func wide(n int) *blueprints.Document {
	s := blueprints.Spec{
		Name: "wide", Objectives: blueprints.Objectives{},
		Servers: map[string]blueprints.Server{}, Databases: map[string]blueprints.Database{}, Buckets: map[string]blueprints.Bucket{},
	}
	var leaves []string
	for i := range n / 4 { // a server, its balancer, a database and a bucket
		id := fmt.Sprintf("c%d", i)
		uses := []string{"databases." + id, "buckets." + id}
		if i > 0 && i%10 != 0 {
			uses = append(uses, fmt.Sprintf("servers.c%d", i-1))
		}
		s.Servers[id] = blueprints.Server{
			Count: 2, Runs: blueprints.Software{Package: "p", Command: []string{"p"}, Port: 8080, Health: "/"},
			Uses: uses, Public: &blueprints.Public{Port: 80},
		}
		s.Databases[id] = blueprints.Database{Engine: "postgres", HighAvailability: true}
		s.Buckets[id] = blueprints.Bucket{Versioning: true}
		leaves = append(leaves, "servers."+id+".count", "servers."+id+".runs.package", "servers."+id+".runs.command", "servers."+id+".runs.port",
			"servers."+id+".runs.health", "servers."+id+".public", "databases."+id+".engine", "databases."+id+".highAvailability", "buckets."+id+".versioning")
		for j := range uses {
			leaves = append(leaves, fmt.Sprintf("servers.%s.uses[%d]", id, j))
		}
	}
	return document(s, leaves...)
}

func BenchmarkDesign1000(b *testing.B) {
	doc := wide(1000)
	for b.Loop() {
		if a := mustDesign(b, doc); len(a.Components) != 1000 {
			b.Fatalf("%d components", len(a.Components))
		}
	}
}
