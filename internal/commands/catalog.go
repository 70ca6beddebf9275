package commands

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/catalog"
	"surety/internal/durable"
	"surety/internal/terminal"
)

func (a *app) catalogCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "catalog",
		Short: "What providers offer and what it costs, with source and date",
		Long: `Shows what surety knows of providers: regions, machine and database types with prices, storage and traffic,
promised availability, support plans and supported versions. Each figure has a source and a date; what is not
known is absent. Over the embedded figures lie those of "catalog refresh", then the price books in the folder
surety/books of the user's configuration, then those of --book.`,
		Example: `  surety catalog list                                    what is known of each provider
  surety catalog list --provider aws --region ap-northeast-1 --what machines
  surety catalog show m5.large                           everywhere it is sold
  surety catalog age                                     how old the figures are
  surety catalog import acme.yaml                        keep a price book`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.catalogListCommand(), a.catalogShowCommand(), a.catalogAgeCommand(), a.catalogImportCommand(), a.catalogRefresh(), a.catalogSchemaCommand())
	for _, sub := range c.Commands() {
		refuseExtra(sub)
	}
	return c
}

// configFolder gives a folder of surety's in the user's configuration, or nothing where there is no home.
func configFolder(name string) string {
	folder, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "surety", name)
}

// catalogFolder is where refreshed prices lie.
func (a *app) catalogFolder() string { return configFolder("catalog") }

// booksFolder is where imported price books lie.
func (a *app) booksFolder() string { return configFolder("books") }

// openCatalog reads the catalogue with all that the user has over it. What cannot be used is said, and ends the command: a comparison
// without a book that was asked for would be wrong without a sign of it. Refreshed data that is damaged is only warned of.
func (a *app) openCatalog() (*catalog.Catalog, error) {
	var places []string
	for _, folder := range []string{a.catalogFolder(), a.booksFolder()} {
		if _, err := os.Stat(folder); err == nil {
			places = append(places, folder)
		}
	}
	for _, book := range a.settings.GetStringSlice("book") {
		for _, file := range filepath.SplitList(book) {
			if _, err := os.Stat(file); err != nil {
				return nil, wrong("price book %s: %w\nname a file, or a folder of price books", file, err)
			}
			places = append(places, file)
		}
	}
	c, found, err := catalog.Open(places...)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return c, nil
	}
	terminal.New(a.stderr, terminal.Options{NoColor: a.settings.GetBool("no-color")}).Findings(found)
	for _, d := range found {
		if d.Severity == blueprints.Error && !strings.HasPrefix(d.Position.File, a.catalogFolder()) {
			return nil, ended(Findings, "a price book has problems: "+d.String())
		}
	}
	return c, nil
}

func (a *app) catalogAgeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "age",
		Short: "How old the figures are, and which are stale",
		Long: `Shows for each provider what its figures are of, how many there are, from which source, and how old that is.
Stale is what is older than 180 days, and what has no date. -v shows the sources in full. Exit 0, stale or not.`,
		Example: `  surety catalog age
  surety catalog age --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.openCatalog()
			if err != nil {
				return err
			}
			ages := c.Ages(time.Now())
			s := a.screen()
			t := s.Table("provider", "of", "figures", "date", "age", "source")
			stale := 0
			for _, age := range ages {
				style, days, date := terminal.Plain, terminal.Count(age.Days, "day"), age.Origin.Date.Format(time.DateOnly)
				if age.Days < 0 {
					days, date = "unknown", "–"
				}
				if age.Stale {
					stale++
					style = terminal.Yellow
					days += ", stale"
				}
				t.Row(terminal.Cell{Text: age.Provider}, terminal.Cell{Text: age.What}, terminal.Cell{Text: strconv.Itoa(age.Figures)},
					terminal.Cell{Text: date}, terminal.Cell{Text: days, Style: style}, terminal.Cell{Text: a.sourceText(age.Origin)})
			}
			t.Print()
			s.Line("%d of %s stale: older than %d days, or without a date", stale, terminal.Count(len(ages), "source"), int(catalog.StaleAfter.Hours()/24))
			if stale > 0 {
				s.Line("newer ones: surety catalog refresh")
			}
			return a.print(ages)
		},
	}
}

// sourceText shortens a source for a table, unless more was asked for.
func (a *app) sourceText(o catalog.Origin) string {
	const width = 48
	text := []rune(cmp.Or(o.Source, "–"))
	if !a.verbose() && len(text) > width {
		text = append(text[:width-1], '…')
	}
	return string(text) + " (" + string(o.Kind) + ")"
}

func (a *app) catalogImportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Check a price book and keep it for all comparisons",
		Long: `Checks a price book (docs/catalog.md) and puts it into the folder surety/books of the user's configuration, from where
every command reads it. A book of the same name is replaced. To use one without keeping it: --book FILE.
Exit 2 when the book has problems; nothing is kept then.`,
		Example: `  surety catalog import acme.yaml
  surety compare --book quotation.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := args[0]
			if ext := filepath.Ext(file); ext != ".yaml" && ext != ".yml" {
				return wrong("%s is no price book: its name ends in .yaml\nsee docs/catalog.md for how to write one; provider price lists come by: surety catalog refresh", file)
			}
			book, found, err := catalog.ReadBook(file, time.Now())
			if err != nil {
				return err
			}
			if found.HasErrors() {
				if a.json() {
					if err := a.print(found); err != nil {
						return err
					}
				}
				a.screen().Findings(found)
				return ended(Findings, "the price book has problems")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			kept := filepath.Join(a.booksFolder(), filepath.Base(file))
			if err := durable.WriteFile(kept, text); err != nil {
				return err
			}
			s := a.screen()
			s.Line("%s kept as %s: %s", file, kept, book.Summary())
			s.Line("see: surety catalog list")
			return a.print(map[string]string{"kept": kept, "holds": book.Summary()})
		},
	}
}

func (a *app) catalogSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of price books, for editors",
		Long:  "Prints the JSON Schema (draft-07) of price books.",
		Example: `  surety catalog schema > book.schema.json
  # then, as the first line of a price book:
  # yaml-language-server: $schema=./book.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(catalog.BookSchema())
			return err
		},
	}
}
