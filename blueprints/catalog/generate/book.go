package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// book gathers prices by region, series and type.
type book struct {
	origin catalog.Origin
	prices map[[2]string]map[string]decimal.Decimal
}

func newBook(origin catalog.Origin) *book {
	return &book{origin: origin, prices: map[[2]string]map[string]decimal.Decimal{}}
}

// put keeps a price above zero; the lists write 0 where they know none. Six places are kept: more are the traces of a division.
func (b *book) put(region, series, typ string, price amount) {
	rounded := price.Round(6)
	if !rounded.IsPositive() {
		return
	}
	key := [2]string{region, series}
	if b.prices[key] == nil {
		b.prices[key] = map[string]decimal.Decimal{}
	}
	b.prices[key][typ] = rounded
}

// series gives all, by region and then in the order of the names.
func (b *book) series(names ...string) []catalog.Series {
	var all []catalog.Series
	for key, prices := range b.prices {
		all = append(all, catalog.Series{Region: key[0], Name: key[1], Origin: b.origin, Prices: prices})
	}
	slices.SortFunc(all, func(a, b catalog.Series) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(slices.Index(names, a.Name), slices.Index(names, b.Name)))
	})
	return all
}

// leave says that something of a price list is not taken over.
func (o *out) leave(provider, typ, region, reason string) {
	source := listed("AWS Price List")
	if provider == "azure" {
		source = listed("Azure price calculator")
	}
	o.leaveOf(provider, typ, region, reason, source.Source, pricesDay.Format(time.DateOnly))
}

// leaveOf says that of a row of a table.
func (o *out) leaveOf(provider, typ, region, reason, source, date string) {
	o.leftOut = append(o.leftOut, []string{provider, typ, region, reason, date, "secondary", source})
}
