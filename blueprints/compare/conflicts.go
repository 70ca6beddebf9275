package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints"
)

const (
	// mostWork bounds the search for conflicts: component prices asked for by one test of a set of requirements.
	mostWork      = 8000
	mostConflicts = 3
)

// option is a place that meets a demand, with what it charges.
type option struct {
	place *place
	a     *answer
}

func (o *option) String() string {
	return fmt.Sprintf("%s %s a month, %s", o.a.total, o.place.currency, o.place.name())
}

// meets gives the cheapest place that can meet a demand, or nil. Places are looked at in an order that puts the likely first.
func (s *search) meets(d *demand, all bool) *option {
	var best *option
	places, _ := s.allowed(d.objectives.Residency)
	for _, p := range s.few(places, d) {
		a := p.answer(d)
		if a.bid.infeasible != "" || len(a.broken) > 0 || !a.bid.priced(s.level, s.o.Currency) {
			continue
		}
		o := &option{p, a}
		if best == nil || less(o, best) {
			best = o
		}
		if !all {
			return best
		}
	}
	return best
}

// excludes tells whether nothing meets a demand without some requirements. Who need not have a second instance may have one all the same,
// which the availability may ask for.
func (s *search) excludes(d *demand, freed []lever) bool {
	if s.meets(d.freed(freed), false) != nil {
		return false
	}
	kept := slices.DeleteFunc(slices.Clone(freed), func(l lever) bool { return l.double })
	return len(kept) == len(freed) || s.meets(d.freed(kept), false) == nil
}

// less holds a total that is known, or that is known to be above nothing, before one of which nothing is.
func less(a, b *option) bool {
	if a.a.total.Low.IsZero() != b.a.total.Low.IsZero() {
		return b.a.total.Low.IsZero()
	}
	if a.place.currency != b.place.currency {
		return false
	}
	return cmp.Or(a.a.total.Low.Cmp(b.a.total.Low), strings.Compare(a.place.name(), b.place.name())) < 0
}

// few keeps as many places as a large spec leaves time for: those with prices first, and the cheapest for all it asks.
func (s *search) few(places []*place, d *demand) []*place {
	most := max(len(s.shops), mostWork/max(len(d.needs), 1))
	if len(places) <= most {
		return places
	}
	if s.sorted == nil {
		s.sorted = map[*place]int{}
		var all []*place
		for _, sh := range s.shops {
			for _, r := range sh.facts.Regions {
				all = append(all, s.at(sh, r))
			}
		}
		free := *d
		free.objectives = blueprints.Objectives{}
		asked := s.contenders(&free, all)
		slices.SortStableFunc(asked, func(a, b *contender) int {
			return cmp.Or(cmp.Compare(b2i(a.infeasible != ""), b2i(b.infeasible != "")), cmp.Compare(b2i(!a.ranked()), b2i(!b.ranked())), a.total.Low.Cmp(b.total.Low))
		})
		for i, c := range asked {
			c.positions = nil
			all[i] = c.place
		}
		for i, p := range all {
			s.sorted[p] = i
		}
	}
	kept := slices.Clone(places)
	slices.SortFunc(kept, func(a, b *place) int { return cmp.Compare(s.sorted[a], s.sorted[b]) })
	return kept[:most]
}

// conflicts finds the smallest sets of requirements that no place meets together, and for each the ways out.
func (s *search) conflicts() []Conflict {
	found := []Conflict{}
	d := s.demand
	levers := d.levers()
	if s.meets(d.freed(levers), false) != nil {
		var sets [][]lever
		for len(sets) < mostConflicts {
			levers = s.byWeight(d, levers)
			set := smallest(levers, func(held []lever) bool { return s.excludes(d, without(levers, held)) })
			if len(set) == 0 {
				break
			}
			sets = append(sets, set)
			d, levers = d.freed(set), without(levers, set)
			if s.meets(d, false) != nil {
				break
			}
		}
		for i, set := range sets {
			found = append(found, s.conflict(set, slices.Concat(sets[:i], sets[i+1:])))
		}
		return found
	}
	// Nothing is offered even when nothing is asked but the components themselves.
	c := Conflict{Requirements: []string{}, Relax: []string{}}
	for i := range s.demand.needs {
		c.Requirements = append(c.Requirements, s.demand.needs[i].id)
	}
	c.Requirements = c.Requirements[:min(len(c.Requirements), 10)]
	return append(found, c)
}

// byWeight sorts levers by what they cost where everything is cheapest, from little to much, and puts the objectives last, so that a
// conflict is told with the few requirements that weigh most.
func (s *search) byWeight(d *demand, levers []lever) []lever {
	free := *d
	free.objectives = blueprints.Objectives{}
	base := s.meets(&free, true)
	if base == nil {
		return levers
	}
	weight := map[string]decimal.Decimal{}
	for i := range levers {
		if l := &levers[i]; l.need >= 0 {
			weight[l.id] = base.place.partial(d, l.need, nil).low.Sub(base.place.partial(d, l.need, l.ease).low)
		}
	}
	sorted := slices.Clone(levers)
	slices.SortStableFunc(sorted, func(a, b lever) int {
		return cmp.Or(-cmp.Compare(a.need>>30, b.need>>30), weight[a.id].Cmp(weight[b.id]))
	})
	return sorted
}

// smallest gives a set of levers that together still fail and of which none can be left out. Those named first are left out first, as
// long a run of them at a time as can go, so that it asks about k·log n times for k of n.
func smallest(levers []lever, fails func([]lever) bool) []lever {
	var kept []lever
	rest := levers
	for len(rest) > 0 {
		drop, end := 0, len(rest)+1
		for end-drop > 1 {
			mid := (drop + end) / 2
			if fails(slices.Concat(kept, rest[mid:])) {
				drop = mid
			} else {
				end = mid
			}
		}
		if drop == len(rest) {
			break
		}
		kept = append(kept, rest[drop])
		rest = rest[drop+1:]
	}
	// Freeing a requirement can break another, as a count the availability, so that what was kept early may have become needless.
	for i := 0; i < len(kept); {
		if fewer := slices.Concat(kept[:i], kept[i+1:]); fails(fewer) {
			kept, i = fewer, 0
			continue
		}
		i++
	}
	return kept
}

func without(all, drop []lever) []lever {
	var kept []lever
	for _, l := range all {
		if !slices.ContainsFunc(drop, func(o lever) bool { return o.id == l.id }) {
			kept = append(kept, l)
		}
	}
	return kept
}

// conflict says the ways out of one: for each of its requirements how far it must give way, the others held. The cheapest comes first,
// and what is not enough alone last. Other conflicts are taken as mended, by one objective of each where that is enough.
func (s *search) conflict(set []lever, others [][]lever) Conflict {
	held := s.demand
	defer func() { s.demand = held }()
	var mended, all []lever
	for _, o := range others {
		all = append(all, o...)
		mended = append(mended, o[len(o)-1])
		for _, id := range []string{idResidency, idSupport, idAvailability, idBudget} { // the last that is in it counts
			if i := slices.IndexFunc(o, func(l lever) bool { return l.id == id }); i >= 0 {
				mended[len(mended)-1] = o[i]
			}
		}
	}
	if s.demand = held.freed(mended); s.meets(s.demand.freed(set), false) == nil {
		mended = all
		s.demand = held.freed(all)
	}
	type way struct {
		text  string
		cost  decimal.Decimal
		alone bool
	}
	c := Conflict{}
	var ways []way
	say := func(o *option, format string, args ...any) {
		ways = append(ways, way{fmt.Sprintf(format, args...) + " (" + o.String() + ")", o.a.total.Low, true})
	}
	for i := range set {
		l := &set[i]
		c.Requirements = append(c.Requirements, l.id)
		o := s.meets(s.demand.freed(set[i:i+1]), true)
		if o == nil {
			ways = append(ways, way{text: l.id + ": giving it up is not enough alone"})
			continue
		}
		switch {
		case l.id == idBudget:
			j := o.place.budget(&blueprints.Budget{Currency: s.demand.objectives.Budget.Currency}, o.a.total)
			say(o, "%s to %s", l.id, strings.TrimSuffix(strings.SplitN(j.Says, " a month", 2)[0], " "))
		case l.id == idResidency:
			say(o, "%s with %s", l.id, o.place.region.Country)
		case l.id == idAvailability:
			if o = s.best(set[i:i+1], o); o.a.avail.missing != "" {
				say(o, "%s to %s at most, as nothing is known to be promised for %s", l.id, Percent(o.a.avail.atMost), o.a.avail.missing)
			} else {
				say(o, "%s to %s", l.id, Percent(o.a.avail.percent))
			}
		case l.id == idSupport:
			say(o, "%s: without it", l.id)
		case l.amount > 0:
			amount, at := s.give(l)
			if at != nil {
				say(at, "%s to %s", l.id, l.write(amount))
			} else {
				say(o, "%s: without it", l.id)
			}
		default:
			say(o, "%s: without it", l.id)
		}
		if l.id == idAvailability {
			if o, how := s.redundancy(s.demand); o != nil {
				say(o, "%s", strings.Join(how, " and "))
			}
		}
	}
	slices.SortStableFunc(ways, func(a, b way) int {
		if a.alone != b.alone {
			return cmp.Compare(b2i(b.alone), b2i(a.alone))
		}
		return a.cost.Cmp(b.cost)
	})
	for _, w := range ways {
		c.Relax = append(c.Relax, w.text)
	}
	slices.Sort(c.Requirements)
	if len(mended) > 0 {
		var ids []string
		for i := range mended {
			ids = append(ids, mended[i].id)
		}
		for i := range c.Relax {
			c.Relax[i] += ", without " + strings.Join(ids, " and ")
		}
	}
	return c
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// best gives the place of the highest availability that meets a demand without some requirements; of equals the cheapest.
func (s *search) best(without []lever, fallback *option) *option {
	d := s.demand.freed(without)
	best := fallback
	places, _ := s.allowed(d.objectives.Residency)
	for _, p := range s.few(places, d) {
		a := p.answer(d)
		if a.bid.infeasible == "" && len(a.broken) == 0 && a.bid.priced(s.level, s.o.Currency) && (a.avail.percent > best.a.avail.percent+tolerance) {
			best = &option{p, a}
		}
	}
	return best
}

// give halves an amount, or takes one away, until a place meets the rest.
func (s *search) give(l *lever) (float64, *option) {
	amount := l.amount
	for range 12 {
		if l.whole {
			amount--
		} else {
			amount /= 2
		}
		if amount < 1 && l.whole {
			return 0, nil
		}
		if o := s.meets(s.demand.with(l.need, func(n *need) { l.set(n, amount) }), true); o != nil {
			return amount, o
		}
	}
	return 0, nil
}

// redundancy gives the least additions that meet a demand where it stands, and what they come to; nil when none do.
func (s *search) redundancy(d *demand) (*option, []string) {
	all := d.grow()
	if len(all) == 0 || s.meets(d.freed(all), false) == nil {
		return nil, nil
	}
	used := all
	for _, l := range all {
		if fewer := without(used, []lever{l}); s.meets(d.freed(fewer), false) != nil {
			used = fewer
		}
	}
	var how []string
	for _, l := range used {
		how = append(how, l.id)
	}
	return s.meets(d.freed(used), true), how
}
