package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The book that the handbook shows is one that can be used.
func TestBookOfTheHandbook(t *testing.T) {
	text, err := os.ReadFile("../../docs/catalog.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "<!-- tested: book -->\n```yaml\n")
	book, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/catalog.md has no book that is marked as tested")
	}
	c := open(t, write(t, filepath.Join(t.TempDir(), "acme.yaml"), book))
	if m := machineOf(t, c, "acme-cloud", "kaohsiung", "m1.xlarge"); m == nil || m.Hourly.Amount.String() != "5.9" {
		t.Errorf("m1.xlarge in kaohsiung: %+v", m)
	}
	plain, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	list, less := machineOf(t, plain, "aws", "ap-northeast-1", "m7i.large"), machineOf(t, c, "aws", "ap-northeast-1", "m7i.large")
	if !less.Hourly.Amount.LessThan(list.Hourly.Amount) {
		t.Errorf("m7i.large in Tokyo: %s, and without the discount %s", less.Hourly.Amount, list.Hourly.Amount)
	}
}

func TestAges(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]Age{}
	for _, a := range c.Ages(today) {
		if a.Figures <= 0 || a.Origin.Source == "" {
			t.Errorf("%+v has no figures or no source", a)
		}
		seen[a.Provider+" "+a.What] = a
	}
	for what, want := range map[string]struct {
		days  int
		stale bool
	}{
		"aws machines (ec2)":            {580, true},
		"gcp machines (compute-engine)": {114, false},
		"hicloud object storage":        {-1, true}, // its source has no date
	} {
		if got := seen[what]; got.Days != want.days || got.Stale != want.stale {
			t.Errorf("%s: %d days, stale %v; want %d, %v", what, got.Days, got.Stale, want.days, want.stale)
		}
	}
}
