package reliability

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"
)

// AtLeast must equal the sum over every combination of parts that are up.
func TestAtLeastEqualsEnumeration(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 13 {
		for k := range n + 2 {
			for _, p := range []float64{0, 0.5, 0.9, 0.995, 0.9999, 1, r.Float64()} {
				want := 0.0
				for up := range 1 << n {
					if bits.OnesCount(uint(up)) >= k {
						want += math.Pow(p, float64(bits.OnesCount(uint(up)))) * math.Pow(1-p, float64(n-bits.OnesCount(uint(up))))
					}
				}
				if got := AtLeast(k, n, p); math.Abs(got-want) > 1e-12 {
					t.Errorf("AtLeast(%d, %d, %v) = %v, enumeration gives %v", k, n, p, got, want)
				}
			}
		}
	}
}

func TestKnownFigures(t *testing.T) {
	for _, tc := range []struct{ got, want float64 }{
		{AtLeast(1, 2, 0.995), 0.999975},
		{AtLeast(2, 3, 0.9), 0.972},
		{AtLeast(1, 1, 0.995), 0.995},
	} {
		if math.Abs(tc.got-tc.want) > 1e-12 {
			t.Errorf("got %v, want %v", tc.got, tc.want)
		}
	}
	if got := DownPerMonth(0.999); got != 43*time.Minute+12*time.Second {
		t.Errorf("99.9 %% of 30 days leave %v, want 43m12s", got)
	}
}

func TestLaws(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	const rounding = 1e-12
	for range 20000 {
		n := 1 + r.IntN(40)
		k, p := 1+r.IntN(n), 1-math.Pow(10, -5*r.Float64())
		a := AtLeast(k, n, p)
		if a < 0 || a > 1 {
			t.Fatalf("AtLeast(%d, %d, %v) = %v is no share", k, n, p, a)
		}
		if more := AtLeast(k, n+1, p); more < a-rounding {
			t.Fatalf("one more of %d lowers %v to %v (k %d, p %v)", n, a, more, k, p)
		}
		if harder := AtLeast(k+1, n, p); harder > a+rounding {
			t.Fatalf("needing one more of %d raises %v to %v (k %d, p %v)", n, a, harder, k, p)
		}
		if better := AtLeast(k, n, p+(1-p)*r.Float64()); better < a-rounding {
			t.Fatalf("better parts lower %v to %v", a, better)
		}
	}
}

func FuzzAtLeast(f *testing.F) {
	f.Add(1, 2, 0.995)
	f.Add(-1, 0, math.NaN())
	f.Fuzz(func(t *testing.T, k, n int, p float64) {
		if n > 1000 {
			return
		}
		if a := AtLeast(k, n, p); !math.IsNaN(p) && (math.IsNaN(a) || a < 0 || a > 1) {
			t.Errorf("AtLeast(%d, %d, %v) = %v", k, n, p, a)
		}
	})
}
