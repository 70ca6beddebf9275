package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

const (
	idAvailability = "objectives.availability"
	idBudget       = "objectives.budget"
	idResidency    = "objectives.residency"
	idSupport      = "objectives.support.critical"

	// tolerance keeps rounding of products from breaching an objective that is met exactly.
	tolerance = 1e-9
)

// answer is a bid with what it comes to: all that the ranking and the search for conflicts look at.
type answer struct {
	bid     *bid
	support *Support
	total   Bounds
	avail   availability
	broken  []string // the requirements that are known to be breached
	places  []position
}

// answer judges a bid by the demand's objectives.
func (p *place) answer(d *demand) *answer {
	b := p.bid(d)
	a := &answer{bid: b}
	if b.infeasible != "" {
		return a
	}
	a.total = b.bounds()
	if d.objectives.Support != nil {
		if a.support = p.support(time.Duration(d.objectives.Support.Critical), a.total); a.support != nil {
			a.total = plus(a.total, a.support.Monthly)
		}
	}
	a.avail = b.availability(d)
	for _, j := range p.objectives(d, a) {
		if j.State == Breached {
			a.broken = append(a.broken, j.Requirement)
		}
	}
	for i := range d.needs {
		if n := &d.needs[i]; n.kind == architecture.KindDatabase {
			if j := p.version(n, b.picks[i], p.options.Now); j.State == Breached {
				a.broken = append(a.broken, j.Requirement)
			}
		}
	}
	return a
}

func plus(a, b Bounds) Bounds {
	sum := Bounds{Low: a.Low.Add(b.Low), Open: a.Open || b.Open}
	if !sum.Open {
		sum.High = a.High.Add(b.High)
	}
	return sum
}

// objectives judges what is required of the whole.
func (p *place) objectives(d *demand, a *answer) []Judgement {
	var all []Judgement
	say := func(id string, state State, format string, args ...any) {
		all = append(all, Judgement{id, state, fmt.Sprintf(format, args...)})
	}
	o := &d.objectives
	if want := float64(o.Availability); want > 0 {
		v := a.avail
		switch {
		case v.atMost < want-tolerance:
			say(idAvailability, Breached, "%s %% by published terms, %s %% required", Percent(v.atMost), figure(want))
		case v.missing != "":
			rest := ""
			if v.atMost < 100 {
				rest = fmt.Sprintf("; the rest comes to %s %%", Percent(v.atMost))
			}
			say(idAvailability, Unproven, "nothing is promised for %s, as far as is known%s; %s %% required", v.missing, rest, figure(want))
		case v.unproven:
			say(idAvailability, Unproven, "%s %% by published terms, if their conditions hold, which is not known; %s %% required", Percent(v.percent), figure(want))
		default:
			say(idAvailability, Met, "%s %% by published terms, %s %% required", Percent(v.percent), figure(want))
		}
	}
	if o.Budget != nil {
		all = append(all, p.budget(o.Budget, a.total))
	}
	if len(o.Residency) > 0 {
		switch list := strings.Join(o.Residency, ", "); {
		case p.region.Country == "":
			say(idResidency, Unproven, "the country of %s is not known", p.region.ID)
		case slices.Contains(o.Residency, p.region.Country):
			say(idResidency, Met, "%s is in %s", p.region.ID, p.region.Country)
		default:
			say(idResidency, Breached, "%s is in %s, %s required", p.region.ID, p.region.Country, list)
		}
	}
	if o.Support != nil {
		switch s := a.support; {
		case s != nil:
			say(idSupport, Met, "%s answers within %s, %s required", s.Plan, blueprints.Duration(s.Critical), o.Support.Critical)
		case len(p.facts.Plans) == 0:
			say(idSupport, Unproven, "no support plans of %s are known", p.facts.Name)
		default:
			fastest := time.Duration(math.MaxInt64)
			for i := range p.facts.Plans {
				if got := answers(&p.facts.Plans[i]); p.facts.Plans[i].Current && got > 0 {
					fastest = min(fastest, got)
				}
			}
			if fastest == math.MaxInt64 {
				say(idSupport, Breached, "no plan of %s promises a time, %s required", p.facts.Name, o.Support.Critical)
			} else {
				say(idSupport, Breached, "the fastest plan of %s answers within %s, %s required", p.facts.Name, blueprints.Duration(fastest), o.Support.Critical)
			}
		}
	}
	return all
}

// budget judges a total, in the budget's own currency.
func (p *place) budget(b *blueprints.Budget, total Bounds) Judgement {
	j := Judgement{Requirement: idBudget, State: Unproven}
	limit := cents(decimalOf(b.Monthly))
	rate, known := p.rate(p.currency, b.Currency)
	if p.currency == b.Currency {
		rate, known = one, true
	}
	if !known {
		j.Says = fmt.Sprintf("%s %s a month, and no rate to %s is known: give one in a price book", total, p.currency, b.Currency)
		return j
	}
	in := Bounds{Low: total.Low.Mul(rate).Round(2), High: total.High.Mul(rate).Round(2), Open: total.Open}
	j.Says = fmt.Sprintf("%s %s a month, %s allowed", in, b.Currency, money(limit))
	switch {
	case in.Low.GreaterThan(money(limit)):
		j.State = Breached
	case in.Open:
		j.Says += "; a price or a usage is unknown"
	case in.High.GreaterThan(money(limit)):
		j.Says += "; it depends on the usage"
	default:
		j.State = Met
	}
	return j
}

// version judges a database's version by what the provider's service offers at a time.
func (p *place) version(n *need, got *pick, now time.Time) Judgement {
	j := Judgement{Requirement: n.id + ".version", State: Unproven}
	e, listed := p.engine(n, got)
	switch {
	case n.version == "" || !listed:
		j.Says = fmt.Sprintf("the versions of %s that are offered are not known", n.engine)
	case e == nil:
		j.State, j.Says = Breached, fmt.Sprintf("%s %s is not offered", n.engine, n.version)
	case !e.Extended.IsZero() && e.Extended.Before(now):
		j.State, j.Says = Breached, fmt.Sprintf("support of %s %s ended on %s", n.engine, e.Version, day(e.Extended))
	case !e.Standard.IsZero() && e.Standard.Before(now) && e.Extended.IsZero():
		j.Says = fmt.Sprintf("standard support of %s %s ended on %s; whether it can still be bought is not known", n.engine, e.Version, day(e.Standard))
	case !e.Standard.IsZero() && e.Standard.Before(now):
		j.State, j.Says = Met, fmt.Sprintf("%s %s is offered in extended support until %s, at a price of its own", n.engine, e.Version, day(e.Extended))
	case e.Standard.IsZero():
		j.State, j.Says = Met, fmt.Sprintf("%s %s is offered; until when is not known", n.engine, e.Version)
	default:
		j.State, j.Says = Met, fmt.Sprintf("%s %s is offered, in standard support until %s", n.engine, e.Version, day(e.Standard))
	}
	return j
}

// engine finds the version of a database in what its service offers. Not listed is that nothing is known of the service's versions.
func (p *place) engine(n *need, got *pick) (e *catalog.Engine, listed bool) {
	service := ""
	if got != nil {
		service = got.service
	}
	for i := range p.facts.Engines {
		x := &p.facts.Engines[i]
		if x.Engine != n.engine || !offers(x.Service, service) {
			continue
		}
		listed = true
		// "15" is met by what is listed as "15", and "15.4" by "15", of which it is a minor version.
		if x.Version == n.version || strings.HasPrefix(n.version, x.Version+".") {
			if e == nil || len(x.Version) > len(e.Version) {
				e = x
			}
		}
	}
	return e, listed
}

// offers tells whether a list of versions is that of a service: "aws-rds" of "rds", and Aurora's of nothing else.
func offers(list, service string) bool {
	if strings.Contains(list, "aurora") {
		return strings.Contains(service, "aurora")
	}
	return list != "os"
}

func day(t time.Time) string { return t.Format(time.DateOnly) }

// Percent writes an availability with as many digits as its distance from 100 needs, rounded down so that it never promises more.
func Percent(p float64) string {
	scale := 100.0
	for 100-p < 20/scale && scale < 1e6 {
		scale *= 10
	}
	return strconv.FormatFloat(math.Floor(p*scale+1e-6)/scale, 'f', -1, 64)
}

// String writes a cost as a person would: "412.10–455.30", "≥ 398.20", or "unknown" when nothing of it is known.
func (b Bounds) String() string {
	switch {
	case b.Open && b.Low.IsZero():
		return "unknown"
	case b.Open:
		return "≥ " + b.Low.StringFixed(2)
	case b.Low.Equal(b.High):
		return b.Low.StringFixed(2)
	}
	return b.Low.StringFixed(2) + "–" + b.High.StringFixed(2)
}

// ordered sorts judgements as the spec has its requirements.
func ordered(all []Judgement, list []blueprints.Requirement) []Judgement {
	at := make(map[string]int, len(list))
	for i, r := range list {
		at[r.ID] = i
	}
	slices.SortStableFunc(all, func(a, b Judgement) int { return cmp.Compare(at[a.Requirement], at[b.Requirement]) })
	return all
}
