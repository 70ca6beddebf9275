package compare

import (
	"fmt"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// seller is what a region's prices are asked of: a provider of the catalogue.
type seller interface {
	Instances(region string) []catalog.Instance
	Databases(region, engine string) []catalog.DatabaseClass
	Rates(region string, what catalog.What) []catalog.Rate
	Commitments(region, typ string) []catalog.Commitment
	DatabaseCommitments(region string, c catalog.DatabaseClass) []catalog.Commitment
}

// shop is a provider's facts and its prices.
type shop struct {
	facts *catalog.Provider
	sells seller
}

// exchange gives what one unit of a currency is in another.
type exchange func(from, to string) (decimal.Decimal, bool)

// place is a provider's region, with what was found out about it so far. It is used by one goroutine at a time.
type place struct {
	shop
	region   catalog.Region
	currency string // in which its lines are
	options  Options
	rate     exchange

	factors map[string]*decimal.Decimal // by currency, nil: no rate is known
	picks   map[pickKey]*pick
	classes map[classKey]*pick
	volumes map[int64]*volume
	rates   map[catalog.What][]catalog.Rate

	terms     map[circumstances]*Term
	beside    map[*pick]*rivals
	buffer    []item // room for the next bid
	instances []candidate
	engines   map[managedKey][]candidate
}

func newPlace(s shop, region catalog.Region, o Options, rate exchange) *place {
	p := &place{shop: s, region: region, options: o, rate: rate, currency: o.Currency,
		factors: map[string]*decimal.Decimal{}, picks: map[pickKey]*pick{}, classes: map[classKey]*pick{}, volumes: map[int64]*volume{},
		rates: map[catalog.What][]catalog.Rate{}, engines: map[managedKey][]candidate{}, terms: map[circumstances]*Term{}, beside: map[*pick]*rivals{}}
	// A provider whose currency cannot be converted is shown in its own.
	if sold := p.firstCurrency(); sold != "" && p.factor(sold) == nil {
		p.currency = sold
		p.factors = map[string]*decimal.Decimal{}
	}
	return p
}

// sold gives the currency of the first price that is known here.
func (p *place) firstCurrency() string {
	for _, i := range p.sells.Instances(p.region.ID) {
		if i.Hourly != nil {
			return i.Hourly.Currency
		}
	}
	for _, w := range catalog.Whats {
		for _, r := range p.sold(w) {
			return r.Tiers[0].Price.Currency
		}
	}
	return ""
}

func (p *place) sold(w catalog.What) []catalog.Rate {
	if rates, asked := p.rates[w]; asked {
		return rates
	}
	var known []catalog.Rate
	for _, r := range p.sells.Rates(p.region.ID, w) {
		if len(r.Tiers) > 0 {
			known = append(known, r)
		}
	}
	p.rates[w] = known
	return known
}

// factor gives what an amount in a currency is multiplied with, or nil.
func (p *place) factor(currency string) *decimal.Decimal {
	if f, asked := p.factors[currency]; asked {
		return f
	}
	var f *decimal.Decimal
	if currency == p.currency {
		one := decimal.NewFromInt(1)
		f = &one
	} else if rate, known := p.rate(currency, p.currency); known {
		f = &rate
	}
	p.factors[currency] = f
	return f
}

// amount gives a price in the place's currency, exactly.
func (p *place) amount(price *catalog.Price) (decimal.Decimal, bool) {
	if price == nil {
		return decimal.Decimal{}, false
	}
	if price.Currency == p.currency {
		return price.Amount, true
	}
	f := p.factor(price.Currency)
	if f == nil {
		return decimal.Decimal{}, false
	}
	return price.Amount.Mul(*f), true
}

// cents rounds an amount of money to its hundredth.
func cents(d decimal.Decimal) int64 { return d.Shift(2).Round(0).IntPart() }

func money(cents int64) decimal.Decimal { return decimal.New(cents, -2) }

// tiered gives what a quantity costs by a rate. It is false when the rate says nothing of a part of the quantity, or its currency
// cannot be converted.
func (p *place) tiered(r *catalog.Rate, quantity decimal.Decimal) (decimal.Decimal, bool) {
	total := decimal.Decimal{}
	if quantity.IsZero() {
		return total, true
	}
	if r.Tiers[0].From.IsPositive() {
		return total, false
	}
	for i := range r.Tiers {
		t := &r.Tiers[i]
		if quantity.LessThanOrEqual(t.From) {
			break
		}
		to := quantity
		if i+1 < len(r.Tiers) && r.Tiers[i+1].From.LessThan(quantity) {
			to = r.Tiers[i+1].From
		}
		price, known := p.amount(&t.Price)
		if !known {
			return total, false
		}
		total = total.Add(to.Sub(t.From).Mul(price))
	}
	return total, true
}

func (p *place) name() string { return p.facts.ID + "/" + p.region.ID }

func (p *place) String() string { return fmt.Sprintf("%s (%s)", p.name(), p.region.Country) }
