package consistency

import (
	"time"

	"surety/benchmarks/consistency/history"
)

// Verdict is what a run says of a requirement.
type Verdict string

// Verdicts.
const (
	Met      Verdict = "met"
	Breached Verdict = "breached"
	Unproven Verdict = "unproven"
)

// Result is what a run found. Its verdict is the worst of its parts'.
type Result struct {
	Verdict Verdict       `json:"verdict"`
	Seed    uint64        `json:"seed"`
	Took    time.Duration `json:"took"` // nanoseconds
	Parts   []Part        `json:"parts"`
}

// Part is one thing that was checked.
type Part struct {
	Name      string    `json:"name"`
	Verdict   Verdict   `json:"verdict"`
	Says      string    `json:"says"` // one sentence
	Figures   []Figure  `json:"figures,omitempty"`
	Anomalies []Anomaly `json:"anomalies,omitempty"`
}

// Figure is a measured number.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"` // "s", "%", "bytes"; none for counts
}

// Anomaly is something that must not be, as a person reads it and, for histories, as data.
type Anomaly struct {
	Text    string           `json:"text"`
	History *history.Anomaly `json:"history,omitempty"`
}

func result(seed uint64, began time.Time, parts ...Part) Result {
	r := Result{Verdict: Met, Seed: seed, Took: time.Since(began), Parts: parts}
	for _, p := range parts {
		if p.Verdict == Breached || p.Verdict == Unproven && r.Verdict == Met {
			r.Verdict = p.Verdict
		}
	}
	return r
}

// Figure finds a figure by part and name.
func (r Result) Figure(part, name string) (Figure, bool) {
	for _, p := range r.Parts {
		for _, f := range p.Figures {
			if p.Name == part && f.Name == name {
				return f, true
			}
		}
	}
	return Figure{}, false
}
