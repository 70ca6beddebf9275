package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/blueprints"
	"surety/blueprints/architecture"
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
	return a.keepEvidenceOf(env, current.Number, current.Hash, cause, results, details)
}

// keepEvidenceOf is keepEvidence for a given release.
func (a *app) keepEvidenceOf(env *environment, number int, hash, cause string, results []validate.Result, details []verify.Detail) error {
	e := releases.Evidence{Release: number, ReleaseHash: hash, Made: time.Now(), Cause: cause, By: who(), Tool: version,
		Fingerprint: a.fingerprint(), Conditions: map[string]string{}}
	for name, value := range map[string]string{"load average before": a.loadBefore, "load average after": loadAverage(), "not enforced": env.notEnforced()} {
		if value != "" {
			e.Conditions[name] = value
		}
	}
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

// keepMeasured keeps the measurements behind a release that was just recorded: its own, whose verdicts are in its record, and what
// was measured of the release that was put back.
func (a *app) keepMeasured(env *environment, record *releases.Record) error {
	measured := env.measured
	env.measured = nil
	for _, m := range measured {
		switch {
		case !m.back:
			if len(m.details) == 0 {
				continue
			}
			if err := a.keepEvidenceOf(env, record.Number, record.Hash, record.Cause, nil, m.details); err != nil {
				return err
			}
		case record.Back != nil:
			records, err := env.store.All()
			if err != nil {
				return err
			}
			to := records[record.Back.To-1]
			if err := a.keepEvidenceOf(env, to.Number, to.Hash, fmt.Sprintf("rolled back from release %d", record.Number), m.results, m.details); err != nil {
				return err
			}
		}
	}
	return nil
}

// proof is all that was measured of a release.
type proof struct {
	made    []validate.Result    // when the release was made
	results []validate.Result    // of each check the newest
	ledger  []architecture.Entry // joined from the release's own record and all evidence
	later   []releases.Evidence  // what was kept since
}

// breached tells whether a requirement is breached.
func (p *proof) breached() bool { return p.count().Breached > 0 }

// count counts the ledger's rows.
func (p *proof) count() (v releases.Verdict) {
	for _, e := range p.ledger {
		switch e.State {
		case architecture.Met:
			v.Met++
		case architecture.Breached:
			v.Breached++
		default:
			v.Unproven++
		}
	}
	return v
}

// proof joins what a release's record says with what was measured of it since. more are runs that are not kept.
// Rows that no later run touches are those of the record, as they were written.
func (e *environment) proof(ctx context.Context, records []releases.Record, r *releases.Record, more ...verify.Findings) (*proof, error) {
	results, ledger, err := readVerdict(r.Verdict)
	if err != nil {
		return nil, err
	}
	p := &proof{made: results, results: results, ledger: ledger}
	if p.later, err = e.store.EvidenceOf(records, r); err != nil {
		return nil, err
	}
	runs := []verify.Findings{{Results: results}}
	for _, kept := range p.later {
		run := verify.Findings{Cause: kept.Cause}
		if len(kept.Results) > 0 {
			if err := json.Unmarshal(kept.Results, &run.Results); err != nil {
				return nil, fmt.Errorf("read evidence %d: %w", kept.Number, err)
			}
			runs = append(runs, run)
		}
	}
	if runs = append(runs, more...); len(runs) == 1 {
		return p, nil
	}
	p.results = verify.Newest(runs)
	doc, arch, err := read(releases.Candidate{File: r.File, Spec: r.Spec})
	if err != nil {
		return nil, err
	}
	touched := map[string]bool{}
	for _, run := range runs[1:] {
		for _, result := range run.Results {
			for _, id := range result.Requirements {
				touched[id] = true
			}
		}
	}
	recorded := map[string]architecture.Entry{}
	for _, row := range ledger {
		recorded[row.Requirement] = row
	}
	p.ledger = verify.Join(doc, arch, runs, e.target.Capabilities(ctx).Unproven, r.Made)
	for i, row := range p.ledger {
		if old, known := recorded[row.Requirement]; known && !touched[row.Requirement] {
			p.ledger[i] = old
		}
	}
	return p, nil
}

// loadAverage is how busy the whole machine was in the last 1, 5 and 15 minutes.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 3 {
		return strings.Join(fields[:3], " ")
	}
	return ""
}

// notEnforced names the limits that the target cannot enforce here.
func (e *environment) notEnforced() string {
	var names []string
	enforced := e.target.Capabilities(context.Background()).Enforced
	for _, name := range blueprints.SortedKeys(enforced) {
		if !enforced[name] {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// fingerprint names the machine that something was measured on.
func (a *app) fingerprint() map[string]string {
	f := benchmarks.ThisMachine()
	f["target"] = a.target()
	return f
}
