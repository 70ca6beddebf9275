package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"surety/benchmarks/baseline"
	"surety/validate"
	"surety/validate/verify/facts"
)

// baselineTimeout bounds the suite: a dozen rounds of runs of a second or two of each quantity.
const baselineTimeout = 30 * time.Minute

// baselines measures again what the newest saved baseline holds and compares. It judges no requirement: a system may be slower than it
// was and still do what is required of it, and the other way about. Where nothing was saved there is nothing to compare with, so that the
// suite is absent, or says so when it was asked for by name.
func baselines(s *facts.Subject, in Input) []longCheck {
	if !in.full(Baseline) || in.Baselines == "" {
		return nil
	}
	k := longCheck{id: "baseline/latest", aside: true, timeout: baselineTimeout}
	old, err := baseline.Open(in.Baselines).Load("latest")
	switch {
	case errors.Is(err, baseline.ErrNone) && len(in.Only) == 0:
		return nil
	case errors.Is(err, baseline.ErrNone):
		k.run = func(context.Context, func(Detail)) verdict {
			return unproven("nothing was saved to compare with; surety baseline save does")
		}
	case err != nil:
		k.run = func(context.Context, func(Detail)) verdict { return unproven(err.Error()) }
	default:
		k.run = func(ctx context.Context, measured func(Detail)) verdict {
			plan := planBaseline(s, in)
			now, err := plan.Take(ctx, "now", baseline.DefaultRuns, func(p BaselineProgress) { in.progress(k.id, p.String()) })
			if err != nil {
				return unproven(err.Error())
			}
			compared := baseline.Compare(old.Record, now, baseline.Options{})
			measured(BaselineDetail(compared))
			r := BaselineResult(compared)
			return verdict{state: r.State, summary: r.Summary, evidence: r.Evidence}
		}
	}
	return []longCheck{k}
}

// String says "12 of 91 runs, servers.web p95, about 40 s left".
func (p BaselineProgress) String() string {
	text := fmt.Sprintf("%d of %d runs, %s", p.Done, p.Total, p.Doing)
	if p.Left > 0 {
		text += fmt.Sprintf(", about %s left", p.Left.Round(time.Second))
	}
	return text
}

// BaselineDetail keeps a comparison beside the verdicts.
func BaselineDetail(c baseline.Comparison) Detail {
	return Detail{Check: "baseline/latest", Suite: Baseline, Subject: "environment", From: "its hosts", How: c.Method, At: time.Now(), Baseline: &c}
}

// BaselineResult is a comparison as a result. It serves no requirement.
func BaselineResult(c baseline.Comparison) validate.Result {
	r := validate.Result{Check: "baseline/latest", Suite: Baseline, Started: time.Now()}
	r.State = map[baseline.Verdict]validate.State{baseline.Pass: validate.Pass, baseline.Fail: validate.Fail}[c.Verdict]
	if r.State == "" {
		r.State = validate.Unproven
	}
	count := map[baseline.Verdict]int{}
	var worse []string
	for _, change := range c.Changes {
		if change.Control {
			continue
		}
		count[change.Verdict]++
		if change.Verdict == baseline.Fail {
			worse = append(worse, change.Summary)
		}
		r.Evidence = append(r.Evidence, saw(change.Name, "not worse than "+c.Old, strings.TrimPrefix(change.Summary, change.Name+": "), "its hosts"))
	}
	switch {
	case len(worse) > 0:
		r.Summary = "against " + c.Old + ": " + strings.Join(worse, "; ")
	default:
		r.Summary = fmt.Sprintf("against %s: %d figures no worse, %d unproven", c.Old, count[baseline.Pass], count[baseline.Unproven])
	}
	if len(c.Differs) > 0 {
		r.Summary += "; measured in another environment (" + strings.Join(c.Differs, ", ") + ")"
	}
	return r
}
