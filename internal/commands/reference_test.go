package commands

import (
	"flag"
	"os"
	"testing"

	"surety/blueprints"
	"surety/internal/documents"
)

var update = flag.Bool("update", false, "write the documents anew (make docs)")

// The references in docs are what the schema and the commands say, to the byte.
func TestReferencesAreCurrent(t *testing.T) {
	spec, err := documents.SpecReference(blueprints.Schema(), blueprints.Attributes)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"../../docs/spec.md": spec, "../../docs/commands.md": Reference()} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is stale; run: make docs", path)
		}
	}
}
