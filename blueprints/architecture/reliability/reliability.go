// Package reliability holds the arithmetic of availability and the published terms it starts from.
// Availabilities are shares of time in [0, 1]. Every combination assumes that components fail independently of each other;
// a shared cause (one region, one faulty release) makes the true figure lower, never higher.
package reliability

import (
	"math"
	"time"
)

// Month is the month that availability objectives are counted in.
const Month = 30 * 24 * time.Hour

// AtLeast gives the availability of n equal parts of which k are needed: the upper tail of the binomial distribution,
// Σ C(n,i) pⁱ (1−p)ⁿ⁻ⁱ for i from k to n. k ≤ 0 is always available, k > n never.
// The lower tail is summed, which is the small one for availabilities near 1, so that those keep their digits.
func AtLeast(k, n int, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	var down float64 // P(fewer than k are up)
	for i := range k {
		down += math.Exp(logChoose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(max(1-down, 0), 1)
}

// logChoose is ln C(n, k).
func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// DownPerMonth gives the expected time without service in a 30-day month, rounded to a second.
func DownPerMonth(availability float64) time.Duration {
	return time.Duration(math.Round((1-availability)*Month.Seconds())) * time.Second
}
