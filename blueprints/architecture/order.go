package architecture

import (
	"cmp"
	"slices"
	"strings"

	"surety/blueprints"
)

// Dependencies gives, for each component, the IDs of the components that must stand before it: what a server group uses,
// the server group behind a balancer, and what a backup copies.
func (a Architecture) Dependencies() map[string][]string {
	needs := make(map[string][]string, len(a.Components))
	for _, c := range a.Components {
		switch {
		case c.Server != nil:
			needs[c.ID] = slices.Clone(c.Server.Uses)
		case c.Balancer != nil:
			needs[c.ID] = []string{c.Balancer.For}
		case c.Backup != nil:
			needs[c.ID] = nil
			for _, source := range c.Backup.Sources {
				needs[c.ID] = append(needs[c.ID], source.Component)
			}
		default:
			needs[c.ID] = nil
		}
	}
	return needs
}

// order computes the start order in layers, puts the components into it, and reports each cycle.
// Components in a cycle, and those that wait for one, form a last layer, so that none is lost.
func (d *designer) order() {
	needs := d.out.Dependencies()
	d.needs = needs
	waiting := make(map[string]int, len(needs))
	neededBy := make(map[string][]string, len(needs))
	var layer []string
	for id, on := range needs {
		waiting[id] = len(on)
		if len(on) == 0 {
			layer = append(layer, id)
		}
		for _, other := range on {
			neededBy[other] = append(neededBy[other], id)
		}
	}
	rank := make(map[string]int, len(needs))
	for len(layer) > 0 {
		slices.Sort(layer)
		d.out.StartOrder = append(d.out.StartOrder, layer)
		var next []string
		for _, id := range layer {
			rank[id] = len(d.out.StartOrder)
			delete(waiting, id)
			for _, waiter := range neededBy[id] {
				if waiting[waiter]--; waiting[waiter] == 0 {
					next = append(next, waiter)
				}
			}
		}
		layer = next
	}
	if len(waiting) > 0 {
		stuck := blueprints.SortedKeys(waiting)
		d.out.StartOrder = append(d.out.StartOrder, stuck)
		for _, id := range stuck {
			rank[id] = len(d.out.StartOrder)
		}
		d.cycles(needs, waiting)
	}
	slices.SortFunc(d.out.Components, func(a, b Component) int {
		return cmp.Or(cmp.Compare(rank[a.ID], rank[b.ID]), cmp.Compare(a.ID, b.ID))
	})
	d.index = make(map[string]int, len(d.out.Components))
	for i, c := range d.out.Components {
		d.index[c.ID] = i
	}
}

// cycles reports every cycle once, by following the first stuck need of each stuck component: each component then leads to exactly one cycle.
func (d *designer) cycles(needs map[string][]string, stuck map[string]int) {
	seen := map[string]bool{}
	for _, start := range blueprints.SortedKeys(stuck) {
		var path []string
		at := map[string]int{}
		for id := start; !seen[id]; {
			if first, ok := at[id]; ok {
				d.reportCycle(path[first:])
				break
			}
			at[id] = len(path)
			path = append(path, id)
			i := slices.IndexFunc(needs[id], func(n string) bool { _, is := stuck[n]; return is })
			if i < 0 {
				break
			}
			id = needs[id][i]
		}
		for _, id := range path {
			seen[id] = true
		}
	}
}

// reportCycle names the uses that form a cycle. Balancers stand for their server groups.
func (d *designer) reportCycle(path []string) {
	var groups []string
	for _, id := range path {
		if strings.HasPrefix(id, "servers.") {
			groups = append(groups, id)
		}
	}
	first := 0
	for i := range groups {
		if groups[i] < groups[first] {
			first = i
		}
	}
	groups = slices.Concat(groups[first:], groups[:first])
	var uses []string
	for i, from := range groups {
		to := groups[(i+1)%len(groups)]
		for _, u := range d.usedFrom[from] {
			if u.to == to {
				uses = append(uses, u.id)
			}
		}
	}
	if len(uses) == 0 {
		return
	}
	d.report(uses[0], "server groups use each other in a circle, so none can start first: "+strings.Join(append(groups, groups[0]), " → "),
		"remove one of "+strings.Join(uses, ", "), uses...)
}
