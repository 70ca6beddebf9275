package architecture

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"surety/blueprints"
)

// document builds a loaded spec by hand: leaves are the requirement IDs that the author is taken to have written.
func document(s blueprints.Spec, leaves ...string) *blueprints.Document {
	doc := &blueprints.Document{File: "surety.yaml", Spec: s}
	for i, id := range leaves {
		doc.Requirements = append(doc.Requirements, blueprints.Requirement{
			ID: id, Value: "…", Position: blueprints.Position{File: "surety.yaml", Line: i + 1, Column: 1},
		})
	}
	return doc
}

// reader is the spec of a public web group on a database with a standby and a bucket, using an internal group.
func reader() *blueprints.Document {
	return document(blueprints.Spec{
		Surety: "v1", Name: "reader", Owner: blueprints.Owner{Team: "platform"},
		Secrets: map[string]blueprints.Secret{"admin": {}},
		Servers: map[string]blueprints.Server{
			"web": {
				Count: 2, Size: blueprints.Size{CPU: 2, Memory: 4 << 30, Disk: 20 << 30}, OS: "debian-12",
				Runs: blueprints.Software{Package: "nginx", Command: []string{"nginx"}, Port: 8080, Health: "/healthcheck"},
				Uses: []string{"databases.main", "buckets.media", "servers.api"}, Public: &blueprints.Public{Port: 80},
			},
			"api": {Runs: blueprints.Software{Program: "bin/api", Command: []string{"api"}, Port: 9000}, Uses: []string{"databases.main"}},
		},
		Databases: map[string]blueprints.Database{
			"main": {Engine: "postgres", Version: "15", Size: blueprints.Size{CPU: 2, Memory: 4 << 30, Disk: 50 << 30}, HighAvailability: true},
		},
		Buckets: map[string]blueprints.Bucket{"media": {Size: 200 << 30, Versioning: true}},
	}, "surety", "name", "owner.team", "servers.web.count", "servers.web.size.cpu", "servers.web.size.memory", "servers.web.size.disk",
		"servers.web.os", "servers.web.runs.package", "servers.web.runs.command", "servers.web.runs.port", "servers.web.runs.health",
		"servers.web.uses[0]", "servers.web.uses[1]", "servers.web.uses[2]", "servers.web.public",
		"servers.api.runs.program", "servers.api.runs.command", "servers.api.runs.port", "servers.api.uses[0]",
		"databases.main.engine", "databases.main.version", "databases.main.size.cpu", "databases.main.size.memory", "databases.main.size.disk",
		"databases.main.highAvailability", "buckets.media.size", "buckets.media.versioning")
}

func mustDesign(t testing.TB, doc *blueprints.Document) Architecture {
	t.Helper()
	a, ds := Design(doc)
	if len(ds) > 0 {
		t.Fatalf("unexpected diagnostics: %v", ds)
	}
	return a
}

func TestDesignReader(t *testing.T) {
	a := mustDesign(t, reader())
	var order []string
	for _, c := range a.Components {
		order = append(order, fmt.Sprintf("%s×%d", c.ID, c.Instances))
	}
	want := "buckets.media×1 databases.main×2 servers.api×1 balancers.api×1 servers.web×2 balancers.web×1"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("components %s, want %s", got, want)
	}
	layers := [][]string{{"buckets.media", "databases.main"}, {"servers.api"}, {"balancers.api"}, {"servers.web"}, {"balancers.web"}}
	if !reflect.DeepEqual(a.StartOrder, layers) {
		t.Errorf("start order %v, want %v", a.StartOrder, layers)
	}
	if api := component(t, a, "balancers.api"); !api.Balancer.Internal || api.Balancer.Port != 9000 || api.Balancer.From != "" {
		t.Errorf("internal balancer: %+v", *api.Balancer)
	}
	if web := component(t, a, "balancers.web"); web.Balancer.Internal || web.Balancer.Port != 80 || web.Balancer.From != blueprints.DefaultFrom {
		t.Errorf("public balancer: %+v", *web.Balancer)
	}
	if api := component(t, a, "servers.api"); api.Size != serverSize || api.Server.OS != blueprints.DefaultOS {
		t.Errorf("defaults not applied: %+v", api)
	}
	if got := component(t, a, "buckets.media").Bucket.Grants; len(got) != 1 || got[0].To != "servers.web" || got[0].Requirements[0] != "servers.web.uses[1]" {
		t.Errorf("grants %+v", got)
	}
}

func component(t testing.TB, a Architecture, id string) Component {
	t.Helper()
	i := slices.IndexFunc(a.Components, func(c Component) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("no component %s", id)
	}
	return a.Components[i]
}

func TestPostgresParametersFollowTheSize(t *testing.T) {
	a := mustDesign(t, reader())
	p := component(t, a, "databases.main").Database.Parameters
	for name, want := range map[string]string{
		"shared_buffers":                  "1048576kB", // 1 GiB of 4
		"effective_cache_size":            "3145728kB",
		"max_connections":                 "113", // 20 × (2+1 web + 1+1 api) + 13
		"work_mem":                        "9279kB",
		"maintenance_work_mem":            "262144kB",
		"max_wal_size":                    "4096MB",
		"max_parallel_workers":            "2",
		"max_parallel_workers_per_gather": "1",
		"wal_level":                       "replica",
	} {
		if p[name] != want {
			t.Errorf("%s = %q, want %q", name, p[name], want)
		}
	}
	doc := reader()
	db := doc.Spec.Databases["main"]
	db.HighAvailability, db.Size.Memory = false, 512<<20
	doc.Spec.Databases["main"] = db
	single := component(t, mustDesign(t, doc), "databases.main").Database.Parameters
	if _, ok := single["max_wal_senders"]; ok {
		t.Error("a single instance got replication settings")
	}
	if single["shared_buffers"] != "78643kB" {
		t.Errorf("below 1 GiB shared_buffers = %s, want 15 %%", single["shared_buffers"])
	}
}

func TestEveryFigureHasADecision(t *testing.T) {
	a := mustDesign(t, reader())
	decided := map[string]Decision{}
	for _, d := range a.Decisions {
		if d.Rule == "" || d.Reason == "" || d.Value == "" {
			t.Errorf("decision without rule, reason or value: %+v", d)
		}
		if _, twice := decided[d.Component+" "+d.What]; twice {
			t.Errorf("%s %s decided twice", d.Component, d.What)
		}
		decided[d.Component+" "+d.What] = d
	}
	for _, c := range a.Components {
		for _, what := range []string{"instances", "cpu", "memory", "disk"} {
			if c.Kind == KindBucket && what != "disk" {
				continue
			}
			if _, ok := decided[c.ID+" "+what]; !ok {
				t.Errorf("no decision for %s of %s", what, c.ID)
			}
		}
		if c.Database != nil {
			for name, value := range c.Database.Parameters {
				if decided[c.ID+" "+name].Value != value {
					t.Errorf("%s of %s is %s, decision says %q", name, c.ID, value, decided[c.ID+" "+name].Value)
				}
			}
		}
	}
	if got := decided["servers.web memory"]; got.Value != "4GiB" || !slices.Equal(got.Requirements, []string{"servers.web.size.memory"}) {
		t.Errorf("memory of web: %+v", got)
	}
	if got := decided["servers.api memory"]; got.Rule != "default" || got.Requirements != nil {
		t.Errorf("a default serves no requirement: %+v", got)
	}
}

func TestDesignIsPureAndDeterministic(t *testing.T) {
	doc := reader()
	before, err := json.Marshal(doc.Spec)
	if err != nil {
		t.Fatal(err)
	}
	first, err := json.Marshal(mustDesign(t, doc))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, _ := json.Marshal(mustDesign(t, reader()))
		if string(again) != string(first) {
			t.Fatal("two designs of equal documents differ")
		}
	}
	if after, _ := json.Marshal(doc.Spec); string(after) != string(before) {
		t.Error("Design changed its document")
	}
	var back Architecture
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatalf("an architecture must be readable from a release record: %v", err)
	}
}

func TestDesignOfWhatCannotBeBuilt(t *testing.T) {
	for name, tc := range map[string]struct {
		spec blueprints.Spec
		want string // part of the diagnostic
	}{
		"nothing":           {blueprints.Spec{}, ""},
		"dangling use":      {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {Uses: []string{"buckets.x"}}}}, `nothing named "buckets.x"`},
		"use of a word":     {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {Uses: []string{"x"}}}}, `nothing named "x"`},
		"emptied use":       {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {Uses: []string{""}}}}, ""},
		"self":              {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {Uses: []string{"servers.a"}}}}, "cannot use itself"},
		"public, no port":   {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {Public: &blueprints.Public{Port: 80}}}}, "no port"},
		"used, no port":     {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {}, "b": {Uses: []string{"servers.a"}}}}, "listens on no port"},
		"unknown engine":    {blueprints.Spec{Databases: map[string]blueprints.Database{"d": {Engine: "oracle"}}}, "no rule sizes"},
		"negative count":    {blueprints.Spec{Servers: map[string]blueprints.Server{"a": {Count: -3}}}, ""},
		"mariadb and redis": {blueprints.Spec{Databases: map[string]blueprints.Database{"m": {Engine: "mariadb"}, "r": {Engine: "redis"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, ds := Design(document(tc.spec))
			if tc.want == "" && ds.HasErrors() || tc.want != "" && !strings.Contains(fmt.Sprint(ds), tc.want) {
				t.Errorf("diagnostics %v, want %q", ds, tc.want)
			}
			if _, err := json.Marshal(a); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExamplesAreSound(t *testing.T) {
	for _, file := range []string{"../../examples/reader/surety.yaml", "../../examples/registry/surety.yaml"} {
		doc, ds, err := blueprints.Load(file)
		if err != nil || len(ds) > 0 {
			t.Fatal(err, ds)
		}
		a := mustDesign(t, doc)
		if len(a.SinglePoints) > 0 || a.Availability.Percent < a.Availability.Required || a.Availability.Required == 0 {
			t.Errorf("%s: single points %v, availability %+v", file, a.SinglePoints, a.Availability)
		}
		served := map[string]bool{}
		for _, c := range a.Components {
			for _, id := range c.Requirements {
				served[id] = true
			}
		}
		for _, r := range doc.Requirements {
			if strings.HasPrefix(r.ID, "servers.") || strings.HasPrefix(r.ID, "databases.") || strings.HasPrefix(r.ID, "buckets.") {
				if !served[r.ID] {
					t.Errorf("%s: no component serves %s", file, r.ID)
				}
			}
		}
	}
}

// Whatever the loader reads, Design must survive: it is run on specs with faults too, to show what can be shown.
func FuzzDesign(f *testing.F) {
	f.Add([]byte(everyLeaf))
	f.Add([]byte("surety: v1\nname: a\nobjectives: {availability: 100, rpo: 1s, rto: 1s}\nservers:\n  a: {runs: {command: [a], port: 1}, uses: [servers.b, servers.b], public: {port: 80}}\n  b: {runs: {command: [b], port: 1}, uses: [servers.a]}\ndatabases: {d: {engine: redis}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, _ := blueprints.Parse("fuzz.yaml", data)
		a, ds := Design(doc)
		if _, err := json.Marshal(a); err != nil {
			t.Fatal(err)
		}
		if short := a.Availability.Percent < a.Availability.Required-tolerance; short && !ds.HasErrors() {
			t.Fatalf("%v of %v goes unreported", a.Availability.Percent, a.Availability.Required)
		}
		if got := len(Prospects(a, doc.Requirements, nil)); got != len(doc.Requirements) {
			t.Fatalf("%d prospects for %d requirements", got, len(doc.Requirements))
		}
	})
}
