package documents

import (
	"fmt"

	"surety/validate"
)

// The suites that a check's results are written under, in JUnit, SARIF and a pull request.
const (
	suiteRequirement = "performance"
	suiteConsistency = "consistency"
	suiteBaseline    = "baseline"
	suiteWork        = "work"
	suiteOpen        = "coverage"
)

// Results gives the check in the form that validate's writers write: JUnit, SARIF, Markdown for a pull request, JSON, text. The same
// data stands behind the document and the CI's view of it.
func (p Performance) Results() []validate.Result { return p.results(p.Environment, nil) }

func (p Performance) results(from string, keep func(validate.Result) bool) []validate.Result {
	var out []validate.Result
	add := func(r validate.Result) {
		r.Started, r.Took = p.Taken, 0
		if r.State != validate.Pass && r.State != validate.Fail {
			r.State = validate.Unproven
		}
		if keep == nil || keep(r) {
			out = append(out, r)
		}
	}
	for _, r := range p.Requirements {
		got := validate.Result{Check: "performance/" + r.ID, Suite: suiteRequirement, Requirements: []string{r.ID}, State: r.State, Places: r.Places}
		got.Summary = summary(r.ID, r.Wanted, r.Figure, r.Why)
		if r.Figure != nil {
			got.Evidence = []validate.Evidence{{What: r.How.EN, Want: r.Wanted, Got: measured(*r.Figure), From: from}}
		}
		add(got)
	}
	for _, c := range p.Consistency {
		got := validate.Result{Check: "consistency/" + c.Subject + "/" + c.Property.EN, Suite: suiteConsistency, Requirements: c.Requirements, State: c.State}
		got.Summary = fmt.Sprintf("%s: %s, %d operations by %d clients", c.Subject, c.Property.EN, c.Operations, c.Clients)
		if c.Why != (Text{}) {
			got.Summary += ": " + c.Why.EN
		}
		for _, line := range c.Anomaly {
			got.Evidence = append(got.Evidence, validate.Evidence{What: "history", Got: line})
		}
		add(got)
	}
	if p.Baseline != nil {
		for _, c := range p.Baseline.Changes {
			got := validate.Result{Check: "baseline/" + c.Quantity, Suite: suiteBaseline, Requirements: c.Requirements, State: c.State}
			got.Summary = c.Quantity
			if !c.Unmeasured {
				got.Summary += fmt.Sprintf(": %s [%s, %s] against %s", signedPercent(c.Change), signedPercent(c.Low), signedPercent(c.High), p.Baseline.Old)
				got.Evidence = []validate.Evidence{{What: fmt.Sprintf("median of %d runs, baseline %d", c.NewRuns, c.OldRuns),
					Want: fmt.Sprintf("no worse than %s %s by %s", figureNumber(c.Old), c.Unit, percent(p.Baseline.Margin)), Got: figureNumber(c.New) + " " + c.Unit, From: from}}
			}
			if c.Why != (Text{}) {
				got.Summary += ": " + c.Why.EN
			}
			add(got)
		}
	}
	for _, w := range p.Work {
		add(validate.Result{Check: "work/" + w.Indicator + "/" + w.What.EN, Suite: suiteWork, Requirements: w.Requirements, State: w.State, Summary: w.What.EN + ": " + w.Proof.EN})
	}
	for _, u := range p.Open {
		add(validate.Result{Check: "coverage/" + u.What.EN, Suite: suiteOpen, Requirements: []string{}, Summary: u.What.EN + ": " + u.Why.EN})
	}
	return out
}

// summary is a requirement's verdict in a line.
func summary(id, wanted string, f *Figure, why Text) string {
	text := id
	if wanted != "" {
		text += " " + wanted
	}
	if f != nil {
		text += ": " + measured(*f)
	}
	if why != (Text{}) {
		text += ": " + why.EN
	}
	return text
}

// measured prints a figure with its interval.
func measured(f Figure) string {
	text := figureNumber(f.Value) + " " + f.Unit
	if interval := between(f); interval != "–" {
		text += " [" + interval + "]"
	}
	return text
}
