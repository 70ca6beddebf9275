package knee

import (
	"context"
	"fmt"
	"math"
)

// Search says where to look, and how hard.
type Search struct {
	Limits Limits
	Start  float64 // operations per second to begin with
	Most   float64 // not to be gone beyond
	// Tolerance is how far apart, as a share, the highest rate that holds and the lowest that does not may be in the end. 0 means 0.05.
	Tolerance float64
	// Trials bounds how many runs are made. 0 means 40.
	Trials int
	// Progress is told each trial and what it broke, "" when it held. May be nil.
	Progress func(t Trial, breach string)
}

// Knee is what a search found.
type Knee struct {
	// Rate is the highest rate, in operations per second, that held, and held again when confirmed; 0 when none did.
	Rate float64
	// Above is the lowest rate that did not hold, and again did not; 0 when none was found.
	Above float64
	// Breach is what broke there.
	Breach string
	// Open says why the target's own knee may be higher than Rate, "" when it is not: Most was reached, the generator could not do
	// more, or the trials ran out.
	Open   string
	Trials []Trial
}

// least is the share of Start below which no rate is tried.
const least = 1.0 / 256

// Find looks for the knee: it doubles or halves the rate until one holds and one does not, then halves the gap by the geometric mean.
// Where a trial is near the limits, two of up to three decide, and the rate found is confirmed in the same way: latency near
// saturation varies, and one lucky run is no finding. trial runs the target at a rate; it should leave no queue behind.
// The error is that of a trial, or of the context; the knee then holds what is known so far.
func Find(ctx context.Context, search Search, trial func(ctx context.Context, rate float64) (Trial, error)) (Knee, error) {
	if search.Tolerance == 0 {
		search.Tolerance = 0.05
	}
	if search.Trials == 0 {
		search.Trials = 40
	}
	if search.Start <= 0 || search.Most < search.Start || search.Tolerance < 0 {
		return Knee{}, fmt.Errorf("find the knee: from %g/s, at most %g/s, tolerance %g", search.Start, search.Most, search.Tolerance)
	}
	f := &finder{Search: search, trial: trial}
	err := f.find(ctx)
	return f.knee, err
}

type finder struct {
	Search
	trial func(context.Context, float64) (Trial, error)
	knee  Knee
	ended bool // no more trials make sense
}

func (f *finder) find(ctx context.Context) error {
	if err := f.bracket(ctx); err != nil || f.ended {
		return err
	}
	for {
		for f.knee.Above > f.knee.Rate*(1+f.Tolerance) && !f.ended {
			if _, err := f.holds(ctx, math.Sqrt(f.knee.Rate*f.knee.Above), false); err != nil {
				return err
			}
		}
		if f.ended || f.knee.Rate == 0 {
			return nil
		}
		// The last word: the rate found must hold again, however clearly it did. When it does not, it is the new upper end.
		rate := f.knee.Rate
		held, err := f.holds(ctx, rate, true)
		if err != nil || held || f.ended {
			return err
		}
		f.knee.Rate = 0
		if err := f.down(ctx, rate); err != nil || f.ended {
			return err
		}
	}
}

// bracket finds a rate that holds and one that does not.
func (f *finder) bracket(ctx context.Context) error {
	for rate := f.Start; ; rate = min(2*rate, f.Most) {
		held, err := f.holds(ctx, rate, false)
		switch {
		case err != nil || f.ended:
			return err
		case !held && f.knee.Rate == 0:
			return f.down(ctx, rate)
		case !held:
			return nil
		case rate == f.Most:
			f.end(fmt.Sprintf("%g/s, the most that was to be tried, holds", f.Most))
			return nil
		}
	}
}

// down goes down from a rate that does not hold to one that does.
func (f *finder) down(ctx context.Context, from float64) error {
	step := 2.0
	if f.knee.Rate == 0 && from < f.knee.Above*1.001 && len(f.knee.Trials) > 4 {
		step = 1 + 2*f.Tolerance // it was near: a failed confirmation
	}
	for rate := from / step; rate >= f.Start*least; rate /= step {
		held, err := f.holds(ctx, rate, false)
		if err != nil || held || f.ended {
			return err
		}
		step = min(step*step, 2)
	}
	f.ended = true // nothing holds
	return nil
}

// holds tries a rate, as often as it takes to decide, and moves an end of the gap there.
func (f *finder) holds(ctx context.Context, rate float64, confirm bool) (bool, error) {
	held, broke, breach := 0, 0, ""
	for held < 2 && broke < 2 {
		if len(f.knee.Trials) >= f.Trials {
			f.end(fmt.Sprintf("%d trials were made, and no more were to be", f.Trials))
			return false, nil
		}
		t, err := f.trial(ctx, rate)
		if err != nil {
			return false, fmt.Errorf("try %.4g/s: %w", rate, err)
		}
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		f.knee.Trials = append(f.knee.Trials, t)
		why := f.Limits.breach(t)
		if f.Progress != nil {
			f.Progress(t, why)
		}
		if why != "" && f.Limits.excused(t) {
			// Once may be another process's doing; twice ends the search.
			if broke++; broke == 2 {
				f.end(fmt.Sprintf("at %.4g/s %s", rate, t.Generator))
				return false, nil
			}
			continue
		}
		if why == "" {
			held++
		} else {
			broke, breach = broke+1, why
		}
		if !confirm && held+broke == 1 && f.Limits.decisive(t) {
			break
		}
	}
	if held > broke {
		f.knee.Rate = max(f.knee.Rate, rate)
		return true, nil
	}
	f.knee.Above, f.knee.Breach = rate, breach
	return false, nil
}

func (f *finder) end(why string) {
	f.knee.Open = why
	f.ended = true
}
