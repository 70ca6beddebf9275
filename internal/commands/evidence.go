package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// keepEvidence keeps what was measured of the release that serves: its verdicts and the measurements behind them. cause is the
// command, as "verify --suite load". Where no release serves there is nothing that the evidence could be of: that is an error.
func (a *app) keepEvidence(env *environment, cause string, results []validate.Result, details []verify.Detail) error {
	records, err := env.store.All()
	if err != nil {
		return err
	}
	current := releases.Current(records)
	if current == nil {
		return fault("no release serves, so there is none to keep evidence of; make one with: surety up%s", a.fileFlag())
	}
	return a.keepEvidenceOf(env, current, cause, results, details)
}

// keepEvidenceOf is keepEvidence for a given release.
func (a *app) keepEvidenceOf(env *environment, r *releases.Record, cause string, results []validate.Result, details []verify.Detail) error {
	e := releases.Evidence{Release: r.Number, ReleaseHash: r.Hash, Made: time.Now(), Cause: cause, By: who(), Tool: version, Fingerprint: fingerprint()}
	var errs [2]error
	if len(results) > 0 {
		e.Results, errs[0] = json.Marshal(results)
	}
	if len(details) > 0 {
		e.Details, errs[1] = json.Marshal(details)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	return env.store.Keep(&e)
}
