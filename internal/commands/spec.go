package commands

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/library"
	"surety/internal/terminal"
)

func (a *app) initCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "init [STARTER]",
		Short: "Write a commented starter spec",
		Long:  "Writes surety.yaml from a ready-made starter. An existing file is never overwritten without --force.",
		Example: `  surety init --list
  surety init web-app
  surety init registry -f infra/surety.yaml`,
		Args: cobra.MaximumNArgs(1),
	}
	list := c.Flags().Bool("list", false, "list the starters")
	force := c.Flags().Bool("force", false, "overwrite an existing file")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *list || len(args) == 0 && a.json() {
			return a.listStarters()
		}
		name := "web-app"
		if len(args) == 1 {
			name = args[0]
		}
		starter, ok := library.Get(name)
		if !ok {
			return wrong("there is no starter %q; see: surety init --list", name)
		}
		path := specPath(a.file())
		flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
		if *force {
			flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		}
		f, err := os.OpenFile(path, flags, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return fault("%s exists; choose another place with -f, or overwrite it with --force", path)
		}
		if err != nil {
			return fmt.Errorf("write spec: %w", err)
		}
		if _, err := f.Write(starter.Text); err != nil {
			return errors.Join(fmt.Errorf("write spec %s: %w", path, err), f.Close())
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("write spec: %w", err)
		}
		s := a.screen()
		s.Line("%s written from %s: %s", path, starter.Name, starter.Summary)
		s.Line("next: read it, then run: surety plan")
		return a.print(map[string]string{"file": path, "starter": starter.Name})
	}
	return c
}

func (a *app) listStarters() error {
	s := a.screen()
	t := s.Table("starter", "what it is")
	for _, starter := range library.All() {
		t.Row(terminal.Cell{Text: starter.Name, Style: terminal.Bold}, terminal.Cell{Text: starter.Summary})
	}
	t.Print()
	type row struct {
		Name    string `json:"name"`
		Summary string `json:"summary"`
	}
	var rows []row
	for _, starter := range library.All() {
		rows = append(rows, row{starter.Name, starter.Summary})
	}
	return a.print(rows)
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the spec, for editors",
		Long:  "Prints the JSON Schema (draft-07) of surety.yaml.",
		Example: `  surety schema > surety.schema.json
  # then, as the first line of surety.yaml:
  # yaml-language-server: $schema=./surety.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(blueprints.Schema())
			return err
		},
	}
}

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the spec and whether it can be met",
		Long: `Checks the spec against its schema, its meaning, and whether its requirements can hold together.
It changes nothing and needs no target. Exit 2 when there are problems.`,
		Example: `  surety validate
  surety validate -f examples/reader --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			doc, arch, findings, err := a.design()
			if err != nil {
				return err
			}
			if a.json() {
				if findings == nil {
					findings = blueprints.Diagnostics{}
				}
				if err := a.print(findings); err != nil {
					return err
				}
			} else {
				s := a.screen()
				s.Findings(findings)
				if !findings.HasErrors() {
					s.Line("%s: %s, %s, nothing contradicts", doc.File,
						terminal.Count(len(doc.Requirements), "requirement"), terminal.Count(len(arch.Components), "component"))
				}
			}
			if findings.HasErrors() {
				return ended(Findings, "the spec has problems")
			}
			return nil
		},
	}
}

// specPath gives the file that -f names.
func specPath(file string) string {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return filepath.Join(file, "surety.yaml")
	}
	return file
}

// print writes a value as JSON when --json was given, and nothing otherwise.
func (a *app) print(value any) error {
	if !a.json() {
		return nil
	}
	return writeJSON(a.stdout, value)
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}
