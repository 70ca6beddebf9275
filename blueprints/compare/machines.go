package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/catalog"
)

// pick is the machine type that a component gets.
type pick struct {
	name      string
	service   string // of a database
	cpu       float64
	memory    int64
	burstable bool
	price     *catalog.Price  // an hour; nil: unknown
	hourly    decimal.Decimal // the price in the place's currency
	term      string          // of the commitment that the price is for; empty: on demand
	none      string          // why nothing will do; then there is no name
	unknown   string          // why there is no price
}

type pickKey struct {
	cpu       float64
	memory    int64
	arch      string
	burstable bool
}

type managedKey struct {
	engine  string
	standby bool
}

type classKey struct {
	cpu       float64
	memory    int64
	engine    string
	standby   bool
	burstable bool
}

// candidate is a machine type of either kind, as far as the choice looks at it.
type candidate struct {
	name, service, arch string
	cpu                 float64
	memory              int64
	burstable, previous bool
	hourly              *catalog.Price
	class               *catalog.DatabaseClass // of a database

	price  *catalog.Price // that counts: on demand or committed; nil: unknown
	amount decimal.Decimal
	approx float64 // of amount, correctly rounded, so that most comparisons need no decimals
	term   string
}

// dearer compares what two candidates cost an hour.
func (c *candidate) dearer(o *candidate) int {
	if c.approx != o.approx {
		return cmp.Compare(c.approx, o.approx)
	}
	return c.amount.Cmp(o.amount)
}

// lacks says why a type will not do, or nothing.
func (c *candidate) lacks(n *need) string {
	switch {
	case c.cpu < n.cpu:
		return fmt.Sprintf("%s vCPU, %s required", figure(c.cpu), figure(n.cpu))
	case c.memory < n.memory:
		return fmt.Sprintf("%s of memory, %s required", blueprints.Bytes(c.memory), blueprints.Bytes(n.memory))
	case n.arch != "" && n.arch != "any" && c.arch != "" && c.arch != n.arch:
		return fmt.Sprintf("%s, %s required", c.arch, n.arch)
	case c.burstable && !n.burstable:
		return "gives its CPUs only for a share of the time"
	case c.previous:
		return "of a previous generation"
	}
	return ""
}

// fits is lacks without the words.
func (c *candidate) fits(n *need) bool {
	return c.cpu >= n.cpu && c.memory >= n.memory && !c.previous && (!c.burstable || n.burstable) &&
		(n.arch == "" || n.arch == "any" || c.arch == "" || c.arch == n.arch)
}

// settle works out the hourly price that counts: the cheapest commitment of the wanted term where one is known, else on demand.
func (p *place) settle(c *candidate) {
	if want := p.options.Commit; want != "" {
		committed := p.commitments(c)
		for i := range committed {
			if t := committed[i].Term; t != want && !strings.HasPrefix(t, want+" ") && !strings.HasPrefix(t, want+"-") {
				continue
			}
			amount, known := p.amount(&committed[i].Price)
			if known && (c.price == nil || amount.LessThan(c.amount)) {
				c.price, c.amount, c.term = &committed[i].Price, amount, committed[i].Term
			}
		}
	}
	if amount, known := p.amount(c.hourly); known && c.price == nil {
		c.price, c.amount = c.hourly, amount
	}
	if c.price != nil {
		c.approx = approximate(c.amount)
	}
}

// approximate gives the nearest float. Below 2⁵³ with up to 22 places one division does, which rounds correctly.
func approximate(d decimal.Decimal) float64 {
	if digits, places := d.Coefficient(), -d.Exponent(); digits.IsInt64() && digits.Int64() < 1<<53 && places >= 0 && places <= 22 {
		return float64(digits.Int64()) / math.Pow10(int(places))
	}
	return d.InexactFloat64()
}

func (p *place) commitments(c *candidate) []catalog.Commitment {
	if c.class != nil {
		return p.sells.DatabaseCommitments(p.region.ID, *c.class)
	}
	return p.sells.Commitments(p.region.ID, c.name)
}

// machines lists a region's instance types, in the catalogue's order.
func (p *place) machines() []candidate {
	if p.instances == nil {
		instances := p.sells.Instances(p.region.ID)
		p.instances = make([]candidate, 0, len(instances))
		for i := range instances {
			t := &instances[i]
			p.instances = append(p.instances, candidate{name: t.Type, arch: t.Arch, cpu: t.CPU, memory: t.Memory, burstable: t.Burstable,
				previous: t.Previous, hourly: t.Hourly})
			p.settle(&p.instances[i])
		}
	}
	return p.instances
}

// managed lists a region's database classes for an engine, those with a standby or those without.
func (p *place) managed(engine string, standby bool) []candidate {
	key := managedKey{engine, standby}
	if all, done := p.engines[key]; done {
		return all
	}
	var all []candidate
	classes := p.sells.Databases(p.region.ID, engine)
	for i := range classes {
		t := &classes[i]
		if t.Standby == standby {
			all = append(all, candidate{name: t.Class, service: t.Service, cpu: t.CPU, memory: t.Memory, burstable: t.Burstable, hourly: t.Hourly, class: t})
			p.settle(&all[len(all)-1])
		}
	}
	p.engines[key] = all
	return all
}

// cheapest picks the type of the lowest price among those that fit; of equals the one with more memory, then more CPUs, then by name.
// A type without a price is picked only when no other fits.
func (p *place) cheapest(n *need, all []candidate) *pick {
	var found *candidate
	for i := range all {
		c := &all[i]
		if !c.fits(n) {
			continue
		}
		better := found == nil || (found.price == nil && c.price != nil)
		if !better && c.price != nil && found.price != nil {
			better = cmp.Or(c.dearer(found), -cmp.Compare(c.memory, found.memory), -cmp.Compare(c.cpu, found.cpu), cmp.Compare(c.name, found.name)) < 0
		}
		if better {
			found = c
		}
	}
	switch {
	case found != nil:
		got := &pick{name: found.name, service: found.service, cpu: found.cpu, memory: found.memory, burstable: found.burstable,
			price: found.price, hourly: found.amount, term: found.term}
		if got.price == nil {
			got.unknown = p.whyUnknown(found.hourly)
		}
		return got
	case len(all) == 0:
		return &pick{unknown: "no machine types of " + p.name() + " are known"}
	}
	return &pick{none: fmt.Sprintf("none of %d types gives %s vCPU and %s of memory%s", len(all), figure(n.cpu), blueprints.Bytes(n.memory), kindOf(n))}
}

func kindOf(n *need) string {
	var more []string
	if n.arch != "" && n.arch != "any" {
		more = append(more, n.arch)
	}
	if !n.burstable {
		more = append(more, "all the time")
	}
	if len(more) == 0 {
		return ""
	}
	return " (" + strings.Join(more, ", ") + ")"
}

func (p *place) whyUnknown(price *catalog.Price) string {
	if price == nil {
		return "no price is known"
	}
	return fmt.Sprintf("its price is in %s, and no rate to %s is known", price.Currency, p.currency)
}

// machine picks an instance type for a server group.
func (p *place) machine(n *need) *pick {
	key := pickKey{n.cpu, n.memory, n.arch, n.burstable}
	if got, done := p.picks[key]; done {
		return got
	}
	got := p.cheapest(n, p.machines())
	p.picks[key] = got
	return got
}

// database picks a class for a database. Where the engine is sold, but no price with a standby is known, the price is unknown: what
// two single ones cost is another thing.
func (p *place) database(n *need) *pick {
	key := classKey{n.cpu, n.memory, n.engine, n.standby, n.burstable}
	if got, done := p.classes[key]; done {
		return got
	}
	got := p.cheapest(n, p.managed(n.engine, n.standby))
	if got.name == "" && got.none == "" && n.standby {
		if single := p.cheapest(n, p.managed(n.engine, false)); single.name != "" || single.none != "" {
			got = single
			got.price, got.hourly, got.term = nil, decimal.Decimal{}, ""
			got.unknown = "no price with a standby is known"
		}
	}
	if got.none != "" && p.soldElsewhere(n) {
		got = &pick{unknown: "classes of that size are known in other regions, and no price here"}
	} else if got.name == "" && got.none == "" {
		got.unknown = fmt.Sprintf("no managed %s of %s is known", n.engine, p.name())
	}
	p.classes[key] = got
	return got
}

// soldElsewhere tells whether a region's list of classes is only part of what the provider sells: another has one that would do.
func (p *place) soldElsewhere(n *need) bool {
	for _, r := range p.facts.Regions {
		for _, t := range p.sells.Databases(r.ID, n.engine) {
			c := candidate{cpu: t.CPU, memory: t.Memory, burstable: t.Burstable}
			if r.ID != p.region.ID && c.fits(n) {
				return true
			}
		}
	}
	return false
}

// rivals are the types next to a pick: the dearest of the cheaper ones that will not do, the cheapest of the others that will, and how
// many will.
type rivals struct {
	cheaper, dearer []*candidate
	feasible        int
}

const few = 3

func beside(n *need, got *pick, all []candidate) *rivals {
	own := candidate{amount: got.hourly, approx: approximate(got.hourly)}
	r := &rivals{}
	byPrice := func(a, b *candidate) int { return cmp.Or(a.dearer(b), cmp.Compare(a.name, b.name)) }
	// keep puts a candidate into a list of a few that is in order, from its end or from its beginning.
	keep := func(list []*candidate, c *candidate, last bool) []*candidate {
		at, _ := slices.BinarySearchFunc(list, c, byPrice)
		list = slices.Insert(list, at, c)
		switch {
		case len(list) <= few:
			return list
		case last:
			return list[1:]
		}
		return list[:few]
	}
	for i := range all {
		t := &all[i]
		fits := t.fits(n)
		if fits {
			r.feasible++
		}
		if t.price == nil || got.price == nil || (t.name == got.name && t.service == got.service) {
			continue
		}
		switch {
		case fits:
			r.dearer = keep(r.dearer, t, false)
		case t.dearer(&own) < 0:
			r.cheaper = keep(r.cheaper, t, true)
		}
	}
	return r
}

// choice explains a pick: how many types would have done, the cheaper ones that would not and why, and the next that would.
func (p *place) choice(n *need, got *pick, all []candidate) Choice {
	r := p.beside[got]
	if r == nil {
		r = beside(n, got, all)
		p.beside[got] = r
	}
	c := Choice{Component: n.id, Type: got.name, Feasible: r.feasible, RunnersUp: make([]Reject, 0, len(r.cheaper)+len(r.dearer))}
	hours := decimal.NewFromInt(int64(catalog.HoursPerMonth * p.copies(n)))
	own := got.hourly.Mul(hours).Round(2)
	for i, t := range slices.Concat(r.cheaper, r.dearer) {
		monthly := t.amount.Mul(hours).Round(2)
		why := t.lacks(n)
		if i >= len(r.cheaper) {
			why = fmt.Sprintf("would do, for %s %s more", monthly.Sub(own).StringFixed(2), p.currency)
		}
		c.RunnersUp = append(c.RunnersUp, Reject{Type: t.name, Reason: why, Monthly: &monthly})
	}
	c.Reason = reason(n, got, c.Feasible)
	return c
}

// copies is by how many a type's price counts: a database class's price includes its standby.
func (p *place) copies(n *need) int {
	if n.engine != "" {
		return 1
	}
	return n.instances
}

func reason(n *need, got *pick, feasible int) string {
	switch {
	case got.name == "":
		return got.unknown
	case got.price == nil:
		return fmt.Sprintf("gives %s; %s", gives(got), got.unknown)
	}
	text := fmt.Sprintf("the cheapest of %d that give at least %s vCPU and %s of memory: it gives %s", feasible, figure(n.cpu), blueprints.Bytes(n.memory), gives(got))
	if got.burstable {
		text += "; a share of the CPUs will do, as neither cpu nor a load is required"
	}
	if got.term != "" {
		text += "; at the price for a commitment of " + got.term
	}
	return text
}

func gives(got *pick) string {
	return fmt.Sprintf("%s vCPU and %s", figure(got.cpu), blueprints.Bytes(got.memory))
}

func figure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
