package commands

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/catalog"
	"surety/blueprints/compare"
	"surety/internal/documents"
	"surety/stacks/releases"
)

// offerDocument is a document about an offer: its name, and how it is made and rendered by form.
type offerDocument struct {
	name  string
	forms map[string]func(considered documents.Considered, l documents.Language) (string, error)
	data  func(documents.Considered) (any, error)
}

// made puts a document together and renders it.
func made[D any](put func(documents.Considered) (D, error), render func(D, documents.Language) (string, error)) func(documents.Considered, documents.Language) (string, error) {
	return func(c documents.Considered, l documents.Language) (string, error) {
		d, err := put(c)
		if err != nil {
			return "", err
		}
		return render(d, l)
	}
}

var (
	sheetDocument = offerDocument{name: "sheet", data: func(c documents.Considered) (any, error) { return documents.SheetFrom(c) },
		forms: map[string]func(documents.Considered, documents.Language) (string, error){
			"html": made(documents.SheetFrom, documents.SheetHTML), "markdown": made(documents.SheetFrom, documents.SheetMarkdown),
			"csv": made(documents.SheetFrom, func(s documents.Sheet, l documents.Language) (string, error) {
				return documents.BillsCSV([]documents.Bill{s.Bill}, l)
			}),
			"xlsx": made(documents.SheetFrom, func(s documents.Sheet, l documents.Language) (string, error) {
				return documents.BillsXLSX([]documents.Bill{s.Bill}, s.Sources, l)
			}),
		}}
	proposalDocument = offerDocument{name: "proposal", data: func(c documents.Considered) (any, error) { return documents.ProposalFrom(c) },
		forms: map[string]func(documents.Considered, documents.Language) (string, error){
			"html": made(documents.ProposalFrom, documents.ProposalHTML), "markdown": made(documents.ProposalFrom, documents.ProposalMarkdown),
			"csv": made(documents.ProposalFrom, func(p documents.Proposal, l documents.Language) (string, error) {
				return documents.BillsCSV(p.Bills, l)
			}),
			"xlsx": made(documents.ProposalFrom, func(p documents.Proposal, l documents.Language) (string, error) {
				return documents.BillsXLSX(p.Bills, p.Sources, l)
			}),
			"d2": func(c documents.Considered, l documents.Language) (string, error) {
				return documents.ArchitectureD2(c.Architecture, l), nil
			},
		}}
)

// docsOffers are the documents about what is to be bought and why.
func (a *app) docsOffers() []*cobra.Command {
	sheet := &cobra.Command{
		Use:   "sheet",
		Short: "The cloud service specification sheet (O1.2.1 雲端服務規格表)",
		Long: `Writes the cloud service specification sheet of the offer that the comparison prefers, or of the one named by --provider and --region:
the specification of each component, what was really built when something is, the bill of materials with unit prices, each with its
source and date, cost and budget, service levels with their conditions, support plan, residency, the verdict on each requirement, what to
settle before building, the sources with their age, and the approval block. What is not known is said, and makes the total a lower bound.
As csv or xlsx it is the bill of materials alone. --as-of pins the day to which ages are counted, so that --check holds on later days.
With --check nothing is written: the difference between a file and what would be written now is printed, exit 5 when there is one.`,
		Example: `  surety docs sheet -o sheet.html
  surety docs sheet --lang zh-TW -o sheet.zh-TW.html
  surety docs sheet --provider gcp --region asia-east1 -o sheet.md
  surety docs sheet --format xlsx -o bill.xlsx
  surety docs sheet --as-of 2026-11-24 --check sheet.html`,
	}
	proposal := &cobra.Command{
		Use:   "proposal",
		Short: "The build proposal (建置方案書)",
		Long: `Writes the build proposal: the needs, the architecture with its picture (D2; --format d2 for the source alone), each size with rule and reason,
the allowed connections, the order of building, single points of failure, the alternatives with their costs, the weights by which the
winner wins and where another would, what more or less would cost, the bill of materials, terms, risks and sources.
As csv or xlsx it is the bills of materials of all offers. --as-of and --check work as with surety docs sheet.`,
		Example: `  surety docs proposal -o proposal.html
  surety docs proposal --lang zh-TW --provider aws,gcp -o proposal.zh-TW.html
  surety docs proposal --format d2 > architecture.d2
  surety docs proposal --as-of 2026-11-24 --check proposal.html`,
	}
	for c, d := range map[*cobra.Command]offerDocument{sheet: sheetDocument, proposal: proposalDocument} {
		c.Args = cobra.NoArgs
		marketFlags(c)
		c.Flags().String("weights", "", "what counts in the decision, as cost=6,availability=2,support=1,residency=1 (the default)")
		c.Flags().String("lang", "en", "en or zh-TW")
		c.Flags().String("format", "", "html, markdown, csv or xlsx (default by the file's name, else html)")
		c.Flags().StringP("output", "o", "", "write to this file instead of standard output")
		c.Flags().String("check", "", "compare with this file instead of writing; exit 5 when it is stale")
		c.Flags().String("as-of", "", "the day to which ages are counted, as 2026-11-24 (default today)")
		c.RunE = func(*cobra.Command, []string) error { return a.writeOffer(d) }
		refuseExtra(c)
	}
	return []*cobra.Command{sheet, proposal}
}

// writeOffer writes, prints or checks a document by the flags of the command line.
func (a *app) writeOffer(d offerDocument) error {
	l := documents.Language(a.settings.GetString("lang"))
	if l != documents.English && l != documents.TraditionalChinese {
		return wrong("there is no language %q; languages: en, zh-TW", l)
	}
	out, check := a.settings.GetString("output"), a.settings.GetString("check")
	if out != "" && check != "" {
		return wrong("--output writes a file and --check compares one; give one of them")
	}
	form := offerForm(a.settings.GetString("format"), out+check)
	render, ok := d.forms[form]
	if !ok {
		return wrong("there is no format %q of this document; formats: html, markdown, csv, xlsx", form)
	}
	considered, err := a.considered()
	if err != nil {
		return err
	}
	text, err := render(considered, l)
	if err != nil {
		return offerError(err)
	}
	switch {
	case check != "":
		return a.checkDocument(d.name, check, form, text)
	case out != "":
		if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
			return fmt.Errorf("write document: %w", err)
		}
		a.screen().Line("%s written", out)
		return a.print(map[string]string{"written": out})
	case a.json():
		data, err := d.data(considered)
		if err != nil {
			return offerError(err)
		}
		return a.print(data)
	}
	_, err = io.WriteString(a.stdout, text)
	return err
}

// offerError tells a mistyped offer from a fault of ours.
func offerError(err error) error {
	if errors.Is(err, documents.ErrNoOffer) {
		return wrong("%w", err)
	}
	return err
}

// offerForm is the form that was asked for, or that a file's name tells.
func offerForm(format, file string) string {
	if format != "" {
		return format
	}
	for end, form := range map[string]string{".md": "markdown", ".csv": "csv", ".xlsx": "xlsx", ".d2": "d2"} {
		if strings.HasSuffix(file, end) {
			return form
		}
	}
	return "html"
}

// considered gathers what the documents are made of: the comparison of all providers, so that a document about one says what else there
// is; or, when places are named, of those alone.
func (a *app) considered() (documents.Considered, error) {
	none := documents.Considered{}
	o, err := a.marketOptions(a.settings.GetString("weights"), false, nil)
	if err != nil {
		return none, err
	}
	if day := a.settings.GetString("as-of"); day != "" {
		if o.Now, err = time.Parse(time.DateOnly, day); err != nil {
			return none, wrong("--as-of %q is not a day, as 2026-11-24", day)
		}
	}
	doc, arch, err := a.wanted()
	if err != nil {
		return none, err
	}
	cat, err := a.openCatalog()
	if err != nil {
		return none, err
	}
	c := documents.Considered{Document: doc, Architecture: arch, Catalog: cat, Tool: "surety " + version}
	if c.Offer, err = named(cat, &o); err != nil {
		return none, err
	}
	s := a.screen()
	s.Doing("comparing")
	defer s.Doing("")
	if c.Comparison, err = compare.Compare(doc, arch, cat, o); err != nil {
		return none, err
	}
	if has := func(of compare.Offer) bool { return of.Name() == c.Offer }; strings.Contains(c.Offer, "/") && !slices.ContainsFunc(c.Comparison.Offers, has) {
		o.Regions = []string{c.Offer} // not the best of its provider: held against the best of all
		for _, other := range c.Comparison.Offers {
			if other.Infeasible == "" {
				o.Regions = append(o.Regions, other.Name())
			}
		}
		if c.Comparison, err = compare.Compare(doc, arch, cat, o); err != nil {
			return none, err
		}
	}
	c.Built, err = a.built(doc)
	return c, err
}

// named gives the one offer that the flags name, as provider/region or a provider, and takes it out of the options, so that it is held
// against the others. Several providers or regions restrict the comparison instead.
func named(cat *catalog.Catalog, o *compare.Options) (string, error) {
	for _, id := range o.Providers {
		if cat.Provider(id) == nil {
			return "", wrong("no provider %q is known; see: surety catalog list", id)
		}
	}
	switch {
	case len(o.Providers) == 1 && len(o.Regions) == 0:
		only := o.Providers[0]
		o.Providers = nil
		return only, nil
	case len(o.Regions) == 1:
		region := o.Regions[0]
		if !strings.Contains(region, "/") {
			var sold []string
			for _, p := range cat.Providers() {
				if p.Region(region) != nil && (len(o.Providers) == 0 || slices.Contains(o.Providers, p.ID)) {
					sold = append(sold, p.ID+"/"+region)
				}
			}
			if len(sold) != 1 {
				return "", wrong("region %q names %d offers; name one, as aws/ap-northeast-1; see: surety catalog list", region, len(sold))
			}
			region = sold[0]
		}
		o.Providers, o.Regions = nil, nil
		return region, nil
	}
	return "", nil
}

// built reads what was really built from the release that serves, or nothing when none does.
func (a *app) built(doc *blueprints.Document) (*documents.Built, error) {
	env, err := a.open(doc.Spec.Name, doc.Dir)
	if err != nil {
		return nil, err
	}
	records, err := env.store.All()
	if err != nil {
		return nil, err
	}
	r := releases.Current(records)
	if r == nil || r.State == releases.Destroyed {
		return nil, nil
	}
	b, err := documents.BuiltFrom(r, nil)
	if err != nil {
		return nil, err
	}
	released, _ := blueprints.Parse(r.File, []byte(r.Spec))
	b.Changed = !slices.EqualFunc(released.Requirements, doc.Requirements, func(x, y blueprints.Requirement) bool { return x.ID == y.ID && x.Value == y.Value })
	return b, nil
}

// checkDocument prints how a file differs from what would be written now.
func (a *app) checkDocument(name, file, form, text string) error {
	again := fmt.Sprintf("surety docs %s -o %s%s", name, file, a.fileFlag())
	old, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fault("%s does not exist; write it with: %s", file, again)
	}
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	if string(old) == text {
		a.screen().Line("%s is up to date", file)
		return a.print(map[string]any{"file": file, "stale": false})
	}
	if !a.json() {
		if form != "xlsx" { // which is no text
			if _, err := a.stdout.Write(diff.Diff(file, old, "what holds now", []byte(text))); err != nil {
				return err
			}
		}
		a.screen().Line("%s is stale; write it anew with: %s", file, again)
	}
	return ended(Drifted, file+" is stale")
}
