package baseline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"surety/benchmarks"
)

// noise yields relative errors of a run, in order: what a machine adds to a true value.
type noise func(r *rand.Rand, n int) []float64

// The bounds are on the share of alarms when the true change is exactly the margin, where an alarm is as likely as it gets without
// being right. Independent runs keep it below alpha. The correction for autocorrelation is an approximation: without it these shares
// are 0.23 and 0.54 for ρ 0.5 and 0.8.
var noises = []struct {
	name string
	noise
	edge float64
}{
	{"normal, 2 %", func(r *rand.Rand, n int) []float64 { return draw(n, func() float64 { return 0.02 * r.NormFloat64() }) }, 0.05},
	{"normal, 5 %", func(r *rand.Rand, n int) []float64 { return draw(n, func() float64 { return 0.05 * r.NormFloat64() }) }, 0.05},
	// Student's t with two degrees of freedom has no variance: now and then a run is off by a multiple.
	{"heavy tails, t₂ of 1.5 %", func(r *rand.Rand, n int) []float64 {
		return draw(n, func() float64 { return 0.015 * r.NormFloat64() / math.Sqrt(r.ExpFloat64()) })
	}, 0.05},
	// One run in ten meets a neighbour and takes up to twice as long.
	{"2 %, a tenth up to +100 %", func(r *rand.Rand, n int) []float64 {
		return draw(n, func() float64 {
			if r.Float64() < 0.1 {
				return r.Float64() * math.Ln2
			}
			return 0.02 * r.NormFloat64()
		})
	}, 0.05},
	{"autocorrelated, ρ 0.5, 3 %", func(r *rand.Rand, n int) []float64 { return autoregressive(r, n, 0.5, 0.03) }, 0.15},
	{"autocorrelated, ρ 0.8, 3 %", func(r *rand.Rand, n int) []float64 { return autoregressive(r, n, 0.8, 0.03) }, 0.20},
}

func draw(n int, one func() float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = one()
	}
	return out
}

// autoregressive noise of the first order with the given stationary deviation.
func autoregressive(r *rand.Rand, n int, ρ, deviation float64) []float64 {
	x := r.NormFloat64()
	return draw(n, func() float64 {
		now := x * deviation
		x = ρ*x + math.Sqrt(1-ρ*ρ)*r.NormFloat64()
		return now
	})
}

// synthetic is a record whose quantities have true values of 10 times the factor, each with its own noise.
func synthetic(r *rand.Rand, make noise, n, quantities int, factor float64) Record {
	out := Record{Name: fmt.Sprint(factor), Taken: time.Unix(1e9, 0), Fingerprint: benchmarks.Fingerprint{"cpu": "one"}}
	for q := range quantities {
		s := Series{Quantity: Quantity{Name: fmt.Sprintf("p95 of %d", q), Unit: "ms", Better: Lower}}
		if q%2 == 1 {
			s.Quantity = Quantity{Name: fmt.Sprintf("rate of %d", q), Unit: "op/s", Better: Higher}
		}
		for _, e := range make(r, n) {
			value := 10 * factor * math.Exp(e)
			if s.Quantity.Better == Higher {
				value = 10 / factor * math.Exp(e)
			}
			s.Runs = append(s.Runs, Run{Value: value})
		}
		out.Series = append(out.Series, s)
	}
	return out
}

// The rates over many trials, four quantities each, so that the correction for several is at work. The chance of a false alarm in any
// of the four must stay below alpha, and where noise leaves room for it a slowdown of 15 % must be caught.
func TestRates(t *testing.T) {
	const trials = 400
	r := rand.New(rand.NewPCG(1, 2))
	t.Logf("%-26s %-22s %-22s %-22s %-22s %-22s %s", "noise (12 + 12 runs)", "alarm, unchanged", "alarm, at the margin", "pass, unchanged", "caught, +15 % (each)", "wrong pass, +15 %", "interval holds the truth")
	for _, n := range noises {
		var alarms, edge, passes, caught, missed, held int
		for range trials {
			old := synthetic(r, n.noise, 12, 4, 1)
			switch Compare(old, synthetic(r, n.noise, 12, 4, 1), Options{}).Verdict {
			case Fail:
				alarms++
			case Pass:
				passes++
			}
			if Compare(old, synthetic(r, n.noise, 12, 4, 1.05), Options{}).Verdict == Fail {
				edge++
			}
			slow := Compare(old, synthetic(r, n.noise, 12, 4, 1.15), Options{})
			all := true
			for _, c := range slow.Changes {
				truth := 0.15
				if c.Quantity.Better == Higher {
					truth = 1/1.15 - 1
				}
				all = all && c.Effect.Low <= truth && truth <= c.Effect.High
				switch c.Verdict {
				case Fail:
					caught++
				case Pass:
					missed++
				}
			}
			if all {
				held++
			}
		}
		t.Logf("%-26s %s %s %s %s %s %s", n.name, rate(alarms, trials), rate(edge, trials), rate(passes, trials), rate(caught, 4*trials), rate(missed, 4*trials), rate(held, trials))
		if alarms > trials*5/100 {
			t.Errorf("%s: %d false alarms in %d comparisons, more than alpha allows", n.name, alarms, trials)
		}
		if float64(edge) > n.edge*trials {
			t.Errorf("%s: %d alarms in %d comparisons at the margin, more than %v of them", n.name, edge, trials, n.edge)
		}
		if missed > 4*trials*1/100 {
			t.Errorf("%s: a slowdown of 15 %% passed in %d of %d quantities", n.name, missed, 4*trials)
		}
	}
}

// rate prints a share with its 95 % interval: Wilson (1927), JASA 22:209–212.
func rate(k, n int) string {
	const z = 1.959964
	p, m := float64(k)/float64(n), float64(n)
	center := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return fmt.Sprintf("%5.1f %% [%4.1f, %5.1f]", 100*p, 100*max(0, center-half), 100*min(1, center+half))
}
