package verify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"surety/benchmarks/consistency"
	"surety/stacks"
	"surety/validate"
)

func drilledReport(rto, rpo time.Duration) FailoverReport {
	r := FailoverReport{Database: "databases.main", Kill: stacks.KillHost, Killed: "main-0", From: "web-0", Mended: true,
		After: stacks.Roles{Primary: "main-1", Standbys: []string{"main-0"}, Streaming: true}}
	if rto >= 0 {
		r.Requirements.RTO = &rto
	}
	if rpo >= 0 {
		r.Requirements.RPO = &rpo
	}
	return r
}

// wrote is what the writers of a drill found.
func wrote(outage, rpo float64, lost, damaged int) consistency.Result {
	again := 1.0
	if outage < 0 { // acknowledged until a moment after the fault, and never again
		again, outage = 0, 0.001
	}
	return consistency.Result{Verdict: consistency.Met, Parts: []consistency.Part{{Name: "durability", Says: "as told", Figures: []consistency.Figure{
		{Name: "rows acknowledged", Value: 1000}, {Name: "longest time without an acknowledgement", Value: outage, Unit: "s"},
		{Name: "acknowledged again after the fault", Value: again}, {Name: "acknowledged rows lost", Value: float64(lost)}, {Name: "measured RPO", Value: rpo, Unit: "s"}, {Name: "damaged rows", Value: float64(damaged)}}}}}
}

func TestADrillIsHeldAgainstTheObjectives(t *testing.T) {
	const none = -time.Nanosecond
	unread := consistency.Result{Parts: []consistency.Part{{Name: "durability", Says: "the rows could not be read", Figures: []consistency.Figure{
		{Name: "rows acknowledged", Value: 1000}, {Name: "longest time without an acknowledgement", Value: 0.2}, {Name: "acknowledged again after the fault", Value: 1}}}}}
	for _, c := range []struct {
		name     string
		rto, rpo time.Duration
		found    consistency.Result
		wants    [2]validate.State
	}{
		{"within both", time.Minute, 5 * time.Second, wrote(0.2, 0.01, 4, 0), [2]validate.State{validate.Pass, validate.Pass}},
		{"at the limits", 200 * time.Millisecond, 10 * time.Millisecond, wrote(0.2, 0.01, 4, 0), [2]validate.State{validate.Pass, validate.Pass}},
		{"too long without writes", 100 * time.Millisecond, 0, wrote(0.2, 0, 0, 0), [2]validate.State{validate.Fail, validate.Pass}},
		{"too much lost", time.Minute, 5 * time.Millisecond, wrote(0.2, 0.01, 4, 0), [2]validate.State{validate.Pass, validate.Fail}},
		{"nothing may be lost, and one row is", time.Minute, 0, wrote(0.2, 0, 1, 0), [2]validate.State{validate.Pass, validate.Fail}},
		{"a damaged row", time.Minute, time.Hour, wrote(0.2, 0, 0, 1), [2]validate.State{validate.Pass, validate.Fail}},
		{"nothing is declared", none, none, wrote(0.2, 0.01, 4, 0), [2]validate.State{validate.Unproven, validate.Unproven}},
		{"rows that could not be read", time.Minute, time.Hour, unread, [2]validate.State{validate.Pass, validate.Unproven}},
		{"never back, and it had to be", time.Second, time.Hour, wrote(-1, 0, 0, 0), [2]validate.State{validate.Fail, validate.Pass}},
		{"not back while it was waited for, and it may take longer", time.Hour, time.Hour, wrote(-1, 0, 0, 0), [2]validate.State{validate.Unproven, validate.Pass}},
	} {
		r := drilledReport(c.rto, c.rpo)
		r.read(c.found)
		for i, v := range []verdict{r.judgeRTO(), r.judgeRPO(c.found)} {
			if v.state != c.wants[i] {
				t.Errorf("%s: %s is %s, want %s: %s", c.name, []string{"rto", "rpo"}[i], v.state, c.wants[i], v.summary)
			}
		}
	}
}

func TestADrillOfOneDatabaseProvesNothingOfAnother(t *testing.T) {
	r := drilledReport(time.Minute, time.Minute)
	r.Apart = []string{"databases.other"}
	r.read(wrote(0.2, 0, 0, 0))
	if v := r.forAll(r.judgeRTO()); v.state != validate.Unproven || !strings.Contains(v.summary, "databases.other") {
		t.Errorf("%s: %s", v.state, v.summary)
	}
	r.Outage = 2 * time.Minute
	if v := r.forAll(r.judgeRTO()); v.state != validate.Fail {
		t.Errorf("a breach is %s: %s", v.state, v.summary)
	}
}

func TestAfterADrillTheStandbyMustBeBack(t *testing.T) {
	for name, change := range map[string]func(*FailoverReport){
		"not mended":                func(r *FailoverReport) { r.Mended, r.MendProblem = false, "the host does not start" },
		"the old primary is in use": func(r *FailoverReport) { r.After.Primary = r.Killed },
	} {
		r := drilledReport(time.Minute, time.Minute)
		if v := r.judgeStandby(); v.state != validate.Pass {
			t.Fatalf("%s: %s", v.state, v.summary)
		}
		if change(&r); r.judgeStandby().state != validate.Fail {
			t.Errorf("%s: %s", name, r.judgeStandby().summary)
		}
	}
}

func TestAnAnomalyIsShownAsAHistory(t *testing.T) {
	found := consistency.Result{Verdict: consistency.Breached, Parts: []consistency.Part{
		{Name: "listing", Verdict: consistency.Met, Says: "fine"},
		{Name: "registers", Verdict: consistency.Breached, Says: "not linearizable: stale", Anomalies: []consistency.Anomaly{{Text: "client 0  ├─┤"}}},
	}}
	v := judgeHistory("media", "web-0", "linearizable objects", found)
	if v.state != validate.Fail || !strings.Contains(v.summary, "stale") || strings.Contains(v.summary, "fine") || v.evidence[0].Drawing != "client 0  ├─┤" {
		t.Errorf("%s %q %+v", v.state, v.summary, v.evidence)
	}
	for want, found := range map[validate.State]consistency.Result{
		validate.Pass:     {Verdict: consistency.Met, Parts: []consistency.Part{{Name: "bank", Verdict: consistency.Met, Says: "sums"}}},
		validate.Unproven: {Verdict: consistency.Unproven, Parts: []consistency.Part{{Name: "bank", Verdict: consistency.Unproven, Says: "nobody answered"}}},
	} {
		if v := judgeHistory("main", "web-0", "", found); v.state != want {
			t.Errorf("%s, want %s", v.state, want)
		}
	}
	if v := judgeHistory("main", "web-0", "", consistency.Result{Verdict: consistency.Met}); v.state != validate.Unproven {
		t.Errorf("a result without parts is %s", v.state)
	}
}

// With every release only what a bucket promises is measured; in full everything that holds data is.
func TestWhichHistoriesAreRecorded(t *testing.T) {
	const promise = "versioning: false, expects: {consistency: linearizable}}"
	for _, c := range []struct {
		name   string
		effort Effort
		only   []string
		with   bool // a bucket's promise in the spec
		want   string
	}{
		{"a release", Effort{Load: time.Second}, nil, true, "consistency/layers/objects"},
		{"a release, nothing promised", Effort{Load: time.Second}, nil, false, ""},
		{"no load is to be driven", Effort{Load: -1}, nil, true, ""},
		{"in full", Effort{Full: true}, nil, false, "consistency/layers/objects"},
		{"the suite is named", Effort{}, []string{Consistency}, true, "consistency/layers/objects"},
	} {
		spec := []string{"versioning: false}", "versioning: false}"}
		if c.with {
			spec[1] = promise
		}
		w := newWorld(t, "../../examples/registry/surety.yaml", spec...)
		w.in.Effort, w.in.Only = c.effort, c.only
		var got []string
		for _, k := range histories(w.in.subject(t.Context()), w.in) {
			got = append(got, k.id)
			if slices.Contains(k.requirements, "buckets.layers.expects.consistency") != c.with {
				t.Errorf("%s: %s serves %v", c.name, k.id, k.requirements)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	w := newWorld(t, "../../examples/reader/surety.yaml")
	w.in.Effort.Full = true
	checks := histories(w.in.subject(t.Context()), w.in)
	if len(checks) != 2 || checks[0].id != "consistency/main/rows" || checks[1].id != "consistency/main/bank" {
		t.Errorf("in full the reader's database gives %d checks", len(checks))
	}
}
