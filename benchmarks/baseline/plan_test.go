package baseline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"surety/benchmarks"
)

func quantities(names ...string) []Quantity {
	var out []Quantity
	for _, n := range names {
		out = append(out, Quantity{Name: n, Unit: "ms", Better: Lower})
	}
	return out
}

func TestOrderInterleaves(t *testing.T) {
	p := Plan{Quantities: quantities("a", "b", "c"), WarmUp: 1, Runs: 5}
	turns := p.Order()
	if len(turns) != 18 {
		t.Fatalf("%d turns", len(turns))
	}
	firsts, follows := map[string]int{}, map[string]bool{}
	for i := 0; i < len(turns); i += 3 {
		seen := map[string]bool{}
		for _, turn := range turns[i : i+3] {
			seen[turn.Quantity.Name] = true
			if turn.Round != i/3-1 {
				t.Errorf("turn %d is of round %d", i, turn.Round)
			}
		}
		if len(seen) != 3 {
			t.Errorf("round %d measures %v", i/3-1, seen)
		}
		firsts[turns[i].Quantity.Name]++
		for j := i + 1; j < i+3; j++ {
			follows[turns[j-1].Quantity.Name+turns[j].Quantity.Name] = true
		}
	}
	if len(follows) != 6 {
		t.Errorf("only these follow each other: %v; every quantity should follow every other now and then", follows)
	}
	for _, n := range []string{"a", "b", "c"} {
		if firsts[n] != 2 {
			t.Errorf("%s comes first %d times in 6 rounds", n, firsts[n])
		}
	}
}

func TestPlanRuns(t *testing.T) {
	machine, n := benchmarks.Fingerprint{"cpu": "one"}, 0
	p := Plan{Quantities: quantities("steady", "breaks"), WarmUp: 2, Runs: 6}
	r, err := p.Run(t.Context(), "release 1", func(_ context.Context, q Quantity) (benchmarks.Measurement, error) {
		n++
		if q.Name == "breaks" && n > 8 {
			return benchmarks.Measurement{}, errors.New("refused")
		}
		return benchmarks.Measurement{Quantity: q.Name, Unit: "ms", Value: float64(n), Count: 5, Fingerprint: machine, At: noon}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	steady, _ := r.Find("steady")
	breaks, _ := r.Find("breaks")
	if len(steady.Runs) != 6 || steady.Missing != "" || steady.Runs[0].Value <= 4 {
		t.Errorf("steady: %+v; want 6 runs, none of the first four turns", steady)
	}
	if !strings.Contains(breaks.Missing, "refused") || !strings.Contains(breaks.Missing, "of 8") {
		t.Errorf("breaks: %q", breaks.Missing)
	}
	if c := Compare(r, r, Options{}); c.Changes[1].Verdict != Unproven || !strings.Contains(c.Changes[1].Summary, "refused") {
		t.Errorf("a quantity that was not measured is %s: %s", c.Changes[1].Verdict, c.Changes[1].Summary)
	}
}

func TestPlanAlternatesSides(t *testing.T) {
	var order strings.Builder
	side := func(name string) Measure {
		return func(context.Context, Quantity) (benchmarks.Measurement, error) {
			order.WriteString(name)
			return benchmarks.Measurement{Unit: "ms", Value: 1, Fingerprint: benchmarks.Fingerprint{}, At: noon}, nil
		}
	}
	a, b, err := Plan{Quantities: quantities("x"), Runs: 4}.RunPair(t.Context(), "a", "b", side("a"), side("b"))
	if err != nil || order.String() != "abbaabba" {
		t.Errorf("order %s, %v; want abbaabba", order.String(), err)
	}
	if a.Session == "" || a.Session != b.Session {
		t.Errorf("sessions %q and %q", a.Session, b.Session)
	}
}

// What cannot be measured honestly ends in an error: another unit, no number, another machine halfway, a cancelled context.
func TestPlanRefuses(t *testing.T) {
	n := 0
	for want, m := range map[string]func() benchmarks.Measurement{
		"planned in": func() benchmarks.Measurement { return benchmarks.Measurement{Unit: "s"} },
		"NaN": func() benchmarks.Measurement {
			zero := 0.0
			return benchmarks.Measurement{Unit: "ms", Value: zero / zero}
		},
		"environment changed": func() benchmarks.Measurement {
			n++
			return benchmarks.Measurement{Unit: "ms", Value: 1, At: noon, Fingerprint: benchmarks.Fingerprint{"cpu": fmt.Sprint(n)}}
		},
	} {
		_, err := Plan{Quantities: quantities("x"), Runs: 3}.Run(t.Context(), "r", func(context.Context, Quantity) (benchmarks.Measurement, error) { return m(), nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Plan{Quantities: quantities("x"), Runs: 3}.Run(ctx, "r", func(context.Context, Quantity) (benchmarks.Measurement, error) {
		cancel()
		return benchmarks.Measurement{}, errors.New("cut off")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled plan gives %v", err)
	}
	for _, bad := range []Plan{{}, {Quantities: quantities("x", "x"), Runs: 1}, {Quantities: []Quantity{{Name: "x", Unit: "ms"}}, Runs: 1}, {Quantities: []Quantity{{Name: "x", Better: Lower, Margin: 5}}, Runs: 1}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken for a plan", bad)
		}
	}
}

func TestCollect(t *testing.T) {
	p := Plan{Quantities: quantities("a", "b"), Runs: 2}
	at := func(q string, v float64) benchmarks.Measurement {
		return benchmarks.Measurement{Quantity: q, Unit: "ms", Value: v, At: noon, Fingerprint: benchmarks.Fingerprint{"cpu": "one"}}
	}
	r, err := Collect("elsewhere", p, []benchmarks.Measurement{at("a", 1), at("a", 2)})
	if err != nil || len(r.Series[0].Runs) != 2 || r.Series[1].Missing == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Collect("elsewhere", p, []benchmarks.Measurement{at("z", 1)}); err == nil {
		t.Error("a quantity outside the plan was taken")
	}
}
