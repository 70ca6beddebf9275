package library_test

import (
	"bytes"
	"strings"
	"testing"

	"surety/blueprints"
	"surety/blueprints/library"
	"surety/validate"
)

// A starter must be right to the last warning: it is what a newcomer learns the language from.
func TestStartersHaveNoDiagnostics(t *testing.T) {
	all := library.All()
	if len(all) < 6 {
		t.Fatalf("%d starters", len(all))
	}
	for _, s := range all {
		doc, ds := blueprints.Parse(s.Name+".yaml", s.Text)
		for _, d := range append(ds, validate.Semantics(doc)...) {
			t.Error(d)
		}
		if len(doc.Requirements) < 8 {
			t.Errorf("%s: only %d requirements", s.Name, len(doc.Requirements))
		}
		if !bytes.HasPrefix(s.Text, []byte("# ")) || bytes.Count(s.Text, []byte("# ")) < 5 {
			t.Errorf("%s is not commented", s.Name)
		}
		if s.Summary == "" || len(s.Summary) > 90 || strings.HasSuffix(s.Summary, ".") {
			t.Errorf("%s: summary %q", s.Name, s.Summary)
		}
		for i, line := range strings.Split(string(s.Text), "\n") {
			if len(line) > 160 {
				t.Errorf("%s:%d is %d characters long", s.Name, i+1, len(line))
			}
		}
	}
}

// Packages only, so that a starter can be tried without building anything first.
func TestStartersNeedNoProgramOfTheUser(t *testing.T) {
	for _, s := range library.All() {
		doc, _ := blueprints.Parse(s.Name+".yaml", s.Text)
		for name, server := range doc.Spec.Servers {
			if server.Runs.Package == "" {
				t.Errorf("%s: servers.%s runs no package", s.Name, name)
			}
		}
	}
}

func TestGet(t *testing.T) {
	if s, ok := library.Get("web-app"); !ok || s.Name != "web-app" || len(s.Text) == 0 {
		t.Errorf("web-app: %v %q", ok, s.Name)
	}
	if _, ok := library.Get("no-such"); ok {
		t.Error("a starter that does not exist was found")
	}
}
