package catalog

import (
	"cmp"
	"slices"

	"github.com/shopspring/decimal"
)

// exchange is a dated rate: one From is Rate To.
type exchange struct {
	from, to string
	rate     decimal.Decimal
	origin   Origin
}

// Convert gives an amount in another currency by a dated rate of a price book, or of one from the other way round, and says which.
// It is false when no rate is known: surety has none of its own, and chains none.
func (c *Catalog) Convert(amount decimal.Decimal, from, to string) (decimal.Decimal, Origin, bool) {
	if from == to {
		return amount, Origin{}, true
	}
	var newest *exchange
	for i := range c.exchanges {
		e := &c.exchanges[i]
		fits := (e.from == from && e.to == to) || (e.from == to && e.to == from)
		if fits && (newest == nil || e.origin.Date.After(newest.origin.Date)) {
			newest = e
		}
	}
	switch {
	case newest == nil:
		return decimal.Decimal{}, Origin{}, false
	case newest.from == from:
		return amount.Mul(newest.rate), newest.origin, true
	}
	return amount.DivRound(newest.rate, 16), newest.origin, true
}

// Currencies gives those that an amount in a currency can be converted to, sorted, itself among them.
func (c *Catalog) Currencies(from string) []string {
	all := []string{from}
	for _, e := range c.exchanges {
		switch from {
		case e.from:
			all = append(all, e.to)
		case e.to:
			all = append(all, e.from)
		}
	}
	slices.SortFunc(all, cmp.Compare)
	return slices.Compact(all)
}
