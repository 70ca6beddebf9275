package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/internal/terminal"
	"surety/stacks"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// measurement is what one verification found.
type measurement struct {
	results []validate.Result
	details []verify.Detail
	ledger  []architecture.Entry
	back    bool // of the release that was put back
}

// verdict gives a measurement in the form of a release record.
func (m *measurement) verdict() (releases.Verdict, error) {
	v := releases.Verdict{}
	for _, e := range m.ledger {
		switch e.State {
		case architecture.Met:
			v.Met++
		case architecture.Breached:
			v.Breached++
			v.Breaches = append(v.Breaches, e.Requirement)
		default:
			v.Unproven++
		}
	}
	var errs [2]error
	v.Results, errs[0] = json.Marshal(m.results)
	v.Ledger, errs[1] = json.Marshal(m.ledger)
	return v, errors.Join(errs[:]...)
}

// readVerdict gives back what verdict wrote.
func readVerdict(v releases.Verdict) (results []validate.Result, ledger []architecture.Entry, err error) {
	if len(v.Results) > 0 {
		err = json.Unmarshal(v.Results, &results)
	}
	if err == nil && len(v.Ledger) > 0 {
		err = json.Unmarshal(v.Ledger, &ledger)
	}
	if err != nil {
		err = fmt.Errorf("read verdict of release: %w", err)
	}
	return results, ledger, err
}

// read reads the spec of a release again and designs its architecture.
func read(c releases.Candidate) (*blueprints.Document, architecture.Architecture, error) {
	doc, problems := blueprints.Parse(c.File, []byte(c.Spec))
	if problems.HasErrors() {
		return nil, architecture.Architecture{}, fmt.Errorf("the released spec cannot be read: %s", problems[0])
	}
	doc.Dir = filepath.Dir(specPath(c.File))
	arch, findings := architecture.Design(doc)
	if findings.HasErrors() {
		return nil, architecture.Architecture{}, fmt.Errorf("design: %s", findings[0])
	}
	return doc, arch, nil
}

// measure runs the suites on a deployment, by the spec it was released from, and folds their results into the ledger. When ctx ends,
// what was measured until then is shown and nothing is judged.
func (a *app) measure(ctx context.Context, env *environment, c releases.Candidate, d stacks.Deployment, only []string, effort verify.Effort) (*measurement, error) {
	doc, arch, err := read(c)
	if err != nil {
		return nil, err
	}
	hosts, leave, err := a.hosts(ctx, env, d)
	if err != nil {
		return nil, err
	}
	defer leave()
	able := env.target.Capabilities(ctx)
	s := a.screen()
	long := s.Measuring()
	m := &measurement{}
	var found []validate.Result // before an interruption
	m.results, err = verify.Run(ctx, verify.Input{Document: doc, Architecture: arch, Graph: c.Graph, Deployment: d, Hosts: hosts,
		Live: func(ctx context.Context) (verify.Live, error) { return env.live(ctx, d) }, Capabilities: able, Open: env.target.Open, Now: time.Now, Only: only, Effort: effort, Baselines: env.baselines(),
		Measured: func(d verify.Detail) { m.details = append(m.details, d) }, Progress: long.Tell}, func(r validate.Result) {
		if ctx.Err() == nil {
			found = append(found, r)
		}
		s.Doing("verify  %d  %s", len(found), r.Check)
	})
	s.Doing("")
	if ctx.Err() != nil {
		a.interrupted(found, long)
		return nil, fault("interrupted: what was not measured yet would count as unproven, so nothing is judged and nothing kept; run it again")
	}
	if err != nil {
		return nil, err
	}
	m.ledger = verify.Join(doc, arch, []verify.Findings{{Results: m.results}}, able.Unproven, time.Now())
	return m, nil
}

// interrupted shows what was measured before an interruption.
func (a *app) interrupted(found []validate.Result, long *terminal.Measuring) {
	s := a.screen()
	if len(found) > 0 {
		s.Line("measured before the interruption:")
		s.Results(found, verify.Headline)
	}
	if check, text := long.Last(); check != "" {
		s.Line("  %s %s  %s", s.Paint(terminal.Yellow, "interrupted"), check, text)
	}
}

// live reads back what stands, in the form that verification takes.
func (e *environment) live(ctx context.Context, d stacks.Deployment) (verify.Live, error) {
	seen, err := e.target.Observe(ctx, d)
	if err != nil {
		return verify.Live{}, err
	}
	live := verify.Live{Resources: map[string]verify.LiveResource{}, Unread: seen.Unread}
	for name, r := range seen.Resources {
		live.Resources[name] = verify.LiveResource{Type: r.Type, Properties: r.Outputs}
	}
	return live, nil
}
