package verify

import (
	"cmp"
	"slices"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate"
)

// Ledger folds results into the ledger of a spec. unproven is what the target cannot prove, as patterns with reasons: a pass on
// such a requirement does not make it met, a failure breaches it all the same. at is the time of verdicts that need nothing built.
func Ledger(doc *blueprints.Document, arch architecture.Architecture, results []validate.Result, unproven map[string]string, at time.Time) *architecture.Ledger {
	ledger, _ := fold(doc, arch, []Findings{{Results: results}}, unproven, at)
	return ledger
}

// decided is a requirement with a state that was found.
type decided struct {
	requirement string
	state       architecture.State
}

// fold records the newest result of each check, and gives besides when each state was found that a row may quote.
//
// All verdicts get the time when the last was there, the newest run comes first, and in a run those of the suite that is meant for a
// requirement: the row then quotes what tells most about it, not what happened to be found first.
func fold(doc *blueprints.Document, arch architecture.Architecture, runs []Findings, unproven map[string]string, at time.Time) (*architecture.Ledger, map[decided]time.Time) {
	ledger := architecture.NewLedger(doc.Requirements)
	prospects := architecture.Prospects(arch, doc.Requirements, unproven)
	ledger.Expect(prospects)
	for _, e := range architecture.DesignedEntries(arch, doc.Requirements, unproven, at) {
		ledger.Record(e)
	}
	meant := map[string]string{}
	for _, p := range prospects {
		meant[p.Requirement] = p.By
	}
	var newest time.Time
	for _, run := range runs {
		if ended := run.ended(); ended.After(newest) {
			newest = ended
		}
	}
	found := map[decided]time.Time{}
	judged := map[string]bool{} // checks of newer runs
	for _, run := range slices.Backward(runs) {
		for _, first := range []bool{true, false} {
			for _, r := range run.Results {
				if judged[r.Check] {
					continue
				}
				for _, id := range r.Requirements {
					if (meant[id] == r.Suite) != first {
						continue
					}
					e := entry(r, id, newest, unproven)
					e.Cause = run.Cause
					ledger.Record(e)
					if key := (decided{id, e.State}); found[key].IsZero() && e.Source == architecture.SourceMeasured {
						found[key] = run.ended()
					}
				}
			}
		}
		for _, r := range run.Results {
			judged[r.Check] = true
		}
	}
	return ledger, found
}

// entry is what a result says of one of its requirements.
func entry(r validate.Result, id string, at time.Time, unproven map[string]string) architecture.Entry {
	e := architecture.Entry{
		Requirement: id, By: r.Check, Evidence: r.Summary, Source: architecture.SourceMeasured, At: at,
		State: map[validate.State]architecture.State{validate.Pass: architecture.Met, validate.Fail: architecture.Breached}[r.State],
	}
	e.State = cmp.Or(e.State, architecture.Unproven)
	if reason := cannot(unproven, id); e.State == architecture.Met && reason != "" {
		e.State, e.Source, e.Evidence = architecture.Unproven, architecture.SourceUnknown, reason
	}
	return e
}

// cannot gives the target's reason why it cannot prove a requirement, or "".
func cannot(unproven map[string]string, id string) string {
	for _, pattern := range blueprints.SortedKeys(unproven) {
		if architecture.Matches(pattern, id) {
			return unproven[pattern]
		}
	}
	return ""
}
