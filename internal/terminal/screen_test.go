package terminal

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks/engine"
)

// On a pipe nothing moves, nothing is coloured and nothing is cut.
func TestPipeIsPlain(t *testing.T) {
	var out bytes.Buffer
	s := New(&out, Options{})
	s.Doing("working")
	p := s.Progress("apply")
	p.Event(engine.Event{Kind: engine.Started, Step: engine.Step{Name: "server-web-0", Op: engine.OpCreate}})
	p.Event(engine.Event{Kind: engine.Finished, Step: engine.Step{Name: "server-web-0", Op: engine.OpCreate}, Took: 1500 * time.Millisecond})
	p.Done()
	long := strings.Repeat("evidence ", 30)
	s.Ledger([]architecture.Entry{{Requirement: "name", State: architecture.Breached, By: "identity/name", Evidence: long}})
	if text := out.String(); strings.ContainsAny(text, "\x1b\r…") || !strings.Contains(text, strings.TrimSpace(long)) || !strings.Contains(text, "server-web-0") || !strings.Contains(text, "1.5 s") {
		t.Errorf("printed %q", text)
	}
}

func TestQuietPrintsNothing(t *testing.T) {
	var out bytes.Buffer
	s := New(&out, Options{Quiet: true})
	s.Line("a line")
	s.Findings(blueprints.Diagnostics{{Summary: "x"}})
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}

// A file is no terminal either, whatever TERM says.
func TestFileIsPlain(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := New(f, Options{}); s.Paint(Red, "x") != "x" || s.live {
		t.Error("a file is coloured or moves")
	}
}

func TestFindings(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{}).Findings(blueprints.Diagnostics{
		{Severity: blueprints.Error, Requirement: "objectives.availability", Position: blueprints.Position{File: "surety.yaml", Line: 3, Column: 17},
			Summary: "99.99 cannot be met", Mend: "lower it", Conflict: []string{"objectives.availability", "servers.web.count"}},
		{Severity: blueprints.Warning, Requirement: "servers.web.os", Summary: "not offered"},
	})
	want := `surety.yaml:3:17: objectives.availability: 99.99 cannot be met
    conflict: objectives.availability + servers.web.count
    mend: lower it
servers.web.os: warning: not offered
1 problem, 1 warning
`
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}

func TestTableColumnsLineUp(t *testing.T) {
	var out bytes.Buffer
	table := New(&out, Options{}).Table("a", "long heading", "c")
	table.Row(Cell{Text: "größe"}, Cell{Text: "x", Style: Red}, Cell{Text: "end"})
	table.Row(Cell{Text: "b"}, Cell{Text: "y"}, Cell{})
	table.Print()
	want := "a      long heading  c\ngröße  x             end\nb      y\n"
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
}

func TestFailureLosesTheEnginesFrame(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{}).Failure("server-web-0", "1 error occurred:\n\t* it did not start\nlast lines:\n  boom\n\n")
	if want := "  ✘ server-web-0  it did not start\n      last lines:\n        boom\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestWords(t *testing.T) {
	if got := Took(125 * time.Second); got != "2 min 5 s" {
		t.Errorf("a duration is printed as %q, unlike in results", got)
	}
	if Count(1, "thing") != "1 thing" || Count(0, "thing") != "0 things" || Cut("ämter", 3) != "äm…" || Pad("ä", 3) != "ä  " {
		t.Error("words are not counted in characters")
	}
}
