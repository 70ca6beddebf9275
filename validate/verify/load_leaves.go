package verify

import (
	"fmt"
	"math"
	"time"

	"surety/benchmarks"
	"surety/validate"
)

// The rule for a figure with an interval: met when the whole interval meets the limit, broken when the whole of it breaks it, and else
// unproven.

// rateLeaf requires a rate. Where a share of failures is allowed, that much less need end well.
func (d *driving) rateLeaf(least, errors float64) func(*loadRun) finding {
	return func(r *loadRun) finding {
		f := finding{got: fmt.Sprintf("%s%s", figure(r.rate, r.Unit), offeredOf(r)), want: "≥ " + short(least) + " " + r.Unit}
		switch limit := least * (1 - errors); {
		case r.Result.Total.Count == 0:
			f.state, f.lack = validate.Unproven, "nothing was measured: drive it longer, with surety verify --suite load --load "+longer(4*d.length)
		case r.rate.low >= limit:
			f.state = validate.Pass
		case r.rate.high < limit:
			f.state = validate.Fail
		default:
			f.state, f.lack = validate.Unproven, d.wide(4*d.length)
		}
		return f
	}
}

func offeredOf(r *loadRun) string {
	if r.Offered == 0 {
		return ""
	}
	return fmt.Sprintf(" of %s offered", short(r.Offered))
}

// p95Leaf requires a latency.
func (d *driving) p95Leaf(most time.Duration) func(*loadRun) finding {
	return func(r *loadRun) finding {
		q := r.Result.Total.Latency.P95
		f := finding{got: "p95 " + quantileText(q) + " " + r.at, want: "≤ " + milliseconds(most) + " ms"}
		switch count := r.Result.Total.Latency.Count; {
		case count == 0:
			f.state, f.got, f.lack = validate.Unproven, "no latency "+r.at, "nothing was measured: drive it longer, with surety verify --suite load --load "+longer(4*d.length)
		case q.High <= most && !q.Open:
			f.state = validate.Pass
		case q.Low > most:
			f.state = validate.Fail
		case q.Open:
			f.state, f.lack = validate.Unproven, fmt.Sprintf("%d operations are too few to bound it: drive it longer, with surety verify --suite load --load %s", count, longer(4*d.length))
		default:
			f.state, f.lack = validate.Unproven, d.wide(4*d.length)
		}
		return f
	}
}

// errorsLeaf requires a share of failures, 0 to 1.
func (d *driving) errorsLeaf(most float64) func(*loadRun) finding {
	return func(r *loadRun) finding {
		i, g := failures(r.Result), r.Result.Total
		f := finding{got: fmt.Sprintf("%s of %d failed %s", figure(i.times(100), "%"), g.Count, r.at), want: "≤ " + short(100*most) + " %"}
		switch {
		case i.high <= most:
			f.state = validate.Pass
		case i.low > most:
			f.state = validate.Fail
		case g.Failed == 0 && d.offered > 0:
			f.state = validate.Unproven
			f.lack = fmt.Sprintf("it takes %d operations without a failure to show so small a share: surety verify --suite load --load %s", clean(most), longer(lengthFor(most, d.offered)))
		default:
			f.state, f.lack = validate.Unproven, d.wide(4*d.length)
		}
		return f
	}
}

// kindLeaf requires that one kind of operation is part of the load and is answered at all.
func (d *driving) kindLeaf(op string) func(*loadRun) finding {
	return func(r *loadRun) finding {
		g := r.Result.ByOp[op]
		f := finding{got: fmt.Sprintf("%s: %d times, p95 %s, %s %% failed %s", op, g.Count, quantileText(g.Latency.P95), short(100*g.ErrorRate()), r.at), want: "answered"}
		switch {
		case g.Count == 0:
			f.state, f.got, f.lack = validate.Unproven, op+": not done", "the run was too short for it: surety verify --suite load --load "+longer(4*d.length)
		case g.Failed == g.Count:
			f.state, f.got = validate.Fail, fmt.Sprintf("%s: each of %d failed: %s", op, g.Count, classes(g))
		default:
			f.state = validate.Pass
		}
		return f
	}
}

func (d *driving) wide(length time.Duration) string {
	return "the limit lies within the 95 % interval: drive it longer, with surety verify --suite load --load " + longer(length)
}

// lengthFor is how long a run must be for a share of failures this small to be shown, when nothing fails.
func lengthFor(errors, rate float64) time.Duration {
	if errors <= 0 || rate <= 0 {
		return 0
	}
	measured := time.Duration(math.Ceil(float64(clean(errors))/rate)) * time.Second
	return measured + min(2*time.Second, max(time.Second, measured/5)) + time.Second // with its warm-up
}

func figure(i interval, unit string) string {
	return short(i.value) + " " + unit + span(i.low, i.value, i.high)
}

func quantileText(q benchmarks.Quantile) string {
	text := milliseconds(q.Value) + " ms"
	switch {
	case q.Open:
		text += fmt.Sprintf(" [%s, ?]", milliseconds(q.Low))
	case q.Low < q.High:
		text += fmt.Sprintf(" [%s, %s]", milliseconds(q.Low), milliseconds(q.High))
	}
	return text
}
