package validate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"surety/blueprints"
)

var update = flag.Bool("update", false, "rewrite the expected diagnostics beside the malformed specs")

const malformed = "../blueprints/testdata/malformed"

func malformedSpecs(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(malformed + "/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("want at least 60 malformed specs, have %d (%v)", len(files), err)
	}
	return files
}

// judgeFile is what "surety validate" does, with positions named by the file alone.
func judgeFile(t testing.TB, file string) blueprints.Diagnostics {
	t.Helper()
	doc, ds, err := blueprints.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return append(ds, Semantics(doc)...).Sort()
}

// Each malformed spec gives exactly the diagnostics kept beside it, and each error among them says where, which requirement and what to do.
func TestMalformedSpecs(t *testing.T) {
	withoutID := 0
	for _, file := range malformedSpecs(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ds := judgeFile(t, file)
			if !ds.HasErrors() {
				t.Error("no error was found")
			}
			var got strings.Builder
			nameless := false
			for _, d := range ds {
				if d.Position.Line < 1 || d.Position.Column < 1 || d.Position.File != file {
					t.Errorf("no place: %v", d)
				}
				if d.Mend == "" || d.Summary == "" {
					t.Errorf("no mend: %v", d)
				}
				nameless = nameless || d.Requirement == ""
				d.Position.File = filepath.Base(file)
				fmt.Fprintf(&got, "%s: %s\n", d.Severity, d)
				if len(d.Conflict) > 0 {
					fmt.Fprintf(&got, "    conflict: %s\n", strings.Join(d.Conflict, " + "))
				}
			}
			if nameless {
				withoutID++
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got:\n%swant:\n%s", got.String(), want)
			}
		})
	}
	if withoutID > 6 {
		t.Errorf("%d specs have a diagnostic without a requirement; at most 6 whole-file faults may", withoutID)
	}
}

// FuzzParse looks for bytes that make the loader or the semantic checks panic, or that give a diagnostic which points outside the file.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{malformed + "/*.yaml", "../blueprints/library/*.yaml", "../examples/*/surety.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, ds := blueprints.Parse(filepath.Join(dir, blueprints.FileName), data)
		loaded := len(ds)
		ds = append(ds, Semantics(doc)...)
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, d := range ds {
			if d.Position.Line < 1 || d.Position.Line > lines || d.Position.Column < 1 || d.Position.Column > len(data)+1 || d.Mend == "" || d.Summary == "" {
				t.Errorf("%d lines: %#v", lines, d)
			}
			if strings.ContainsAny(d.String(), "\n\r") {
				t.Errorf("more than one line: %q", d)
			}
		}
		if !ds[:loaded].HasErrors() && doc.Spec.Name == "" {
			t.Errorf("no error and no name: %+v", doc.Spec)
		}
		for _, r := range doc.Requirements {
			if r.Position.Line < 1 || r.Position.Line > lines || strings.ContainsAny(r.ID+r.Value, "\n\r") {
				t.Errorf("requirement %#v", r)
			}
		}
	})
}
