package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks"
)

// running tells whether a step on the resource has begun and not ended.
func (l *listener) running(urn resource.URN) bool {
	for key := range l.began {
		if key.urn == urn && noted(key.op) {
			return true
		}
	}
	return false
}

// conclude counts as failed the resources that errors were reported of though no step of theirs failed: those whose inputs were
// refused, and all in a preview. It is called when the run failed.
func (l *listener) conclude() {
	for _, urn := range slices.Sorted(maps.Keys(l.problems)) {
		name := urn.Name()
		s := Step{Op: OpSame, Name: name, Type: string(urn.Type()), URN: string(urn), Requirements: l.requires[name], Message: strings.Join(l.problems[urn], "\n")}
		if l.running(urn) {
			l.sink(Event{Kind: Failed, Step: s, Message: s.Message})
		}
		l.failed = append(l.failed, s)
	}
	clear(l.problems)
}

// plan gives the steps seen, in the order in which they first came.
func (l *listener) plan() Plan {
	p := Plan{Counts: map[Op]int{}, Drift: l.drift, Steps: make([]Step, 0, len(l.order))}
	for _, urn := range l.order {
		s := l.steps[urn]
		p.Steps = append(p.Steps, s)
		p.Counts[s.Op]++
	}
	return p
}

// skipped lists the resources of the Graph that no step was even tried for, in the Graph's order.
func (l *listener) skipped(g *stacks.Graph) []string {
	if g == nil {
		return nil
	}
	tried := map[string]bool{}
	for urn := range l.steps {
		tried[urn.Name()] = true
	}
	for _, s := range l.failed {
		tried[s.Name] = true
	}
	var out []string
	for _, r := range g.Resources {
		if !tried[r.Name] {
			out = append(out, r.Name)
		}
	}
	return out
}
