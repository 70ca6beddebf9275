package knee

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// model is a target whose latency rises from 10 ms at its capacity to far above the limit, with noise.
func model(capacity, noise float64) func(context.Context, float64) (Trial, error) {
	random := rand.New(rand.NewPCG(7, 8))
	return func(_ context.Context, rate float64) (Trial, error) {
		effective := capacity * (1 + noise*random.NormFloat64())
		t := Trial{Rate: rate, Achieved: min(rate, effective), P95: 10 * time.Millisecond, Count: int(rate)}
		if over := rate/effective - 1; over > 0 {
			t.P95 += time.Duration(over * float64(2*time.Second))
		}
		return t, nil
	}
}

var limits = Limits{P95: 50 * time.Millisecond, Errors: 0.001}

func TestKneeOfModels(t *testing.T) {
	for _, noise := range []float64{0, 0.01, 0.03} {
		for _, capacity := range []float64{3, 90, 333, 7000} {
			knee, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 100000, Tolerance: 0.03}, model(capacity, noise))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("capacity %g, noise %g: %.4g to %.4g in %d trials", capacity, noise, knee.Rate, knee.Above, len(knee.Trials))
			if knee.Rate < capacity*0.9 || knee.Rate > capacity*1.1 || knee.Above <= knee.Rate || knee.Breach == "" || knee.Open != "" {
				t.Errorf("capacity %g: %+v", capacity, knee)
			}
		}
	}
}

func TestKneesThatStayOpen(t *testing.T) {
	most, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 700}, model(1e6, 0))
	if err != nil || most.Rate != 700 || !strings.Contains(most.Open, "700/s, the most") {
		t.Errorf("%v %+v", err, most)
	}
	generator, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 1e6}, func(ctx context.Context, rate float64) (Trial, error) {
		trial, err := model(1000, 0)(ctx, rate)
		if rate > 1000 {
			trial.Generator, trial.Lag = "the generator ran behind", trial.P95
		}
		return trial, err
	})
	if err != nil || generator.Rate < 500 || generator.Rate > 1000 || !strings.Contains(generator.Open, "ran behind") {
		t.Errorf("%v %+v", err, generator)
	}
	// A lag that is too little to explain the breach excuses nothing.
	little, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 1e6}, func(ctx context.Context, rate float64) (Trial, error) {
		trial, err := model(1000, 0)(ctx, rate)
		trial.Generator, trial.Lag = "the generator ran behind", 6*time.Millisecond
		return trial, err
	})
	if err != nil || little.Rate < 900 || little.Rate > 1050 {
		t.Errorf("%v %+v", err, little)
	}
	few, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 1e6, Trials: 6}, model(1000, 0))
	if err != nil || len(few.Trials) != 6 || few.Open == "" {
		t.Errorf("%v %+v", err, few)
	}
	never, err := Find(t.Context(), Search{Limits: Limits{P95: time.Millisecond}, Start: 100, Most: 1e6}, model(1000, 0))
	if err != nil || never.Rate != 0 || never.Above == 0 || never.Breach == "" {
		t.Errorf("%v %+v", err, never)
	}
	broken := errors.New("no route")
	if _, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 1000}, func(context.Context, float64) (Trial, error) { return Trial{}, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// A rate that held once by luck is taken back when it does not hold again.
func TestLuckIsTakenBack(t *testing.T) {
	lucky := true
	real := model(100, 0)
	knee, err := Find(t.Context(), Search{Limits: limits, Start: 100, Most: 100000}, func(ctx context.Context, rate float64) (Trial, error) {
		if rate > 110 && rate < 250 && lucky {
			lucky = false
			return Trial{Rate: rate, Achieved: rate, P95: time.Millisecond, Count: 100}, nil
		}
		return real(ctx, rate)
	})
	if err != nil || knee.Rate < 90 || knee.Rate > 110 {
		t.Errorf("%v %+v", err, knee)
	}
}

// All is answered, only later and later: latency alone is the limit.
func TestLatencyIsALimit(t *testing.T) {
	knee, err := Find(t.Context(), Search{Limits: limits, Start: 10, Most: 10000}, func(_ context.Context, rate float64) (Trial, error) {
		return Trial{Rate: rate, Achieved: rate, P95: time.Duration(rate * float64(time.Millisecond) / 4), Count: 1000}, nil
	})
	if err != nil || knee.Rate < 190 || knee.Rate > 200 || !strings.Contains(knee.Breach, "p95") {
		t.Errorf("%v %+v", err, knee)
	}
}

func TestErrorsAreALimit(t *testing.T) {
	knee, err := Find(t.Context(), Search{Limits: limits, Start: 10, Most: 10000}, func(_ context.Context, rate float64) (Trial, error) {
		trial := Trial{Rate: rate, Achieved: rate, P95: time.Millisecond, Count: 1000}
		if rate > 200 {
			trial.Errors, trial.Achieved = 1-200/rate, 200
		}
		return trial, nil
	})
	if err != nil || knee.Rate < 180 || knee.Rate > 205 || !strings.Contains(knee.Breach, "failed") {
		t.Errorf("%v %+v", err, knee)
	}
}
