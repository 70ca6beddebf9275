package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// verdict measures a deployment against the spec of a release.
func (a *app) verdict(ctx context.Context, env *environment, c releases.Candidate, d stacks.Deployment) (releases.Verdict, []validate.Result, []architecture.Entry, error) {
	results, ledger, err := a.measure(ctx, env, c, d, nil)
	if err != nil {
		return releases.Verdict{}, nil, nil, err
	}
	v := releases.Verdict{}
	for _, e := range ledger {
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
	v.Results, errs[0] = json.Marshal(results)
	v.Ledger, errs[1] = json.Marshal(ledger)
	return v, results, ledger, errors.Join(errs[:]...)
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

// measure runs the suites on a deployment, by the spec it was released from, and folds their results into the ledger.
func (a *app) measure(ctx context.Context, env *environment, c releases.Candidate, d stacks.Deployment, only []string) ([]validate.Result, []architecture.Entry, error) {
	doc, problems := blueprints.Parse(c.File, []byte(c.Spec))
	if problems.HasErrors() {
		return nil, nil, fmt.Errorf("the released spec cannot be read: %s", problems[0])
	}
	doc.Dir = filepath.Dir(specPath(c.File))
	arch, findings := architecture.Design(doc)
	if findings.HasErrors() {
		return nil, nil, fmt.Errorf("design: %s", findings[0])
	}
	hosts, err := env.target.Hosts(d)
	if err != nil {
		return nil, nil, fmt.Errorf("reach hosts: %w", err)
	}
	able := env.target.Capabilities(ctx)
	s := a.screen()
	done := 0
	results, err := verify.Run(ctx, verify.Input{Document: doc, Architecture: arch, Graph: c.Graph, Deployment: d, Hosts: hosts,
		Live: func(ctx context.Context) (verify.Live, error) { return env.live(ctx, d) }, Capabilities: able, Now: time.Now, Only: only}, func(r validate.Result) {
		done++
		s.Doing("verify  %s  %s", fmt.Sprint(done), r.Check)
	})
	s.Doing("")
	if ctx.Err() != nil {
		return nil, nil, fault("interrupted: what was not measured yet would count as unproven, so nothing is judged")
	}
	if err != nil {
		return nil, nil, err
	}
	return results, rows(verify.Ledger(doc, arch, results, able.Unproven, time.Now())), nil
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

// rows gives every requirement's row, and after them the rows of defaults that nobody asked for and that are breached all the same.
func rows(ledger *architecture.Ledger) []architecture.Entry {
	all := ledger.Entries()
	for _, e := range ledger.Unasked() {
		if e.State == architecture.Breached {
			all = append(all, e)
		}
	}
	return all
}

// fingerprint names the machine that something was measured on.
func fingerprint() map[string]string {
	print := map[string]string{"go": runtime.Version(), "cpus": fmt.Sprint(runtime.NumCPU()), "arch": runtime.GOARCH}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		print["kernel"] = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				print["cpu"] = strings.TrimSpace(model)
				break
			}
		}
	}
	return print
}
