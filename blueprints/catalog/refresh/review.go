package refresh

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// Doubt is a reason not to believe what was read.
type Doubt struct {
	Region string `json:"region"`
	Type   string `json:"type,omitempty"` // of machine; empty when it is the whole list, or the reason names it
	Reason string `json:"reason"`
}

func (d Doubt) String() string {
	if d.Type == "" {
		return d.Region + ": " + d.Reason
	}
	return d.Type + " in " + d.Region + ": " + d.Reason
}

// Refused says that what was read was not put in place of what serves.
type Refused struct {
	Provider   string
	Doubts     []Doubt
	Acceptable bool // Options.Accept would take the prices all the same
}

func (r *Refused) Error() string {
	const shown = 10
	var text strings.Builder
	fmt.Fprintf(&text, "the prices that were read are not believed, and those from before serve on:")
	for i, d := range r.Doubts {
		if i == shown {
			fmt.Fprintf(&text, "\n  and %d others", len(r.Doubts)-shown)
			break
		}
		fmt.Fprintf(&text, "\n  %s", d)
	}
	return text.String()
}

// The bounds of belief beside the catalogue's own: by how much a price may change, and what share of a region's machines may vanish.
const (
	mostChange = 3.0 // times, up or down
	mostGone   = 0.2
	fewest     = 5 // machines, to speak of a share
)

// review compares what was read in this run with what the catalogue said before. The catalogue's own rules follow in check.
func (o *Options) review(r *Report) []Doubt {
	read := map[string]bool{}
	for _, f := range r.Files {
		read[f.Name] = true
	}
	var all []Doubt
	for _, got := range r.readings {
		for _, series := range got.Series {
			if series.Name != "on-demand" || !read[got.Name] {
				continue
			}
			all = append(all, o.changes(r, series)...)
		}
	}
	return all
}

// changes compares a region's prices with those from before.
func (o *Options) changes(r *Report, series catalog.Series) []Doubt {
	var all []Doubt
	var gone []string
	before := prices(o.Catalogue.Provider(r.Provider), series.Region)
	for _, typ := range slices.Sorted(maps.Keys(before)) {
		now, sold := series.Prices[typ]
		if !sold {
			gone = append(gone, typ)
			continue
		}
		if times := now.Div(before[typ]).InexactFloat64(); times > mostChange || times < 1/mostChange {
			all = append(all, Doubt{Region: series.Region, Type: typ,
				Reason: fmt.Sprintf("%s USD an hour, %.2g times the %s from before", now, times, before[typ])})
		}
	}
	for _, typ := range gone {
		r.Gone = append(r.Gone, series.Region+" "+typ)
	}
	if len(before) >= fewest && float64(len(gone)) > mostGone*float64(len(before)) {
		names := gone
		if len(names) > 6 {
			names = append(slices.Clone(names[:6]), "…")
		}
		all = append(all, Doubt{Region: series.Region, Reason: fmt.Sprintf("%d of the %d machine types from before are not in the list: %s",
			len(gone), len(before), strings.Join(names, ", "))})
	}
	return all
}

// prices gives a region's prices on demand by machine type.
func prices(p *catalog.Provider, region string) map[string]decimal.Decimal {
	all := map[string]decimal.Decimal{}
	for _, i := range p.Instances(region) {
		if i.Hourly != nil {
			all[i.Type] = i.Hourly.Amount
		}
	}
	return all
}
