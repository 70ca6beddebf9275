package compare

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
)

// mostStepped bounds the components whose steps are priced: those that cost most.
const mostStepped = 40

// nines are the availabilities that are commonly asked for, in percent.
var nines = []float64{99, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999}

// sum is what one component costs, part by part.
type sum struct {
	low   decimal.Decimal
	items []item
	none  string
}

// partial prices one need of a demand by itself, changed if need be.
func (p *place) partial(d *demand, i int, change func(*need)) sum {
	b := &bid{place: p, picks: make([]*pick, i+1), volumes: make([]*volume, i+1)}
	n := d.needs[i]
	if change != nil {
		change(&n)
	}
	b.component(d, &n, i)
	return sum{low: money(b.low), items: b.items, none: b.infeasible}
}

// less gives the difference to another sum. A part without a known price is none when the same is bought of it both times; else the
// difference is not known, and the part is named.
func (s *sum) less(o *sum) (decimal.Decimal, Part) {
	difference := s.low.Sub(o.low)
	for _, pair := range [][2]*sum{{s, o}, {o, s}} {
		for i := range pair[0].items {
			it := &pair[0].items[i]
			if it.unknown == "" {
				continue
			}
			same := slices.ContainsFunc(pair[1].items, func(x item) bool {
				return x.part == it.part && x.unknown != "" && x.low.Equal(it.low) && x.high.Equal(it.high) && it.part != PartMachine && it.part != PartDatabase
			})
			if !same {
				return difference, it.part
			}
		}
	}
	return difference, ""
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
		list = append(list, costly{i, p.partial(d, i, nil)})
	}
	if len(list) > mostStepped {
		slices.SortStableFunc(list, func(a, b costly) int { return b.sum.low.Cmp(a.sum.low) })
		list = list[:mostStepped]
	}
	grow := d.grow()
	for _, each := range list {
		for _, l := range d.componentLevers(each.need) {
			if l.amount == 0 {
				if l.id == d.needs[each.need].id+".highAvailability" {
					out = append(out, s.step(c, each.sum, l.id, "true", "false", l.ease, each.need))
				}
				continue
			}
			ups := []float64{l.amount * 2, l.amount / 2}
			if l.whole {
				ups = []float64{l.amount + 1, l.amount - 1}
			}
			for _, to := range ups {
				out = append(out, s.step(c, each.sum, l.id, l.write(l.amount), l.write(to), func(n *need) { l.set(n, to) }, each.need))
			}
		}
		for _, l := range grow {
			if l.need != each.need {
				continue
			}
			id, from, to := d.needs[l.need].id+".count", "1", "2"
			if d.needs[l.need].engine != "" {
				id, from, to = d.needs[l.need].id+".highAvailability", "false", "true"
			}
			out = append(out, s.step(c, each.sum, id, from, to, l.ease, each.need))
		}
	}
	return append(out, s.objectiveSteps(c)...)
}

// step prices a component anew.
func (s *search) step(c *contender, now sum, id, from, to string, change func(*need), need int) Step {
	st := Step{Requirement: id, From: from, To: to, Offer: c.place.name()}
	then := c.place.partial(s.demand, need, change)
	switch {
	case then.none != "":
		st.Says = "not offered: " + then.none
	default:
		difference, unknown := then.less(&now)
		if unknown != "" {
			st.Says = "no price of the " + string(unknown) + " is known"
			break
		}
		st.Monthly = s.withFee(c, difference)
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
	total, unknown := decimal.Decimal{}, Part("")
	for _, l := range used {
		now, then := p.partial(&d, l.need, nil), p.partial(&d, l.need, l.ease)
		difference, part := then.less(&now)
		unknown, total = cmp.Or(unknown, part), total.Add(difference)
		if st.Says != "" {
			st.Says += " and "
		}
		st.Says += l.id
	}
	if unknown == "" {
		st.Monthly = s.withFee(c, total)
	} else {
		st.Says += "; no price of the " + string(unknown) + " is known"
	}
	return st
}
