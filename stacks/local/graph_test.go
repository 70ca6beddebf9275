package local

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

const gibibyte = 1 << 30

func testTarget() *Target {
	return New(Options{
		Dir: "/environment", SpecDir: "/spec",
		Machine: &Machine{OS: "debian-12", Postgres: []string{"15.18", "13.9"}, CPUs: 2, Memory: 8 * gibibyte,
			Enforced: map[string]bool{"cpu": true, "memory": true, "disk": true, "pids": true}},
		Digest: func(path string) (string, error) { return "sum of " + filepath.Base(path), nil },
	})
}

// reader is two servers behind a balancer, on a database with a standby, and with a bucket.
func reader() architecture.Architecture {
	size := blueprints.Size{CPU: 1, Memory: gibibyte, Disk: 2 * gibibyte}
	return architecture.Architecture{
		Name:    "reader",
		Owner:   blueprints.Owner{Team: "platform", Contact: "platform@example.org"},
		Secrets: []architecture.SecretComponent{{Name: "admin", Length: 24, Requirements: []string{"secrets.admin.length"}}},
		Components: []architecture.Component{
			{ID: "buckets.media", Kind: architecture.KindBucket, Name: "media", Instances: 1, Size: blueprints.Size{Disk: 4 * gibibyte},
				Requirements: []string{"buckets.media.size"},
				Bucket: &architecture.BucketComponent{Versioning: true,
					Grants: []architecture.Grant{{To: "servers.web", Requirements: []string{"servers.web.uses[1]"}}}}},
			{ID: "databases.main", Kind: architecture.KindDatabase, Name: "main", Instances: 2, Size: size,
				Requirements: []string{"databases.main.version"},
				Database: &architecture.DatabaseComponent{Engine: "postgres", Version: "15", Standby: true, Port: 5432,
					Parameters: map[string]string{"shared_buffers": "256MB"}}},
			{ID: "servers.web", Kind: architecture.KindServer, Name: "web", Instances: 2, Size: size,
				Requirements: []string{"servers.web.count", "servers.web.runs.program"},
				Server: &architecture.ServerComponent{OS: "debian-12", Uses: []string{"databases.main", "buckets.media"},
					Runs: blueprints.Software{Program: "bin/miniflux", Command: []string{"miniflux"}, Port: 8080, Health: "/healthcheck"},
					Env: map[string]string{
						"DATABASE_URL": "${databases.main.url}?sslmode=disable", "PASSWORD": "${secrets.admin}", "PLAIN": "x",
						"STORE": "${buckets.media.endpoint}/${buckets.media.name}", "KEY": "${buckets.media.secretKey}", "LITERAL": "$${HOME}", "ME": "${self.name}/${self.instance}",
					}}},
			{ID: "balancers.web", Kind: architecture.KindBalancer, Name: "web", Instances: 1, Size: size,
				Requirements: []string{"servers.web.public"},
				Balancer:     &architecture.BalancerComponent{For: "servers.web", Port: 80, From: "0.0.0.0/0", TargetPort: 8080, Health: "/healthcheck"}},
		},
		Flows: []architecture.Flow{
			{From: "balancers.web", To: "servers.web", Port: 8080, Speaks: "http", Requirements: []string{"servers.web.public"}},
			{From: architecture.Internet, To: "balancers.web", Port: 80, CIDR: "0.0.0.0/0", Speaks: "http", Requirements: []string{"servers.web.public"}},
			{From: "servers.web", To: "buckets.media", Port: 7070, Speaks: "s3", Requirements: []string{"servers.web.uses[1]"}},
			{From: "servers.web", To: "databases.main", Port: 5432, Speaks: "postgres", Requirements: []string{"servers.web.uses[0]"}},
		},
	}
}

func find(t *testing.T, g stacks.Graph, name string) stacks.Resource {
	t.Helper()
	for _, r := range g.Resources {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no resource %q in the graph", name)
	return stacks.Resource{}
}

func TestGraphHasEveryPartInAnOrderThatCanBeBuilt(t *testing.T) {
	g, diagnostics := testTarget().Graph(reader())
	if len(diagnostics) > 0 {
		t.Fatalf("diagnostics of a sound architecture: %v", diagnostics)
	}
	var names []string
	for _, r := range g.Resources {
		names = append(names, r.Name)
		for _, needed := range r.DependsOn {
			if !slices.Contains(names, needed) {
				t.Errorf("%s depends on %s, which comes later or never", r.Name, needed)
			}
		}
	}
	want := []string{
		"network", "secret-admin",
		"security-group-balancers-web", "security-group-buckets", "security-group-databases-main", "security-group-servers-web",
		"object-store", "bucket-media", "key-web-media", "grant-web-media", "password-main", "database-main",
		"server-web-0", "server-web-1", "balancer-web",
	}
	if !slices.Equal(names, want) {
		t.Errorf("resources\n got %v\nwant %v", names, want)
	}
}

func TestServersWaitForWhatTheyUseAndForEachOther(t *testing.T) {
	g, _ := testTarget().Graph(reader())
	base := []string{"database-main", "grant-web-media", "security-group-servers-web"}
	if got := find(t, g, "server-web-0").DependsOn; !slices.Equal(got, base) {
		t.Errorf("first server depends on %v, want %v", got, base)
	}
	if got := find(t, g, "server-web-1").DependsOn; !slices.Contains(got, "server-web-0") {
		t.Errorf("second server depends on %v, so a broken release would not stop at the first", got)
	}
	backends := find(t, g, "balancer-web").Inputs["backends"].([]any)
	if got := backends[1].(map[string]any)["address"]; got != (stacks.Ref{Resource: "server-web-1", Property: "address"}) {
		t.Errorf("second backend's address is %v, want a reference to the server", got)
	}
}

func TestReferencesBecomeOutputs(t *testing.T) {
	g, _ := testTarget().Graph(reader())
	env := find(t, g, "server-web-0").Inputs["env"].(map[string]any)
	want := map[string]any{
		"DATABASE_URL": stacks.Join{stacks.Ref{Resource: "database-main", Property: "url"}, "?sslmode=disable"},
		"PASSWORD":     stacks.Ref{Resource: "secret-admin", Property: "value"},
		"PLAIN":        "x",
		"STORE": stacks.Join{stacks.Ref{Resource: "object-store", Property: "endpoint"}, "/",
			stacks.Ref{Resource: "bucket-media", Property: "name"}},
		"LITERAL": "${HOME}", "ME": "web-0/0",
		"KEY": stacks.Ref{Resource: "grant-web-media", Property: "secretKey"},
	}
	if !reflect.DeepEqual(env, want) {
		t.Errorf("environment\n got %#v\nwant %#v", env, want)
	}
}

func TestRulesAreTheFlows(t *testing.T) {
	g, _ := testTarget().Graph(reader())
	want := []Rule{
		{To: "balancers.web", CIDR: "0.0.0.0/0", Port: 80, Requirements: []string{"servers.web.public"}},
		{To: "buckets", From: "servers.web", Port: 7070, Requirements: []string{"servers.web.uses[1]"}},
		{To: "databases.main", From: "servers.web", Port: 5432, Requirements: []string{"servers.web.uses[0]"}},
		{To: "servers.web", From: "balancers.web", Port: 8080, Requirements: []string{"servers.web.public"}},
	}
	if got := Rules(g); !reflect.DeepEqual(got, want) {
		t.Errorf("rules\n got %v\nwant %v", got, want)
	}
}

func TestProgramIsKnownByItsContent(t *testing.T) {
	g, _ := testTarget().Graph(reader())
	want := map[string]any{"source": "/spec/bin/miniflux", "name": "miniflux", "sha256": "sum of miniflux"}
	if got := find(t, g, "server-web-1").Inputs["program"]; !reflect.DeepEqual(got, want) {
		t.Errorf("program is %v, want %v", got, want)
	}
}

func TestGraphIsTheSameEveryTime(t *testing.T) {
	first, err := json.Marshal(must(testTarget().Graph(reader())))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := json.Marshal(must(testTarget().Graph(reader()))); string(again) != string(first) {
			t.Fatalf("the graph differs:\n%s\n%s", first, again)
		}
	}
}

func must(g stacks.Graph, _ blueprints.Diagnostics) stacks.Graph { return g }

func TestWhatCannotBeGivenIsSaid(t *testing.T) {
	server := func(a *architecture.Architecture) *architecture.ServerComponent { return a.Components[2].Server }
	database := func(a *architecture.Architecture) *architecture.DatabaseComponent { return a.Components[1].Database }
	cases := []struct {
		name        string
		change      func(*architecture.Architecture)
		severity    blueprints.Severity
		requirement string
		says, mend  string
	}{
		{"other system", func(a *architecture.Architecture) { server(a).OS = "ubuntu-24.04" }, blueprints.Warning, "servers.web.os", "debian-12", ""},
		{"other engine", func(a *architecture.Architecture) { database(a).Engine = "mariadb" }, blueprints.Error, "databases.main.engine", "mariadb", "postgres"},
		{"version not installed", func(a *architecture.Architecture) { database(a).Version = "16.2" }, blueprints.Error, "databases.main.version", "15.18, 13.9", "apt-get install postgresql-16"},
		{"more CPUs than there are", func(a *architecture.Architecture) { a.Components[2].Size.CPU = 3 }, blueprints.Warning, "servers.web.size.cpu", "3 CPUs", ""},
		{"more memory than there is", func(a *architecture.Architecture) { a.Components[1].Size.Memory = 9 * gibibyte }, blueprints.Warning, "databases.main.size.memory", "9216 MiB", ""},
		{"missing database", func(a *architecture.Architecture) { server(a).Env["X"] = "${databases.other.url}" }, blueprints.Error, "servers.web.env.X", "not used", "servers.web.uses"},
		{"unused database", func(a *architecture.Architecture) { server(a).Uses = []string{"buckets.media"} }, blueprints.Error, "servers.web.env.DATABASE_URL", "not used", "servers.web.uses"},
		{"unknown property", func(a *architecture.Architecture) { server(a).Env["X"] = "${databases.main.uri}" }, blueprints.Error, "servers.web.env.X", `unknown attribute "uri"`, "url"},
		{"unknown secret", func(a *architecture.Architecture) { server(a).Env["X"] = "${secrets.amdin}" }, blueprints.Error, "servers.web.env.X", "no such secret", ""},
		{"open reference", func(a *architecture.Architecture) { server(a).Env["X"] = "a${secrets.admin" }, blueprints.Error, "servers.web.env.X", "is not closed", "}"},
		{"own address", func(a *architecture.Architecture) { server(a).Env["X"] = "${self.address}" }, blueprints.Error, "servers.web.env.X", "chooses", "${self.name}"},
		{"host name taken", func(a *architecture.Architecture) { a.Components[2].Name = "main" }, blueprints.Error, "servers.web", "main-0", "rename"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			arch := reader()
			c.change(&arch)
			_, diagnostics := testTarget().Graph(arch)
			var found blueprints.Diagnostics
			for _, d := range diagnostics {
				if d.Requirement == c.requirement {
					found = append(found, d)
				}
			}
			if len(found) != 1 {
				t.Fatalf("want one diagnostic of %s, got %v", c.requirement, diagnostics)
			}
			if d := found[0]; d.Severity != c.severity || !strings.Contains(d.Summary, c.says) || !strings.Contains(d.Mend, c.mend) {
				t.Errorf("got %s %q (mend %q), want %s with %q (mend %q)", d.Severity, d.Summary, d.Mend, c.severity, c.says, c.mend)
			}
		})
	}
}

func TestMissingProgramIsADiagnostic(t *testing.T) {
	target := testTarget()
	target.digest = func(string) (string, error) { return "", errors.New("no such file") }
	_, diagnostics := target.Graph(reader())
	if len(diagnostics) != 1 || diagnostics[0].Requirement != "servers.web.runs.program" || !diagnostics.HasErrors() {
		t.Errorf("got %v, want one error of servers.web.runs.program", diagnostics)
	}
}
