package verify

import (
	"cmp"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate"
)

// Ledger folds results into the ledger of a spec. unproven is what the target cannot prove, as patterns with reasons: a pass on
// such a requirement does not make it met, a failure breaches it all the same. at is the time of verdicts that need nothing built.
func Ledger(doc *blueprints.Document, arch architecture.Architecture, results []validate.Result, unproven map[string]string, at time.Time) *architecture.Ledger {
	ledger := architecture.NewLedger(doc.Requirements)
	ledger.Expect(architecture.Prospects(arch, doc.Requirements, unproven))
	for _, e := range architecture.DesignedEntries(arch, doc.Requirements, unproven, at) {
		ledger.Record(e)
	}
	for _, r := range results {
		for _, id := range r.Requirements {
			e := architecture.Entry{
				Requirement: id, By: r.Check, Evidence: r.Summary, Source: architecture.SourceMeasured, At: r.Started.Add(r.Took),
				State: map[validate.State]architecture.State{validate.Pass: architecture.Met, validate.Fail: architecture.Breached}[r.State],
			}
			e.State = cmp.Or(e.State, architecture.Unproven)
			if reason := cannot(unproven, id); e.State == architecture.Met && reason != "" {
				e.State, e.Source, e.Evidence = architecture.Unproven, architecture.SourceUnknown, reason
			}
			ledger.Record(e)
		}
	}
	return ledger
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
