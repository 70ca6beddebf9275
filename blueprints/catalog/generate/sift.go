package main

import (
	"cmp"
	"slices"
	"strings"

	"surety/blueprints/catalog"
)

// sift takes the prices out that the catalogue's own rules doubt, and says so.
func (o *out) sift(f *catalog.PriceFile) {
	types := map[string]catalog.Instance{}
	for _, t := range f.Types {
		types[t.Type] = t
	}
	regions := map[[2]string][]string{} // by type and reason
	for _, s := range f.Series {
		_, term, has := strings.Cut(s.Name, ":")
		if !has {
			term = s.Name
		}
		if term != "on-demand" {
			continue
		}
		var priced []catalog.Instance
		for name, price := range s.Prices {
			i := types[name]
			i.Hourly = &catalog.Price{Amount: price, Currency: f.Currency, Origin: s.Origin}
			priced = append(priced, i)
		}
		for _, doubt := range catalog.Doubts(priced) {
			key := [2]string{doubt.Type, doubt.Reason}
			regions[key] = append(regions[key], s.Region)
			for _, other := range f.Series {
				if other.Region == s.Region {
					delete(other.Prices, doubt.Type)
				}
			}
		}
	}
	var keys [][2]string
	for key := range regions {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, key := range keys {
		slices.Sort(regions[key])
		o.leave(f.Provider, key[0], strings.Join(slices.Compact(regions[key]), " "), key[1])
	}
}
