package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"surety/blueprints"
)

// meaning checks what the schema cannot: dates, regions that are named, prices that are missing or twice, tiers that rise.
func (r *bookReader) meaning(now time.Time) {
	b := r.book
	r.day([]string{"date"}, b.Date, now)
	for i, e := range b.Exchange {
		at := []string{"exchange", strconv.Itoa(i)}
		r.day(append(at, "date"), e.Date, now)
		if e.From == e.To {
			r.report(append(at, "to"), "a rate between "+e.From+" and itself", "name two currencies")
		}
	}
	priced := len(b.Instances)+len(b.Databases)+len(b.Rates) > 0
	if b.Provider == "" && (priced || len(b.Regions)+len(b.Promises)+len(b.Support) > 0) {
		r.report(nil, `"provider" is missing`, "add: provider: acme-cloud, the ID of the provider that this is of")
	}
	if b.Currency == "" && priced {
		r.report(nil, `"currency" is missing`, "add: currency: TWD, of all prices in this book")
	}
	known := blueprints.SortedKeys(b.Regions)
	region := func(path []string, id string) {
		if len(known) > 0 && b.Regions[id].Country == "" {
			r.report(path, fmt.Sprintf("no region %q in this book", id), blueprints.DidYouMean(id, known))
		}
	}
	price := func(path []string, one *figure, named map[string]figure) {
		if one == nil && len(named) == 0 {
			r.report(path, "it has no price", "add price, or prices by region; leave the entry out when it is not known")
		}
		for id := range named {
			region(append(path, "prices", id), id)
		}
	}
	for name, m := range b.Instances {
		price([]string{"instances", name}, m.Price, m.Prices)
		r.plainName([]string{"instances", name}, name)
	}
	for name, d := range b.Databases {
		price([]string{"databases", name}, d.Price, d.Prices)
		r.plainName([]string{"databases", name}, name)
	}
	for i, rate := range b.Rates {
		path := []string{"rates", strconv.Itoa(i)}
		if (rate.Price == nil) == (len(rate.Tiers) == 0) {
			r.report(path, "it has no price, or one beside its tiers", "write price, or tiers: [{from: 0, price: 3}, {from: 10240, price: 2.4}]")
		}
		for j := 1; j < len(rate.Tiers); j++ {
			if !rate.Tiers[j].From.GreaterThan(rate.Tiers[j-1].From.Decimal) {
				r.report(append(path, "tiers", strconv.Itoa(j)), "a tier begins where the one before does, or lower", "order tiers by from, the first from 0")
			}
		}
		if (rate.What == BlockDisk) != (rate.Size > 0) {
			r.report(path, "only a block disk has a size, and each has one", "write what: block disk with size: 128GiB, or leave size out")
		}
		for j, id := range rate.Regions {
			region(append(path, "regions", strconv.Itoa(j)), id)
		}
	}
}

// plainName refuses what would not survive being written in a line of words.
func (r *bookReader) plainName(path []string, name string) {
	if name == "" || strings.ContainsAny(name, " \t\n") {
		r.report(path, fmt.Sprintf("%q is no usable type", name), "write it without spaces")
	}
}

func (r *bookReader) day(path []string, text string, now time.Time) {
	day, err := time.Parse(time.DateOnly, text)
	switch {
	case err != nil:
		r.report(path, text+" is no day of the calendar", "write it as 2026-11-20")
	case day.After(now):
		r.report(path, text+" lies in the future", "write the day that the figure is of")
	}
}
