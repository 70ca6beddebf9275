package documents

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/baseline"
	"surety/benchmarks/consistency"
	"surety/benchmarks/knee"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

const checkedSpec = `surety: v1
name: shop
objectives: {residency: [TW]}
servers:
  web:
    runs: {package: nginx, command: [nginx], port: 80}
    uses: [databases.main]
    public: {port: 80}
    expects: {rps: 100, p95: 150ms, errors: 0.1%}
databases:
  main: {engine: postgres, version: "15", expects: {tps: 50}}
backups:
  nightly: {of: [databases.main], every: 24h, keep: {daily: 7}}
`

var checkedAt = time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC)

// loadRun makes a run of n operations whose latencies rise evenly from one to another.
func loadRun(n int, from, to time.Duration, unit string, required verify.Limits) *verify.LoadDetail {
	length := 10 * time.Second
	report := benchmarks.NewReport(0).Until(length)
	for i := range n {
		at := length * time.Duration(i) / time.Duration(n)
		report.Add(benchmarks.Sample{Intended: at, Started: at, Ended: at + from + (to-from)*time.Duration(i)/time.Duration(n)})
	}
	return &verify.LoadDetail{Unit: unit, Required: required, Offered: float64(n) / length.Seconds(), Rate: float64(n) / 10.5, RateLow: float64(n) / 11, RateHigh: float64(n) / 10, Result: report.Result(),
		Outcome: benchmarks.Outcome{Started: checkedAt, Took: length, Offered: n, Done: n, CPUs: 2}}
}

// checked is a release with all kinds of evidence.
func checked(t *testing.T) Measured {
	t.Helper()
	doc, problems := blueprints.Parse("surety.yaml", []byte(checkedSpec))
	if problems.HasErrors() {
		t.Fatal(problems)
	}
	arch, findings := architecture.Design(doc)
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	limits := verify.Limits{Rate: 100, P95: 150 * time.Millisecond, Errors: 0.001}
	interval := func(center, low, high float64) baseline.Interval {
		return baseline.Interval{Center: center, Low: low, High: high, Confidence: 0.95}
	}
	details := []verify.Detail{
		{Check: "load/servers.web", Suite: verify.Load, Subject: "servers.web", From: "outside", How: "open loop", At: checkedAt.Add(time.Hour),
			Requirements: []string{"servers.web.expects.rps", "servers.web.expects.p95", "servers.web.expects.errors"}, Load: loadRun(1000, 10*time.Millisecond, 90*time.Millisecond, "req/s", limits)},
		{Check: "load/servers.web/knee", Suite: verify.Load, Subject: "servers.web", From: "outside", How: "search", At: checkedAt.Add(time.Hour),
			Knee: &verify.KneeDetail{Unit: "req/s", Required: limits, Saturated: knee.Saturation{Host: "web-0", Resource: knee.CPU, Evidence: "cpu of web-0: 98 % in use"},
				Knee: knee.Knee{Rate: 312.5, Above: 327.25, Breach: "p95 180ms, 150ms may be", Trials: []knee.Trial{
					{Rate: 327.25, Achieved: 326, P50: 9 * time.Millisecond, P95: 180 * time.Millisecond, P99: 220 * time.Millisecond, P95Low: 170 * time.Millisecond, P95High: 190 * time.Millisecond, Count: 900},
					{Rate: 312.5, Achieved: 312.5, P50: 8 * time.Millisecond, P95: 120 * time.Millisecond, P99: 140 * time.Millisecond, P95Low: 110 * time.Millisecond, P95High: 130 * time.Millisecond, Count: 900}}}}},
		{Check: "database/main/load", Suite: verify.Databases, Subject: "databases.main", From: "web-0", How: "TPC-B-like", At: checkedAt.Add(time.Hour),
			Requirements: []string{"databases.main.expects.tps"}, Load: loadRun(600, time.Millisecond, 9*time.Millisecond, "tx/s", verify.Limits{Rate: 50})},
		{Check: "host/figures/web-0", Suite: verify.Hosts, Subject: "web-0", From: "web-0", At: checkedAt.Add(time.Hour), Figures: []benchmarks.Measurement{
			{Quantity: "disk/random-read/4KiB/depth8/throughput", Unit: "B/s", Value: 123.456 * (1 << 20), Low: 120 * (1 << 20), High: 126 * (1 << 20), Count: 40, How: "file of 1GiB"},
			{Quantity: "network/round-trip/64B/p50", Unit: "ms", Value: 0.0431, Low: 0.0429, High: 0.0436, Count: 5000, How: "TCP"}}},
		{Check: "consistency/main/bank", Suite: verify.Consistency, Subject: "databases.main", From: "web-0", How: "transfers", At: checkedAt.Add(time.Hour),
			Consistency: &consistency.Result{Verdict: consistency.Breached, Parts: []consistency.Part{{Name: "bank", Verdict: consistency.Breached, Says: "2 updates were lost",
				Figures: []consistency.Figure{{Name: "transfers", Value: 310}, {Name: "snapshots", Value: 40}, {Name: "updates lost", Value: 2}}, Anomalies: []consistency.Anomaly{{Text: "client 0 ─┤\nclient 1 ─┤\n"}}}}}},
		{Check: "backup/nightly/databases.main/restored", Suite: verify.Backup, Subject: "databases.main", Figures: []benchmarks.Measurement{{Quantity: "time to restore", Unit: "s", Value: 2.125}}},
		{Check: "baseline", Suite: verify.Baseline, Subject: "shop", At: checkedAt.Add(time.Hour), Baseline: &baseline.Comparison{Old: "release 1", New: "now", Verdict: baseline.Fail, Alpha: 0.05, Method: "medians",
			Changes: []baseline.Change{{Quantity: baseline.Quantity{Name: "servers.web p95", Unit: "ms", Better: baseline.Lower}, Old: interval(80, 78, 82), New: interval(92, 90, 95), OldRuns: 12, NewRuns: 12,
				Effect: interval(0.15, 0.12, 0.18), Limit: 0.05, Adjusted: 0.0004, Verdict: baseline.Fail, Summary: "worse"}, {Quantity: baseline.Quantity{Name: "control", Control: true}}}}},
	}
	results := []validate.Result{
		{Check: "load/servers.web", Suite: verify.Load, State: validate.Pass, Summary: "p95 86 ms", Started: checkedAt.Add(time.Hour), Took: 10 * time.Second,
			Requirements: []string{"servers.web.expects.rps", "servers.web.expects.p95", "servers.web.expects.errors"}},
		{Check: "backup/nightly/databases.main/restored", Suite: verify.Backup, State: validate.Pass, Summary: "restored and the same", Started: checkedAt.Add(time.Hour), Requirements: []string{"backups.nightly.of[0]"}},
	}
	m := Measured{Document: doc, Results: results}
	store := releases.NewStore(t.TempDir() + "/releases")
	record := releases.Record{Made: checkedAt, Cause: "deploy web", By: "a@b", Tool: "0.3", State: releases.Kept, File: "surety.yaml", Spec: checkedSpec, Fingerprint: map[string]string{"processors": "2", "target": "local"},
		Rollout: &releases.Rolled{Group: "servers.web", Batch: 1, Hosts: []releases.RolledHost{{Host: "web-0", Good: true, Digests: []releases.HoldingDigest{{Kind: "program", Of: "/opt/bin/web", Before: "aaaaaaaaaaaaaaaa", After: "bbbbbbbbbbbbbbbb"}}}}}}
	if err := store.Append(&record); err != nil {
		t.Fatal(err)
	}
	old := verify.Detail{Check: "load/servers.web", Suite: verify.Load, Subject: "servers.web", Load: loadRun(50, time.Second, 2*time.Second, "req/s", limits), Requirements: []string{"servers.web.expects.p95"}}
	for i, d := range [][]verify.Detail{{old}, details} {
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		found, err := json.Marshal(results[:i+1])
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Keep(&releases.Evidence{Release: 1, ReleaseHash: record.Hash, Made: checkedAt.Add(time.Duration(i) * time.Hour), Cause: "verify --full", By: "a@b", Tool: "0.3",
			Fingerprint: map[string]string{"processors": []string{"2", "4"}[i], "target": "local"}, Conditions: map[string]string{"load average before": "0.10 0.20 0.30"}, Results: found, Details: text}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if m.Records, err = store.All(); err != nil {
		t.Fatal(err)
	}
	m.Release = &m.Records[0]
	if m.Evidence, err = store.EvidenceOf(m.Records, m.Release); err != nil {
		t.Fatal(err)
	}
	m.Ledger = verify.Join(doc, arch, []verify.Findings{{Results: nil}, {Cause: "verify --full", Results: results}}, map[string]string{"objectives.residency": "a local target has no region"}, checkedAt)
	return m
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), 1) }

// Every figure of the check is the evidence's own, of the newest run of its check.
func TestPerformanceIsOfTheEvidence(t *testing.T) {
	m := checked(t)
	p, err := FromEvidence(m)
	if err != nil {
		t.Fatal(err)
	}
	var details []verify.Detail
	if err := json.Unmarshal(m.Evidence[1].Details, &details); err != nil {
		t.Fatal(err)
	}
	q := details[0].Load.Result.Total.Latency.P95
	at := slices.IndexFunc(p.Requirements, func(r RequirementVerdict) bool { return r.ID == "servers.web.expects.p95" })
	r := p.Requirements[at]
	if f := r.Figure; f == nil || !near(f.Value, ms(q.Value)) || !near(f.Low, ms(q.Low)) || !near(f.High, ms(q.High)) || f.Unit != "ms" || f.Count != 1000 || f.Open != q.Open || !q.Open {
		t.Errorf("p95 is %+v, evidence %+v", f, q)
	}
	if f := p.Requirements[at-1].Figure; f == nil || f.Value != details[0].Load.Rate || f.Low != details[0].Load.RateLow || f.High != details[0].Load.RateHigh {
		t.Errorf("rate is %+v, evidence %+v", f, details[0].Load)
	}
	if r.State != validate.Pass || r.Wanted != "≤ 150ms" || !strings.Contains(r.How.EN, "verify --full, 2026-11-03 13:00:10 UTC") {
		t.Errorf("requirement %+v", r)
	}
	if len(p.Load) != 2 || len(p.Load[0].Points) != 1 || len(p.Load[1].Points) != 3 {
		t.Fatalf("curves: %+v", p.Load)
	}
	for _, c := range p.Load {
		if !slices.IsSortedFunc(c.Points, func(a, b LoadPoint) int { return int(a.Offered - b.Offered) }) {
			t.Errorf("%s: points are out of order: %+v", c.Subject, c.Points)
		}
	}
	web := p.Load[slices.IndexFunc(p.Load, func(c LoadCurve) bool { return c.Subject == "servers.web" })]
	if last := web.Points[2]; web.Knee.Value != 312.5 || web.Knee.High != 327.25 || !strings.Contains(web.Saturated.EN, "web-0") || last.Within || last.P99 != 220 || last.P95Low != 170 || !web.Points[1].Within {
		t.Errorf("curve %+v, knee %+v", web, web.Knee)
	}
	var counted int64
	for i, b := range p.Latencies[slices.IndexFunc(p.Latencies, func(h Histogram) bool { return strings.HasPrefix(h.Subject, "servers.web") })].Buckets {
		counted += b.Count
		if b.From >= b.To {
			t.Errorf("bucket %d is [%v, %v)", i, b.From, b.To)
		}
	}
	if counted != 1000 {
		t.Errorf("the histogram has %d operations, the run 1000", counted)
	}
	var kinds []FigureKind
	for _, g := range p.Figures {
		kinds = append(kinds, g.Kind)
	}
	if !slices.Equal(kinds, []FigureKind{HostFigures, DatabaseFigures, NetworkFigures}) {
		t.Errorf("figures of %v", kinds)
	}
	if f := p.Figures[0].Rows[0].Figure; !near(f.Value, 123.456) || !near(f.Low, 120) || f.Unit != "MiB/s" || f.Count != 40 {
		t.Errorf("disk %+v", f)
	}
	if c := p.Consistency[0]; c.State != validate.Fail || c.Operations != 350 || len(c.Anomaly) != 2 {
		t.Errorf("consistency %+v", c)
	}
	if b := p.Baseline; b == nil || b.State != validate.Fail || len(b.Changes) != 1 || b.Changes[0].Change != 0.15 || b.Changes[0].Old != 80 || b.Margin != 0.05 {
		t.Errorf("baseline %+v", b)
	}
	if len(p.Work) != 2 || !strings.Contains(p.Work[0].Proof.EN, "program /opt/bin/web on web-0: aaaaaaaaaaaa → bbbbbbbbbbbb") || p.Work[1].State != validate.Pass || !strings.Contains(p.Work[1].Proof.EN, "time to restore 2.125 s") {
		t.Errorf("work %+v", p.Work)
	}
	if !slices.ContainsFunc(p.Conditions, func(c Text) bool {
		return strings.Contains(c.EN, "processors: 2 / 4") && strings.Contains(c.TW, "環境")
	}) {
		t.Errorf("the other environment is not told: %+v", p.Conditions)
	}
}

// What nobody measured is listed as unproven, with what to type, in both languages; a met requirement alone makes no check whole.
func TestPerformanceListsWhatWasNotMeasured(t *testing.T) {
	m := checked(t)
	all, err := FromEvidence(m)
	if err != nil {
		t.Fatal(err)
	}
	m.Evidence, m.Results, m.Records = nil, nil, slices.Clone(m.Records)
	m.Records[0].Rollout = nil
	m.Release = &m.Records[0]
	p, err := FromEvidence(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"P1.4.1 performance of servers", "P1.4.1 performance of databases", "P1.4.2 data consistency", "P1.4.3 comparison", "P1.4.6 load test", "P1.4.5 backup nightly", "objectives.residency"} {
		listed := slices.ContainsFunc(p.Unproven(), func(u Unproven) bool { return strings.HasPrefix(u.What.EN, want) && u.Why.TW != "" })
		if !listed {
			t.Errorf("%q is not listed as unproven: %+v", want, p.Unproven())
		}
		if want != "objectives.residency" && slices.ContainsFunc(all.Unproven(), func(u Unproven) bool { return strings.HasPrefix(u.What.EN, want) }) {
			t.Errorf("%q was measured and is listed as unproven", want)
		}
	}
	if _, state := p.tally(); state == validate.Pass {
		t.Error("a check of which nothing was measured is met")
	}
}

func TestPerformanceFromEvidenceGoldens(t *testing.T) {
	m := checked(t)
	for _, l := range []Language{English, TraditionalChinese} {
		for form, render := range map[string]func(Performance, Language) (string, error){"html": PerformanceHTML, "md": PerformanceMarkdown} {
			var texts [2]string
			for i := range texts {
				p, err := FromEvidence(m)
				if err != nil {
					t.Fatal(err)
				}
				if texts[i], err = render(p, l); err != nil {
					t.Fatal(err)
				}
			}
			if texts[0] != texts[1] {
				t.Errorf("%s in %s: the same records gave other bytes", form, l)
			}
			if form == "md" {
				golden(t, "check."+string(l)+".md", []byte(texts[0]))
			}
		}
	}
}
