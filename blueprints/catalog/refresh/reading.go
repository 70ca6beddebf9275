package refresh

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// readingForm is raised when a reading holds more or other than before, so that what an earlier version kept is read anew.
const readingForm = 1

// reading is what was taken from one price list. It is kept as JSON, so that the list is not read again until it changes.
type reading struct {
	Form     int
	Provider string
	Name     string // of the list, unique for the provider, as "AmazonEC2/ap-east-2"
	Address  string
	ETag     string
	Read     time.Time // when it was read or last found unchanged
	Origin   catalog.Origin
	Bytes    int64
	Items    int64

	Service string // whose machines these are: "ec2", "rds"
	Types   []catalog.Instance
	Series  []catalog.Series // their Origin is the reading's
	Rates   []rate
	LeftOut []catalog.LeftOut
	kept    bool
}

// rate is one that holds in a region.
type rate struct {
	Region string
	catalog.Rate
}

func (r *reading) file() File {
	f := File{Name: r.Name, Published: r.Origin.Date, Bytes: r.Bytes, Items: r.Items, Taken: int64(len(r.Rates)), Kept: r.kept}
	for _, s := range r.Series {
		f.Taken += int64(len(s.Prices))
	}
	return f
}

// gathering collects prices while a list is read. Two prices of one thing that differ are neither taken: which of them holds is not known.
type gathering struct {
	origin  catalog.Origin
	types   map[string]catalog.Instance
	prices  map[[2]string]map[string]decimal.Decimal // by region and series, then type
	rates   map[string]*rate
	twice   map[string]bool
	leftOut []catalog.LeftOut
}

func gather(origin catalog.Origin) *gathering {
	return &gathering{origin: origin, types: map[string]catalog.Instance{}, prices: map[[2]string]map[string]decimal.Decimal{},
		rates: map[string]*rate{}, twice: map[string]bool{}}
}

func (g *gathering) leave(typ, region, format string, args ...any) {
	g.leftOut = append(g.leftOut, catalog.LeftOut{Type: typ, Region: region, Reason: fmt.Sprintf(format, args...), Origin: g.origin})
}

// price takes a price per hour.
func (g *gathering) price(region, series string, i catalog.Instance, amount decimal.Decimal) {
	amount = amount.Round(6) // more are the traces of a division
	id := region + " " + series + " " + i.Type
	key := [2]string{region, series}
	old, has := g.prices[key][i.Type]
	switch {
	case !amount.IsPositive():
		g.leave(i.Type, region, "%s: the list says %s", series, amount)
	case g.twice[id] || has && old.Equal(amount):
	case has:
		g.twice[id] = true
		delete(g.prices[key], i.Type)
		g.leave(i.Type, region, "%s: the list has two prices, %s and %s", series, old, amount)
	default:
		if g.prices[key] == nil {
			g.prices[key] = map[string]decimal.Decimal{}
		}
		g.prices[key][i.Type] = amount
		g.types[i.Type] = i
	}
}

// tier takes one tier of a rate. Tiers of one What, Class, SKU and size belong together.
func (g *gathering) tier(region string, r catalog.Rate, from, amount decimal.Decimal, currency string) {
	id := fmt.Sprint(region, r.What, r.Class, r.SKU, r.Size)
	if g.rates[id] == nil {
		g.rates[id] = &rate{region, r}
	}
	if !amount.IsPositive() { // a free allowance, as lists begin with: what follows begins above it
		if !from.IsZero() {
			g.leave(r.SKU, region, "%s from %s: the list says %s", r.What, from, amount)
		}
		return
	}
	into := g.rates[id]
	for _, t := range into.Tiers {
		if t.From.Equal(from) {
			if !t.Price.Amount.Equal(amount) && !g.twice[id] {
				g.twice[id] = true
				g.leave(r.SKU, region, "%s %s: the list has two prices, %s and %s", r.What, r.Class, t.Price.Amount, amount)
			}
			return
		}
	}
	into.Tiers = append(into.Tiers, catalog.Tier{From: from, Price: catalog.Price{Amount: amount, Currency: currency, Origin: g.origin}})
}

// into gives what was gathered to a reading, in a fixed order.
func (g *gathering) into(r *reading) {
	r.Origin = g.origin
	for _, name := range slices.Sorted(maps.Keys(g.types)) {
		r.Types = append(r.Types, g.types[name])
	}
	for key, prices := range g.prices {
		if len(prices) > 0 {
			r.Series = append(r.Series, catalog.Series{Region: key[0], Name: key[1], Origin: g.origin, Prices: prices})
		}
	}
	slices.SortFunc(r.Series, func(a, b catalog.Series) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	for _, id := range slices.Sorted(maps.Keys(g.rates)) {
		t := g.rates[id]
		switch {
		case g.twice[id]:
		case len(t.Tiers) == 0:
			g.leave(t.SKU, t.Region, "%s: the list has no price above 0", t.What)
		default:
			slices.SortFunc(t.Tiers, func(a, b catalog.Tier) int { return a.From.Cmp(b.From) })
			r.Rates = append(r.Rates, *t)
		}
	}
	r.LeftOut = g.leftOut
}
