package documents

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
	"surety/blueprints/compare"
	"surety/stacks/releases"
	"surety/validate"
)

// Considered is what the sheet and the proposal are made of, and nothing else, so that the same input gives the same document.
type Considered struct {
	Document     *blueprints.Document
	Architecture architecture.Architecture
	Comparison   compare.Comparison
	Catalog      *catalog.Catalog // for the names of providers and places; nil leaves their IDs
	Offer        string           // provider/region, or a provider; empty: the comparison's winner, else its first offer
	Built        *Built           // nil: nothing was built
	Tool         string           // name and version of the program
}

// ErrNoOffer is that a comparison holds no such offer, or none at all.
var ErrNoOffer = errors.New("no such offer")

// offer gives the offer that is meant: the one named, else the winner, else the first that has prices, else that of which
// most is known. The error wraps ErrNoOffer and names
// those that there are.
func (c Considered) offer() (compare.Offer, error) {
	wanted := cmp.Or(c.Offer, c.Comparison.Winner)
	likely := []func(o compare.Offer) bool{func(o compare.Offer) bool { return o.Name() == wanted || o.Provider == wanted }}
	if wanted == "" {
		least := -1 // of the offers that lack prices, the one that lacks fewest
		for _, o := range c.Comparison.Offers {
			if o.Infeasible == "" && (least < 0 || len(o.Unknown) < least) {
				least = len(o.Unknown)
			}
		}
		likely = []func(o compare.Offer) bool{func(o compare.Offer) bool { return o.Ranked },
			func(o compare.Offer) bool { return o.Infeasible == "" && len(o.Unknown) == least }, func(compare.Offer) bool { return true }}
	}
	for _, is := range likely {
		if i := slices.IndexFunc(c.Comparison.Offers, is); i >= 0 {
			return c.Comparison.Offers[i], nil
		}
	}
	var names []string
	for _, o := range c.Comparison.Offers {
		names = append(names, o.Name())
	}
	return compare.Offer{}, fmt.Errorf("%w: %q; offers: %s", ErrNoOffer, wanted, strings.Join(names, ", "))
}

// approvers are the roles that decide on a purchase.
var approvers = []Text{{"Requesting unit", "需求單位"}, {"Information technology", "資訊單位"}, {"Information security", "資訊安全"}, {"Budget", "預算（主計）單位"}, {"Procurement", "採購單位"}, {"Approved by", "核准人"}}

// SheetFrom puts a sheet together.
func SheetFrom(c Considered) (Sheet, error) {
	o, err := c.offer()
	if err != nil {
		return Sheet{}, fmt.Errorf("write specification sheet: %w", err)
	}
	from := &sources{taken: c.Comparison.Taken}
	s := Sheet{Environment: c.Architecture.Name, Owner: c.Architecture.Owner, Offer: o.Name(), Provider: o.Provider, Region: o.Region, Country: o.Country,
		Winner: c.Comparison.Winner, Unmet: c.Comparison.Unmet, Compared: len(c.Comparison.Offers) + len(c.Comparison.Others), Taken: c.Comparison.Taken, Tool: c.Tool,
		Objectives: c.Architecture.Objectives, Built: c.Built, Availability: o.Availability, AtMost: o.AtMost, Minutes: o.Minutes, Formula: o.Formula, Support: o.Support,
		Judgements: o.Judgements, Preflight: o.Preflight, Infeasible: o.Infeasible, Requirements: c.Document.Requirements, SignOff: approvers}
	s.Provider, s.Location = c.named(o)
	for _, part := range c.Architecture.Components {
		sc := SheetComponent{Component: part}
		for _, choice := range o.Choices {
			if choice.Component == part.ID {
				sc.Type, sc.Reason = choice.Type, choice.Reason
			}
		}
		s.Components = append(s.Components, sc)
	}
	s.Bill = billOf(o, from)
	s.Totals = totals(o.Lines)
	for _, t := range o.Terms {
		s.Terms = append(s.Terms, SheetTerm{t, from.add(t.Origin)})
	}
	s.Sources = from.list
	return s, nil
}

// named gives a provider's name and a region's place, as the catalogue has them.
func (c Considered) named(o compare.Offer) (provider, location string) {
	provider = o.Provider
	if c.Catalog == nil {
		return provider, ""
	}
	if p := c.Catalog.Provider(o.Provider); p != nil {
		provider = p.Name
		if r := p.Region(o.Region); r != nil {
			location = r.Location
		}
	}
	return provider, location
}

// totals sums the lines of each component, in the order in which they first come.
func totals(lines []compare.Line) []ComponentTotal {
	var all []ComponentTotal
	for _, l := range lines {
		i := slices.IndexFunc(all, func(t ComponentTotal) bool { return t.Component == l.Component })
		if i < 0 {
			i, all = len(all), append(all, ComponentTotal{Component: l.Component})
		}
		sum := &all[i].Monthly
		sum.Low, sum.High, sum.Open = sum.Low.Add(l.Monthly.Low), sum.High.Add(l.Monthly.High), sum.Open || l.Monthly.Open
	}
	return all
}

// specified are the checks that say what was really built: how many, how large, of which version.
func specified(r validate.Result) bool {
	switch r.Suite {
	case "host":
		for _, end := range []string{"/cpu", "/memory", "/disk", "/os", "/version"} {
			if strings.HasSuffix(r.Check, end) {
				return true
			}
		}
		return strings.HasPrefix(r.Check, "host/count/")
	case "database":
		return strings.HasSuffix(r.Check, "/version") || strings.HasSuffix(r.Check, "/roles")
	case "storage":
		return strings.HasSuffix(r.Check, "/versioning") || strings.HasSuffix(r.Check, "/room")
	}
	return false
}

// BuiltFrom reads from a release's record what was really built, as it was read back when the release was made. later are results of
// runs since, of each check the newest; nil leaves those of the record. An error is a record that cannot be read.
func BuiltFrom(r *releases.Record, later []validate.Result) (*Built, error) {
	b := &Built{Release: r.Number, Hash: r.Hash, Target: r.Graph.Stack, Made: r.Made, State: string(r.State), Results: []validate.Result{}}
	all := later
	if all == nil && len(r.Verdict.Results) > 0 {
		if err := json.Unmarshal(r.Verdict.Results, &all); err != nil {
			return nil, fmt.Errorf("read verdict of release %d: %w", r.Number, err)
		}
	}
	for _, result := range all {
		if specified(result) {
			b.Results = append(b.Results, result)
		}
	}
	return b, nil
}
