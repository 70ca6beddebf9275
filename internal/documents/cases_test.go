package documents

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
	"surety/blueprints/compare"
)

// cases are the worked cases in docs/cases, made of the specs in examples.
var cases = []string{"shop-taiwan", "hospital", "batch"}

// casesTaken is the day to which the cases' ages are counted.
var casesTaken = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func considered(t *testing.T, name string) Considered {
	t.Helper()
	doc, found, err := blueprints.Load(filepath.Join("../../examples", name))
	if err != nil || found.HasErrors() {
		t.Fatalf("%v %v", err, found)
	}
	arch, found := architecture.Design(doc)
	for _, f := range found {
		if f.Severity == blueprints.Error && f.Requirement != "objectives.availability" { // which each provider's own terms are to judge
			t.Errorf("%s", f)
		}
	}
	cat, err := catalog.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := compare.Compare(doc, arch, cat, compare.Options{Now: casesTaken})
	if err != nil {
		t.Fatal(err)
	}
	return Considered{Document: doc, Architecture: arch, Comparison: c, Catalog: cat, Tool: "surety"}
}

// The documents of the worked cases are what is rendered of their specs, to the byte: run with -update after a change of the catalogue,
// and read the difference.
func TestCasesAreCurrent(t *testing.T) {
	for _, name := range cases {
		c := considered(t, name)
		sheet, err := SheetFrom(c)
		if err != nil {
			t.Fatal(err)
		}
		proposal, err := ProposalFrom(c)
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join("../../docs/cases", name)
		if *update {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range []Language{English, TraditionalChinese} {
			for file, render := range map[string]func() (string, error){
				"sheet." + string(l) + ".html":    func() (string, error) { return SheetHTML(sheet, l) },
				"sheet." + string(l) + ".md":      func() (string, error) { return SheetMarkdown(sheet, l) },
				"proposal." + string(l) + ".html": func() (string, error) { return ProposalHTML(proposal, l) },
				"proposal." + string(l) + ".md":   func() (string, error) { return ProposalMarkdown(proposal, l) },
			} {
				got, err := render()
				if err != nil {
					t.Fatalf("%s %s: %v", name, file, err)
				}
				if len(got) > 150<<10 {
					t.Errorf("%s/%s has %d bytes, more than 150 KiB", name, file, len(got))
				}
				golden(t, filepath.Join("../../../docs/cases", name, file), []byte(got))
			}
		}
	}
}
