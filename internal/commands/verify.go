package commands

import (
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
		Long: `Measures from inside the hosts whether what stands meets the requirements of the release that serves. It changes nothing.
Exit 0 when nothing is breached, 3 when something is.`,
		Example: `  surety verify
  surety verify --suite connectivity --suite database
  surety verify --format junit > verify.xml`,
		Args: cobra.NoArgs,
	}
	suites := c.Flags().StringSlice("suite", nil, "run these suites only: "+fmt.Sprint(verify.Suites))
	format := c.Flags().String("format", "text", "text, json, junit, markdown or sarif")
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, suite := range *suites {
			if !slices.Contains(verify.Suites, suite) {
				return wrong("there is no suite %q; suites: %v", suite, verify.Suites)
			}
		}
		if a.json() {
			*format = "json"
		}
		write, ok := validate.Writers[*format]
		if !ok {
			return wrong("there is no format %q; formats: %s", *format, strings.Join(blueprints.SortedKeys(validate.Writers), ", "))
		}
		env, doc, err := a.openExisting()
		if err != nil {
			return err
		}
		if err := env.idle(); err != nil {
			return err
		}
		records, err := env.store.All()
		if err != nil {
			return err
		}
		current := releases.Current(records)
		if current == nil {
			return fault("no release serves; make one with: surety up%s", a.fileFlag())
		}
		if text, err := os.ReadFile(specPath(doc.File)); err == nil && string(text) != current.Spec && *format == "text" {
			a.screen().Line("note: the spec has changed since release %d, which is what is verified; see: surety plan%s", current.Number, a.fileFlag())
		}
		d, err := env.engine.Deployment(c.Context())
		if err != nil {
			return err
		}
		quiet := *a
		if *format != "text" {
			quiet.stdout = a.stderr
		}
		results, ledger, err := quiet.measure(c.Context(), env, releases.Candidate{File: current.File, Spec: current.Spec, Graph: current.Graph}, d, *suites)
		if err != nil {
			return err
		}
		if *format == "text" {
			s := a.screen()
			s.Results(results, verify.Headline)
			if len(*suites) == 0 {
				s.LedgerSummary(ledger)
			}
		} else if err := write(a.stdout, results); err != nil {
			return err
		}
		if slices.ContainsFunc(results, func(r validate.Result) bool { return r.State == validate.Fail }) {
			return ended(Breached, "a requirement is breached")
		}
		return nil
	}
	return c
}

func (a *app) ledgerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Print how each requirement ended: met, breached or unproven",
		Long: `Prints every requirement of the release that serves with its state, what judged it and the evidence, as measured when the
release was made. Exit 3 when one is breached.`,
		Example: `  surety ledger
  surety ledger --json | jq '.[] | select(.state == "unproven")'
  surety ledger --release 4`,
		Args: cobra.NoArgs,
	}
	number := c.Flags().String("release", "", "of this release instead of the one that serves")
	c.RunE = func(*cobra.Command, []string) error {
		_, records, err := a.history()
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
		_, ledger, err := readVerdict(r.Verdict)
		if err != nil {
			return err
		}
		if a.json() {
			if ledger == nil {
				ledger = []architecture.Entry{}
			}
			if err := a.print(ledger); err != nil {
				return err
			}
		} else {
			s := a.screen()
			s.Line("%s", s.Paint(terminal.Bold, fmt.Sprintf("release %d of %s", r.Number, r.Made.Local().Format("2006-01-02 15:04:05"))))
			s.Ledger(ledger)
			s.LedgerSummary(ledger)
		}
		if r.Verdict.Breached > 0 {
			return ended(Breached, "a requirement is breached")
		}
		return nil
	}
	return c
}
