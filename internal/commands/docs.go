package commands

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"surety/internal/documents"
	"surety/stacks/releases"
	"surety/validate"
)

func (a *app) docsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "docs",
		Short: "Write documents from what was compared, built and measured",
		Long:  "Writes documents from the spec, the catalogue, the releases and their evidence alone: nothing is measured, and the same records give the same bytes.",
		Example: `  surety docs sheet -o sheet.html
  surety docs proposal --lang zh-TW -o proposal.zh-TW.html
  surety docs performance -o performance.html
  surety docs performance --lang zh-TW --format markdown`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	performance := a.docsPerformanceCommand()
	refuseExtra(performance)
	c.AddCommand(performance)
	c.AddCommand(a.docsOffers()...)
	return c
}

// renderings are the forms of the host performance check: as a document, and as CI systems read it.
var renderings = map[string]func(documents.Performance, documents.Language) (string, error){
	"html":     documents.PerformanceHTML,
	"markdown": documents.PerformanceMarkdown,
	"json":     results(validate.JSON),
	"junit":    results(validate.JUnit),
	"sarif":    results(validate.SARIF),
}

func results(write validate.Writer) func(documents.Performance, documents.Language) (string, error) {
	return func(p documents.Performance, _ documents.Language) (string, error) {
		var out bytes.Buffer
		err := write(&out, p.Results())
		return out.String(), err
	}
}

func (a *app) docsPerformanceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "performance",
		Short: "The host performance check (O1.4.1 主機效能查核)",
		Long: `Writes the host performance check of the release that serves: the environment of the measurements, the verdict on each requirement,
latency against rate, distributions, figures of hosts, databases, storage and network, consistency, the comparison with the baseline,
the work that was done, and everything that is unproven, with the command that would prove it.
It is made of records alone. Measure first what it is to show: surety verify --full.
With --check nothing is written: the difference between a file and what would be written now is printed, exit 5 when there is one.`,
		Example: `  surety docs performance -o performance.html
  surety docs performance --lang zh-TW -o performance.zh-TW.html
  surety docs performance --format markdown --release 7
  surety docs performance --check performance.html`,
		Args: cobra.NoArgs,
	}
	language := c.Flags().String("lang", "en", "en or zh-TW")
	format := c.Flags().String("format", "", "html, markdown, json, junit or sarif (default by the file's name, else html)")
	out := c.Flags().StringP("output", "o", "", "write to this file instead of standard output")
	number := c.Flags().String("release", "", "of this release instead of the one that serves")
	check := c.Flags().String("check", "", "compare with this file instead of writing; exit 5 when it is stale")
	c.RunE = func(c *cobra.Command, _ []string) error {
		l := documents.Language(*language)
		if !slices.Contains([]documents.Language{documents.English, documents.TraditionalChinese}, l) {
			return wrong("there is no language %q; languages: en, zh-TW", *language)
		}
		if *out != "" && *check != "" {
			return wrong("--output writes a file and --check compares one; give one of them")
		}
		form := formOf(*format, *out+*check)
		if a.json() {
			form = "json"
		}
		render, ok := renderings[form]
		if !ok {
			return wrong("there is no format %q; formats: html, markdown, json, junit, sarif", form)
		}
		p, err := a.performance(c.Context(), *number)
		if err != nil {
			return err
		}
		text, err := render(p, l)
		if err != nil {
			return err
		}
		switch {
		case *check != "":
			return a.checkDocument("performance", *check, form, text)
		case *out != "":
			if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
				return fmt.Errorf("write document: %w", err)
			}
			a.screen().Line("%s written: %s, %d items unproven", *out, p.Release, len(p.Unproven()))
			return nil
		}
		_, err = io.WriteString(a.stdout, text)
		return err
	}
	return c
}

// formOf is the form that was asked for, or that a file's name tells.
func formOf(format, file string) string {
	switch {
	case format != "":
		return format
	case strings.HasSuffix(file, ".md"):
		return "markdown"
	case strings.HasSuffix(file, ".json"):
		return "json"
	case strings.HasSuffix(file, ".xml"):
		return "junit"
	case strings.HasSuffix(file, ".sarif"):
		return "sarif"
	}
	return "html"
}

// performance gathers the host performance check of a release, of the one that serves when no number was typed.
func (a *app) performance(ctx context.Context, number string) (documents.Performance, error) {
	env, records, err := a.history()
	if err != nil {
		return documents.Performance{}, err
	}
	r := releases.Current(records)
	if number != "" {
		if r, err = find(records, number); err != nil {
			return documents.Performance{}, err
		}
	}
	switch {
	case r == nil && len(records) > 0:
		return documents.Performance{}, fault("no release serves; write the document of an earlier one with: surety docs performance --release %d%s", max(1, len(records)-1), a.fileFlag())
	case r == nil:
		return documents.Performance{}, fault("nothing is released, so nothing was measured; make a release with: surety up%s", a.fileFlag())
	case r.State == releases.Destroyed:
		return documents.Performance{}, wrong("entry %d of the history is the removal of the environment, not a release", r.Number)
	}
	doc, _, err := read(releases.Candidate{File: r.File, Spec: r.Spec})
	if err != nil {
		return documents.Performance{}, err
	}
	all, err := env.proof(ctx, records, r)
	if err != nil {
		return documents.Performance{}, err
	}
	return documents.FromEvidence(documents.Measured{Document: doc, Records: records, Release: r, Ledger: all.ledger, Results: all.results, Evidence: all.later})
}
