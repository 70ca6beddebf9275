package architecture

import (
	"cmp"
	"fmt"
	"slices"
)

// link is a requirement that brings components into an entry's way: public brings the balancer, a use brings what is used.
type link struct {
	id       string // requirement ID
	from, to string // component IDs; from is empty for what the entry starts with
}

// links lists what brings components into the entry. The server group that is the entry itself is given.
// Without a public entry every component counts by itself, so that each is its own link, named by its own ID.
func (c *choices) links() []link {
	var links []link
	if c.entry.id == "" {
		for _, id := range c.entry.parts {
			links = append(links, link{id: c.origin(id), to: id})
		}
		return links
	}
	links = append(links, link{id: c.entry.id + ".public", to: c.entry.parts[0]})
	for _, id := range c.entry.parts {
		for _, u := range c.d.usedFrom[id] {
			links = append(links, link{id: u.id, from: id, to: entryOf(u.to)})
		}
	}
	return links
}

// origin names what in the spec a component comes from: a balancer stands there only as a use or as public.
func (c *choices) origin(id string) string {
	if part := c.d.component(id); part.Kind == KindBalancer && len(part.Requirements) > 0 {
		return part.Requirements[0]
	}
	return id
}

// absent gives the parts of the entry that are gone when only the held links are required.
func (c *choices) absent(links []link, held map[string]bool) map[string]bool {
	reached := map[string]bool{c.entry.id: true}
	next := map[string][]string{}
	for _, l := range links {
		switch {
		case !held[l.id]:
		case l.from == "":
			reached[l.to] = true
		default:
			next[l.from] = append(next[l.from], l.to)
		}
	}
	queue := []string{c.entry.id}
	for i := 0; i < len(queue); i++ {
		on := next[queue[i]]
		if part, ok := c.d.index[queue[i]]; ok && c.d.out.Components[part].Kind == KindBalancer {
			on = []string{c.d.out.Components[part].Balancer.For}
		}
		for _, id := range on {
			if !reached[id] {
				reached[id] = true
				queue = append(queue, id)
			}
		}
	}
	gone := map[string]bool{}
	for _, id := range c.entry.parts {
		if !reached[id] {
			gone[id] = true
		}
	}
	return gone
}

// reportStructure reports the smallest set of uses that excludes the objective whatever counts and standbys are chosen.
func (d *designer) reportStructure(c *choices, reported *conflictSets) {
	links := c.links()
	all := map[string]bool{}
	for _, l := range links {
		all[l.id] = true
	}
	at := func(held map[string]bool, mended []string) float64 { return c.figure(c.absent(links, held), mended) }
	cost := map[string]float64{} // the factor that a link brings by itself, whose smallness ranks it
	var members []string
	for _, l := range links {
		if _, ok := cost[l.id]; !ok {
			members = append(members, l.id)
			cost[l.id] = 1
		}
		cost[l.id] *= c.best[l.to] / 100
	}
	slices.SortFunc(members, func(a, b string) int { return cmp.Or(cmp.Compare(cost[b], cost[a]), cmp.Compare(a, b)) })
	set := minimal(members, func(held []string) bool {
		only := map[string]bool{}
		for _, id := range held {
			only[id] = true
		}
		return at(only, c.improvable) < c.required-tolerance
	})
	conflict := append([]string{availabilityID}, set...)
	if !reported.first(conflict) {
		return
	}
	now := c.figure(nil, nil)
	var causes []string
	mends := []string{fmt.Sprintf("%s to %s as it stands", availabilityID, percent(now))}
	if best := c.figure(nil, c.improvable); best > now+tolerance {
		mends[0] += fmt.Sprintf(", or to %s with more instances and standbys everywhere", percent(best))
	}
	for _, id := range set[:min(len(set), mostNamed)] {
		i := slices.IndexFunc(links, func(l link) bool { return l.id == id })
		part := d.component(links[i].to).improved(mostInstances)
		causes = append(causes, fmt.Sprintf("%s is at best %s (%s)", part.ID, percent(part.term().Percent), termName(part)))
		mends = append(mends, fmt.Sprintf("without %s: %s as it stands", id, c.verdict(at(drop(all, id), nil))))
	}
	if len(set) == 0 {
		part := d.component(c.entry.id).improved(mostInstances)
		causes = append(causes, fmt.Sprintf("%s alone is at best %s with %d instances", part.ID, percent(part.term().Percent), part.Instances))
	}
	d.report(availabilityID,
		fmt.Sprintf("%s cannot be met with any count or standby: %s; composed, %s", number(c.required), some(causes, ", and ", len(set)), c.result(now)),
		fmt.Sprintf("relax one (%s): %s", costUnknown, some(mends, "; or ", len(set)+1)), conflict...)
}

func drop(all map[string]bool, id string) map[string]bool {
	rest := make(map[string]bool, len(all))
	for other := range all {
		if other != id {
			rest[other] = true
		}
	}
	return rest
}
