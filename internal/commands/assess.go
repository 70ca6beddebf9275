package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/assess"
	"surety/blueprints/assess/terraform"
	"surety/blueprints/catalog"
	"surety/validate"
)

func (a *app) assessCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "assess INVENTORY",
		Short: "Say what of existing systems carries over, what changes and what blocks, and draft a spec",
		Long: `Reads an inventory of existing systems (YAML or CSV, see docs/assess.md), a Terraform state file (version 4), the output of
terraform show -json, or a folder in which terraform show is run, and says of each system what carries over as it is, what changes,
what is unproven because nothing known decides it, and what blocks, each with its reason, source and date.
With --draft it writes a first spec; what surety validate reports of that is listed here as blocking.
Nothing existing is changed. Exit 2 when something blocks or the inventory has mistakes, else 0.`,
		Example: `  surety assess inventory.yaml
  surety assess systems.csv --target aws --draft surety.yaml
  surety assess infra/                      a folder of Terraform
  surety assess inventory.yaml --format markdown > existing-systems.md
  surety assess inventory.yaml --json | jq '.systems[] | select(.verdict == "blocks")'`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().String("target", "", "provider to assess for, as aws; all that something is known of when left out")
	c.Flags().String("draft", "", "write the drafted spec to this file; an existing one is never overwritten without --force")
	c.Flags().String("format", "text", "text or markdown")
	c.Flags().Bool("force", false, "overwrite an existing draft")
	c.RunE = func(c *cobra.Command, args []string) error {
		format := a.settings.GetString("format")
		if !slices.Contains([]string{"text", "markdown"}, format) {
			return wrong("there is no format %q: write text or markdown, or --json", format)
		}
		draft, force := a.settings.GetString("draft"), a.settings.GetBool("force")
		if _, err := os.Lstat(draft); draft != "" && err == nil && !force {
			return fault("%s exists; choose another place with --draft, or overwrite it with --force", draft)
		}
		result, err := a.assess(c, args[0])
		if err != nil {
			return err
		}
		if draft != "" {
			if err := writeDraft(draft, result.Draft, force); err != nil {
				return err
			}
		}
		if err := a.showAssessment(result, format, draft); err != nil {
			return err
		}
		if result.Blocked() {
			return ended(Findings, "something blocks")
		}
		return nil
	}
	return c
}

func (a *app) assess(c *cobra.Command, path string) (assess.Assessment, error) {
	none := assess.Assessment{}
	cat, err := a.openCatalog()
	if err != nil {
		return none, err
	}
	if target := a.target(); target != "" && cat.Provider(target) == nil {
		return none, wrong("there is no provider %q in the catalogue: %s", target, blueprints.DidYouMean(target, providerIDs(cat)))
	}
	s := a.screen()
	s.Doing("reading %s", path)
	defer s.Doing("")
	var inv assess.Inventory
	if terraform.Is(path) {
		inv, err = terraform.Read(c.Context(), path, cat)
	} else {
		var findings blueprints.Diagnostics
		if inv, findings, err = assess.Read(path); err == nil && findings.HasErrors() {
			s.Doing("")
			s.Findings(findings)
			if err := a.print(findings); err != nil {
				return none, err
			}
			return none, ended(Findings, "the inventory has mistakes")
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return none, wrong("%w\nname an inventory (.yaml, .csv), a Terraform state, or a folder of Terraform", err)
	}
	if err != nil {
		return none, err
	}
	s.Doing("assessing")
	return assess.Assess(inv, assess.Options{Catalog: cat, Target: a.target(), Now: time.Now().UTC(), Check: findingsOf})
}

// findingsOf is what surety validate finds in a loaded spec.
func findingsOf(doc *blueprints.Document) blueprints.Diagnostics {
	findings := validate.Semantics(doc)
	if !findings.HasErrors() {
		_, more := architecture.Design(doc)
		findings = append(findings, more...)
	}
	return findings
}

func providerIDs(c *catalog.Catalog) []string {
	var ids []string
	for _, p := range c.Providers() {
		ids = append(ids, p.ID)
	}
	return ids
}

func (a *app) showAssessment(result assess.Assessment, format, draft string) error {
	if a.json() {
		return a.print(result)
	}
	if format == "markdown" {
		_, err := fmt.Fprint(a.stdout, result.Markdown(1))
		return err
	}
	s := a.screen()
	s.Assessment(result)
	if draft == "" {
		s.Line("next: draft a spec from it with --draft surety.yaml")
	} else {
		s.Line("%s drafted; read what is marked assumed, then run: surety validate -f %s", draft, draft)
	}
	return nil
}

func writeDraft(path, text string, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return fmt.Errorf("write draft: %w", err)
	}
	if _, err := f.WriteString(text); err != nil {
		return errors.Join(fmt.Errorf("write draft %q: %w", path, err), f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write draft %q: %w", path, err)
	}
	return nil
}
