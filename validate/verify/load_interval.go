package verify

import (
	"math"
	"time"

	"github.com/aclements/go-moremath/mathx"
	"golang.org/x/perf/benchmath"

	"surety/benchmarks"
)

// interval is a figure with its 95 % interval.
type interval struct{ value, low, high float64 }

func (i interval) times(by float64) interval { return interval{i.value * by, i.low * by, i.high * by} }

// shareOf is the share k of n with its exact interval (C. Clopper, E. Pearson, Biometrika 26 (1934) 404): the quantiles of beta
// distributions. dispersion is how many times more the share varies over the run than independent draws would: that many fewer draws
// are counted (E. Korn, B. Graubard, Survey Methodology 24 (1998) 193); 1 counts all.
func shareOf(k, n int, dispersion float64) interval {
	if n == 0 {
		return interval{0, 0, 1}
	}
	const tail = 0.025
	by := max(1, dispersion)
	good, all := float64(k)/by, float64(n)/by
	i := interval{value: float64(k) / float64(n), high: 1}
	if k > 0 {
		i.low = betaQuantile(tail, good, all-good+1)
	}
	if k < n {
		i.high = betaQuantile(1-tail, good+1, all-good)
	}
	return i
}

// betaQuantile inverts the regularized incomplete beta function by halving: it grows from 0 to 1.
func betaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if mid := (low + high) / 2; mathx.BetaInc(mid, a, b) < p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// clean is how many draws are needed without a single hit for the interval of their share to lie below most: Clopper and Pearson's
// upper end is 1 - 0.025^(1/n) then.
func clean(most float64) int {
	return int(math.Ceil(math.Log(0.025) / math.Log1p(-most)))
}

// failures is the share of operations that failed, with its interval. Failures come in bouts, so that the interval allows for how much
// their share varies from second to second: Pearson's statistic over its degrees of freedom (P. McCullagh, J. Nelder, Generalized
// Linear Models, 2nd ed., §4.5).
func failures(r benchmarks.Result) interval {
	const enough = 8 // seconds; with fewer the estimate says nothing
	n, k := r.Total.Count, r.Total.Failed
	dispersion := 1.0
	if p := float64(k) / max(1, float64(n)); len(r.Series) >= enough && k > 0 && k < n {
		var sum float64
		for _, s := range r.Series {
			if expected := float64(s.Count) * p; expected > 0 {
				off := float64(s.Failed) - expected
				sum += off * off / (expected * (1 - p))
			}
		}
		dispersion = sum / float64(len(r.Series)-1)
	}
	return shareOf(k, n, dispersion)
}

// Slices of a run, whose means make the interval of a rate.
const (
	leastSlice = 100 * time.Millisecond // long enough that neighbours depend little on each other
	mostSlices = 30
)

// perSecond is how much ended well per second between two offsets of a run, with the interval that the means of slices give by Student's
// t (batch means: A. Law, Simulation Modeling and Analysis, 5th ed., §9.5.3). What an operation did counts where it ended.
func perSecond(samples []benchmarks.Sample, from, to time.Duration, amount func(benchmarks.Sample) float64) interval {
	if to-from < 2*leastSlice {
		return interval{high: math.MaxFloat64}
	}
	n := int(min(mostSlices, (to-from)/leastSlice))
	slice := (to - from) / time.Duration(n)
	sums := make([]float64, n)
	var total float64
	for _, s := range samples {
		if i := int((s.Ended - from) / slice); s.Class == "" && s.Ended >= from && i < n {
			sums[i] += amount(s)
			total += amount(s)
		}
	}
	per := slice.Seconds()
	mean := benchmath.AssumeNormal.Summary(benchmath.NewSample(sums, &benchmath.DefaultThresholds), 0.95)
	return interval{total / float64(n) / per, max(0, mean.Lo) / per, min(math.MaxFloat64, mean.Hi/per)}
}

// carried is how many operations per second ended well between two offsets of an open loop that offered a constant rate, with the
// interval of their share in what was due: a target that keeps up ends as many as come due, however evenly.
func carried(samples []benchmarks.Sample, offered float64, from, to time.Duration) interval {
	due := int(math.Round(offered * (to - from).Seconds()))
	well := 0
	for _, s := range samples {
		if s.Class == "" && s.Ended >= from && s.Ended < to {
			well++
		}
	}
	return shareOf(min(well, due), due, 1).times(offered)
}
