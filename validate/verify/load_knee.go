package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/benchmarks/knee"
	"surety/validate"
	"surety/validate/verify/measure"
)

// Bounds of the search for the knee.
const (
	kneeTimeout  = 10 * time.Minute
	kneeTrials   = 24
	kneeMost     = 50_000.0 // operations per second that no trial goes beyond
	leastTrial   = 2 * time.Second
	mostTrial    = 10 * time.Second
	trialCount   = 100  // operations that a trial makes at least, where mostTrial lets it: a 95th percentile needs them
	kneeErrors   = 0.01 // share that may fail where the spec says nothing: a search without any limit would have no end
	sameAs       = 0.9  // share of a resource from which on it is called saturated, as knee.Saturated does
	trialSamples = 10   // of each host's usage in a trial
)

// findKnee looks for the highest rate that keeps to what is required, and names the resource that was saturated just above it.
func findKnee(ctx context.Context, d *driving, session *measure.Session, measured func(Detail)) ([]validate.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, kneeTimeout)
	defer cancel()
	usages := map[float64]knee.Usage{}
	trial := func(ctx context.Context, rate float64) (knee.Trial, error) {
		length := min(mostTrial, max(leastTrial, d.length/6, time.Duration(trialCount/rate*float64(time.Second))))
		stop := measure.Watch(ctx, d.watched(), rate, length/trialSamples)
		found, err := session.Run(ctx, measure.Run{Rate: rate, For: length, WarmUp: length / 5, Timeout: d.timeout}, d.live(fmt.Sprintf("looking for the knee, %s %s, ", short(rate), d.unit)))
		usages[rate] = stop()
		return knee.Judge(rate, found.Outcome, found.Result), err
	}
	search := knee.Search{Limits: knee.Limits{P95: d.required.P95, Errors: first(d.required.Errors, kneeErrors)}, Start: d.offered, Most: max(kneeMost, d.offered), Trials: kneeTrials}
	found, err := knee.Find(ctx, search, trial)
	if err != nil && len(found.Trials) == 0 {
		return nil, err
	}
	if err != nil {
		found.Open = why(err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		found.Open, err = fmt.Sprintf("the search was ended after %s", kneeTimeout), nil
	}
	above := found.Above // or, when every rate tried held or the generator was the limit, the highest of them
	for rate := range usages {
		if found.Above == 0 {
			above = max(above, rate)
		}
	}
	full, calm := usages[above], knee.Usage{}
	for rate, usage := range usages {
		if rate < above && (calm.Rate == 0 || rate < calm.Rate) {
			calm = usage
		}
	}
	k := &KneeDetail{Unit: d.unit, Required: d.required, Knee: found, Saturated: knee.Saturated(full, calm)}
	measured(Detail{Subject: d.subject, From: d.from.Name, How: fmt.Sprintf("%s, %d trials from %s", d.what, len(found.Trials), d.from.Name), Knee: k})
	evidence := []validate.Evidence{saw("knee", "", kneeText(k), d.from.Name)}
	if above > 0 {
		text := saturation(full)
		if text == "" {
			text = k.Saturated.Evidence
		}
		evidence = append(evidence, saw("saturated at "+short(above)+" "+d.unit, "", text, "the hosts"))
	}
	return evidence, err
}

// saturation says in a line which resource was saturated, on which hosts: "web-0, web-1 cpu at 100 % (1.00 of 1 processors)"; "" when none was.
func saturation(u knee.Usage) string {
	named := knee.Saturated(u, knee.Usage{})
	if !named.Found() {
		return ""
	}
	var hosts []string
	mean, figure := 0.0, ""
	for _, s := range u.Series {
		if s.Resource == named.Resource && s.Mean() >= sameAs {
			hosts, mean = append(hosts, s.Host), mean+s.Mean()
			if s.Host == named.Host {
				figure = s.Figure
			}
		}
	}
	if !slices.Contains(hosts, named.Host) {
		return named.Evidence
	}
	slices.Sort(hosts)
	text := fmt.Sprintf("%s %s at %.0f %%", strings.Join(hosts, ", "), named.Resource, 100*mean/float64(len(hosts)))
	if figure != "" {
		text += " (" + figure + ")"
	}
	return text
}
