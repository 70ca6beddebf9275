package verify

import (
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/consistency"
	"surety/benchmarks/knee"
)

// The report for a pull request has each figure with its interval beside what was required.
func TestMarkdownCarriesTheFigures(t *testing.T) {
	report := benchmarks.NewReport(0).Until(10 * time.Second)
	for i := range 1000 {
		at := time.Duration(i) * 10 * time.Millisecond
		sample := benchmarks.Sample{Intended: at, Started: at, Ended: at + time.Duration(i+1)*100*time.Microsecond}
		if i == 0 {
			sample.Class = "timeout"
		}
		report.Add(sample)
	}
	details := []Detail{
		{Subject: "servers.web", Load: &LoadDetail{Unit: "req/s", Required: Limits{Rate: 100, P95: 150 * time.Millisecond, Errors: 0.01}, Offered: 100, Rate: 99.5, RateLow: 98, RateHigh: 100, Result: report.Result()}},
		{Subject: "servers.web", Knee: &KneeDetail{Unit: "req/s", Knee: knee.Knee{Rate: 1312.5, Above: 1400, Breach: "p95 160ms, 150ms may be"}, Saturated: knee.Saturation{Evidence: "cpu of web-0: 98 %"}}},
		{Subject: "web-0", Figures: []benchmarks.Measurement{{Quantity: "cpu/sha256/one", Unit: "B/s", Value: 2, Low: 1, High: 3}}},
		{Subject: "databases.main", Consistency: &consistency.Result{Parts: []consistency.Part{{Name: "bank", Verdict: consistency.Met, Says: "adds up | always"}}}},
	}
	var out strings.Builder
	if err := Markdown(&out, nil, details); err != nil {
		t.Fatal(err)
	}
	p95 := report.Result().Total.Latency.P95
	for _, want := range []string{
		"| servers.web | latency p95 | " + milliseconds(p95.Value) + " ms [" + milliseconds(p95.Low) + ", ≥ " + milliseconds(p95.High) + "] | ≤ 150 ms |",
		"| servers.web | errors | 0.1 % of 1000 | ≤ 1 % |", "| rate | 99.5 req/s [98, 100] of 100 offered | ≥ 100 req/s |", "| knee | 1312 req/s, not 1400: p95 160ms, 150ms may be |",
		"| web-0 | cpu/sha256/one | 2 B/s [1, 3] |", `| bank | met: adds up \| always |`, "| saturated | cpu of web-0: 98 % |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := Markdown(&out, nil, nil); err != nil || strings.Contains(out.String(), "Measured") {
		t.Errorf("%v: %s", err, out.String())
	}
}
