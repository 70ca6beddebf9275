package compare

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

// ErrUnknown is in the error of a comparison that names a provider or region which the catalogue does not have.
var ErrUnknown = errors.New("not in the catalogue")

// Compare holds a designed spec against the catalogue. An error is ErrUnknown, or a fault in the catalogue's data.
func Compare(doc *blueprints.Document, arch architecture.Architecture, cat *catalog.Catalog, o Options) (Comparison, error) {
	var shops []shop
	for _, p := range cat.Providers() {
		shops = append(shops, shop{p, p})
	}
	c, err := compareAll(doc, arch, shops, func(from, to string) (decimal.Decimal, bool) {
		rate, _, known := cat.Convert(one, from, to)
		return rate, known
	}, o)
	if err != nil {
		return c, err
	}
	for _, p := range cat.Providers() {
		if err := p.Err(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// level is of how many of a place's machines prices must be known, so that it counts in the search for ways out.
type level int

const (
	whatever level = iota
	partly
	wholly
)

// search is one comparison under way.
type search struct {
	demand *demand
	o      Options
	shops  []shop
	rate   exchange
	places map[string]*place // those looked at, by name
	sorted map[*place]int    // the likely first; made when it is needed
	level  level             // of the places that count
}

func compareAll(doc *blueprints.Document, arch architecture.Architecture, shops []shop, rate exchange, o Options) (Comparison, error) {
	o = o.filled(arch.Objectives.Budget)
	s := &search{demand: newDemand(doc, arch, o), o: o, rate: rate, places: map[string]*place{}}
	out := Comparison{Environment: arch.Name, Currency: o.Currency, Weights: o.Weights, Taken: o.Now,
		Offers: []Offer{}, Others: []Brief{}, Positions: []string{}, Turns: []Turn{}, Conflicts: []Conflict{}, Steps: []Step{}}
	if err := s.choose(shops); err != nil {
		return out, err
	}
	d := s.demand
	places, nowhere := s.allowed(d.objectives.Residency)
	all := s.contenders(d, places)
	best, rest := all, []*contender(nil)
	if !o.All && len(o.Regions) == 0 {
		best, rest = bestOfEach(all, d, o.Weights)
		for _, c := range rest {
			c.positions = nil // a thousand components times a hundred regions
		}
	}
	shared := score(best, d, o.Weights)
	slices.SortFunc(best, order)
	for _, c := range best {
		out.Offers = append(out.Offers, c.offer(d))
	}
	out.Offers = append(out.Offers, nowhere...)
	slices.SortFunc(rest, order)
	for _, c := range rest {
		out.Others = append(out.Others, c.brief())
	}
	out.Positions = s.positions(shared)
	out.Turns = turns(best, o.Weights)
	switch {
	case len(best) > 0 && best[0].eligible() && best[0].ranked():
		out.Winner = best[0].place.name()
	case slices.ContainsFunc(all, (*contender).ranked):
		s.level, out.Fails, out.Unmet = wholly, true, "no offer that has prices for its machines meets the requirements"
	case slices.ContainsFunc(all, func(c *contender) bool { return c.machines > 0 && c.eligible() }):
		out.Unmet = "no requirement is known to be breached, but no offer has prices for all its machines"
	case slices.ContainsFunc(all, func(c *contender) bool { return c.machines > 0 }):
		s.level, out.Fails, out.Unmet = partly, true, "no offer of which prices are known meets the requirements"
	case !slices.ContainsFunc(all, (*contender).eligible):
		out.Fails, out.Unmet = true, "no offer meets the requirements"
	default:
		out.Unmet = "no requirement is known to be breached, but no offer has prices for its machines"
	}
	if out.Fails {
		out.Conflicts = s.conflicts()
	}
	if len(best) > 0 && best[0].infeasible == "" {
		out.Steps = s.steps(best[0])
	}
	return out, nil
}

// choose keeps the providers that were asked for.
func (s *search) choose(shops []shop) error {
	var known []string
	for _, sh := range shops {
		known = append(known, sh.facts.ID)
		if len(s.o.Providers) == 0 || slices.Contains(s.o.Providers, sh.facts.ID) {
			s.shops = append(s.shops, sh)
		}
	}
	for _, id := range s.o.Providers {
		if !slices.Contains(known, id) {
			return fmt.Errorf("provider %q: %w; there are: %s", id, ErrUnknown, strings.Join(known, ", "))
		}
	}
	for _, id := range s.o.Regions {
		if !slices.ContainsFunc(s.shops, func(sh shop) bool {
			return slices.ContainsFunc(sh.facts.Regions, func(r catalog.Region) bool { return named(id, sh.facts.ID, r.ID) })
		}) {
			return fmt.Errorf("region %q: %w, or not of these providers; see: surety catalog list", id, ErrUnknown)
		}
	}
	return nil
}

// named tells whether an ID as the user writes it, REGION or PROVIDER/REGION, names a region.
func named(id, provider, region string) bool { return id == region || id == provider+"/"+region }

// allowed gives the places in the countries that residency allows, or that were named, and an empty offer for each provider without one.
func (s *search) allowed(residency []string) (places []*place, nowhere []Offer) {
	for _, sh := range s.shops {
		count, unknown := 0, 0
		for _, r := range sh.facts.Regions {
			isNamed := slices.ContainsFunc(s.o.Regions, func(id string) bool { return named(id, sh.facts.ID, r.ID) })
			if len(s.o.Regions) > 0 && !isNamed {
				continue
			}
			if !isNamed && len(residency) > 0 && !slices.Contains(residency, r.Country) {
				if r.Country == "" {
					unknown++
				}
				continue
			}
			places = append(places, s.at(sh, r))
			count++
		}
		if count > 0 || len(s.o.Regions) > 0 {
			continue
		}
		why := "no regions of it are known"
		if len(sh.facts.Regions) > 0 {
			why = fmt.Sprintf("none of its %d regions is in %s", len(sh.facts.Regions), strings.Join(residency, ", "))
			if unknown > 0 {
				why += fmt.Sprintf(", as far as is known: the country of %d is not", unknown)
			}
		}
		nowhere = append(nowhere, Offer{Provider: sh.facts.ID, Currency: s.o.Currency, Infeasible: why, Lines: []Line{}, Unknown: []string{},
			Choices: []Choice{}, Terms: []Term{}, Judgements: []Judgement{}, Preflight: []string{}})
	}
	return places, nowhere
}

func (s *search) at(sh shop, r catalog.Region) *place {
	key := sh.facts.ID + "/" + r.ID
	if s.places[key] == nil {
		s.places[key] = newPlace(sh, r, s.o, s.rate)
	}
	return s.places[key]
}

// contenders asks all places at once, as many as there are processors at a time.
func (s *search) contenders(d *demand, places []*place) []*contender {
	all := make([]*contender, len(places))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(len(places), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			buffer := make([]item, 0, 4*len(d.needs)+2)
			for i := range next {
				p := places[i]
				p.buffer = buffer[:0]
				all[i] = contend(p, d, p.answer(d), s.o.Currency)
				p.buffer = nil
			}
		})
	}
	for i := range places {
		next <- i
	}
	close(next)
	wg.Wait()
	return all
}

// positions names what every ranked offer prices, in the order of the components.
func (s *search) positions(shared map[positionKey]bool) []string {
	names := []string{}
	keys := slices.SortedFunc(maps.Keys(shared), func(a, b positionKey) int {
		if a.need != b.need {
			return int(a.need) - int(b.need)
		}
		return strings.Compare(string(a.part), string(b.part))
	})
	for _, k := range keys {
		switch {
		case !shared[k]:
		case k.need < 0:
			names = append(names, string(k.part))
		default:
			names = append(names, s.demand.needs[k.need].id+" "+string(k.part))
		}
	}
	return names
}

// offer puts a contender into words.
func (c *contender) offer(d *demand) Offer {
	o := c.place.offer(d, c.place.answer(d))
	o.Ranked, o.Unranked, o.Score, o.Scores = c.ranked(), c.unranked, c.score, c.scores
	if o.Ranked {
		compared := c.compared
		o.Compared = &compared
	}
	return o
}

func (c *contender) brief() Brief {
	b := Brief{Provider: c.place.facts.ID, Region: c.place.region.ID, Country: c.place.region.Country, Currency: c.place.currency,
		Total: c.total, Availability: c.avail.percent, Breached: c.broken, Infeasible: c.infeasible, Unranked: c.unranked, Score: c.score}
	if b.Breached == nil {
		b.Breached = []string{}
	}
	return b
}
