package baseline

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aclements/go-moremath/stats"

	"surety/benchmarks"
)

// one is a record of one quantity with the given values.
func one(q Quantity, values ...float64) Record {
	s := Series{Quantity: q}
	for _, v := range values {
		s.Runs = append(s.Runs, Run{Value: v})
	}
	return Record{Taken: noon, Fingerprint: benchmarks.Fingerprint{"cpu": "one"}, Series: []Series{s}}
}

// around gives n values about a centre, spread evenly over ± a share of it, in an order without trend.
func around(center, spread float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		at := (i * 7) % n // 7 and n have no common factor in these tests
		out[i] = center * (1 + spread*(2*float64(at)/float64(n-1)-1))
	}
	return out
}

var (
	latencies = Quantity{Name: "p95", Unit: "ms", Better: Lower}
	rates     = Quantity{Name: "rate", Unit: "op/s", Better: Higher}
	errs      = Quantity{Name: "errors", Unit: "%", Better: Lower, Absolute: 0.1}
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name     string
		quantity Quantity
		old, new []float64
		verdict  Verdict
		trend    Trend
		says     string
	}{
		{"slower", latencies, around(10, .01, 12), around(12, .01, 12), Fail, Worse, "p95 is worse by more than 5 %: 10 → 12 ms, +20.0 %"},
		{"faster", latencies, around(10, .01, 12), around(8, .01, 12), Pass, Better, "better by more than 5 %"},
		{"less throughput", rates, around(1000, .01, 12), around(800, .01, 12), Fail, Worse, "rate is worse by more than 5 %: 1000 → 800 op/s, −20.0 %"},
		{"more throughput", rates, around(1000, .01, 12), around(1200, .01, 12), Pass, Better, "better"},
		{"equal", latencies, around(10, .01, 12), around(10, .01, 12), Pass, Same, "not worse by more than 5 %"},
		{"significant and small", latencies, around(10, .001, 12), around(10.2, .001, 12), Pass, Same, "p < 0.001"},
		{"all equal", latencies, []float64{5, 5, 5, 5, 5, 5}, []float64{5, 5, 5, 5, 5, 5}, Pass, Same, "+0.0 %"},
		{"all equal and slower", latencies, []float64{5, 5, 5, 5, 5, 5}, []float64{6, 6, 6, 6, 6, 6}, Fail, Worse, "+20.0 %"},
		{"noisy", latencies, around(10, .3, 12), around(10.1, .3, 12), Unproven, Unclear, "too noisy to tell"},
		{"too few", latencies, around(10, .01, 12), around(12, .01, 4), Unproven, Unclear, "too few runs: 12 and 4; 2 more runs needed"},
		{"at the margin", latencies, around(10, .02, 12), around(10.5, .02, 12), Unproven, Unclear, "hardly decide"},
		{"no ratio", latencies, append(around(10, .01, 11), 0), around(12, .01, 12), Unproven, Unclear, "absolute margin"},
		{"absolute, from nothing", errs, make([]float64, 8), around(.5, .1, 8), Fail, Worse, "errors is worse by more than 0.1 %: 0 → 0.5 %, +0.5 %"},
		{"absolute, nothing", errs, make([]float64, 8), make([]float64, 8), Pass, Same, "not worse"},
		{"own margin", Quantity{Name: "p99", Unit: "ms", Better: Lower, Margin: .3}, around(10, .01, 12), around(12, .01, 12), Pass, Same, "30 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(one(c.quantity, c.old...), one(c.quantity, c.new...), Options{})
			ch := got.Changes[0]
			if got.Verdict != c.verdict || ch.Trend != c.trend || !strings.Contains(ch.Summary, c.says) {
				t.Errorf("verdict %s, trend %s, %q; want %s, %s, %q", got.Verdict, ch.Trend, ch.Summary, c.verdict, c.trend, c.says)
			}
		})
	}
}

func TestDifferentEnvironmentsAreSaid(t *testing.T) {
	old, new := one(latencies, around(10, .01, 12)...), one(latencies, around(12, .01, 12)...)
	new.Fingerprint = benchmarks.Fingerprint{"cpu": "two"}
	c := Compare(old, new, Options{})
	if c.Verdict != Unproven || !strings.Contains(c.Changes[0].Summary, "different environments (cpu") || !strings.Contains(c.Changes[0].Summary, "+20.0 %") {
		t.Errorf("%s: %s", c.Verdict, c.Changes[0].Summary)
	}
	c = Compare(old, new, Options{AcrossEnvironments: true})
	if c.Verdict != Fail || !strings.Contains(c.Changes[0].Summary, "across environments that differ (cpu") {
		t.Errorf("judged across: %s: %s", c.Verdict, c.Changes[0].Summary)
	}
	if same := Compare(old, old, Options{}); same.Verdict != Pass || len(same.Differs) > 0 {
		t.Errorf("a slower machine is not said of the same one: %+v", same)
	}
}

// A change of the machine's own is not laid to the system, and does not hide a loss.
func TestControlGuards(t *testing.T) {
	control := Quantity{Name: "computing", Unit: "ms", Better: Lower, Control: true}
	for _, c := range []struct {
		name        string
		system, own float64 // factors
		spread      float64 // of the control
		verdict     Verdict
		says        string
	}{
		{"both slower", 1.2, 1.2, .01, Unproven, "the environment itself may have become slower"},
		{"system alone", 1.2, 1, .01, Fail, "p95 is worse"},
		{"slower on a faster machine", 1.2, .8, .01, Fail, "p95 is worse"},
		{"unchanged on a faster machine", 1, .8, .01, Unproven, "hide a loss"},
		{"unchanged", 1, 1, .01, Pass, "not worse"},
		{"control too noisy", 1.2, 1, .5, Unproven, "may have become slower"},
	} {
		old, new := one(latencies, around(10, .01, 12)...), one(latencies, around(10*c.system, .01, 12)...)
		old.Series = append(old.Series, one(control, around(5, c.spread, 12)...).Series...)
		new.Series = append(new.Series, one(control, around(5*c.own, c.spread, 12)...).Series...)
		got := Compare(old, new, Options{})
		if got.Verdict != c.verdict || !strings.Contains(got.Changes[0].Summary, c.says) {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, got.Verdict, got.Changes[0].Summary, c.verdict, c.says)
		}
	}
}

func TestQuantitiesThatComeAndGo(t *testing.T) {
	c := Compare(one(latencies, around(10, .01, 12)...), one(rates, around(10, .01, 12)...), Options{})
	if len(c.Changes) != 2 || c.Verdict != Unproven || c.Changes[0].Verdict != Unproven || c.Changes[1].Verdict != Unproven {
		t.Errorf("%+v", c)
	}
	if c := Compare(Record{}, Record{}, Options{}); c.Verdict != Unproven {
		t.Errorf("nothing compared is %s", c.Verdict)
	}
}

// Who takes the runs that "unproven" asks for gets an answer: within a few rounds every slowdown of 15 % is caught, none passes.
func TestMoreRunsDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const trials = 200
	for _, n := range noises[:4] {
		caught, taken := 0, 0
		for range trials {
			old, new := synthetic(r, n.noise, 12, 1, 1), synthetic(r, n.noise, 12, 1, 1.15)
			for range 6 {
				c := Compare(old, new, Options{})
				if c.Verdict == Pass {
					t.Errorf("%s: a slowdown passed: %s", n.name, c.Changes[0].Summary)
				}
				if c.Verdict != Unproven {
					caught++
					break
				}
				more := c.Changes[0].Needed
				if more == 0 {
					t.Fatalf("%s: unproven without asking for runs: %s", n.name, c.Changes[0].Summary)
				}
				taken += more
				old.Series[0].Runs = append(old.Series[0].Runs, synthetic(r, n.noise, more, 1, 1).Series[0].Runs...)
				new.Series[0].Runs = append(new.Series[0].Runs, synthetic(r, n.noise, more, 1, 1.15).Series[0].Runs...)
			}
		}
		t.Logf("%-26s caught %s, with %.1f further runs of each on average", n.name, rate(caught, trials), float64(taken)/trials)
		if caught < trials*99/100 {
			t.Errorf("%s: %d of %d caught", n.name, caught, trials)
		}
	}
}

// The rank interval against the published tables: for 10 and 10 runs the two-sided 5 % critical value of U is 23 (Mann, Whitney 1947).
func TestRankBound(t *testing.T) {
	if k, confidence := rankBound(10, 10, 0.05); k != 24 || math.Abs(confidence-0.9567) > 0.001 {
		t.Errorf("k = %d at %v, want 24 at 0.957", k, confidence)
	}
	if k, _ := rankBound(3, 3, 0.05); k != 0 {
		t.Errorf("three runs give an interval: k = %d", k)
	}
	limit := stats.MannWhitneyExactLimit
	exact, _ := rankBound(limit, limit, 0.05)
	stats.MannWhitneyExactLimit = 10
	near, _ := rankBound(limit, limit, 0.05)
	stats.MannWhitneyExactLimit = limit
	if d := exact - near; d < -2 || d > 2 {
		t.Errorf("exact bound %d, by approximation %d", exact, near)
	}
	for alpha, want := range map[float64]int{0.05: 6, 0.005: 6, 0.001: 7, 0.0001: 9} {
		n := fewestRuns(alpha)
		if n != want {
			t.Errorf("fewest runs at %v are %d, want %d", alpha, n, want)
		}
		if k, _ := rankBound(n, n, alpha); k == 0 {
			t.Errorf("%d runs give no interval at %v", n, alpha)
		}
	}
	for _, alpha := range []float64{0.05, 0.01, 0.001} {
		if i := median(around(1, .5, fewestPairs(alpha)), alpha); !i.finite() {
			t.Errorf("%d pairs give no interval at %v", fewestPairs(alpha), alpha)
		}
	}
}

// As many differences lie below the interval as above it, and as many as the rank bound says.
func TestShiftCutsAtTheRankBound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	old, new := draw(9, r.Float64), draw(11, r.Float64)
	i := shift(old, new, 0.05)
	k, confidence := rankBound(9, 11, 0.05)
	below, above := 0, 0
	for _, o := range old {
		for _, n := range new {
			if n-o < i.Low {
				below++
			} else if n-o > i.High {
				above++
			}
		}
	}
	if below != k-1 || above != k-1 || i.Confidence != confidence || confidence < 0.95 {
		t.Errorf("%d below and %d above at %v, want %d each at %v", below, above, i.Confidence, k-1, confidence)
	}
}

// Holm's own kind of example: 0.01, 0.04, 0.03 and 0.005 become 0.03, 0.06, 0.06 and 0.02.
func TestHolm(t *testing.T) {
	got, want := holm([]float64{0.01, 0.04, 0.03, 0.005}), []float64{0.03, 0.06, 0.06, 0.02}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Errorf("holm gives %v, want %v", got, want)
		}
	}
}
