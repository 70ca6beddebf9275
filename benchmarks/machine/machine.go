// Package machine measures what a host itself gives: disk, processor, memory bandwidth, and the network between two hosts. The figures
// are meant to agree with the field's tools (fio, STREAM, iperf3); docs/measurement-drivers.md compares them side by side.
//
// Quantities are paths such as "disk/random-read/4KiB/depth8/throughput". Units are B/s, 1/s, ms and FLOP/s. Every value carries a 95 %
// interval: of rates from batch means (the run is cut into slices and Student's t is applied to their mean; A. M. Law, Simulation
// Modeling and Analysis, 5th ed., 9.5.3), of quantiles from order statistics (H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 7.1).
package machine

import (
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/perf/benchmath"

	"surety/benchmarks"
)

// slice is the length of a batch: long enough that neighbours depend little on each other, short enough that a second has ten.
const slice = 100 * time.Millisecond

// report collects the measurements of one run on one machine.
type report struct {
	at          time.Time
	fingerprint benchmarks.Fingerprint
	all         []benchmarks.Measurement
}

func newReport() *report {
	return &report{at: time.Now(), fingerprint: benchmarks.ThisMachine()}
}

// add keeps one figure; a count of 0 keeps none, since nothing was measured.
func (r *report) add(quantity, unit string, value, low, high float64, count int64, how string) {
	if count == 0 {
		return
	}
	r.all = append(r.all, benchmarks.Measurement{Quantity: quantity, Unit: unit, Value: value, Low: low, High: high, Count: int(count),
		Fingerprint: r.fingerprint, At: r.at, How: how})
}

// rate adds total/took with the interval that the slices give. A slice holds what was done in it.
func (r *report) rate(quantity, unit string, slices []float64, total float64, took time.Duration, count int64, how string) {
	if took <= 0 {
		return
	}
	value := total / took.Seconds()
	low, high := batchMeans(slices)
	r.add(quantity, unit, value, low/slice.Seconds(), high/slice.Seconds(), count, how)
}

// batchMeans gives the 95 % interval of the mean of a slice, and sorts the slices. Callers measure for at least two slices.
func batchMeans(slices []float64) (low, high float64) {
	return bounds(benchmath.AssumeNormal.Summary(benchmath.NewSample(slices, &benchmath.DefaultThresholds), 0.95))
}

// bounds of an interval. What the values say nothing about is unbounded; a number stands for that, since JSON has no infinity.
func bounds(s benchmath.Summary) (low, high float64) {
	return max(0, s.Lo), min(math.MaxFloat64, s.Hi)
}

// shortest is what a rate must be measured for, so that it has an interval.
const shortest = 5 * slice

// median adds the median of repeated runs with its interval by order statistics.
func (r *report) median(quantity, unit string, values []float64, how string) {
	if len(values) == 0 {
		return
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
	low, high := bounds(s)
	r.add(quantity, unit, s.Center, low, high, int64(len(values)), how)
}

// quantiles adds the median, the 99th and the 99.9th percentile of latencies that a histogram holds in nanoseconds, and the largest.
func (r *report) quantiles(prefix string, h *hdrhistogram.Histogram, how string) {
	n := float64(h.TotalCount())
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(100*math.Min(1, math.Max(0, q)))) / 1e6 }
	for _, p := range []struct {
		name string
		q    float64
	}{{"p50", .5}, {"p99", .99}, {"p99.9", .999}} {
		if n*(1-p.q) < 1 {
			continue // fewer values than the quantile needs: it would only repeat the largest
		}
		half := 1.96 * math.Sqrt(p.q*(1-p.q)/n)
		r.add(prefix+"/"+p.name, "ms", at(p.q), at(p.q-half), at(p.q+half), h.TotalCount(), how)
	}
	largest := float64(h.Max()) / 1e6
	r.add(prefix+"/max", "ms", largest, largest, largest, h.TotalCount(), how)
}

// newHistogram holds latencies from 1 ns to 10 min with three significant digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(10*time.Minute), 3)
}

// sizeName writes a number of bytes as people name block sizes: 4KiB, 1MiB, 512B.
func sizeName(n int64) string {
	for _, u := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.bytes && n%u.bytes == 0 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}
