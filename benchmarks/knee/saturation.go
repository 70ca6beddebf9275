package knee

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// saturated is from which share on work has to wait for a resource in earnest. Waiting grows as 1/(1-share) in the simplest queue
// (M/M/1; L. Kleinrock, Queueing Systems vol. 1, §3.2), tenfold here; and a sampled share of 1 is rarely exactly 1.
const saturated = 0.9

// mostly is in what share of the samplings a resource must be saturated to be what limits the rate: a peak limits nothing.
const mostly = 0.5

// Saturation names the resource that limits the rate.
type Saturation struct {
	Host, Resource string // "" when none of those sampled was saturated: the limit lies elsewhere
	Mean           float64
	Evidence       string   // a sentence with the figures that say so
	Also           []string // other resources that were saturated, with their figures
}

// Found tells whether a resource was named.
func (s Saturation) Found() bool { return s.Resource != "" }

// Saturated names the resource that was saturated in a run beyond the knee, going by what was in use meanwhile. calm is the usage at a
// rate that the target bore well, and may be empty: what was as full there is not what breaks beyond.
//
// When several are saturated, a busy device comes before full connections, since connections fill up whatever requests wait for, and
// memory comes last, since full memory by itself slows nothing down.
func Saturated(loaded, calm Usage) Saturation {
	var full []Series
	for _, s := range loaded.Series {
		if n := len(s.steady()); n > 0 && float64(s.full()) >= mostly*float64(n) && !calm.asFull(s) {
			full = append(full, s)
		}
	}
	slices.SortStableFunc(full, func(a, b Series) int {
		return cmp.Or(cmp.Compare(order(a.Resource), order(b.Resource)), cmp.Compare(b.Mean(), a.Mean()))
	})
	if len(full) == 0 {
		return Saturation{Evidence: none(loaded)}
	}
	first := full[0]
	result := Saturation{Host: first.Host, Resource: first.Resource, Mean: first.Mean(), Evidence: evidence(first, loaded.Rate, calm)}
	for _, s := range full[1:] {
		result.Also = append(result.Also, evidence(s, loaded.Rate, calm))
	}
	return result
}

func order(resource string) int {
	switch resource {
	case Connections:
		return 1
	case Memory:
		return 2
	}
	return 0
}

func (u Usage) of(host, resource string) (Series, bool) {
	for _, s := range u.Series {
		if s.Host == host && s.Resource == resource && len(s.Shares) > 0 {
			return s, true
		}
	}
	return Series{}, false
}

// asFull tells whether a resource was about as full at the calmer rate.
func (u Usage) asFull(s Series) bool {
	before, ok := u.of(s.Host, s.Resource)
	return ok && before.Mean() >= saturated && before.Mean() >= s.Mean()-0.02
}

func evidence(s Series, rate float64, calm Usage) string {
	text := fmt.Sprintf("%s of %s: %.0f %% in use on average at %.4g/s, at least %.0f %% in %d of %d samplings",
		s.Resource, s.Host, 100*s.Mean(), rate, 100*saturated, s.full(), len(s.steady()))
	if s.Figure != "" {
		text += ", peak " + s.Figure
	}
	if before, ok := calm.of(s.Host, s.Resource); ok {
		text += fmt.Sprintf("; %.0f %% at %.4g/s", 100*before.Mean(), calm.Rate)
	}
	return text
}

// none says that nothing was saturated, and what came closest.
func none(u Usage) string {
	if len(u.Series) == 0 {
		text := "no resource was sampled"
		if u.Failed > 0 {
			text += fmt.Sprintf(": %d samplings failed, the last: %s", u.Failed, u.LastFail)
		}
		return text
	}
	series := slices.Clone(u.Series)
	slices.SortStableFunc(series, func(a, b Series) int { return cmp.Compare(b.Mean(), a.Mean()) })
	var closest []string
	for _, s := range series[:min(3, len(series))] {
		closest = append(closest, fmt.Sprintf("%s of %s %.0f %%", s.Resource, s.Host, 100*s.Mean()))
	}
	return fmt.Sprintf("none of %d sampled resources was saturated at %.4g/s; fullest: %s", len(series), u.Rate, strings.Join(closest, ", "))
}
