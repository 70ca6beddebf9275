package terminal

import (
	"fmt"
	"strings"

	"surety/blueprints/assess"
)

var graded = map[assess.Level]struct {
	sign  string
	style Style
}{assess.Carries: {"✔", Green}, assess.Changes: {"~", Yellow}, assess.Unproven: {"?", Yellow}, assess.Blocks: {"✘", Red}}

// mostFacts are the sources of a finding that are printed without -v.
const mostFacts = 2

// Assessment prints each system with what becomes of it, and what changes, is unproven or blocks, with reason, source and remedy.
// What carries over is listed in full with -v only.
func (s *Screen) Assessment(a assess.Assessment) {
	for _, system := range a.Systems {
		g := graded[system.Verdict]
		becomes := "not in the draft"
		if len(system.Places) > 0 {
			becomes = strings.Join(system.Places, ", ")
		}
		s.Line("%s %s  %s %s", s.Paint(g.style, g.sign), s.Paint(Bold, system.System.Name), system.Verdict, s.Paint(Dim, fmt.Sprintf("(%s → %s)", system.System.Kind, becomes)))
		for _, f := range system.Findings {
			if f.Level != assess.Carries || s.Verbose {
				s.assessed(f)
			}
		}
	}
	if left := a.Left(); left != "" {
		s.Line("%s", s.Paint(Dim, "not judged: "+left))
	}
	s.Line("%s (for %s)", a.Summary(), strings.Join(a.Providers, ", "))
}

func (s *Screen) assessed(f assess.Finding) {
	g := graded[f.Level]
	change := ""
	switch {
	case f.From != "" && f.To != "" && f.From != f.To:
		change = f.From + " → " + f.To + ": "
	case f.From != "" && f.To == "":
		change = f.From + ": "
	case f.To != "":
		change = f.To + ": "
	}
	s.Line("    %s %s  %s%s", s.Paint(g.style, g.sign), f.Topic, change, f.Reason)
	if f.Mend != "" {
		s.Line("        to do: %s", f.Mend)
	}
	var sources []string
	for i, fact := range f.Facts {
		if i == mostFacts && !s.Verbose {
			sources = append(sources, fmt.Sprintf("%d more (-v)", len(f.Facts)-i))
			break
		}
		sources = append(sources, fact.String())
	}
	s.Line("        %s", s.Paint(Dim, "source: "+strings.Join(sources, "; ")))
}
