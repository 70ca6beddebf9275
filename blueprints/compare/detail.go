package compare

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/architecture"
)

func decimalOf(f float64) decimal.Decimal { return decimal.NewFromFloat(f) }

// offer puts an answer into words.
func (p *place) offer(d *demand, a *answer) Offer {
	b := a.bid
	o := Offer{Provider: p.facts.ID, Region: p.region.ID, Country: p.region.Country, Currency: p.currency, Infeasible: b.infeasible,
		Lines: []Line{}, Unknown: []string{}, Choices: []Choice{}, Terms: []Term{}, Judgements: []Judgement{}, Preflight: []string{}}
	if o.Infeasible != "" {
		return o
	}
	o.Total, o.Support = a.total, a.support
	for i := range b.items {
		o.Lines = append(o.Lines, b.line(d, &b.items[i]))
	}
	if s := a.support; s != nil {
		o.Lines = append(o.Lines, Line{Part: PartSupport, What: s.Plan, Quantity: one, Unit: "month", Monthly: s.Monthly, Assumption: s.Says, Requirements: d.asked(idSupport)})
	}
	for _, l := range o.Lines {
		if l.Monthly.Open {
			o.Unknown = append(o.Unknown, l.unknown())
		}
		if l.UnitPrice != nil {
			if date := l.UnitPrice.Origin.Date; !date.IsZero() && (o.OldestPrice.IsZero() || date.Before(o.OldestPrice)) {
				o.OldestPrice = date
			}
		}
	}
	for i := range d.needs {
		n := &d.needs[i]
		switch {
		case b.picks[i] == nil:
		case n.kind == architecture.KindDatabase:
			o.Choices = append(o.Choices, p.choice(n, b.picks[i], p.managed(n.engine, n.standby)))
		default:
			o.Choices = append(o.Choices, p.choice(n, b.picks[i], p.machines()))
		}
	}
	o.Choices = append(o.Choices, p.storageChoices(d)...)
	if a.avail.percent > 0 {
		o.Availability = a.avail.percent
		o.Minutes = (1 - o.Availability/100) * reliabilityMonth
	} else {
		o.AtMost = a.avail.atMost
	}
	o.Terms, o.Formula = b.terms(d, a.avail.entry)
	o.Judgements = ordered(append(p.objectives(d, a), p.components(d, b)...), d.list)
	o.Preflight = p.preflight(d, b)
	return o
}

const reliabilityMonth = 30 * 24 * 60 // minutes

// line puts an item into words.
func (b *bid) line(d *demand, it *item) Line {
	l := Line{Part: it.part, What: it.name, Quantity: it.low, QuantityOpen: it.endless, Unit: it.unit, UnitPrice: it.price,
		Monthly: boundsOf(it.from, it.to, it.open), Assumption: it.assumption}
	var n *need
	if it.need >= 0 {
		n = &d.needs[it.need]
		l.Component = n.id
	}
	if it.rate != nil {
		l.SKU, l.UnitPrice, l.Tiered = it.rate.SKU, &it.rate.Tiers[0].Price, len(it.rate.Tiers) > 1
	}
	if it.ranged {
		high := it.high
		l.QuantityHigh = &high
	}
	switch it.part {
	case PartMachine, PartDatabase:
		got := b.picks[it.need]
		l.SKU, l.What = got.name, got.name
		if got.name == "" {
			l.What = fmt.Sprintf("machine of at least %s vCPU and %s", figure(n.cpu), blueprints.Bytes(n.memory))
		}
		switch {
		case it.part == PartMachine:
			l.What = fmt.Sprintf("%d × %s", n.instances, l.What)
			l.Requirements = d.asked(n.id+".count", n.id+".size.cpu", n.id+".size.memory", n.id+".os")
		case n.standby:
			l.What = fmt.Sprintf("%s %s, with standby", n.engine, l.What)
		default:
			l.What = fmt.Sprintf("%s %s", n.engine, l.What)
		}
		if it.part == PartDatabase {
			l.Requirements = d.asked(n.id+".engine", n.id+".version", n.id+".highAvailability", n.id+".size.cpu", n.id+".size.memory")
		}
		if got.term != "" {
			l.What += ", committed " + got.term
		}
	case PartIOPS:
		l.Requirements = d.asked(n.id + ".count")
	case PartDisk:
		l.What = diskName(n, b.volumes[it.need])
		l.Requirements = d.asked(n.id+".size.disk", n.id+".count")
	case PartDatabaseStorage:
		l.What = fmt.Sprintf("%s GiB of database storage", gib(n.disk))
		l.Requirements = d.asked(n.id+".size.disk", n.id+".highAvailability")
	case PartObjects:
		l.What = "object storage"
		if it.rate != nil && it.rate.Class != "" {
			l.What += ", " + it.rate.Class
		}
		l.Requirements = d.asked(n.id, n.id+".size", n.id+".versioning")
	case PartBackup:
		l.Requirements = d.backups(n.id)
	case PartBalancer, PartBalancerTraffic, PartAddress, PartEgress:
		if n != nil {
			group := strings.Replace(n.id, "balancers.", "servers.", 1)
			l.Requirements = d.asked(group+".public", group+".expects.rps")
		}
	case PartLicence:
		l.Requirements = d.asked(n.id + ".os")
	case PartWrites, PartReads:
		l.What = string(it.part)
	}
	if it.unknown != "" {
		l.Assumption = strings.TrimPrefix(l.Assumption+"; "+it.unknown, "; ")
	}
	if l.Requirements == nil {
		l.Requirements = []string{}
	}
	return l
}

// unknown says what of a line is not known.
func (l *Line) unknown() string {
	of := l.What
	if l.Component != "" {
		of = l.Component + ": " + of
	}
	if l.UnitPrice == nil && l.Part != PartSupport {
		return of + ": no known price"
	}
	return of + ": nothing bounds the usage"
}

// backups lists the requirements of the backups that keep copies of a component.
func (d *demand) backups(id string) []string {
	var ids []string
	for _, r := range d.list {
		if strings.HasPrefix(r.ID, "backups.") && strings.Contains(r.ID, ".of[") && r.Value == id {
			backup := r.ID[:strings.Index(r.ID, ".of[")]
			ids = append(ids, d.asked(r.ID, backup+".keep")...)
		}
	}
	return ids
}

// storageChoices says why a class of object storage was chosen.
func (p *place) storageChoices(d *demand) []Choice {
	var all []Choice
	for i := range d.needs {
		n := &d.needs[i]
		if n.kind != architecture.KindBucket {
			continue
		}
		rate, rejects := p.objects(gib(n.disk))
		c := Choice{Component: n.id, RunnersUp: rejects, Reason: "no price for data that is read at any time is known"}
		if rate != nil {
			c.Type, c.Feasible = rate.Class, 1
			c.Reason = "the cheapest class for data that is read at any time, kept in more than one zone"
			if oneZone(rate.Class) {
				c.Reason = "the only class with a known price; it keeps the data in one zone"
			}
		}
		if c.RunnersUp == nil {
			c.RunnersUp = []Reject{}
		}
		all = append(all, c)
	}
	return all
}

// components judges what is required of the components and a catalogue can say something of.
func (p *place) components(d *demand, b *bid) []Judgement {
	var all []Judgement
	say := func(id string, state State, says string) {
		if d.written(id) {
			all = append(all, Judgement{id, state, says})
		}
	}
	for i := range d.needs {
		n, got := &d.needs[i], b.picks[i]
		if got != nil {
			state, says := Met, fmt.Sprintf("%s gives %s", got.name, gives(got))
			if got.name == "" {
				state, says = Unproven, got.unknown
			}
			say(n.id+".size.cpu", state, says)
			say(n.id+".size.memory", state, says)
		}
		switch n.kind {
		case architecture.KindServer:
			state, says := p.image(n)
			say(n.id+".os", state, says)
		case architecture.KindDatabase:
			known := got.name != ""
			if known {
				say(n.id+".engine", Met, fmt.Sprintf("%s offers %s", got.service, n.engine))
			} else {
				say(n.id+".engine", Unproven, got.unknown)
			}
			if n.version != "" {
				j := p.version(n, got, p.options.Now)
				say(j.Requirement, j.State, j.Says)
			}
			switch {
			case n.standby && known && got.price != nil:
				say(n.id+".highAvailability", Met, "sold with a standby")
			case n.standby:
				say(n.id+".highAvailability", Unproven, got.unknown)
			}
		}
	}
	return all
}

// image tells whether the provider has an image of a group's operating system.
func (p *place) image(n *need) (State, string) {
	for i := range p.facts.Images {
		im := &p.facts.Images[i]
		if im.OS == n.os && (n.arch == "any" || im.Arch == n.arch) {
			if im.Reference == "" {
				return Met, "an image is published; its name is not known"
			}
			return Met, "image " + im.Reference
		}
	}
	return Unproven, fmt.Sprintf("no image of %s for %s is known with %s", n.os, n.arch, p.facts.Name)
}

const soon = 365 * 24 * time.Hour

// preflight says what should be looked at before anything is built.
func (p *place) preflight(d *demand, b *bid) []string {
	var all []string
	say := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	now := p.options.Now
	for i := range d.needs {
		n := &d.needs[i]
		switch n.kind {
		case architecture.KindServer:
			if state, says := p.image(n); state != Met {
				say("%s: %s", n.id, says)
			}
			name, version, _ := cutLast(n.os)
			for j := range p.facts.Engines {
				if e := &p.facts.Engines[j]; e.Service == "os" && e.Engine == name && e.Version == version {
					p.ends(say, n.id, n.os, e.Standard, e.Extended, now)
				}
			}
		case architecture.KindDatabase:
			if e, listed := p.engine(n, b.picks[i]); e != nil {
				p.ends(say, n.id, e.Engine+" "+e.Version, e.Standard, e.Extended, now)
			} else if !listed {
				say("%s: the versions of %s that %s offers are not known", n.id, n.engine, p.facts.Name)
			}
		}
	}
	for i := range p.facts.Lacks {
		if l := &p.facts.Lacks[i]; l.Region == p.region.ID {
			say("%s lacks: %s", p.region.ID, l.Feature)
		}
	}
	if p.region.Zones == 0 && d.spread() {
		say("how many zones %s has is not known", p.region.ID)
	}
	say("quotas of the account in %s are not known: they are the account's own", p.name())
	return all
}

func (p *place) ends(say func(string, ...any), id, what string, standard, extended, now time.Time) {
	switch {
	case standard.IsZero():
		say("%s: until when %s is supported is not known", id, what)
	case standard.Before(now) && !extended.IsZero() && extended.After(now):
		say("%s: standard support of %s ended on %s, extended support ends on %s", id, what, day(standard), day(extended))
	case standard.Before(now):
		say("%s: standard support of %s ended on %s", id, what, day(standard))
	case standard.Sub(now) < soon:
		say("%s: standard support of %s ends on %s, in %d days", id, what, day(standard), int(standard.Sub(now).Hours()/24))
	}
}

// cutLast splits "ubuntu-24.04" into "ubuntu" and "24.04".
func cutLast(os string) (name, version string, ok bool) {
	if i := strings.LastIndexByte(os, '-'); i > 0 {
		return os[:i], os[i+1:], true
	}
	return os, "", false
}
