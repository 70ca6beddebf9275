package benchmarks

import (
	"math"
	"testing"
	"time"
)

func TestSchedules(t *testing.T) {
	for _, test := range []struct {
		name     string
		schedule Schedule
		count    int
		at       map[int]time.Duration
	}{
		{"constant", Constant(200, 10*time.Second), 2000, map[int]time.Duration{0: 0, 1: 5 * time.Millisecond, 1999: 9995 * time.Millisecond}},
		{"constant, a rate that binary fractions only approach", Constant(0.1, 30*time.Second), 3, map[int]time.Duration{2: 20 * time.Second}},
		// N(t) = 10t²: operation n is due at sqrt(n/10).
		{"ramp from nothing", Ramp(0, 200, 10*time.Second), 1000, map[int]time.Duration{0: 0, 10: time.Second, 250: 5 * time.Second}},
		// N(t) = 200t - 10t².
		{"ramp to nothing", Ramp(200, 0, 10*time.Second), 1000, map[int]time.Duration{190: time.Second, 750: 5 * time.Second}},
		{"steps", Steps([]float64{10, 100}, time.Second), 110, map[int]time.Duration{9: 900 * time.Millisecond, 10: time.Second, 11: 1010 * time.Millisecond}},
		{"spike", Spike(10, 1000, time.Second, time.Second, time.Second), 1020,
			map[int]time.Duration{10: time.Second, 11: 1001 * time.Millisecond, 1010: 2 * time.Second, 1011: 2100 * time.Millisecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n, last := 0, time.Duration(-1)
			for {
				at, ok := test.schedule.At(n)
				if !ok {
					break
				}
				if at <= last || at >= test.schedule.Length() {
					t.Fatalf("operation %d is due at %v, after %v, in a schedule of %v", n, at, last, test.schedule.Length())
				}
				n, last = n+1, at
			}
			if n != test.count {
				t.Errorf("%d operations, want %d", n, test.count)
			}
			for n, want := range test.at {
				if at, _ := test.schedule.At(n); math.Abs(float64(at-want)) > float64(time.Microsecond) {
					t.Errorf("operation %d is due at %v, want %v", n, at, want)
				}
			}
		})
	}
}
