package assess

import (
	"fmt"
	"strings"

	"surety/blueprints"
)

// Markdown writes the assessment as a chapter on existing systems: a summary, then each system with its findings and their sources.
// Headings begin at a level, 1 for a document of its own.
func (a Assessment) Markdown(level int) string {
	var b strings.Builder
	h := strings.Repeat("#", max(1, level))
	fmt.Fprintf(&b, "%s Existing systems: %s\n\n", h, cellText(a.Name))
	fmt.Fprintf(&b, "Assessed on %s from %s, for %s. %s.\n\n", a.At.Format(day), code(a.Source), strings.Join(a.Providers, ", "), a.Summary())
	b.WriteString("| System | Kind | Verdict | Becomes | What decides |\n|---|---|---|---|---|\n")
	for _, s := range a.Systems {
		becomes := "–"
		if len(s.Places) > 0 {
			becomes = code(strings.Join(s.Places, ", "))
		}
		var topics []string
		for _, f := range s.Findings {
			if f.Level == s.Verdict && s.Verdict != Carries && !strings.Contains(strings.Join(topics, ", "), string(f.Topic)) {
				topics = append(topics, string(f.Topic))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cellText(s.System.Name), s.System.Kind, s.Verdict, becomes, strings.Join(topics, ", "))
	}
	for _, s := range a.Systems {
		fmt.Fprintf(&b, "\n%s# %s: %s\n\n", h, cellText(s.System.Name), s.Verdict)
		if len(s.Findings) == 0 {
			b.WriteString("Nothing about it decides anything.\n")
			continue
		}
		b.WriteString("| | Today | Then | Reason | What to do | Source |\n|---|---|---|---|---|---|\n")
		for _, f := range s.Findings {
			var sources []string
			for _, fact := range f.Facts {
				sources = append(sources, cellText(fact.String()))
			}
			fmt.Fprintf(&b, "| %s: %s | %s | %s | %s | %s | %s |\n", f.Level, f.Topic, cellText(f.From), cellText(f.To), cellText(f.Reason), cellText(f.Mend), strings.Join(sources, "; "))
		}
	}
	if text := a.Left(); text != "" {
		fmt.Fprintf(&b, "\nNot judged: %s.\n", text)
	}
	return b.String()
}

// Summary counts the systems by their verdict.
func (a Assessment) Summary() string {
	var parts []string
	for _, l := range Levels {
		if n := a.Counts[l]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, l.of(n)))
		}
	}
	n := len(a.Systems)
	if n == 1 {
		return "1 system: " + strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%d systems: %s", n, strings.Join(parts, ", "))
}

// of words a verdict for a number of systems.
func (l Level) of(n int) string {
	one := map[Level][2]string{Carries: {"carries over as it is", "carry over as they are"}, Changes: {"changes", "change"}, Unproven: {"is unproven", "are unproven"}, Blocks: {"blocks", "block"}}[l]
	if n == 1 {
		return one[0]
	}
	return one[1]
}

// Left lists what the source holds and was not judged, "" when that is nothing.
func (a Assessment) Left() string {
	var parts []string
	for _, t := range blueprints.SortedKeys(a.Unread) {
		parts = append(parts, fmt.Sprintf("%d × %s", a.Unread[t], t))
	}
	return strings.Join(parts, ", ")
}

// String gives the source and its date, or that the date is not known. What the inventory and the spec language say has no date.
func (f Fact) String() string {
	switch {
	case f.Date != "":
		return f.Source + ", " + f.Date
	case strings.HasPrefix(f.Source, "the ") || strings.HasPrefix(f.Source, "surety "):
		return f.Source
	}
	return f.Source + ", date unknown"
}

// cellText keeps a text in its cell: no bar, line break or mark-up of its own.
func cellText(text string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "\r\n", " ", "\n", " ", "<", "&lt;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[").Replace(text)
}

func code(text string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "\\|", "\n", " ").Replace(text) + "`"
}
