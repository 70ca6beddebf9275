package benchmarks

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Quantile is a percentile with its 95 % interval. The times are exact to three significant digits.
type Quantile struct {
	Percent float64       `json:"percent"` // as 99.9
	Value   time.Duration `json:"value"`   // in nanoseconds when written as JSON
	Low     time.Duration `json:"low"`
	High    time.Duration `json:"high"`
	// Open says that there were too few values to bound it from above: it may lie above High, the greatest value seen.
	Open bool `json:"open,omitempty"`
	// Dispersion is how many times more the tail varied over the run than independent values would: 1 for independent ones. The interval
	// allows for it.
	Dispersion float64 `json:"dispersion"`
}

// Latency is a distribution of latencies, from the intended starts.
type Latency struct {
	Count int64         `json:"count"`
	P50   Quantile      `json:"p50"`
	P90   Quantile      `json:"p90"`
	P95   Quantile      `json:"p95"`
	P99   Quantile      `json:"p99"`
	P999  Quantile      `json:"p999"`
	Mean  time.Duration `json:"mean"`
	Min   time.Duration `json:"min"`
	Max   time.Duration `json:"max"`
	Bars  []Bar         `json:"bars"` // the histogram, ten bars to a power of ten, those between the first and the last that are empty too
}

// Bar counts latencies up to a bound and above that of the bar before.
type Bar struct {
	To    time.Duration `json:"to"`
	Count int64         `json:"count"`
}

// maxBlocks is how many parts of a run are kept apart, to see how the tail varies over it.
const maxBlocks = 64

// distribution gathers latencies.
type distribution struct {
	all    *hdrhistogram.Histogram
	blocks []*hdrhistogram.Histogram // each of length block, by intended start
	block  time.Duration
}

func newDistribution() *distribution {
	return &distribution{all: newHistogram(3), block: 100 * time.Millisecond}
}

func (d *distribution) add(at, latency time.Duration) {
	value := clip(latency)
	_ = d.all.RecordValue(value) // cannot fail: it is within the bounds
	for at >= maxBlocks*d.block {
		d.halve()
	}
	i := int(max(at, 0) / d.block)
	for len(d.blocks) <= i {
		d.blocks = append(d.blocks, newHistogram(2))
	}
	_ = d.blocks[i].RecordValue(value)
}

// halve joins blocks two by two.
func (d *distribution) halve() {
	d.block *= 2
	joined := d.blocks[:0]
	for i := 0; i < len(d.blocks); i += 2 {
		if i+1 < len(d.blocks) {
			d.blocks[i].Merge(d.blocks[i+1])
		}
		joined = append(joined, d.blocks[i])
	}
	clear(d.blocks[len(joined):])
	d.blocks = joined
}

func (d *distribution) result() Latency {
	l := Latency{Count: d.all.TotalCount()}
	if l.Count == 0 {
		return l
	}
	l.P50, l.P90, l.P95, l.P99, l.P999 = d.quantile(50), d.quantile(90), d.quantile(95), d.quantile(99), d.quantile(99.9)
	l.Mean = time.Duration(d.all.Mean())
	l.Min, l.Max = time.Duration(d.all.Min()), time.Duration(d.all.Max())
	l.Bars = d.bars()
	return l
}

func (d *distribution) bars() []Bar {
	const perDecade = 10
	bound := func(i int) time.Duration {
		return time.Duration(math.Round(float64(leastTime) * math.Pow(10, float64(i)/perDecade)))
	}
	var bars []Bar
	i := 0
	for _, fine := range d.all.Distribution() {
		if fine.Count == 0 {
			continue
		}
		for time.Duration(fine.To) > bound(i) {
			if i++; len(bars) > 0 {
				bars = append(bars, Bar{To: bound(i)})
			}
		}
		if len(bars) == 0 {
			bars = append(bars, Bar{To: bound(i)})
		}
		bars[len(bars)-1].Count += fine.Count
	}
	return bars
}

func (d *distribution) quantile(percent float64) Quantile {
	n := d.all.TotalCount()
	q := Quantile{Percent: percent, Value: time.Duration(d.all.ValueAtPercentile(percent)), Dispersion: 1}
	q.Dispersion = d.dispersion(int64(q.Value))
	// n values that vary so much more say as much as this many independent ones.
	effective := max(1, int(float64(n)/q.Dispersion))
	low, high := ranks(effective, percent/100)
	scale := float64(n) / float64(effective)
	if q.Low = time.Duration(d.all.Min()); low >= 1 {
		q.Low = d.atRank(float64(low)*scale, n)
	}
	if high <= effective {
		q.High = d.atRank(math.Ceil(float64(high)*scale), n)
	} else {
		q.High, q.Open = time.Duration(d.all.Max()), true
	}
	q.Low, q.High = min(q.Low, q.Value), max(q.High, q.Value)
	return q
}

func (d *distribution) atRank(rank float64, n int64) time.Duration {
	return time.Duration(d.all.ValueAtPercentile(100 * math.Floor(rank) / float64(n)))
}

func (d *distribution) dispersion(value int64) float64 {
	totals, beyond := make([]int64, len(d.blocks)), make([]int64, len(d.blocks))
	for i, block := range d.blocks {
		totals[i] = block.TotalCount()
		for _, bar := range block.Distribution() {
			if bar.Count > 0 && bar.From > value {
				beyond[i] += bar.Count
			}
		}
	}
	return dispersion(totals, beyond)
}
