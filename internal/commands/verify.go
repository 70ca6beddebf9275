package commands

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/internal/terminal"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

func (a *app) verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Measure whether what stands meets each requirement",
		Long: `Measures from inside the hosts whether what stands meets the requirements of the release that serves. It changes nothing of what
stands, and keeps what it found as evidence of that release, which surety ledger joins; --no-keep keeps nothing.
Quick checks run first; then a load of 3 s on what the spec expects rates and latencies of. A suite that is named runs in full, and
--full runs all suites so: load of 30 s and up to the knee, figures of hosts and disks, concurrent histories, restores, baselines.
For the network between two hosts one port is opened from one to the other, and closed again, by the kernel itself after a minute.
Exit 0 when nothing is breached, 3 when something is.`,
		Example: `  surety verify
  surety verify --suite connectivity --suite database
  surety verify --suite load --load 2m
  surety verify --full
  surety verify --load 0s --no-keep
  surety verify --over ssh
  surety verify --format junit > verify.xml`,
		Args: cobra.NoArgs,
	}
	suites := c.Flags().StringSlice("suite", nil, "run these suites only, each in full: "+fmt.Sprint(verify.Suites))
	format := c.Flags().String("format", "text", "text, json, junit, markdown or sarif")
	c.Flags().Bool("full", false, "measure what takes long as well")
	noKeep := c.Flags().Bool("no-keep", false, "do not keep the results as evidence of the release")
	loadFlag(c)
	overFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if _, err := a.over(); err != nil {
			return err
		}
		for _, suite := range *suites {
			if !slices.Contains(verify.Suites, suite) {
				return wrong("there is no suite %q; suites: %v", suite, verify.Suites)
			}
		}
		if a.json() {
			*format = "json"
		}
		if _, ok := validate.Writers[*format]; !ok {
			return wrong("there is no format %q; formats: %s", *format, strings.Join(blueprints.SortedKeys(validate.Writers), ", "))
		}
		return a.verify(c.Context(), *suites, *format, !*noKeep)
	}
	return c
}

// verify measures the release that serves.
func (a *app) verify(ctx context.Context, suites []string, format string, keep bool) error {
	env, doc, err := a.openExisting()
	if err != nil {
		return err
	}
	unlock, err := env.share("verify")
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	records, err := env.store.All()
	if err != nil {
		return err
	}
	current := releases.Current(records)
	if current == nil {
		return fault("no release serves; make one with: surety up%s", a.fileFlag())
	}
	if text, err := os.ReadFile(specPath(doc.File)); err == nil && string(text) != current.Spec && format == "text" {
		a.screen().Line("note: the spec has changed since release %d, which is what is verified; see: surety plan%s", current.Number, a.fileFlag())
	}
	d, err := env.engine.Deployment(ctx)
	if err != nil {
		return err
	}
	quiet := *a
	if format != "text" {
		quiet.stdout = a.stderr
	}
	effort := a.effort(suites)
	m, err := quiet.measure(ctx, env, releases.Candidate{File: current.File, Spec: current.Spec, Graph: current.Graph}, d, suites, effort)
	if err != nil {
		return err
	}
	joined, err := env.proof(ctx, records, current, verify.Findings{Cause: a.verifyCause(suites, effort), Results: m.results})
	if err != nil {
		return err
	}
	if format == "text" {
		s := a.screen()
		if len(m.results) == 0 {
			s.Line("nothing was measured: the spec requires nothing that %s measures with this effort; see: surety plan%s, surety verify --help", strings.Join(suites, ", "), a.fileFlag())
			return nil
		}
		s.Results(m.results, verify.Headline)
		a.showFigures(m.details)
		s.LedgerSummary(joined.ledger)
	} else if err := a.writeMeasured(format, m); err != nil {
		return err
	}
	if keep && len(m.results) > 0 {
		if err := a.keepEvidenceOf(env, current.Number, current.Hash, a.verifyCause(suites, effort), m.results, m.details); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(m.results, func(r validate.Result) bool { return r.State == validate.Fail }) {
		return ended(Breached, "a requirement is breached")
	}
	if slices.ContainsFunc(joined.ledger, func(e architecture.Entry) bool { return e.State == architecture.Breached }) {
		return ended(Breached, "a requirement is breached, as was measured before: surety ledger"+a.fileFlag())
	}
	return nil
}

// showFigures prints what was measured, each with its interval and what was required: all of it when the user asked for more, else
// what stands beside a requirement.
func (a *app) showFigures(details []verify.Detail) {
	s := a.screen()
	if !a.verbose() {
		details = lastRuns(details)
	}
	t := s.Table("measured", "quantity", "figure [95 % interval]", "required")
	shown := 0
	for _, f := range verify.Figures(details) {
		if f.Required == "" && f.Quantity != "saturated" && f.Quantity != "generator" && !a.verbose() {
			continue
		}
		shown++
		t.Row(terminal.Cell{Text: f.Subject}, terminal.Cell{Text: f.Quantity}, terminal.Cell{Text: f.Value}, terminal.Cell{Text: f.Required})
	}
	if shown > 0 {
		t.Print()
	}
}

// lastRuns leaves out the runs that were made again.
func lastRuns(details []verify.Detail) []verify.Detail {
	last := map[string]int{}
	for i, d := range details {
		if d.Load != nil {
			last[d.Check] = i
		}
	}
	var kept []verify.Detail
	for i, d := range details {
		if d.Load == nil || last[d.Check] == i {
			kept = append(kept, d)
		}
	}
	return kept
}

// writeMeasured writes what was found for programs, with the measurements in full where the form has room for them.
func (a *app) writeMeasured(format string, m *measurement) error {
	switch format {
	case "json":
		count := validate.Tally(m.results)
		results, details := m.results, m.details
		if results == nil {
			results = []validate.Result{}
		}
		if details == nil {
			details = []verify.Detail{}
		}
		return writeJSON(a.stdout, struct {
			validate.Report
			Measurements []verify.Detail `json:"measurements"`
		}{validate.Report{Count: count, State: count.State(), Results: results}, details})
	case "markdown":
		return verify.Markdown(a.stdout, m.results, m.details)
	}
	return validate.Writers[format](a.stdout, m.results)
}

// verifyCause is the command line in its own words.
func (a *app) verifyCause(suites []string, effort verify.Effort) string {
	cause := "verify"
	for _, suite := range suites {
		cause += " --suite " + suite
	}
	if effort.Full {
		cause += " --full"
	}
	if way, _ := a.over(); way != waysIn[0] {
		cause += " --over " + way
	}
	return cause
}

func (a *app) ledgerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Print how each requirement ended: met, breached or unproven",
		Long: `Prints every requirement of the release that serves with its state, what judged it and the evidence: as measured when the
release was made, or by a later verify, drill or backup, whose command and time then stand with the evidence. Of each check the
newest result counts; what was not run again stays as it was. Exit 3 when a requirement is breached.`,
		Example: `  surety ledger
  surety ledger --json | jq '.[] | select(.state == "unproven")'
  surety ledger --release 4`,
		Args: cobra.NoArgs,
	}
	number := c.Flags().String("release", "", "of this release instead of the one that serves")
	c.RunE = func(c *cobra.Command, _ []string) error {
		env, records, err := a.history()
		if err != nil {
			return err
		}
		r := releases.Current(records)
		if *number != "" {
			if r, err = find(records, *number); err != nil {
				return err
			}
		}
		if r == nil && len(records) > 0 {
			return fault("no release serves; look into an earlier one with: surety ledger --release %d%s", max(1, len(records)-1), a.fileFlag())
		}
		if r == nil {
			return fault("nothing is released; make a release with: surety up%s", a.fileFlag())
		}
		all, err := env.proof(c.Context(), records, r)
		if err != nil {
			return err
		}
		if a.json() {
			if all.ledger == nil {
				all.ledger = []architecture.Entry{}
			}
			if err := a.print(all.ledger); err != nil {
				return err
			}
		} else {
			s := a.screen()
			s.Line("%s", s.Paint(terminal.Bold, fmt.Sprintf("release %d of %s", r.Number, r.Made.Local().Format("2006-01-02 15:04:05"))))
			s.Ledger(all.ledger)
			s.LedgerSummary(all.ledger)
		}
		if all.breached() {
			return ended(Breached, "a requirement is breached")
		}
		return nil
	}
	return c
}
