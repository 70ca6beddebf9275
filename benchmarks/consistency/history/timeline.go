package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Pending as the end of a Span: it never ended.
const Pending = forever

// Span is one thing on a time line.
type Span struct {
	Row      string // spans of a row that overlap are put on lines below each other
	Label    string
	From, To time.Duration // since the run's start; To may be Pending
	Mark     string        // written behind the line
}

// Timeline draws spans, a line per row, so that what stands left of another ended before it began and what overlaps was concurrent.
// Distances are in order of time but not to scale: every label is readable. Below are the times, in milliseconds, by start.
func Timeline(spans []Span) string {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return int(min(max(a.From-b.From, -1), 1)) })
	at := columns(spans)
	lines := rows(spans)
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l.name))
	}
	var b strings.Builder
	for _, l := range lines {
		text := pad(l.name, width) + " "
		mark := ""
		for _, s := range l.spans {
			text = pad(text, width+1+at[s.From])
			text += "├" + s.Label
			if s.To == Pending {
				text += " ┄"
			} else {
				fill := at[s.To] - at[s.From] - 1 - utf8.RuneCountInString(s.Label)
				text += strings.Repeat("─", max(fill, 0)) + "┤"
			}
			if s.Mark != "" {
				mark = "  " + s.Mark
			}
		}
		b.WriteString(strings.TrimRight(text, " ") + mark + "\n")
	}
	b.WriteByte('\n')
	label := 0
	for _, s := range spans {
		label = max(label, utf8.RuneCountInString(s.Label))
	}
	for _, s := range spans {
		end := "  no answer"
		if s.To != Pending {
			end = fmt.Sprintf("%10.3f ms", milliseconds(s.To))
		}
		fmt.Fprintf(&b, "%s %s %10.3f … %s\n", pad(s.Row, width), pad(s.Label, label), milliseconds(s.From), end)
	}
	return b.String()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-utf8.RuneCountInString(text), 0))
}

// columns gives each moment its column: later moments further right, ends far enough from their starts for the label.
func columns(spans []Span) map[time.Duration]int {
	var moments []time.Duration
	for _, s := range spans {
		moments = append(moments, s.From)
		if s.To != Pending {
			moments = append(moments, s.To)
		}
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	at := make(map[time.Duration]int, len(moments))
	next := 0
	for _, m := range moments {
		column := next
		for _, s := range spans {
			if s.To == m && s.From < m {
				column = max(column, at[s.From]+utf8.RuneCountInString(s.Label)+1)
			}
		}
		at[m] = column
		next = column + 1
	}
	return at
}

type line struct {
	name  string
	spans []Span
}

// rows puts each span on its row's first line that is free, rows in order of name.
func rows(spans []Span) []line {
	byRow := map[string][]line{}
	for _, s := range spans {
		lines := byRow[s.Row]
		i := slices.IndexFunc(lines, func(l line) bool { return l.spans[len(l.spans)-1].To < s.From })
		if i < 0 {
			i, lines = len(lines), append(lines, line{name: s.Row})
		}
		lines[i].spans = append(lines[i].spans, s)
		byRow[s.Row] = lines
	}
	var names []string
	for name := range byRow {
		names = append(names, name)
	}
	slices.Sort(names)
	var all []line
	for _, name := range names {
		all = append(all, byRow[name]...)
	}
	return all
}
