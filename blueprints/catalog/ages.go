package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// StaleAfter is how old a figure may be before every report says so. Providers change prices once or twice a year.
const StaleAfter = 180 * 24 * time.Hour

// Age is how old the figures of one source are.
type Age struct {
	Provider string `json:"provider"`
	What     string `json:"what"`    // "machines (ec2)", "block storage", "promises"
	Figures  int    `json:"figures"` // how many are of it
	Origin   Origin `json:"origin"`
	Days     int    `json:"days"`  // since its date; -1 when that is unknown
	Stale    bool   `json:"stale"` // older than StaleAfter, or of unknown date
}

// Days gives how old a figure is, or -1 when its date is unknown, and whether it is stale.
func (o Origin) Days(now time.Time) (days int, stale bool) {
	if o.Date.IsZero() {
		return -1, true
	}
	old := now.Sub(o.Date)
	return int(old.Hours() / 24), old > StaleAfter
}

// Ages gives how old the figures are, by provider, by what they are of, and by source, the oldest last. It parses no price.
func (c *Catalog) Ages(now time.Time) []Age {
	type key struct {
		provider, what string
		origin         Origin
	}
	count := map[key]int{}
	for _, p := range c.providers {
		add := func(what string, o Origin, n int) { count[key{p.ID, what, o}] += n }
		for name, s := range map[string]*shelf{"machines": &p.machines, "databases": &p.databases} {
			for _, region := range s.regions() {
				for _, m := range s.in(region) {
					for _, line := range m.regions[region] {
						id, figures := countFigures(line)
						add(name+" ("+m.service+")", m.origins[id], figures)
					}
				}
			}
		}
		for _, rates := range p.rates {
			for _, r := range rates {
				for _, t := range r.Tiers {
					add(string(r.What), t.Price.Origin, 1)
				}
			}
		}
		for _, r := range p.Regions {
			add("regions", r.Origin, 1)
		}
		for _, r := range p.Promises {
			add("promises", r.Origin, 1)
		}
		for _, r := range p.Plans {
			add("support plans", r.Origin, 1)
		}
		for _, r := range p.Images {
			add("images", r.Origin, 1)
		}
		for _, r := range p.Engines {
			add("versions", r.Origin, 1)
		}
	}
	var all []Age
	for k, n := range count {
		days, stale := k.origin.Days(now)
		all = append(all, Age{Provider: k.provider, What: k.what, Figures: n, Origin: k.origin, Days: days, Stale: stale})
	}
	for _, e := range c.exchanges {
		days, stale := e.origin.Days(now)
		all = append(all, Age{What: "exchange " + e.from + " to " + e.to, Figures: 1, Origin: e.origin, Days: days, Stale: stale})
	}
	slices.SortFunc(all, func(a, b Age) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.What, b.What), b.Origin.Date.Compare(a.Origin.Date), cmp.Compare(a.Origin.Source, b.Origin.Source))
	})
	return all
}

// countFigures counts the prices of a line, and says of which origin they are.
func countFigures(line string) (origin string, n int) {
	origin, line, _ = strings.Cut(line, " ")
	_, line, _ = strings.Cut(line, " ")
	for word := range strings.FieldsSeq(line) {
		if word[0] != '-' {
			n++
		}
	}
	return origin, n
}

// regions gives all of which the shelf has prices.
func (s *shelf) regions() []string {
	var all []string
	for _, m := range s.files {
		all = append(all, m.order...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
