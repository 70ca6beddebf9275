package baseline

import (
	"cmp"
	"slices"
)

// maxCorrelation bounds what the correction assumes. At 0.8 an interval is three times as wide as for independent runs.
const maxCorrelation = 0.8

// inflation gives the factor by which the variance of a location grows because neighbouring runs resemble each other: (1+ρ)/(1−ρ)
// of a first-order autoregression, never below 1. Each series is in the order in which its runs were taken.
//
// ρ is estimated on ranks, so that an outlier does not hide it, and corrected for the bias of a short series, E r ≈ ρ − (1+4ρ)/n.
// Sources: Bayley, Hammersley (1946), Supplement to the JRSS 8:184–197; Marriott, Pope (1954), Biometrika 41:390–402.
func inflation(series ...[]float64) float64 {
	var products, squares, runs float64
	for _, s := range series {
		p, q := neighbours(ranks(s))
		products, squares, runs = products+p, squares+q, runs+float64(len(s))
	}
	if squares == 0 {
		return 1 // constant series have no order to see
	}
	n := runs / float64(len(series))
	if n < minRuns {
		return (1 + maxCorrelation) / (1 - maxCorrelation)
	}
	ρ := (n*products/squares + 1) / (n - 4)
	ρ = min(max(ρ, 0), maxCorrelation)
	return (1 + ρ) / (1 - ρ)
}

// neighbours gives the sum of products of neighbouring deviations from the mean, and the sum of squared deviations.
func neighbours(x []float64) (products, squares float64) {
	mean := 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for i, v := range x {
		squares += (v - mean) * (v - mean)
		if i > 0 {
			products += (v - mean) * (x[i-1] - mean)
		}
	}
	return products, squares
}

// ranks gives each value's place in order, ties sharing the mean of theirs.
func ranks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	out := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for _, at := range order[i:j] {
			out[at] = float64(i+j-1) / 2
		}
		i = j
	}
	return out
}

// holm corrects p-values for how many were looked at: the chance of any false alarm among them stays below alpha.
// Source: Holm (1979), Scandinavian Journal of Statistics 6:65–70.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	out, most := make([]float64, len(p)), 0.0
	for step, at := range order {
		most = max(most, min(1, p[at]*float64(len(p)-step)))
		out[at] = most
	}
	return out
}
