package local

// unproven lists what building on this machine cannot prove, by requirement pattern, with the reason that the ledger prints.
// It is a list of its own because a requirement without a proof must be said to be unproven, never passed over.
func unproven() map[string]string {
	return map[string]string{
		"objectives.availability": "all hosts share one machine, so its loss stops everything; the figure composed from the design is given instead",
		"objectives.budget":       "a local target has no price",
		"objectives.residency":    "a local target has no region",
		"objectives.support.*":    "a local target has no provider to answer",
	}
}
