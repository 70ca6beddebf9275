package terminal

import (
	"fmt"

	"surety/blueprints/architecture"
)

var stateStyles = map[architecture.State]Style{architecture.Met: Green, architecture.Breached: Red, architecture.Unproven: Yellow}

// Ledger prints how each requirement ended, and by what.
func (s *Screen) Ledger(entries []architecture.Entry) {
	t := s.Table("requirement", "state", "by", "evidence", "at")
	for _, e := range entries {
		at := ""
		if !e.At.IsZero() {
			at = e.At.Local().Format("15:04:05")
		}
		t.Row(Cell{Text: e.Requirement}, Cell{string(e.State), stateStyles[e.State]}, Cell{Text: s.cut(e.By, 40)},
			Cell{Text: s.cut(e.Evidence, 70) + later(e)}, Cell{at, Dim})
	}
	t.Print()
}

// later says which command measured something after the release was made, and when.
func later(e architecture.Entry) string {
	if e.Cause == "" {
		return ""
	}
	return fmt.Sprintf(" (%s, %s)", e.Cause, e.At.Local().Format("2006-01-02 15:04:05"))
}

// LedgerSummary prints how many requirements ended how, and each breach.
func (s *Screen) LedgerSummary(entries []architecture.Entry) {
	counts := map[architecture.State]int{}
	for _, e := range entries {
		counts[e.State]++
		if e.State == architecture.Breached {
			s.Line("  %s %s: %s   %s", s.Paint(Red, "✘"), s.Paint(Bold, e.Requirement), e.Evidence+later(e), s.Paint(Dim, e.By))
		}
	}
	s.Line("%s", fmt.Sprintf("%s: %s met, %s, %d unproven", Count(len(entries), "requirement"),
		s.Paint(Green, fmt.Sprint(counts[architecture.Met])),
		s.Paint(breachStyle(counts[architecture.Breached]), fmt.Sprintf("%d breached", counts[architecture.Breached])),
		counts[architecture.Unproven]))
}

func breachStyle(n int) Style {
	if n > 0 {
		return Red
	}
	return Plain
}
