package terminal

import (
	"strings"
	"unicode/utf8"
)

// Table prints rows in columns as wide as their widest cell. The first row is the heading.
// A cell may carry a style, which does not count towards its width.
type Table struct {
	screen *Screen
	rows   [][]Cell
}

// Cell is one field of a table.
type Cell struct {
	Text  string
	Style Style
}

// Table begins a table with its heading.
func (s *Screen) Table(heading ...string) *Table {
	t := &Table{screen: s}
	row := make([]Cell, len(heading))
	for i, h := range heading {
		row[i] = Cell{h, Dim}
	}
	t.rows = append(t.rows, row)
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...Cell) { t.rows = append(t.rows, cells) }

// Print writes the table.
func (t *Table) Print() {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.Text))
		}
	}
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(t.screen.Paint(c.Style, c.Text))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.Text)))
			}
		}
		t.screen.Line("%s", strings.TrimRight(line.String(), " "))
	}
}
