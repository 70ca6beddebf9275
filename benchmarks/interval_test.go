package benchmarks

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Of intervals at 95 %, about 95 in 100 hold the true quantile; here for exponential latencies, whose quantiles are known.
func TestIntervalsCover(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, test := range []struct {
		n       int
		percent float64
	}{{20, 50}, {200, 50}, {200, 95}, {1000, 99}, {3000, 99.9}, {20000, 99}} {
		const rounds = 400
		covered, trueValue := 0, time.Duration(-math.Log(1-test.percent/100)*float64(10*time.Millisecond))
		for range rounds {
			d := newDistribution()
			for range test.n {
				d.add(0, time.Duration(random.ExpFloat64()*float64(10*time.Millisecond)))
			}
			if q := d.quantile(test.percent); q.Low <= trueValue && (q.Open || trueValue <= q.High) {
				covered++
			}
		}
		share := float64(covered) / rounds
		t.Logf("p%v of %d: %.3f", test.percent, test.n, share)
		if share < 0.92 {
			t.Errorf("p%v of %d values: %.1f %% of the 95 %% intervals hold the true value", test.percent, test.n, 100*share)
		}
	}
}

// Latencies that come in bouts say less than as many independent ones; an interval that ignores it is too narrow.
func TestIntervalsCoverBouts(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	const rounds, seconds, perSecond = 200, 20, 100
	// Each second is slow with probability 0.1; slow seconds have latencies of 100 to 200 ms, others of 1 to 2 ms. p95 is 150 ms.
	trueValue := 150 * time.Millisecond
	covered, naive := 0, 0
	for range rounds {
		d, alone := newDistribution(), newDistribution()
		for second := range seconds {
			unit := time.Millisecond
			if random.Float64() < 0.1 {
				unit = 100 * time.Millisecond
			}
			for i := range perSecond {
				at := time.Duration(second)*time.Second + time.Duration(i)*time.Second/perSecond
				latency := unit + time.Duration(random.Float64()*float64(unit))
				d.add(at, latency)
				alone.add(0, latency)
			}
		}
		if q := d.quantile(95); q.Low <= trueValue && (q.Open || trueValue <= q.High) {
			covered++
		}
		if q := alone.quantile(95); q.Low <= trueValue && (q.Open || trueValue <= q.High) {
			naive++
		}
	}
	t.Logf("of %d intervals %d hold the true value, without regard for bouts %d", rounds, covered, naive)
	if covered < rounds*7/10 || naive >= covered {
		t.Errorf("of %d intervals %d hold the true value, without regard for bouts %d", rounds, covered, naive)
	}
}

func TestTooFewValuesAreSaidToBe(t *testing.T) {
	d := newDistribution()
	for i := range 100 {
		d.add(0, time.Duration(i+1)*time.Millisecond)
	}
	if q := d.quantile(99.9); !q.Open {
		t.Errorf("100 values bound p99.9: %+v", q)
	}
	if q := d.quantile(50); q.Open || q.Low < 38*time.Millisecond || q.High > 62*time.Millisecond {
		t.Errorf("the median of 1..100 ms has its 95 %% interval at ranks 40 and 61: %+v", q)
	}
}
