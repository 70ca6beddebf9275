package verify

import (
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate"
)

// Findings are what one run of suites found.
type Findings struct {
	Cause   string // the command, as "verify --suite load"; empty for the one that made the release
	Results []validate.Result
}

// ended is when the last verdict of a run was there.
func (r Findings) ended() time.Time {
	var ended time.Time
	for _, r := range r.Results {
		if end := r.Started.Add(r.Took); end.After(ended) {
			ended = end
		}
	}
	return ended
}

// Newest gives of each check the newest result, oldest run first, in the order in which checks first appear.
func Newest(runs []Findings) []validate.Result {
	var results []validate.Result
	at := map[string]int{}
	for _, run := range runs {
		for _, r := range run.Results {
			if i, known := at[r.Check]; known {
				results[i] = r
				continue
			}
			at[r.Check] = len(results)
			results = append(results, r)
		}
	}
	return results
}

// Join gives the rows of a release's ledger from all runs that measured it, oldest first: one for every requirement in the order of the
// spec, and after them one for each default that nobody asked for and that is breached all the same. Of each check the newest result
// counts, and what was not run again stays as it was. A row quotes the newest run that decides it, with its cause and time.
// unproven and at are those of Ledger.
func Join(doc *blueprints.Document, arch architecture.Architecture, runs []Findings, unproven map[string]string, at time.Time) []architecture.Entry {
	ledger, found := fold(doc, arch, runs, unproven, at)
	rows := ledger.Entries()
	for _, e := range ledger.Unasked() {
		if e.State == architecture.Breached {
			rows = append(rows, e)
		}
	}
	for i, row := range rows {
		if when := found[decided{row.Requirement, row.State}]; row.Source == architecture.SourceMeasured && !when.IsZero() {
			rows[i].At = when
		}
	}
	return rows
}
