package benchmarks

import (
	"math"

	"github.com/aclements/go-moremath/stats"
)

// confidence of all intervals here.
const confidence = 0.95

// exactBelow is up to how many expected values beyond the quantile the binomial distribution is summed exactly; above, the normal
// approximation is good to far below the width of the interval.
const exactBelow = 100

// ranks gives the order statistics, counted from 1, between which the q-quantile of what n independent values were drawn from lies
// with the confidence above. The number of values below the quantile is binomial(n, q), whatever the distribution
// (H. David, H. Nagaraja, Order Statistics, 3rd ed., §7.1; W. Meeker, G. Hahn, L. Escobar, Statistical Intervals, 2nd ed., §5.2).
// low 0 or high n+1 means that so few values do not bound it on that side.
func ranks(n int, q float64) (low, high int) {
	if n == 0 {
		return 0, 1
	}
	const tail = (1 - confidence) / 2
	switch beyond := float64(n) * (1 - q); {
	case beyond <= exactBelow:
		// Counted from above: as many values lie beyond the quantile as k of n with probability 1-q each.
		k, m := tails(n, 1-q, tail)
		return n - m, n - k + 1
	case float64(n)*q <= exactBelow:
		k, m := tails(n, q, tail)
		return k, m + 1
	default:
		ci := stats.QuantileCI(n, q, confidence)
		return max(0, ci.LoOrder), min(n+1, ci.HiOrder)
	}
}

// tails gives the largest k with P(X < k) <= tail and the smallest m with P(X > m) <= tail, for X binomial(n, p) with n·p <= exactBelow.
func tails(n int, p, tail float64) (k, m int) {
	density := math.Exp(float64(n) * math.Log1p(-p))
	var below float64 // P(X < i)
	for i := 0; i <= n; i++ {
		if below <= tail {
			k = i
		}
		below += density
		if 1-below <= tail {
			return k, i
		}
		density *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return k, n
}

// dispersion is by how much the counts of values beyond a quantile vary more from block to block of a run than independent values
// would let them: Pearson's statistic over its degrees of freedom (P. McCullagh, J. Nelder, Generalized Linear Models, 2nd ed., §4.5).
// Latencies come in bouts, as when a queue builds up, so that n of them say less than n independent ones. An interval for the
// share, so widened, is read back as one for the quantile (R. Woodruff, J. Am. Stat. Assoc. 47 (1952) 635). At least 1.
func dispersion(totals, beyond []int64) float64 {
	const enough = 8 // blocks; with fewer the estimate says nothing
	var n, k float64
	blocks := 0
	for i := range totals {
		n += float64(totals[i])
		k += float64(beyond[i])
		if totals[i] > 0 {
			blocks++
		}
	}
	if blocks < enough || k == 0 || k == n {
		return 1
	}
	p := k / n
	var sum float64
	for i := range totals {
		if expected := float64(totals[i]) * p; expected > 0 {
			diff := float64(beyond[i]) - expected
			sum += diff * diff / (expected * (1 - p))
		}
	}
	return max(1, sum/float64(blocks-1))
}
