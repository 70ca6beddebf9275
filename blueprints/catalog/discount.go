package catalog

import (
	"path"
	"slices"

	"github.com/shopspring/decimal"
)

// discount is a share that is paid of another price, on what it is for.
type discount struct {
	share          decimal.Decimal // 0.88 for 12 % less
	on             string          // machines, databases, rates; empty: all
	regions, types []string        // patterns; empty: all
	says           string          // added to the source of the price
}

func (d discount) fits(on, region, typ string) bool {
	matches := func(patterns []string, word string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
			ok, err := path.Match(p, word)
			return ok && err == nil
		})
	}
	return (d.on == "" || d.on == on) && matches(d.regions, region) && matches(d.types, typ)
}

func (d discount) of(p Price) Price {
	p.Amount = p.Amount.Mul(d.share)
	p.Origin.Source += d.says
	p.Origin.Kind = Own
	return p
}

// discount holds for all prices on demand of the provider that are parsed later, and for its rates at once.
func (p *Provider) discount(d discount) {
	p.machines.discounts = append(p.machines.discounts, d)
	p.databases.discounts = append(p.databases.discounts, d)
	for region, rates := range p.rates {
		for i, r := range rates {
			if !d.fits("rates", region, string(r.What)) {
				continue
			}
			tiers := slices.Clone(r.Tiers)
			for j := range tiers {
				tiers[j].Price = d.of(tiers[j].Price)
			}
			rates[i].Tiers = tiers
		}
	}
}

// dropRates forgets what was known of something sold in a region, so that newer figures stand alone.
func (p *Provider) dropRates(region string, what What) {
	p.rates[region] = slices.DeleteFunc(p.rates[region], func(r Rate) bool { return r.What == what })
}
