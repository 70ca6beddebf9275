package architecture

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints/architecture/reliability"
)

// entry is something whose service is promised: a public server group through its balancer, or all components when none is public.
type entry struct {
	id    string   // of the server group; empty: all components
	parts []string // component IDs, the balancer first
}

// entries lists the public entries, or one entry for all components in series when none is public.
func (d *designer) entries() []entry {
	var entries []entry
	for _, c := range d.out.Components {
		if c.Kind == KindBalancer && !c.Balancer.Internal {
			entries = append(entries, entry{id: c.Balancer.For, parts: d.closure(c.ID)})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.id, b.id) })
	if len(entries) == 0 && len(d.out.Components) > 0 {
		all := entry{}
		for _, c := range slices.Backward(d.out.Components) {
			if c.serves() {
				all.parts = append(all.parts, c.ID)
			}
		}
		entries = append(entries, all)
	}
	return entries
}

// serves tells whether callers notice when the component is down. Of a backup they do not: it copies what serves them.
func (c Component) serves() bool { return c.Backup == nil }

// closure lists a component and everything it needs, each once, nearest first.
func (d *designer) closure(start string) []string {
	parts, seen := []string{start}, map[string]bool{start: true}
	for i := 0; i < len(parts); i++ {
		for _, id := range d.needs[parts[i]] {
			if !seen[id] {
				seen[id] = true
				parts = append(parts, id)
			}
		}
	}
	return parts
}

// class is what a provider publishes a term for that covers the component.
func (c Component) class() reliability.Class {
	switch {
	case c.Kind == KindDatabase && c.Database.Standby:
		return reliability.DatabaseStandby
	case c.Kind == KindDatabase:
		return reliability.Database
	case c.Kind == KindBucket:
		return reliability.Storage
	case c.Kind == KindBalancer:
		return reliability.Balancer
	}
	return reliability.Instance
}

// term gives a component's factor.
func (c Component) term() Term {
	low := reliability.Lowest(c.class())
	t := Term{Component: c.ID, Need: 1, Of: c.Instances, Each: low.Percent, Percent: low.Percent, Source: "lowest published term: " + low.String()}
	switch c.Kind {
	case KindServer:
		if c.Instances > 1 {
			t.Percent = tidy(100 * reliability.AtLeast(t.Need, t.Of, t.Each/100))
			t.Source += fmt.Sprintf("; %d of %d needed, taken to fail independently; that %[1]d carries the load is for a load measurement to show", t.Need, t.Of)
		}
	case KindDatabase:
		if c.Database.Standby {
			t.Each = reliability.Lowest(reliability.Database).Percent
			t.Source += "; the figure is the term of the pair, which counts the time of a failover, not 1 of 2 independent instances"
		}
	case KindBucket:
		t.Source += "; a managed, redundant service, counted as one"
	case KindBalancer:
		t.Source += "; a managed, redundant service, counted as one; the local cloud runs a single process for it"
	}
	return t
}

// availability composes the figure of the worst entry and finds the single points of failure of all entries.
func (d *designer) availability() {
	terms := make(map[string]Term, len(d.out.Components))
	for _, c := range d.out.Components {
		terms[c.ID] = c.term()
	}
	worst, found := 0.0, false
	var at entry
	entries := d.entries()
	d.singlePoints(entries)
	for _, e := range entries {
		a := 1.0
		for _, id := range e.parts {
			a *= terms[id].Percent / 100
		}
		if !found || a < worst {
			worst, at, found = a, e, true
		}
	}
	av := Availability{Percent: 100, Required: float64(d.spec.Objectives.Availability), Terms: []Term{}, Formula: "nothing to fail"}
	if found {
		av.Entry, av.Percent = at.id, tidy(worst*100)
		for _, id := range at.parts {
			av.Terms = append(av.Terms, terms[id])
		}
		av.Formula = formula(av.Terms)
		av.DownPerMonth = reliability.DownPerMonth(worst)
	}
	d.out.Availability = av
}

// formula writes the factors as a person would: "balancer × web(1 of 2) × main(1 of 2)".
func formula(terms []Term) string {
	balancers := 0
	for _, t := range terms {
		if strings.HasPrefix(t.Component, "balancers.") {
			balancers++
		}
	}
	var factors []string
	for _, t := range terms {
		section, name, _ := strings.Cut(t.Component, ".")
		switch {
		case section == "balancers" && balancers == 1:
			name = "balancer"
		case section == "balancers":
			name = "balancer " + name
		}
		if t.Of > 1 {
			name = fmt.Sprintf("%s(%d of %d)", name, t.Need, t.Of)
		}
		factors = append(factors, name)
	}
	return strings.Join(factors, " × ")
}

// singlePoints lists the components of which one instance's loss stops a public entry. Managed services (balancers, buckets)
// are redundant by their terms and no single points. When nothing is public, the entries are the components that no other
// needs: each of the rest is behind one of them.
func (d *designer) singlePoints(entries []entry) {
	if len(entries) == 1 && entries[0].id == "" {
		entries = d.ends()
	}
	for _, e := range entries {
		for _, id := range e.parts {
			c := d.out.Components[d.index[id]]
			if mend := c.redundancy(); mend != "" && c.Instances == 1 {
				d.out.SinglePoints = append(d.out.SinglePoints, SinglePoint{Component: c.ID, Stops: e.id, Mend: mend})
			}
		}
	}
}

// ends lists the components that no other needs; in a circle, which is no sound architecture, all of them.
func (d *designer) ends() []entry {
	needed := map[string]bool{}
	for _, c := range d.out.Components {
		for _, id := range d.needs[c.ID] {
			needed[id] = needed[id] || c.serves()
		}
	}
	var ends []entry
	for _, c := range d.out.Components {
		if !needed[c.ID] && c.serves() {
			ends = append(ends, entry{id: c.ID, parts: d.closure(c.ID)})
		}
	}
	return ends
}

// redundancy gives what to write for a second instance of a component with one; empty for a managed service.
func (c Component) redundancy() string {
	switch c.Kind {
	case KindServer:
		return c.ID + ".count: 2"
	case KindDatabase:
		return c.ID + ".highAvailability: true"
	}
	return ""
}

// tidy drops the rounding noise of binary fractions, far below any digit that means something.
func tidy(percent float64) float64 { return math.Round(percent*1e10) / 1e10 }

// percent writes an availability with as many digits as its distance from 100 needs, rounded down so that it never promises more.
func percent(p float64) string {
	scale := 100.0
	for 100-p < 20/scale && scale < 1e6 { // keep two digits of the unavailability
		scale *= 10
	}
	return strconv.FormatFloat(math.Floor(p*scale+1e-9)/scale, 'f', -1, 64)
}
