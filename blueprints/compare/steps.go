package compare

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
)

// mostStepped bounds the components whose steps are priced: those that cost most.
const mostStepped = 40

// nines are the availabilities that are commonly asked for, in percent.
var nines = []float64{99, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999}

// sum is what one component costs, as far as it does not depend on unknown usage.
type sum struct {
	low    decimal.Decimal
	priced bool // every machine, database and disk of it has a price
	none   string
}

// partial prices one need of a demand by itself.
func (p *place) partial(d *demand, i int) sum {
	b := &bid{place: p, picks: make([]*pick, len(d.needs)), volumes: make([]*volume, len(d.needs))}
	b.component(d, i)
	s := sum{low: money(b.low), priced: true, none: b.infeasible}
	for j := range b.items {
		if it := &b.items[j]; it.unknown != "" && it.part != PartBackup && it.part != PartWrites && it.part != PartReads {
			s.priced = false
		}
	}
	return s
}

// steps says what the next step of each requirement up or down would cost at the best offer's place.
func (s *search) steps(c *contender) []Step {
	p, d := c.place, s.demand
	out := []Step{}
	type costly struct {
		need int
		sum  sum
	}
	var list []costly
	for i := range d.needs {
		list = append(list, costly{i, p.partial(d, i)})
	}
	if len(list) > mostStepped {
		slices.SortStableFunc(list, func(a, b costly) int { return b.sum.low.Cmp(a.sum.low) })
		list = list[:mostStepped]
	}
	for _, each := range list {
		for _, l := range d.componentLevers(each.need) {
			if l.amount == 0 {
				if l.id == d.needs[each.need].id+".highAvailability" {
					out = append(out, s.step(c, each.sum, l.id, "true", "false", d.freed([]lever{l}), each.need))
				}
				continue
			}
			ups := []float64{l.amount * 2, l.amount / 2}
			if l.whole {
				ups = []float64{l.amount + 1, l.amount - 1}
			}
			for _, to := range ups {
				out = append(out, s.step(c, each.sum, l.id, l.write(l.amount), l.write(to), d.with(each.need, func(n *need) { l.set(n, to) }), each.need))
			}
		}
		for _, l := range d.grow() {
			if l.need != each.need {
				continue
			}
			id, from, to := d.needs[l.need].id+".count", "1", "2"
			if d.needs[l.need].engine != "" {
				id, from, to = d.needs[l.need].id+".highAvailability", "false", "true"
			}
			out = append(out, s.step(c, each.sum, id, from, to, d.freed([]lever{l}), each.need))
		}
	}
	return append(out, s.objectiveSteps(c)...)
}

// step prices a component anew.
func (s *search) step(c *contender, now sum, id, from, to string, changed *demand, need int) Step {
	st := Step{Requirement: id, From: from, To: to, Offer: c.place.name()}
	then := c.place.partial(changed, need)
	switch {
	case then.none != "":
		st.Says = "not offered: " + then.none
	case !now.priced || !then.priced:
		st.Says = "a price is unknown"
	default:
		st.Monthly = s.withFee(c, then.low.Sub(now.low))
	}
	return st
}

// withFee adds what the support plan takes of a difference in the bill.
func (s *search) withFee(c *contender, difference decimal.Decimal) *decimal.Decimal {
	if c.support != nil {
		for i := range c.place.facts.Plans {
			if plan := &c.place.facts.Plans[i]; plan.Name == c.support.Plan && plan.Current {
				bill := Bounds{Low: c.total.Low.Sub(c.support.Monthly.Low), Open: true}
				before, _ := c.place.fee(plan, bill)
				bill.Low = bill.Low.Add(difference)
				after, _ := c.place.fee(plan, bill)
				difference = difference.Add(after.Low).Sub(before.Low)
				break
			}
		}
	}
	return &difference
}

// objectiveSteps prices a quicker and a slower answer, and the next availability.
func (s *search) objectiveSteps(c *contender) []Step {
	var out []Step
	d, p := s.demand, c.place
	if o := d.objectives.Support; o != nil && c.support != nil {
		bill := Bounds{Low: c.total.Low.Sub(c.support.Monthly.Low), Open: true}
		for _, within := range []time.Duration{c.support.Critical - 1, 1 << 62} {
			st := Step{Requirement: idSupport, From: o.Critical.String(), Offer: p.name()}
			got := p.support(within, bill)
			switch {
			case got == nil:
				st.To, st.Says = "less", "no plan answers within less than "+blueprints.Duration(c.support.Critical).String()
			case got.Plan == c.support.Plan:
				continue
			default:
				difference := got.Monthly.Low.Sub(c.support.Monthly.Low)
				st.To, st.Says, st.Monthly = blueprints.Duration(got.Critical).String(), got.Plan, &difference
			}
			out = append(out, st)
		}
	}
	if want := float64(d.objectives.Availability); want > 0 {
		at := slices.IndexFunc(nines, func(n float64) bool { return n > want })
		if at < 0 {
			return out
		}
		out = append(out, s.availabilityStep(c, want, nines[at]))
	}
	return out
}

// availabilityStep finds the least redundancy that meets the next availability at a place.
func (s *search) availabilityStep(c *contender, want, next float64) Step {
	p, d := c.place, *s.demand
	st := Step{Requirement: idAvailability, From: figure(want), To: figure(next), Offer: p.name()}
	reaches := func(d *demand) bool {
		b := p.bid(d)
		if b.infeasible != "" {
			return false
		}
		a := b.availability(d)
		return a.missing == "" && a.percent >= next-tolerance
	}
	if reaches(&d) {
		nothing := decimal.Decimal{}
		st.Monthly, st.Says = &nothing, "met as it stands"
		return st
	}
	used := d.grow()
	if !reaches(d.freed(used)) {
		st.Says = "no count and no standby reaches it by the published terms"
		return st
	}
	for _, l := range d.grow() {
		if fewer := without(used, []lever{l}); reaches(d.freed(fewer)) {
			used = fewer
		}
	}
	total, known := decimal.Decimal{}, true
	for _, l := range used {
		now, then := p.partial(&d, l.need), p.partial(d.freed([]lever{l}), l.need)
		known = known && now.priced && then.priced && then.none == ""
		total = total.Add(then.low).Sub(now.low)
		if st.Says != "" {
			st.Says += " and "
		}
		st.Says += l.id
	}
	if known {
		st.Monthly = s.withFee(c, total)
	} else {
		st.Says += "; a price is unknown"
	}
	return st
}
