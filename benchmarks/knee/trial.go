// Package knee finds the highest rate at which a target still meets its limits, and names the resource that stands in the way of more.
package knee

import (
	"fmt"
	"time"

	"surety/benchmarks"
)

// Limits are what a target has to keep to.
type Limits struct {
	P95    time.Duration // of latency, from the intended start; 0 means no limit
	Errors float64       // share of operations that may fail, 0 to 1
}

// Trial is one run at one rate.
type Trial struct {
	Rate     float64       // operations per second that were offered
	Achieved float64       // that went well
	P50      time.Duration // latency from the intended start, as all
	P99      time.Duration
	P95      time.Duration // with its 95 % interval:
	P95Low   time.Duration
	P95High  time.Duration
	Errors   float64 // share that failed
	Count    int
	// Generator says in what way the generator was a bottleneck, "" when it was not, and Lag how much of P95 may be its doing.
	Generator string
	Lag       time.Duration
}

// keepUp is the share of the offered rate that must go well. Errors are judged apart; this catches a run that was ended early.
const keepUp = 0.95

// clear is by what factor p95 must be off its limit for one trial to decide.
const clear = 2

// Judge makes a trial of a run at a constant rate.
func Judge(rate float64, outcome benchmarks.Outcome, result benchmarks.Result) Trial {
	g := result.Total
	t := Trial{
		Rate: rate, Achieved: g.Rate, P50: g.Latency.P50.Value, P99: g.Latency.P99.Value, P95: g.Latency.P95.Value, P95Low: g.Latency.P95.Low, P95High: g.Latency.P95.High,
		Errors: g.ErrorRate(), Count: g.Count, Generator: outcome.Bottleneck(), Lag: outcome.BehindP99,
	}
	outcome.BehindP99 = 0
	if outcome.Bottleneck() != "" {
		t.Lag = t.P95 // not only late starts: everything it measured is in doubt
	}
	return t
}

// excused tells whether a breach may be the generator's doing. A lag shifts latency, and again by the bunches in which requests then come.
func (l Limits) excused(t Trial) bool {
	switch {
	case t.Generator == "":
		return false
	case t.Lag >= t.P95:
		return true
	case t.Errors > l.Errors:
		return false
	}
	return l.P95 == 0 || t.P95-2*t.Lag <= l.P95
}

// breach says what a trial breaks, "" when it keeps to the limits.
func (l Limits) breach(t Trial) string {
	switch {
	case t.Count == 0:
		return "nothing was measured"
	case t.Errors > l.Errors:
		return fmt.Sprintf("%.2g %% of the operations failed, %.2g %% may", 100*t.Errors, 100*l.Errors)
	case l.P95 > 0 && t.P95 > l.P95:
		return fmt.Sprintf("p95 %v, %v may be", round(t.P95), l.P95)
	case t.Achieved < keepUp*t.Rate*(1-l.Errors):
		return fmt.Sprintf("%.4g of %.4g operations per second went well", t.Achieved, t.Rate)
	}
	return ""
}

// Holds tells whether a trial kept to the limits.
func (l Limits) Holds(t Trial) bool { return l.breach(t) == "" }

// decisive tells whether a trial is so far from the limits that no repetition is needed.
func (l Limits) decisive(t Trial) bool {
	if l.breach(t) == "" {
		return t.Errors <= l.Errors/clear && (l.P95 == 0 || t.P95 < l.P95/clear)
	}
	return t.Errors > max(clear*l.Errors, 0.01) || l.P95 > 0 && t.P95 > clear*l.P95
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}
