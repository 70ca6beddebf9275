package architecture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
)

var noon = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

func requirements(ids ...string) []blueprints.Requirement {
	return document(blueprints.Spec{}, ids...).Requirements
}

func TestLedgerJoin(t *testing.T) {
	met := Entry{State: Met, By: "a", Evidence: "15.18", Source: SourceMeasured, At: noon}
	breached := Entry{State: Breached, By: "b", Evidence: "14.2", Source: SourceMeasured, At: noon.Add(time.Second)}
	failed := Entry{State: Unproven, By: "c", Evidence: "host web-1 does not answer", Source: SourceMeasured, At: noon}
	nobody := Entry{State: Unproven, By: "d", Evidence: "limits are not enforced here", Source: SourceUnknown}
	for name, tc := range map[string]struct {
		record   []Entry
		state    State
		evidence string
	}{
		"nothing":                        {nil, Unproven, "no check serves this requirement"},
		"one met":                        {[]Entry{met}, Met, "15.18"},
		"a breach outweighs all":         {[]Entry{met, failed, breached, nobody, met}, Breached, "14.2"},
		"a check that failed to run":     {[]Entry{met, failed, met}, Unproven, "host web-1 does not answer"},
		"one measured, another not able": {[]Entry{nobody, met}, Met, "15.18"},
		"nobody able":                    {[]Entry{nobody}, Unproven, "limits are not enforced here"},
		"two breaches":                   {[]Entry{breached, breached}, Breached, "14.2 (and 1 more)"},
		"met without evidence":           {[]Entry{{State: Met, By: "x", Source: SourceMeasured}}, Unproven, "x says met, but shows no evidence"},
		"met without source":             {[]Entry{{State: Met, By: "x", Evidence: "fine"}}, Unproven, "x says met, but not from where it knows"},
		"met of unknown source":          {[]Entry{{State: Met, By: "x", Evidence: "fine", Source: SourceUnknown}}, Unproven, "x says met, but not from where it knows"},
		"no verdict":                     {[]Entry{{State: "pass", By: "x", Evidence: "fine", Source: SourceMeasured}}, Unproven, `x gave no verdict, but "pass"`},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLedger(requirements("databases.main.version"))
			for _, e := range tc.record {
				e.Requirement = "databases.main.version"
				l.Record(e)
			}
			rows := l.Entries()
			if len(rows) != 1 || rows[0].State != tc.state || rows[0].Evidence != tc.evidence || rows[0].Entries != len(tc.record) {
				t.Errorf("got %+v, want %s: %s", rows, tc.state, tc.evidence)
			}
		})
	}
}

func TestLedgerRow(t *testing.T) {
	l := NewLedger(requirements("a"))
	for i, source := range []Source{SourceDesigned, SourceMeasured, SourceDeclared, SourceMeasured} {
		l.Record(Entry{Requirement: "a", State: Met, By: fmt.Sprint("check ", i), Evidence: fmt.Sprint("evidence ", i), Source: source, At: noon.Add(time.Duration(i) * time.Minute)})
	}
	row := l.Entries()[0]
	if row.Evidence != "evidence 1" || row.Source != SourceMeasured || !row.At.Equal(noon.Add(3*time.Minute)) || row.By != "check 1, check 3, check 0 and 1 more" {
		t.Errorf("row %+v", row)
	}
}

// Whatever is recorded, no requirement is lost, invented or out of order, and none is met without a verdict that says so with
// evidence, or although a verdict contradicts it.
func TestLedgerNeverLosesAndNeverGuesses(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	states := []State{Met, Met, Met, Breached, Unproven, "", "pass"}
	sources := []Source{SourceMeasured, SourceMeasured, SourceDesigned, SourceDeclared, SourceUnknown, ""}
	for round := range 2000 {
		var ids []string
		for i := range 1 + r.IntN(8) {
			ids = append(ids, fmt.Sprint("r", i))
		}
		l := NewLedger(requirements(ids...))
		recorded := map[string][]Entry{}
		for range r.IntN(20) {
			e := Entry{Requirement: fmt.Sprint("r", r.IntN(10)), State: states[r.IntN(len(states))], By: "x", Source: sources[r.IntN(len(sources))]}
			if r.IntN(4) > 0 {
				e.Evidence = "seen"
			}
			recorded[e.Requirement] = append(recorded[e.Requirement], e)
			l.Record(e)
		}
		rows := l.Entries()
		if len(rows) != len(ids) {
			t.Fatalf("round %d: %d rows for %d requirements", round, len(rows), len(ids))
		}
		asked := append(slices.Clone(rows), l.Unasked()...)
		seen := map[string]bool{}
		for i, row := range asked {
			if i < len(ids) && row.Requirement != ids[i] {
				t.Fatalf("round %d: row %d is %s, want %s", round, i, row.Requirement, ids[i])
			}
			seen[row.Requirement] = true
			var provenMet, breach, unable bool
			for _, e := range recorded[row.Requirement] {
				proven := e.State == Met && e.Evidence != "" && e.Source != "" && e.Source != SourceUnknown
				provenMet = provenMet || proven
				breach = breach || e.State == Breached
				unable = unable || e.State != Breached && !proven && e.Source != SourceUnknown
			}
			want := Unproven
			switch {
			case breach:
				want = Breached
			case provenMet && !unable:
				want = Met
			}
			if row.State != want {
				t.Fatalf("round %d: %s is %s, want %s: %+v", round, row.Requirement, row.State, want, recorded[row.Requirement])
			}
			if row.State != Met && row.State != Breached && row.Evidence == "" && len(recorded[row.Requirement]) == 0 {
				t.Fatalf("round %d: %s is unproven without a reason", round, row.Requirement)
			}
		}
		for id := range recorded {
			if !seen[id] {
				t.Fatalf("round %d: what was recorded on %s is lost", round, id)
			}
		}
		if s := l.Summary(); s.Requirements != len(ids) || s.Met+s.Breached+s.Unproven != len(ids) {
			t.Fatalf("round %d: summary %+v of %d", round, s, len(ids))
		}
	}
}

func TestLedgerJSONIsStableAndReadBack(t *testing.T) {
	l := NewLedger(requirements("name", "servers.web.os", "objectives.rto"))
	l.Record(Entry{Requirement: "servers.web.count", State: Breached, By: "host", Evidence: "0 of 1", Source: SourceMeasured, At: noon})
	l.Record(Entry{Requirement: "name", State: Met, By: "the loader", Evidence: "read as …", Source: SourceDeclared, At: noon})
	l.Expect([]Prospect{{Requirement: "servers.web.os", Way: WayMeasured, By: "host"}, {Requirement: "objectives.rto", Way: WayUnproven, Reason: "no drill has measured a recovery"}})
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"summary":{"requirements":3,"met":1,"breached":0,"unproven":2,"breachedDefaults":1},"entries":[` +
		`{"requirement":"name","value":"…","state":"met","by":"the loader","evidence":"read as …","source":"declared","at":"2026-11-03T12:00:00Z","entries":1},` +
		`{"requirement":"servers.web.os","value":"…","state":"unproven","by":"","evidence":"was to be proven by host, which gave no verdict","source":"unknown"},` +
		`{"requirement":"objectives.rto","value":"…","state":"unproven","by":"","evidence":"no drill has measured a recovery","source":"unknown"}],` +
		`"unasked":[{"requirement":"servers.web.count","state":"breached","by":"host","evidence":"0 of 1","source":"measured","at":"2026-11-03T12:00:00Z","entries":1}]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back.Entries, l.Entries()) || !reflect.DeepEqual(back.Unasked, l.Unasked()) {
		t.Errorf("read back: %v %+v", err, back)
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, id string
		want        bool
	}{
		{"objectives.residency", "objectives.residency", true},
		{"objectives.residency", "objectives", false},
		{"objectives", "objectives.residency", false},
		{"objectives.*", "objectives.residency", true},
		{"servers.*.size.disk", "servers.web.size.disk", true},
		{"servers.*.size.disk", "servers.web.size.cpu", false},
		{"servers.*.size.disk", "databases.web.size.disk", false},
		{"servers.*.files.*", "servers.web.files./etc/registry.yml", true},
		{"servers.*.uses[*]", "servers.web.uses[12]", true},
		{"servers.*.uses[*]", "servers.web.uses", false},
		{"servers.*.uses[0]", "servers.web.uses[0]", true},
		{"secrets.*", "secrets.admin.length", true},
		{"secrets.*", "secrets", false},
		{"*.size", "buckets.size", true},
		{"*", "surety", true},
		{"", "", true},
		{"*", "", false},
	} {
		if got := Matches(tc.pattern, tc.id); got != tc.want {
			t.Errorf("Matches(%q, %q) = %v", tc.pattern, tc.id, got)
		}
	}
}

// Every kind of leaf that a spec can have is foreseen: none falls through to "no check serves this requirement" by oversight.
func TestProspectsKnowEveryLeaf(t *testing.T) {
	doc, ds := blueprints.Parse("all.yaml", []byte(everyLeaf))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	arch, _ := Design(doc)
	counts := map[Way]int{}
	for i, p := range Prospects(arch, doc.Requirements, nil) {
		counts[p.Way]++
		if p.Requirement != doc.Requirements[i].ID {
			t.Fatalf("prospect %d is of %s, want %s", i, p.Requirement, doc.Requirements[i].ID)
		}
		if (p.Way == WayUnproven) != (p.By == "") || p.Way == WayUnproven && p.Reason == "" || p.Way == WayDesigned && p.Reason != "" || strings.Contains(p.Reason, "no check serves") {
			t.Errorf("%+v", p)
		}
	}
	// What takes long says why it is unproven when it was not measured, and what to type.
	ledger := NewLedger(doc.Requirements)
	ledger.Expect(Prospects(arch, doc.Requirements, nil))
	for _, row := range ledger.Entries() {
		long := strings.Contains(row.Requirement, ".expects.") || strings.HasPrefix(row.Requirement, "backups.") || row.Requirement == "objectives.rto"
		if long && (row.State != Unproven || !strings.Contains(row.Evidence, ": measure it with surety ")) {
			t.Errorf("without a measurement: %+v", row)
		}
	}
	if counts[WayMeasured] == 0 || counts[WayDesigned] == 0 || counts[WayUnproven] == 0 {
		t.Errorf("ways %v", counts)
	}
	for _, p := range Prospects(arch, doc.Requirements, map[string]string{"servers.*.size.*": "not enforced here", "*": "nothing works"}) {
		if p.Way != WayUnproven || p.By != "" {
			t.Errorf("what the target cannot prove wins: %+v", p)
		}
	}
}

func TestDesignedEntries(t *testing.T) {
	doc, ds := blueprints.Parse("all.yaml", []byte(everyLeaf))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	arch, _ := Design(doc)
	state := func(unproven map[string]string) map[string]State {
		states := map[string]State{}
		for _, e := range DesignedEntries(arch, doc.Requirements, unproven, noon) {
			states[e.Requirement] = e.State
		}
		return states
	}
	got := state(nil)
	if got["name"] != Met || got["secrets.admin.length"] != Met || got["objectives.availability"] != Met || got["servers.web.os"] != "" {
		t.Errorf("states %v", got)
	}
	arch.Availability.Percent = 90
	if got := state(nil); got["objectives.availability"] != Breached {
		t.Errorf("90 %% breaches, got %v", got)
	}
	if got := state(map[string]string{"objectives.availability": "local"}); got["objectives.availability"] != "" {
		t.Errorf("what the target cannot prove has no verdict, got %v", got)
	}
}

const everyLeaf = `
surety: v1
name: all
owner: {team: platform, contact: platform@example.org}
objectives: {availability: 99, rto: 15m, rpo: 5m, budget: {monthly: 600, currency: USD}, residency: [TW], support: {critical: 1h}}
secrets: {admin: {length: 24}, other: {}}
servers:
  web:
    count: 2
    size: {cpu: 1, memory: 512MiB, disk: 2GiB}
    os: debian-12
    runs: {package: nginx, version: "1", versionCommand: [nginx, -v], command: [nginx], port: 8080, health: /}
    env: {A: "1"}
    files: {/etc/x.conf: "y"}
    uses: [databases.main, buckets.media, servers.api]
    public: {port: 80, from: 0.0.0.0/0}
    expects: {rps: 200, p95: 150ms, errors: 0.1%}
  api:
    runs: {program: bin/api, command: [api], port: 9000}
databases:
  main: {engine: postgres, version: "15", size: {cpu: 1, memory: 1GiB, disk: 10GiB}, highAvailability: true, expects: {tps: 300, p95: 30ms}}
buckets:
  media: {size: 20GiB, versioning: true, expects: {put: 50MiB/s, get: 100MiB/s, consistency: linearizable}}
  bare: {}
backups:
  nightly: {of: [databases.main], every: 24h, keep: {daily: 7, weekly: 4, monthly: 12}}
`
