package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"surety/blueprints"
)

// Options say what to compare, and how. The zero value compares everything by DefaultWeights.
type Options struct {
	Providers []string // IDs; empty: all
	Regions   []string // IDs; empty: all that residency allows. Those named are all given in full
	All       bool     // give every region in full, and not only each provider's best

	Weights  Weights // the zero value is DefaultWeights
	Currency string  // ISO 4217; empty: the budget's, else USD
	Now      time.Time
	Usage    Usage

	// Commit is the term of a commitment to pay, as "1y", "3y" or a catalogue's own words; empty is on demand.
	Commit string
	// Arch is the processor architecture: "amd64" when empty, "arm64", or "any", which gives software from packages either.
	Arch string
	// IOPS are the operations a second that each server's disk must give; 0: as many as a general-purpose SSD does.
	IOPS float64
	// Burstable allows types that give only a share of their CPUs all the time, whatever the spec says. See allowsBurstable.
	Burstable bool
}

// Usage is what the spec does not say and the bill depends on. What is zero is unknown, and gives a range or no upper bound.
type Usage struct {
	Egress   blueprints.Bytes `json:"egress,omitempty"`   // a month to the internet, of the whole environment
	Requests float64          `json:"requests,omitempty"` // a month to all public entries
	Response blueprints.Bytes `json:"response,omitempty"` // mean size of an answer
}

// What is assumed where nothing is known. Each is printed with the line it makes.
const (
	// responseLow and responseHigh bound the mean size of an answer: from a small JSON object to a small picture.
	responseLow  = 2 << 10
	responseHigh = 64 << 10
	// dutyLow and dutyHigh bound the mean rate, as shares of expects.rps, which is what must be carried at the busiest time.
	dutyLow  = 0.1
	dutyHigh = 1.0
)

// DefaultWeights are used when none are given.
var DefaultWeights = Weights{Cost: 6, Availability: 2, Support: 1, Residency: 1}

// criteria are the parts of Weights by name, in the order in which they are printed.
var criteria = []struct {
	name string
	of   func(*Weights) *float64
}{
	{"cost", func(w *Weights) *float64 { return &w.Cost }},
	{"availability", func(w *Weights) *float64 { return &w.Availability }},
	{"support", func(w *Weights) *float64 { return &w.Support }},
	{"residency", func(w *Weights) *float64 { return &w.Residency }},
}

// ParseWeights reads "cost=6,availability=2": what is not named weighs nothing.
func ParseWeights(text string) (Weights, error) {
	var w Weights
	for part := range strings.SplitSeq(text, ",") {
		name, figure, ok := strings.Cut(strings.TrimSpace(part), "=")
		at := slices.IndexFunc(criteria, func(c struct {
			name string
			of   func(*Weights) *float64
		}) bool {
			return c.name == name
		})
		value, err := strconv.ParseFloat(figure, 64)
		if !ok || at < 0 || err != nil || !(value >= 0) || value > 1e9 {
			return w, fmt.Errorf("weights %q: %q is not one of cost, availability, support and residency with a figure, as cost=6", text, part)
		}
		*criteria[at].of(&w) = value
	}
	if w.sum() == 0 {
		return w, fmt.Errorf("weights %q: nothing weighs anything", text)
	}
	return w, nil
}

func (w Weights) sum() float64 {
	total := 0.0
	for _, c := range criteria {
		total += *c.of(&w)
	}
	return total
}

func (o Options) filled(budget *blueprints.Budget) Options {
	if o.Weights.sum() == 0 {
		o.Weights = DefaultWeights
	}
	if o.Currency == "" {
		o.Currency = "USD"
		if budget != nil {
			o.Currency = cmp.Or(budget.Currency, o.Currency)
		}
	}
	o.Arch = cmp.Or(o.Arch, "amd64")
	return o
}
