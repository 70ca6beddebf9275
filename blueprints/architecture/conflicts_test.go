package architecture

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
)

// The set found must fail, hold without any one of its members, and with additive costs be as small as any failing set.
func TestMinimalAgainstEnumeration(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		n := 1 + r.IntN(9)
		cost := map[string]int{}
		var members []string
		for i := range n {
			id := fmt.Sprint("m", i)
			members = append(members, id)
			cost[id] = 1 + r.IntN(20)
		}
		if sorted := round%2 == 0; sorted {
			slices.SortFunc(members, func(a, b string) int { return cost[a] - cost[b] })
		}
		sum := func(ids []string) (s int) {
			for _, id := range ids {
				s += cost[id]
			}
			return s
		}
		limit := r.IntN(sum(members))
		fails := func(held []string) bool { return sum(held) > limit }
		got := minimal(members, fails)
		if !fails(got) {
			t.Fatalf("round %d: %v does not fail", round, got)
		}
		for i := range got {
			if fails(slices.Delete(slices.Clone(got), i, i+1)) {
				t.Fatalf("round %d: %v is not minimal: fails without %s", round, got, got[i])
			}
		}
		for mask := range 1 << n {
			var subset []string
			for i, id := range members {
				if mask>>i&1 == 1 {
					subset = append(subset, id)
				}
			}
			if round%2 == 0 && fails(subset) && len(subset) < len(got) {
				t.Fatalf("round %d: %v fails with fewer members than %v", round, subset, got)
			}
		}
	}
	if got := minimal([]string{"a", "b"}, func([]string) bool { return true }); len(got) != 0 {
		t.Errorf("what fails by itself has an empty set, got %v", got)
	}
}

// relax changes a spec so that a requirement no longer holds it back: the count as large and the standby as given as they get,
// the objective dropped.
func relax(t *testing.T, s *blueprints.Spec, id string) {
	t.Helper()
	part := strings.Split(id, ".")
	switch {
	case id == availabilityID:
		s.Objectives.Availability = 0
	case strings.HasSuffix(id, ".count"):
		v := s.Servers[part[1]]
		v.Count = max(v.Count, mostInstances)
		s.Servers[part[1]] = v
	case strings.HasSuffix(id, ".highAvailability"):
		v := s.Databases[part[1]]
		v.HighAvailability = true
		s.Databases[part[1]] = v
	default:
		t.Fatalf("do not know how to relax %s", id)
	}
}

func copySpec(s blueprints.Spec) blueprints.Spec {
	s.Servers, s.Databases, s.Buckets = maps.Clone(s.Servers), maps.Clone(s.Databases), maps.Clone(s.Buckets)
	return s
}

// Random environments: an objective below the composed figure is refused and one above is not, and each conflict named is one that
// holds by itself, whatever else is relaxed, and falls when any one of its members is relaxed.
func TestConflictsAreMinimal(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	objectives := []blueprints.Percent{98, 99, 99.4, 99.48, 99.9, 99.93, 99.95}
	conflicts := 0
	for round := range 400 {
		s := blueprints.Spec{Servers: map[string]blueprints.Server{}, Databases: map[string]blueprints.Database{}, Buckets: map[string]blueprints.Bucket{}}
		s.Objectives.Availability = objectives[r.IntN(len(objectives))]
		web := blueprints.Server{Count: 1 + r.IntN(2), Runs: blueprints.Software{Port: 80}, Public: &blueprints.Public{Port: 80}}
		for i := range 1 + r.IntN(4) {
			name := fmt.Sprint("d", i)
			s.Databases[name] = blueprints.Database{Engine: "postgres", HighAvailability: r.IntN(2) == 0}
			web.Uses = append(web.Uses, "databases."+name)
		}
		s.Servers["web"] = web
		a, ds := Design(document(s))
		if short := a.Availability.Percent < a.Availability.Required-tolerance; short != ds.HasErrors() {
			t.Fatalf("round %d: %v of %v, diagnostics %v", round, a.Availability.Percent, a.Availability.Required, ds)
		}
		for _, diag := range ds {
			if slices.ContainsFunc(diag.Conflict, func(id string) bool { return strings.Contains(id, ".uses[") }) {
				continue // no count or standby helps: TestStructureConflict
			}
			conflicts++
			alone := copySpec(s)
			for _, knob := range append([]string{"servers.web.count"}, knobs(s)...) {
				if !slices.Contains(diag.Conflict, knob) {
					relax(t, &alone, knob)
				}
			}
			if _, still := Design(document(alone)); !still.HasErrors() {
				t.Fatalf("round %d: %v does not exclude each other when all else is relaxed", round, diag.Conflict)
			}
			for _, member := range diag.Conflict {
				mended := copySpec(alone)
				relax(t, &mended, member)
				if _, still := Design(document(mended)); still.HasErrors() {
					t.Fatalf("round %d: %v is not minimal: %s does not matter: %v", round, diag.Conflict, member, still)
				}
			}
		}
	}
	if conflicts < 50 {
		t.Fatalf("only %d conflicts arose; the test shows little", conflicts)
	}
}

func knobs(s blueprints.Spec) (ids []string) {
	for name := range s.Databases {
		ids = append(ids, "databases."+name+".highAvailability")
	}
	return ids
}

func TestConflictNamesFigures(t *testing.T) {
	doc := reader()
	doc.Spec.Objectives.Availability = 99.6
	web := doc.Spec.Servers["web"]
	web.Count, web.Uses = 1, web.Uses[:1]
	doc.Spec.Servers["web"] = web
	_, ds := Design(doc)
	if len(ds) != 1 {
		t.Fatalf("diagnostics %v", ds)
	}
	want := []string{"objectives.availability", "servers.web.count"}
	if !slices.Equal(ds[0].Conflict, want) {
		t.Errorf("conflict %v, want %v", ds[0].Conflict, want)
	}
	// 0.995 × 0.9999 × 0.9995 = 0.99440…; with two: 0.999975 × 0.9999 × 0.9995 = 0.99937…
	for _, part := range []string{"99.6 cannot be met", "servers.web has one instance (99.5", "aws ec2"} {
		if !strings.Contains(ds[0].Summary, part) {
			t.Errorf("summary %q lacks %q", ds[0].Summary, part)
		}
	}
	for _, part := range []string{"objectives.availability to 99.44", "servers.web.count: 2 (+ 1 of 2 cpu, 4GiB, 20GiB disk), which gives 99.937", "cost unknown"} {
		if !strings.Contains(ds[0].Mend, part) {
			t.Errorf("mend %q lacks %q", ds[0].Mend, part)
		}
	}
}

func TestStructureConflict(t *testing.T) {
	doc := reader()
	doc.Spec.Objectives.Availability = 99.9 // a bucket of 99.9 with a database of at best 99.95 excludes it
	_, ds := Design(doc)
	if len(ds) != 1 || !slices.Equal(ds[0].Conflict, []string{"objectives.availability", "servers.web.uses[0]", "servers.web.uses[1]"}) {
		t.Fatalf("diagnostics %v", ds)
	}
	if !strings.Contains(ds[0].Mend, "without servers.web.uses[1]") || !strings.Contains(ds[0].Summary, "any count or standby") {
		t.Errorf("%s", ds[0])
	}
	web := doc.Spec.Servers["web"]
	web.Uses = []string{"databases.main"}
	doc.Spec.Servers["web"] = web
	if _, ds := Design(doc); len(ds) != 0 {
		t.Errorf("without the bucket it holds: %v", ds)
	}
	doc.Spec.Objectives.Availability = 100
	if _, ds := Design(doc); !ds.HasErrors() {
		t.Error("100 % must be refused")
	}
	alone := document(blueprints.Spec{Objectives: blueprints.Objectives{Availability: 99.99},
		Buckets: map[string]blueprints.Bucket{"b": {}}, Databases: map[string]blueprints.Database{"d": {Engine: "postgres"}}})
	if _, ds := Design(alone); len(ds) != 1 || !slices.Equal(ds[0].Conflict, []string{"objectives.availability", "buckets.b"}) {
		t.Errorf("nothing public: %v", ds)
	}
}

func TestRecoveryConflicts(t *testing.T) {
	minute := blueprints.Duration(time.Minute)
	backup := func(every time.Duration) blueprints.Backup {
		return blueprints.Backup{Of: []string{"databases.main"}, Every: blueprints.Duration(every)}
	}
	const ha = "databases.main.highAvailability"
	for name, tc := range map[string]struct {
		rto, rpo blueprints.Duration
		standby  bool
		backups  map[string]blueprints.Backup
		want     [][]string
	}{
		"no objective":                 {},
		"nothing brings it back":       {rto: minute, rpo: minute, want: [][]string{{rpoID, ha}, {rtoID, ha}}},
		"backup brings it back":        {rto: minute, backups: map[string]blueprints.Backup{"n": backup(time.Hour)}},
		"backup of something else":     {rto: minute, backups: map[string]blueprints.Backup{"n": {Of: []string{"buckets.x"}, Every: minute}}, want: [][]string{{rtoID, ha}}},
		"backups too far apart":        {rpo: minute, backups: map[string]blueprints.Backup{"n": backup(time.Hour), "w": backup(24 * time.Hour)}, want: [][]string{{rpoID, ha, "backups.n.every", "backups.w.every"}}},
		"one backup is close enough":   {rpo: minute, backups: map[string]blueprints.Backup{"n": backup(time.Minute), "w": backup(24 * time.Hour)}},
		"a standby covers the host":    {rto: minute, rpo: minute, standby: true},
		"a standby lags a few seconds": {rpo: blueprints.Duration(time.Second), standby: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := blueprints.Spec{Objectives: blueprints.Objectives{RTO: tc.rto, RPO: tc.rpo}, Backups: tc.backups,
				Databases: map[string]blueprints.Database{"main": {Engine: "postgres", HighAvailability: tc.standby}}}
			arch, ds := Design(document(s))
			var got [][]string
			for _, d := range ds {
				if d.Severity == blueprints.Error {
					got = append(got, d.Conflict)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("conflicts %v, want %v: %v", got, tc.want, ds)
			}
			if name == "a standby lags a few seconds" {
				if db := mainOf(arch); len(ds) != 0 || !db.Synchronous {
					t.Errorf("writes do not wait for the standby: %+v, %v", db, ds)
				}
				s.Databases["main"] = blueprints.Database{Engine: "mariadb", HighAvailability: true}
				if arch, ds := Design(document(s)); len(ds) != 1 || ds[0].Severity != blueprints.Warning || mainOf(arch).Synchronous {
					t.Errorf("an engine that cannot wait: want one warning, got %v", ds)
				}
			} else if mainOf(arch).Synchronous {
				t.Error("writes wait for the standby, and nothing asks for it")
			}
		})
	}
}

// Each member of a recovery conflict mends it alone.
func TestRecoveryConflictsAreMinimal(t *testing.T) {
	base := func() blueprints.Spec {
		return blueprints.Spec{Objectives: blueprints.Objectives{RPO: blueprints.Duration(time.Minute)},
			Backups:   map[string]blueprints.Backup{"n": {Of: []string{"databases.main"}, Every: blueprints.Duration(time.Hour)}},
			Databases: map[string]blueprints.Database{"main": {Engine: "postgres"}}}
	}
	for id, relax := range map[string]func(*blueprints.Spec){
		rpoID: func(s *blueprints.Spec) { s.Objectives.RPO = blueprints.Duration(time.Hour) },
		"databases.main.highAvailability": func(s *blueprints.Spec) {
			s.Databases["main"] = blueprints.Database{Engine: "postgres", HighAvailability: true}
		},
		"backups.n.every": func(s *blueprints.Spec) {
			s.Backups["n"] = blueprints.Backup{Of: []string{"databases.main"}, Every: blueprints.Duration(time.Minute)}
		},
	} {
		s := base()
		if _, ds := Design(document(s)); !ds.HasErrors() || !slices.Contains(ds[0].Conflict, id) {
			t.Fatalf("%s is not in the conflict: %v", id, ds)
		}
		relax(&s)
		if _, ds := Design(document(s)); ds.HasErrors() {
			t.Errorf("relaxing %s does not mend it: %v", id, ds)
		}
	}
}

// Random environments that no count and no standby can mend: the uses named exclude the objective by themselves, and without any one of them
// what is left does not.
func TestStructureConflictsAreMinimal(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	seen := 0
	for round := range 200 {
		s := blueprints.Spec{Servers: map[string]blueprints.Server{}, Databases: map[string]blueprints.Database{}, Buckets: map[string]blueprints.Bucket{}}
		s.Objectives.Availability = []blueprints.Percent{99.7, 99.8, 99.85}[r.IntN(3)]
		web := blueprints.Server{Count: 2, Runs: blueprints.Software{Port: 80}, Public: &blueprints.Public{Port: 80}}
		for i := range 1 + r.IntN(3) {
			s.Databases[fmt.Sprint("d", i)] = blueprints.Database{Engine: "postgres"}
			web.Uses = append(web.Uses, fmt.Sprint("databases.d", i))
		}
		for i := range r.IntN(4) {
			s.Buckets[fmt.Sprint("b", i)] = blueprints.Bucket{}
			web.Uses = append(web.Uses, fmt.Sprint("buckets.b", i))
		}
		s.Servers["web"] = web
		_, ds := Design(document(s))
		for _, diag := range ds {
			if !strings.Contains(diag.Summary, "any count or standby") || slices.Contains(diag.Conflict, "servers.web.public") {
				continue
			}
			seen++
			holding := func(ids []string) bool {
				only := copySpec(s)
				for name := range only.Databases {
					only.Databases[name] = blueprints.Database{Engine: "postgres", HighAvailability: true}
				}
				v := only.Servers["web"]
				v.Uses, v.Public, v.Count = nil, nil, mostInstances
				for i, to := range web.Uses {
					if slices.Contains(ids, fmt.Sprintf("servers.web.uses[%d]", i)) {
						v.Uses = append(v.Uses, to)
					} else {
						delete(only.Databases, strings.TrimPrefix(to, "databases."))
						delete(only.Buckets, strings.TrimPrefix(to, "buckets."))
					}
				}
				only.Servers["web"] = v
				_, left := Design(document(only))
				return !left.HasErrors()
			}
			if holding(diag.Conflict) {
				t.Fatalf("round %d: %v does not exclude each other by itself", round, diag.Conflict)
			}
			for _, member := range diag.Conflict[1:] {
				if !holding(without(diag.Conflict, []string{member})) {
					t.Fatalf("round %d: %v is not minimal: %s does not matter", round, diag.Conflict, member)
				}
			}
		}
	}
	if seen < 20 {
		t.Fatalf("only %d conflicts arose; the test shows little", seen)
	}
}

// The worst that a spec can ask: a chain of a thousand components, none of which meets its objective.
func BenchmarkDesignConflicts(b *testing.B) {
	doc := wide(1000)
	doc.Spec.Objectives.Availability = 99.99
	for b.Loop() {
		if _, ds := Design(doc); !ds.HasErrors() {
			b.Fatal("no conflict")
		}
	}
}
