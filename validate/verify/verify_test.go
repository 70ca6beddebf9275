package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints/architecture"
	"surety/stacks/local"
	"surety/validate"
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// run verifies and holds every result against what always must be so.
func (w *world) run(t *testing.T) []validate.Result {
	t.Helper()
	var told int
	results, err := Run(t.Context(), w.in, func(validate.Result) { told++ })
	if err != nil {
		t.Fatal(err)
	}
	if told != len(results) {
		t.Errorf("the sink was told of %d results of %d", told, len(results))
	}
	known, ids := map[string]bool{}, map[string]bool{}
	for _, r := range w.in.Document.Requirements {
		known[r.ID] = true
	}
	for _, r := range results {
		if len(r.Requirements) == 0 {
			t.Errorf("%s serves no requirement", r.Check)
		}
		for _, id := range r.Requirements {
			if !known[id] {
				t.Errorf("%s names %s, which the spec does not have", r.Check, id)
			}
		}
		if ids[r.Check] {
			t.Errorf("two results are called %s", r.Check)
		}
		ids[r.Check] = true
		if r.State == validate.Pass && len(r.Evidence) == 0 {
			t.Errorf("%s passes without evidence", r.Check)
		}
	}
	data, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range w.in.Deployment.Resources {
		if value, ok := r.Outputs["value"].(string); ok && strings.Contains(string(data), value) {
			t.Errorf("the secret %s is in the results", name)
		}
	}
	return results
}

// entry starts a real server at the balancer's entry point on this machine.
func (w *world) entry(status int) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(status) }))
	w.t.Cleanup(server.Close)
	w.property("balancer-web", "entry", server.URL)
}

func states(results []validate.Result, state validate.State) (ids []string) {
	set := map[string]bool{}
	for _, r := range results {
		if r.State == state {
			for _, id := range r.Requirements {
				set[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func report(t *testing.T, results []validate.Result, state validate.State) {
	t.Helper()
	for _, r := range results {
		if r.State == state {
			t.Logf("%s %s: %s %v %+v", r.State, r.Check, r.Summary, r.Requirements, r.Evidence)
		}
	}
}

func TestAllIsWell(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	w.entry(200)
	started := time.Now()
	results := w.run(t)
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("judging took %s", took)
	}
	count := validate.Tally(results)
	if count.Fail > 0 || count.Unproven > 0 || count.Pass < 100 {
		report(t, results, validate.Fail)
		report(t, results, validate.Unproven)
		t.Fatalf("%s; want all to pass", count)
	}
	// Every leaf that can be measured here is served by a check.
	served := map[string]bool{}
	for _, id := range states(results, validate.Pass) {
		served[id] = true
	}
	for _, r := range w.in.Document.Requirements {
		if !served[r.ID] && r.ID != "surety" && r.ID != "objectives.residency" {
			t.Errorf("no check serves %s", r.ID)
		}
	}
}

// Each thing is broken once; the requirements named by the failures must be exactly these.
func TestBreakages(t *testing.T) {
	for _, c := range []struct {
		name  string
		brk   func(w *world)
		wants []string
	}{
		{"the rule to the database is deleted", func(w *world) {
			w.rules = slices.DeleteFunc(w.rules, func(r local.Rule) bool { return r.To == "databases.main" && r.From == "servers.web" })
			w.property("security-group-databases-main", "ingress", []any{map[string]any{"fromGroup": "databases.main", "port": 5432}})
		}, []string{"databases.main.engine", "servers.web.uses[0]"}},
		{"the rule is deleted only in the kernel's list", func(w *world) {
			w.property("security-group-databases-main", "ingress", []any{map[string]any{"fromGroup": "databases.main", "port": 5432}})
		}, []string{"servers.web.uses[0]"}},
		{"a piece of a rule is deleted", func(w *world) {
			rule := w.live.Resources["security-group-databases-main"].Properties["ingress"].([]any)
			whole := rule[slices.IndexFunc(rule, func(r any) bool { return r.(map[string]any)["fromGroup"] == "servers.web" })].(map[string]any)
			piece := map[string]any{"fromGroup": "servers.web", "port": 5432, "reason": "databases.main from servers.web: servers.web.uses[0]"}
			w.property("security-group-databases-main", "ingress", append(slices.DeleteFunc(rule, func(r any) bool { return r.(map[string]any)["fromGroup"] == whole["fromGroup"] }), piece))
		}, []string{"servers.web.uses[0]"}},
		{"the public rule is deleted", func(w *world) {
			w.rules = slices.DeleteFunc(w.rules, func(r local.Rule) bool { return r.To == "balancers.web" })
			w.property("security-group-balancers-web", "ingress", []any{})
		}, []string{"servers.web.public", "servers.web.runs.health"}},
		{"a rule is added that lets workers log in to the web servers", func(w *world) {
			w.rules = append(w.rules, local.Rule{From: "servers.worker", To: "servers.web", Port: 22})
			w.property("security-group-servers-web", "ingress", []any{map[string]any{"fromGroup": "balancers.web", "port": 8080}, map[string]any{"fromGroup": "servers.worker", "port": 22}})
		}, []string{"servers.web.public"}},
		{"a rule is added that opens a port nobody listens on", func(w *world) {
			w.rules = append(w.rules, local.Rule{From: "servers.web", To: "servers.worker", Port: 47})
		}, []string{"servers.worker.uses[0]"}},
		{"a rule is read back that opens the database to the world", func(w *world) {
			rules := w.live.Resources["security-group-databases-main"].Properties["ingress"].([]any)
			w.property("security-group-databases-main", "ingress", append(rules, map[string]any{"cidr": "0.0.0.0/0", "port": 5432, "reason": "not made by surety"}))
		}, []string{"databases.main.highAvailability", "servers.web.uses[0]"}},
		{"a rule of nobody leads to the worker", func(w *world) {
			w.property("network", "foreignRules", []any{map[string]any{"cidr": "10.77.0.3/32", "port": 22, "reason": "not made by surety, to " + w.named("worker-0").address}})
		}, []string{"servers.worker.uses[0]"}},
		{"the filter's own rule is gone", func(w *world) {
			w.property("network", "foreignRules", []any{map[string]any{"cidr": "0.0.0.0/0", "port": 0, "reason": "foreign: missing rule"}})
		}, []string{"databases.main.highAvailability", "servers.web.public", "servers.web.uses[0]", "servers.web.uses[1]", "servers.worker.uses[0]"}},
		{"the database is stopped", func(w *world) {
			w.databaseUp = false
			w.named("main-0").listens[5432], w.named("main-1").listens[5432] = false, false
			w.property("database-main", "running", false)
		}, []string{"databases.main.engine", "databases.main.highAvailability", "servers.web.uses[0]"}},
		{"the database has another version", func(w *world) { w.version = "13.9" }, []string{"databases.main.version"}},
		{"the standby does not follow", func(w *world) { w.follows = false }, []string{"databases.main.highAvailability"}},
		{"the standby is gone", func(w *world) { w.property("database-main", "standbys", []any{}) }, []string{"databases.main.highAvailability"}},
		{"a host's memory limit is changed", func(w *world) {
			w.property("server-web-1", "limits", map[string]any{"cpu": 1.0, "memory": 256 << 20, "disk": 2 * gib})
		}, []string{"servers.web.size.memory"}},
		{"a host's CPU limit is lifted", func(w *world) {
			w.property("server-web-0", "limits", map[string]any{"cpu": 2.0, "memory": 512 << 20, "disk": 2 * gib})
		}, []string{"servers.web.size.cpu"}},
		{"the CPU quota inside is another", func(w *world) { w.named("web-0").system.CPU = 0.5 }, []string{"servers.web.size.cpu"}},
		{"a database's memory limit inside is another", func(w *world) { w.named("main-1").system.Memory = gib / 2 }, []string{"databases.main.size.memory"}},
		{"a host's disk is smaller than it says", func(w *world) { w.named("web-0").system.Disk = gib }, []string{"servers.web.size.disk"}},
		{"another distribution", func(w *world) { w.named("web-1").system.OS = "debian-11" }, []string{"servers.web.os"}},
		{"a host is down", func(w *world) {
			w.property("server-web-1", "running", false)
			w.named("web-1").fault = errors.New("no such host")
			w.named("web-1").listens = map[int]bool{}
		}, []string{"servers.web.count", "servers.web.public", "servers.web.runs.health", "servers.web.runs.port"}},
		{"the software is swapped for another build", func(w *world) {
			h := w.named("web-0")
			h.files["/opt/bin/shop"], h.programSum = digestOf("other"), digestOf("other")
			h.output["shop -version"] = "shop 2.3.0 (go1.26.0)"
		}, []string{"servers.web.runs.command", "servers.web.runs.port", "servers.web.runs.program", "servers.web.runs.version", "servers.web.runs.versionCommand"}},
		{"a replaced file still runs the old build", func(w *world) { w.named("web-0").programSum = digestOf("old") }, []string{"servers.web.runs.command", "servers.web.runs.port"}},
		{"the package is removed", func(w *world) { delete(w.named("worker-0").output, "dpkg-query") }, []string{"servers.worker.runs.package"}},
		{"the package has another version", func(w *world) { w.named("worker-0").output["dpkg-query"] = "installed 2.80.1-1" }, []string{"servers.worker.runs.version"}},
		{"another program has the port", func(w *world) { w.named("web-0").runs = false }, []string{"servers.web.runs.command", "servers.web.runs.port"}},
		{"a variable has another value", func(w *world) { w.named("web-0").env["MODE"] = "debug" }, []string{"servers.web.env.MODE"}},
		{"a variable is missing", func(w *world) { delete(w.named("web-1").env, "DATABASE_URL") }, []string{"servers.web.env.DATABASE_URL"}},
		{"a file was changed", func(w *world) { w.named("worker-0").files["/etc/worker.yml"] = digestOf("x") }, []string{"servers.worker.files./etc/worker.yml"}},
		{"an instance is ill", func(w *world) { w.named("web-1").health = 503 }, []string{"servers.web.runs.health", "servers.web.runs.port"}},
		{"the balancer answers with an error", func(w *world) {
			w.of("balancers.web").health = 502
			w.entry(502)
		}, []string{"servers.web.public", "servers.web.runs.health"}},
		{"the entry point answers with an error", func(w *world) { w.entry(502) }, []string{"servers.web.public", "servers.web.runs.health"}},
		{"a grant is revoked", func(w *world) {
			delete(w.grants, "web-media")
			delete(w.live.Resources, "grant-web-media")
		}, []string{"servers.web.uses[1]"}},
		{"a grant was changed by hand", func(w *world) { w.property("grant-web-media", "altered", true) }, []string{"servers.web.uses[1]"}},
		{"a user of another bucket is let in", func(w *world) { w.grants["worker-logs"] = "shop-media" }, []string{"servers.web.uses[1]", "servers.worker.uses[0]"}},
		{"a bucket is open to anybody", func(w *world) { w.public["shop-logs"] = true }, []string{"servers.web.uses[1]", "servers.worker.uses[0]"}},
		{"a bucket lists a user whom nothing declares", func(w *world) { w.property("bucket-media", "users", []any{"web-media", "mallory"}) }, []string{"servers.web.uses[1]", "servers.worker.uses[0]"}},
		{"versioning is switched off", func(w *world) { w.versioning["shop-media"] = "Suspended" }, []string{"buckets.media.versioning"}},
		{"objects come back changed", func(w *world) { w.damaged = true }, []string{"servers.web.uses[1]", "servers.worker.uses[0]"}},
		{"the store is too small", func(w *world) { w.of("buckets").system.Disk = 4 * gib }, []string{"buckets.media.size"}},
		{"a resource has another owner", func(w *world) {
			w.property("server-web-0", "tags", map[string]any{"environment": "shop", "owner": "somebody", "contact": "platform@example.org"})
		}, []string{"owner.team"}},
		{"a resource lost its tags", func(w *world) { w.property("bucket-logs", "tags", nil) }, []string{"name", "owner.contact", "owner.team"}},
		{"a secret is too short", func(w *world) { w.in.Deployment.Resources["secret-admin"].Outputs["value"] = "short-secret" }, []string{"secrets.admin.length", "servers.worker.files./etc/worker.yml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "testdata/shop.yaml")
			w.entry(200)
			c.brk(w)
			results := w.run(t)
			if got := states(results, validate.Fail); !slices.Equal(got, c.wants) {
				report(t, results, validate.Fail)
				t.Errorf("breached %v, want %v", got, c.wants)
			}
		})
	}
}

// What cannot be measured is unproven with the reason; it never passes and never fails.
func TestWhatCannotBeMeasuredIsUnproven(t *testing.T) {
	for _, c := range []struct {
		name   string
		brk    func(w *world)
		wants  []string // among the unproven
		reason string
	}{
		{"no way into a host", func(w *world) { w.named("web-0").fault = errors.New("connection lost") }, []string{"servers.web.os", "servers.web.runs.program"}, "connection lost"},
		{"a host has no sockets left", func(w *world) { w.named("worker-0").noSocket = true }, []string{"servers.worker.uses[0]"}, "too many open files"},
		{"the control plane does not answer", func(w *world) {
			w.live = Live{Unread: map[string]string{"*": "the daemon does not answer"}}
		}, []string{"servers.web.count", "servers.web.size.cpu", "servers.web.uses[0]", "owner.team"}, "the daemon does not answer"},
		{"rules cannot be read", func(w *world) {
			for name := range w.live.Resources {
				if strings.HasPrefix(name, "security-group") {
					delete(w.live.Resources, name)
				}
			}
			w.live.Unread["SecurityGroup"] = "no packet filter"
		}, []string{"servers.web.uses[0]", "servers.web.public"}, "no packet filter"},
		{"a limit is not enforced", func(w *world) {
			w.property("server-web-0", "enforced", map[string]any{"memory": true, "disk": true})
		}, []string{"servers.web.size.cpu"}, "not enforced"},
		{"the machine has fewer cores than declared", func(w *world) { w.named("main-0").system.Cores = 0 }, []string{"databases.main.size.cpu"}, "the machine has 0 cores"},
		{"the version command prints none", func(w *world) { w.named("web-0").output["shop -version"] = "unknown flag" }, []string{"servers.web.runs.version"}, "printed no version"},
		{"the store of a grant does not answer", func(w *world) { w.property("grant-web-media", "available", false) }, []string{"servers.web.uses[1]"}, "does not answer"},
		{"a reference cannot be resolved", func(w *world) { delete(w.in.Deployment.Resources["database-main"].Outputs, "url") }, []string{"servers.web.env.MODE"}, "is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "testdata/shop.yaml")
			w.entry(200)
			c.brk(w)
			results := w.run(t)
			if failed := states(results, validate.Fail); len(failed) > 0 {
				report(t, results, validate.Fail)
				t.Errorf("breached %v, want nothing", failed)
			}
			got, reasons := states(results, validate.Unproven), ""
			for _, r := range results {
				if r.State == validate.Unproven {
					reasons += r.Summary + "\n"
				}
			}
			for _, want := range c.wants {
				if !slices.Contains(got, want) {
					t.Errorf("%s is not unproven, only %v", want, got)
				}
			}
			if !strings.Contains(reasons, c.reason) {
				t.Errorf("no reason says %q:\n%s", c.reason, reasons)
			}
		})
	}
}

// A public group may be for some callers only: the rule in force must be for exactly them.
func TestPublicForSomeCallersOnly(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml", "public: {port: 80}", "public: {port: 80, from: 192.0.2.0/24}")
	w.entry(200)
	if failed := states(w.run(t), validate.Fail); len(failed) > 0 {
		t.Errorf("breached %v, want nothing", failed)
	}
	w.property("security-group-balancers-web", "ingress", []any{map[string]any{"cidr": "0.0.0.0/0", "port": 80}})
	if failed := states(w.run(t), validate.Fail); !slices.Equal(failed, []string{"servers.web.public"}) {
		t.Errorf("the whole world is let in: breached %v", failed)
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		output, required string
		want             bool
	}{
		{"2.2.10", "2.2", true}, {"2.2.10\ngo1.26.0", "1.26", false}, {"app v2.2.10 (go1.26.0)", "v2.2", true}, {"15.18 (Debian 15.18-0+deb12u1)", "15", true},
		{"2.80.1", "2.8", false}, {"2.8", "2.8", true}, {"2.8", "2.8.2", false}, {withoutEpoch("1:9.2p1-2+deb12u7"), "9.2", true}, {"release 7", "7", true}, {"none", "7", false},
	} {
		if got := meetsVersion(c.required, versionIn(c.output)); got != c.want {
			t.Errorf("%q for required %s: %t", c.output, c.required, got)
		}
	}
}

func TestOnlySomeSuites(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	w.in.Only = []string{Storage}
	for _, r := range w.run(t) {
		if r.Suite != Storage {
			t.Errorf("%s is of suite %s", r.Check, r.Suite)
		}
	}
	w.in.Only = []string{"astrology"}
	if _, err := Run(t.Context(), w.in, nil); err == nil || !strings.Contains(err.Error(), "connectivity") {
		t.Errorf("an unknown suite: %v, want an error that lists the suites", err)
	}
}

func TestResultsComeInTheSameOrder(t *testing.T) {
	order := func() string {
		w := newWorld(t, "testdata/shop.yaml")
		ids := ""
		for _, r := range w.run(t) {
			ids += r.Check + "\n"
		}
		return ids
	}
	if a, b := order(), order(); a != b {
		t.Error("two runs have different orders")
	}
}

func TestLedger(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	w.entry(200)
	w.named("web-1").health = 503
	unproven := map[string]string{"objectives.residency": "a local target has no region", "servers.*.size.disk": "shared disk"}
	ledger := Ledger(w.in.Document, w.in.Architecture, w.run(t), unproven, w.in.Now())
	got := map[string]architecture.Entry{}
	for _, e := range ledger.Entries() {
		got[e.Requirement] = e
	}
	for id, want := range map[string]architecture.State{
		"servers.web.runs.health": architecture.Breached, "servers.web.size.cpu": architecture.Met, "databases.main.version": architecture.Met,
		"objectives.residency": architecture.Unproven, "servers.web.size.disk": architecture.Unproven, "databases.main.size.disk": architecture.Met,
		"owner.team": architecture.Met, "secrets.admin.length": architecture.Met,
	} {
		if got[id].State != want {
			t.Errorf("%s is %s (%s), want %s", id, got[id].State, got[id].Evidence, want)
		}
	}
	if e := got["servers.web.size.disk"]; !strings.HasPrefix(e.Evidence, "shared disk") {
		t.Errorf("the target's reason is lost: %+v", e)
	}
	if by := got["databases.main.highAvailability"].By; !strings.HasPrefix(by, "database/") {
		t.Errorf("highAvailability is proven first by %s, not by the suite that is meant for it", by)
	}
	if n := len(ledger.Unasked()); n > 0 {
		t.Errorf("%d entries are about nothing that the spec asks: %+v", n, ledger.Unasked())
	}
}

// A pair that could not be tried is not a pair that was refused.
func TestWhatWasNotTriedIsNotRefused(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	w.named("worker-0").noSocket = true
	for _, r := range w.run(t) {
		if strings.HasPrefix(r.Check, "connectivity/refused/worker-0/") && r.State != validate.Unproven {
			t.Errorf("%s is %s: %s", r.Check, r.State, r.Summary)
		}
	}
}
