package documents

import (
	"strings"
)

// markdown writes a page as Markdown (GitHub's kind, for its tables). Pictures are left to the code blocks beside them. Nothing that a
// specification or a price book says can become markup.
func (p *page) markdown() string {
	m := &markdown{l: p.Language}
	m.line("# %s\n\n%s\n", mark(p.Title), mark(p.Lead))
	m.pairs(p, p.Facts)
	m.line("\n**%s**", mark(p.Banner))
	for _, n := range p.Notes {
		m.line("\n%s", mark(n))
	}
	for i, s := range p.Sections {
		m.line("\n## %s", numbered(i+1, mark(s.Title)))
		for _, b := range s.Blocks {
			m.block(p, b)
		}
	}
	return m.out.String()
}

func (m *markdown) block(p *page, b block) {
	if b.Kind == "picture" {
		return
	}
	m.line("")
	switch b.Kind {
	case "text", "note":
		m.line("%s", mark(b.Text))
	case "heading":
		m.line("### %s", mark(b.Text))
	case "list":
		for _, item := range b.Items {
			m.line("- %s", mark(item))
		}
	case "facts":
		m.pairs(p, b.Facts)
	case "code":
		fence := "```"
		for strings.Contains(b.Text, fence) { // the text ends no block that holds it
			fence += "`"
		}
		m.line("%sd2\n%s\n%s", fence, strings.TrimRight(b.Text, "\n"), fence)
	default:
		m.grid(b)
	}
}

// pairs writes named values as a table.
func (m *markdown) pairs(p *page, facts []pair) {
	var rows [][]string
	for _, f := range facts {
		rows = append(rows, []string{mark(f.Name), mark(f.Value)})
	}
	m.table("ll", []string{p.in(Text{"item", "項目"}), p.in(Text{"value", "值"})}, rows)
}

func (m *markdown) grid(b block) {
	align, head := "", []string(nil)
	for _, c := range b.Head {
		head = append(head, mark(c.Title))
		if c.Number {
			align += "r"
		} else {
			align += "l"
		}
	}
	var rows [][]string
	for _, r := range b.Rows {
		row := make([]string, 0, len(r))
		for _, c := range r {
			lines := c.Lines()
			for i := range lines {
				lines[i] = mark(lines[i])
			}
			row = append(row, strings.Join(lines, "<br>"))
		}
		rows = append(rows, row)
	}
	m.table(align, head, rows)
}
