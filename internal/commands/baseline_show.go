package commands

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"surety/benchmarks/baseline"
	"surety/internal/terminal"
)

// showBaseline shows the figures of a record, and what was not measured.
func (a *app) showBaseline(r baseline.Record) {
	s := a.screen()
	s.Line("measured %s%s", r.Taken.Local().Format("2006-01-02 15:04:05"), since(r))
	t := s.Table("figure", "median [95 % interval]", "", "runs", "how")
	for _, series := range r.Series {
		figure := terminal.Cell{Text: "not measured: " + series.Missing, Style: terminal.Yellow}
		if series.Missing == "" {
			figure = terminal.Cell{Text: interval(series.Median())}
		}
		t.Row(terminal.Cell{Text: series.Name}, figure, terminal.Cell{Text: series.Unit}, number(len(series.Runs)), terminal.Cell{Text: series.How, Style: terminal.Dim})
	}
	t.Print()
	a.showNotes(r)
}

// since says of what a record is.
func since(r baseline.Record) string {
	text := ""
	if release := r.Notes["release"]; release != "" {
		text += ", release " + release
	}
	if load := r.Notes["load average"]; load != "" {
		text += ", load average " + load
	}
	return text
}

func (a *app) showNotes(r baseline.Record) {
	s := a.screen()
	for _, key := range slices.Sorted(maps.Keys(r.Notes)) {
		if what, ok := strings.CutPrefix(key, "not measured: "); ok {
			s.Line("  %s %s is not measured: %s", s.Paint(terminal.Yellow, "–"), what, r.Notes[key])
		}
	}
	if why := r.Notes["generator"]; why != "" {
		s.Line("  %s %s", s.Paint(terminal.Yellow, "–"), why)
	}
	s.More("  environment: %s", pairs(r.Fingerprint))
}

func pairs(m map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, key+" "+m[key])
	}
	return strings.Join(list, ", ")
}

func interval(i baseline.Interval) string {
	return fmt.Sprintf("%s [%s, %s]", digits(i.Center), digits(i.Low), digits(i.High))
}

// digits prints four significant digits, and no exponent for what people read.
func digits(v float64) string {
	if v >= 1000 && v < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// showComparison shows each figure's verdict in words, worst first as they come, and then the whole.
func (a *app) showComparison(old baseline.Entry, now baseline.Record, c baseline.Comparison) {
	s := a.screen()
	s.Line("%s of %s%s", s.Paint(terminal.Bold, old.Record.Name), old.Record.Taken.Local().Format("2006-01-02 15:04"), since(old.Record))
	s.Line("against now%s", since(now))
	for _, difference := range c.Differs {
		s.Line("  %s the environments differ in %s", s.Paint(terminal.Yellow, "!"), difference)
	}
	count := map[baseline.Verdict]int{}
	for _, change := range c.Changes {
		sign := s.Paint(terminal.Yellow, "?")
		switch {
		case change.Control:
			sign = s.Paint(terminal.Dim, "·")
		case change.Verdict == baseline.Pass:
			sign = s.Paint(terminal.Green, "✔")
		case change.Verdict == baseline.Fail:
			sign = s.Paint(terminal.Red, "✘")
		}
		if !change.Control {
			count[change.Verdict]++
		}
		s.Line("  %s %s", sign, change.Summary)
	}
	a.showNotes(now)
	s.More("  %s", c.Method)
	switch c.Verdict {
	case baseline.Fail:
		s.Line("%s: %s", s.Paint(terminal.Red, "slower"), terminal.Count(count[baseline.Fail], "figure")+" worse by more than the margin")
		s.Line("  go back:  surety rollback%s", a.fileFlag())
	case baseline.Pass:
		s.Line("%s: no figure is worse by more than the margin", s.Paint(terminal.Green, "not slower"))
	default:
		s.Line("%s: %s could not be decided, %d no worse", s.Paint(terminal.Yellow, "unproven"), terminal.Count(count[baseline.Unproven], "figure"), count[baseline.Pass])
		s.Line("  when the machine is quiet, with more runs:  surety baseline compare %s --runs %d%s", quoted(old.Record.Name), more(c), a.fileFlag())
	}
}

// more is how many runs to try next: those that would likely decide, at least twice as many as were taken, and no more than minutes allow.
func more(c baseline.Comparison) int {
	runs := 0
	for _, change := range c.Changes {
		runs = max(runs, change.NewRuns+change.Needed, 2*change.NewRuns)
	}
	return min(runs, 60)
}

// quoted makes a word of a command line.
func quoted(word string) string {
	if strings.ContainsAny(word, " '\"$\\") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

func (a *app) showBaselines(entries []baseline.Entry, damaged []baseline.Damaged) {
	s := a.screen()
	if len(entries) == 0 && len(damaged) == 0 {
		s.Line("no baseline yet; save one with: surety baseline save%s", a.fileFlag())
		return
	}
	t := s.Table("name", "taken", "release", "figures", "runs", "id")
	for _, e := range entries {
		runs := 0
		for _, series := range e.Record.Series {
			runs = max(runs, len(series.Runs))
		}
		t.Row(terminal.Cell{Text: e.Record.Name}, terminal.Cell{Text: e.Record.Taken.Local().Format("2006-01-02 15:04:05")}, terminal.Cell{Text: e.Record.Notes["release"]},
			number(len(e.Record.Series)), number(runs), terminal.Cell{Text: e.ID, Style: terminal.Dim})
	}
	t.Print()
	for _, d := range damaged {
		s.Line("  %s %s: %s", s.Paint(terminal.Red, "✘"), d.File, d.Why)
	}
}
