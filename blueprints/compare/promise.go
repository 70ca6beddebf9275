package compare

import (
	"fmt"
	"strings"

	"surety/blueprints/architecture"
	"surety/blueprints/architecture/reliability"
	"surety/blueprints/catalog"
)

// circumstances are what a promise's scope may ask for.
type circumstances struct {
	kind      architecture.Kind
	instances int
	standby   bool
	zones     int    // of the region; 0 is unknown
	medium    medium // of the disks; empty is unknown
	engine    string
	service   string // of the database class that was picked; empty is unknown
}

// fit is how a scope's condition fares.
type fit int

const (
	fitsNot fit = iota
	fitsPerhaps
	fitsSurely
)

// applies tells whether a promise covers something in these circumstances, with how its condition fares. Scopes are read by the words
// that providers use for them; one that is not understood covers nothing.
func (c circumstances) applies(p *catalog.Promise) (fit, string) {
	if p.Percent <= 0 {
		return fitsNot, ""
	}
	service, scope := strings.ToLower(p.Service), strings.ToLower(p.Scope)
	if kindOfService(service) != c.kind {
		return fitsNot, ""
	}
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(scope, w) {
				return true
			}
		}
		return false
	}
	switch c.kind {
	case architecture.KindServer:
		switch {
		case has("availability set", "memory-optimized", "hdd", "dedicated host"):
			return fitsNot, "" // nothing that is built here
		case has("region-level", "multiple zones", "availability zones", ">=2", "two zones", "multi-zone"):
			if c.instances < 2 {
				return fitsNot, ""
			}
			return c.inZones(fmt.Sprintf("%d instances", c.instances))
		case has("premium ssd"):
			return c.onDisks(premium)
		case has("standard ssd"):
			return c.onDisks(solid)
		}
		return fitsSurely, "each instance"
	case architecture.KindDatabase:
		if !sameService(service, c.service, c.engine) || has("plus", "multi-region") {
			return fitsNot, ""
		}
		switch {
		case has("no ha", "without"):
			return fitsNot, ""
		case has("same-zone"):
			return fitIf(c.standby), "a standby in the same zone at least"
		case has("multi-az", "zone-redundant", "with ha", "standby", "high availability"):
			if !c.standby {
				return fitsNot, ""
			}
			return c.inZones("a standby")
		case has("single"):
			return fitsSurely, "each instance"
		}
		return fitsSurely, "the service"
	case architecture.KindBucket:
		if scope == "" || (strings.HasPrefix(scope, "standard") && (!has("dual-region") || has("regional;")) && !strings.HasPrefix(scope, "standard-ia")) {
			return fitsSurely, "the standard class"
		}
		return fitsNot, ""
	case architecture.KindBalancer:
		return fitsSurely, "the service"
	}
	return fitsNot, ""
}

func fitIf(yes bool) fit {
	if yes {
		return fitsSurely
	}
	return fitsNot
}

func (c circumstances) inZones(what string) (fit, string) {
	switch {
	case c.zones == 0:
		return fitsPerhaps, what + " in two zones; how many the region has is not known"
	case c.zones < 2:
		return fitsNot, ""
	}
	return fitsSurely, fmt.Sprintf("%s in two of %d zones", what, c.zones)
}

func (c circumstances) onDisks(want medium) (fit, string) {
	switch c.medium {
	case want:
		return fitsSurely, "each instance, on " + string(want)
	case premium:
		return fitIf(want == solid), "each instance, on a better disk than asked"
	case "":
		return fitsPerhaps, "each instance, on " + string(want) + "; which disks are sold is not known"
	}
	return fitsNot, ""
}

// kindOfService tells what a promise's service is.
func kindOfService(service string) architecture.Kind {
	for _, k := range []struct {
		word string
		kind architecture.Kind
	}{
		{"container", ""}, {"balanc", architecture.KindBalancer}, {"elb", architecture.KindBalancer},
		{"sql", architecture.KindDatabase}, {"rds", architecture.KindDatabase}, {"database", architecture.KindDatabase}, {"cache", architecture.KindDatabase},
		{"redis", architecture.KindDatabase}, {"mariadb", architecture.KindDatabase}, {"memorystore", architecture.KindDatabase},
		{"block", ""}, {"s3", architecture.KindBucket}, {"storage", architecture.KindBucket}, {"object", architecture.KindBucket},
		{"ec2", architecture.KindServer}, {"virtual", architecture.KindServer}, {"compute", architecture.KindServer}, {"machine", architecture.KindServer},
		{"instance", architecture.KindServer}, {"droplet", architecture.KindServer},
	} {
		if strings.Contains(service, k.word) {
			return k.kind
		}
	}
	return ""
}

// sameService tells whether a promise for a service covers a database of an engine on the service whose prices were taken. Where no
// price was found the provider's plain service for the engine is meant: Aurora and AlloyDB promise more, and are not it.
func sameService(promised, priced, engine string) bool {
	for _, other := range []string{"aurora", "dsql", "alloydb", "sql-database"} {
		if strings.Contains(promised, other) {
			return strings.Contains(strings.ToLower(priced), other)
		}
	}
	if strings.Contains(promised, "flexible") {
		return strings.Contains(promised, engine)
	}
	for _, cache := range []string{"cache", "redis", "memorystore"} {
		if strings.Contains(promised, cache) {
			return engine == "redis"
		}
	}
	return priced == "" && engine != "redis" || strings.EqualFold(promised, priced) || promised == "database"
}

// term gives a need's factor at a place, without its name: the best promise whose condition holds, or may hold.
func (p *place) term(n *need, got *pick, v *volume) *Term {
	c := circumstances{kind: n.kind, instances: n.instances, standby: n.standby, zones: p.region.Zones, engine: n.engine}
	if v != nil {
		c.medium = v.medium
	}
	if got != nil {
		c.service = got.service
	}
	t := p.terms[c]
	if t == nil {
		promised := p.promised(c)
		t = &promised
		p.terms[c] = t
	}
	return t
}

func (p *place) promised(c circumstances) Term {
	var best *catalog.Promise
	var how fit
	var condition string
	grouped := false
	for i := range p.facts.Promises {
		promise := &p.facts.Promises[i]
		f, says := c.applies(promise)
		if f == fitsNot || (best != nil && promise.Percent <= best.Percent) {
			continue
		}
		best, how, condition = promise, f, says
	}
	if best == nil {
		return Term{Condition: "nothing is promised for it, as far as is known", Unproven: true}
	}
	grouped = !strings.HasPrefix(condition, "each instance")
	t := Term{Service: best.Service, Scope: best.Scope, Percent: best.Percent, Condition: condition, Unproven: how == fitsPerhaps,
		Credits: best.Credits, Origin: best.Origin}
	if c.kind == architecture.KindServer && c.instances > 1 && !grouped {
		if p.region.Zones > 1 {
			t.Percent = 100 * reliability.AtLeast(1, c.instances, best.Percent/100)
			t.Condition = fmt.Sprintf("1 of %d needed, each %s %%, in %d zones and taken to fail independently: computed, not promised", c.instances, figure(best.Percent), p.region.Zones)
		} else {
			t.Condition += "; nothing is promised for several in one zone"
		}
	}
	t.Minutes = reliability.DownPerMonth(t.Percent / 100).Minutes()
	return t
}

// availability is what the promises of a place come to.
type availability struct {
	percent  float64 // 0: unknown
	atMost   float64 // the product of what is known, of the worst entry
	unproven bool    // a condition of it cannot be checked
	missing  string  // the first component of which nothing is promised
	entry    int     // the worst
}

// availability composes the promises of the components behind each public entry, which are needed all together, and gives the worst.
// The components are taken to fail independently of each other, see the package reliability.
func (b *bid) availability(d *demand) availability {
	worst := availability{percent: 100, atMost: 100}
	factors := make([]*Term, len(d.needs))
	for i := range d.needs {
		factors[i] = b.place.term(&d.needs[i], b.picks[i], b.volumes[i])
	}
	for e, entry := range d.entries {
		a := 1.0
		for _, i := range entry {
			t := factors[i]
			if t.Percent == 0 {
				if worst.missing == "" {
					worst.missing = d.needs[i].id
				}
				continue
			}
			worst.unproven = worst.unproven || t.Unproven
			a *= t.Percent / 100
		}
		if 100*a < worst.atMost {
			worst.atMost, worst.entry = 100*a, e
		}
	}
	worst.percent = worst.atMost
	if worst.missing != "" {
		worst.percent = 0
	}
	return worst
}

// terms gives the factors of an entry, in words.
func (b *bid) terms(d *demand, entry int) (terms []Term, formula string) {
	var factors []string
	for _, i := range d.entries[entry] {
		n := &d.needs[i]
		t := *b.place.term(n, b.picks[i], b.volumes[i])
		t.Component = n.id
		terms = append(terms, t)
		section, name, _ := strings.Cut(n.id, ".")
		switch {
		case section == "balancers":
			name = "balancer " + name
		case n.standby:
			name += "(1 of 2)"
		case n.instances > 1:
			name += fmt.Sprintf("(1 of %d)", n.instances)
		}
		factors = append(factors, name)
	}
	return terms, strings.Join(factors, " × ")
}
