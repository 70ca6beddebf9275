package baseline

import (
	"math"
	"slices"

	"github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchmath"
)

// Interval is an estimate with the bounds that hold the true value with the stated confidence, as far as the assumptions hold.
type Interval struct {
	Center     float64 `json:"center"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Confidence float64 `json:"confidence"` // in (0, 1)
}

// finite says whether there were enough runs for both bounds.
func (i Interval) finite() bool { return !math.IsInf(i.Low, 0) && !math.IsInf(i.High, 0) }

// flip turns the sign, so that a gain becomes a loss.
func (i Interval) flip() Interval {
	return Interval{Center: -i.Center, Low: -i.High, High: -i.Low, Confidence: i.Confidence}
}

// widen stretches the interval about its centre by a factor.
func (i Interval) widen(by float64) Interval {
	if by != 1 && i.finite() {
		i.Low, i.High = i.Center-(i.Center-i.Low)*by, i.Center+(i.High-i.Center)*by
	}
	return i
}

func (i Interval) each(f func(float64) float64) Interval {
	i.Center, i.Low, i.High = f(i.Center), f(i.Low), f(i.High)
	return i
}

// median gives the sample's median with its distribution-free interval from order statistics (benchmath.AssumeNothing).
func median(values []float64, alpha float64) Interval {
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), 1-alpha)
	return Interval{Center: s.Center, Low: s.Lo, High: s.Hi, Confidence: s.Confidence}
}

// shift estimates by how much new lies above old, as the median of all pairwise differences, with the interval that inverts the
// Mann-Whitney test: exact up to 50 runs on either side and without ties, conservative with them, by the normal approximation above.
// Sources: Hodges, Lehmann (1963), Annals of Mathematical Statistics 34:598–611; Bauer (1972), JASA 67:687–690.
func shift(old, new []float64, alpha float64) Interval {
	differences := make([]float64, 0, len(old)*len(new))
	for _, o := range old {
		for _, n := range new {
			differences = append(differences, n-o)
		}
	}
	slices.Sort(differences)
	i := Interval{Center: middle(differences), Low: math.Inf(-1), High: math.Inf(1), Confidence: 1}
	if k, confidence := rankBound(len(old), len(new), alpha); k > 0 {
		i.Low, i.High, i.Confidence = differences[k-1], differences[len(differences)-k], confidence
	}
	return i
}

// rankBound gives the largest k for which P(U < k) ≤ alpha/2, and the confidence of the interval between the k-th difference
// from below and from above; 0 when there are too few runs for any.
func rankBound(n1, n2 int, alpha float64) (int, float64) {
	if n1 > stats.MannWhitneyExactLimit || n2 > stats.MannWhitneyExactLimit {
		mean, deviation := float64(n1*n2)/2, math.Sqrt(float64(n1*n2*(n1+n2+1))/12)
		k := math.Floor(mean - quantile(1-alpha/2)*deviation)
		if k < 1 {
			return 0, 1
		}
		return int(k), 1 - alpha
	}
	u, k, tail := stats.UDist{N1: n1, N2: n2}, 0, 0.0
	for below, above := 1, n1*n2/2; below <= above; { // bisection: the distribution function does not fall
		at := (below + above) / 2
		if p := u.CDF(float64(at - 1)); p <= alpha/2 {
			k, tail, below = at, p, at+1
		} else {
			above = at - 1
		}
	}
	return k, 1 - 2*tail
}

// fewestRuns is how many runs each side needs for an interval at this alpha: the smallest n with 2/C(2n, n) ≤ alpha.
func fewestRuns(alpha float64) int {
	n, ways := 1, 2.0
	for ; 2/ways > alpha && n < 500; n++ {
		ways *= float64(2*(2*n+1)) / float64(n+1)
	}
	return max(n, minRuns)
}

// middle is the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// quantile is the standard normal distribution's.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
