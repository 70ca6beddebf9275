// Package baseline keeps records of repeated measurements, compares them with proper tests, and judges whether a system became
// slower by more than a stated margin: a gate that fails on a proven regression and not on a wobble.
package baseline

import (
	"fmt"
	"math"
	"time"

	"surety/benchmarks"
)

// minRuns is the fewest runs that are judged: below six, no distribution-free 95 % interval of a median exists.
const minRuns = 6

// Record is one session of repeated measurements.
type Record struct {
	Name        string                 `json:"name"`              // as "release 7"
	Taken       time.Time              `json:"taken"`             // of its first counted run
	Session     string                 `json:"session,omitempty"` // shared by two records whose runs were taken in turn, as pairs
	WarmUp      int                    `json:"warmUp"`            // runs thrown away first, of each quantity
	Fingerprint benchmarks.Fingerprint `json:"fingerprint"`       // of the environment
	Series      []Series               `json:"series"`
	Notes       map[string]string      `json:"notes,omitempty"` // free facts, as the release's number or the load average
}

// Series are the runs of one quantity, in the order in which they were taken.
type Series struct {
	Quantity
	Runs    []Run  `json:"runs"`
	Missing string `json:"missing,omitempty"` // why it was not measured to the end; empty when it was
}

// Run is one measurement in the quantity's unit.
type Run struct {
	At    time.Time `json:"at"`
	Value float64   `json:"value"`
	Count int       `json:"count,omitempty"` // samples behind the value
}

// Values gives the runs' values in their order.
func (s Series) Values() []float64 {
	values := make([]float64, len(s.Runs))
	for i, r := range s.Runs {
		values[i] = r.Value
	}
	return values
}

// Median gives the median of the runs with its distribution-free interval. With fewer than six runs it is unbounded.
func (s Series) Median() Interval { return median(s.Values(), 0.05) }

// Find gives the series of a quantity.
func (r Record) Find(quantity string) (Series, bool) {
	if s := r.find(quantity); s != nil {
		return *s, true
	}
	return Series{}, false
}

func (r Record) find(quantity string) *Series {
	for i := range r.Series {
		if r.Series[i].Name == quantity {
			return &r.Series[i]
		}
	}
	return nil
}

// add appends a run. All runs of a record must come from one environment and be in the planned unit.
func (r *Record) add(s *Series, m benchmarks.Measurement) error {
	switch {
	case m.Unit != s.Unit:
		return fmt.Errorf("measure %s: planned in %q, measured in %q", s.Name, s.Unit, m.Unit)
	case math.IsNaN(m.Value) || math.IsInf(m.Value, 0):
		return fmt.Errorf("measure %s: the value is %v", s.Name, m.Value)
	}
	if r.Fingerprint == nil {
		r.Fingerprint, r.Taken = m.Fingerprint, m.At
	} else if differs := r.Fingerprint.Differs(m.Fingerprint); len(differs) > 0 {
		return fmt.Errorf("measure %s: the environment changed during the session: %v", s.Name, differs)
	}
	s.Runs = append(s.Runs, Run{At: m.At, Value: m.Value, Count: m.Count})
	return nil
}

// Collect makes a record of measurements that were taken elsewhere, in their order. What the plan does not name is an error, since
// its direction is not known; what it names and was not measured is recorded as missing.
func Collect(name string, plan Plan, measurements []benchmarks.Measurement) (Record, error) {
	if err := plan.Check(); err != nil {
		return Record{}, err
	}
	r := Record{Name: name, WarmUp: plan.WarmUp}
	for _, q := range plan.Quantities {
		r.Series = append(r.Series, Series{Quantity: q})
	}
	for _, m := range measurements {
		s := r.find(m.Quantity)
		if s == nil {
			return Record{}, fmt.Errorf("collect %q: quantity %q is not in the plan", name, m.Quantity)
		}
		if err := r.add(s, m); err != nil {
			return Record{}, fmt.Errorf("collect %q: %w", name, err)
		}
	}
	for i := range r.Series {
		if len(r.Series[i].Runs) == 0 {
			r.Series[i].Missing = "not measured"
		}
	}
	return r, nil
}
