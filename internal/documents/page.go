package documents

import (
	"strings"
)

// page is a document laid out in one language: sections of paragraphs, lists, tables and pictures, which the writers of HTML and Markdown
// draw without knowing what they are about, so that both say the same.
type page struct {
	Language Language
	Title    string
	Lead     string
	Facts    []pair
	State    string // of the banner: met, breached or unproven
	Banner   string
	Notes    []string
	Sections []*section
}

// pair is a named value.
type pair struct{ Name, Value string }

// section is a numbered part of a page. Its key is what indicators refer to.
type section struct {
	Key, Title string
	Blocks     []block
}

// block is one thing on a page, by its kind.
type block struct {
	Kind  string // "text", "note", "heading", "list", "facts", "table", "picture", "code", "sign"
	Text  string // of a text, note, heading or code
	Items []string
	Facts []pair
	Head  []column
	Rows  [][]datum
	Chart *chart
}

// column is a table's column: its title, and whether it holds numbers.
type column struct {
	Title  string
	Number bool
}

// datum is what stands in one field of a table. The style is "", "n" (a number), "f" (not broken), "id" (a path, that may break at its dots), or a state. Lines
// of its text are apart by newlines.
type datum struct{ Text, Style string }

func plain(text string) datum { return datum{Text: text} }
func path(text string) datum  { return datum{text, "id"} }
func whole(text string) datum { return datum{text, "f"} }
func right(text string) datum { return datum{text, "n"} }

// Lines are the lines of the datum's text.
func (c datum) Lines() []string { return strings.Split(c.Text, "\n") }

// Paths are the parts of each line between its dots, with the dots.
func (c datum) Paths() [][]string {
	var all [][]string
	for _, line := range c.Lines() {
		all = append(all, strings.SplitAfter(line, "."))
	}
	return all
}

// in gives words in the page's language.
func (p *page) in(t Text) string { return t.in(p.Language) }

// section begins a section.
func (p *page) section(key string, title Text) *section {
	s := &section{Key: key, Title: p.in(title)}
	p.Sections = append(p.Sections, s)
	return s
}

// number gives a section's number, from 1, or 0 when the page has no such section.
func (p *page) number(key string) int {
	for i, s := range p.Sections {
		if s.Key == key {
			return i + 1
		}
	}
	return 0
}

func (s *section) add(b block)                   { s.Blocks = append(s.Blocks, b) }
func (s *section) text(text string)              { s.add(block{Kind: "text", Text: text}) }
func (s *section) note(text string)              { s.add(block{Kind: "note", Text: text}) }
func (s *section) heading(text string)           { s.add(block{Kind: "heading", Text: text}) }
func (s *section) facts(facts ...pair)           { s.add(block{Kind: "facts", Facts: facts}) }
func (s *section) code(text string)              { s.add(block{Kind: "code", Text: text}) }
func (s *section) picture(c *chart)              { s.add(block{Kind: "picture", Chart: c}) }
func (s *section) list(items ...string)          { s.add(block{Kind: "list", Items: items}) }
func (s *section) table(h []column, r [][]datum) { s.add(block{Kind: "table", Head: h, Rows: r}) }

// tableOr writes a table, or a sentence when it would have no rows.
func (s *section) tableOr(head []column, rows [][]datum, nothing string) {
	if len(rows) == 0 {
		s.text(nothing)
		return
	}
	s.table(head, rows)
}

// listOr writes a list, or a sentence when it would be empty.
func (s *section) listOr(items []string, nothing string) {
	if len(items) == 0 {
		s.text(nothing)
		return
	}
	s.list(items...)
}

// columns makes a table's head of titles; one that begins with "#" is of numbers.
func (p *page) columns(titles ...Text) []column {
	head := make([]column, 0, len(titles))
	for _, t := range titles {
		title := p.in(t)
		number := strings.HasPrefix(title, "#")
		head = append(head, column{strings.TrimPrefix(title, "#"), number})
	}
	return head
}

// indicators writes the section that says where each indicator of the standard is answered.
func (p *page) indicators(all []indicator) {
	s := p.section("indicators", Text{"Performance indicators and where they are answered", "行為指標對照"})
	var rows [][]datum
	for _, i := range all {
		var where []string
		for _, key := range i.sections {
			if n := p.number(key); n > 0 {
				where = append(where, numbered(n, p.Sections[n-1].Title))
			}
		}
		rows = append(rows, []datum{whole(i.id), plain(p.in(i.text)), plain(strings.Join(where, "\n"))})
	}
	s.table(p.columns(Text{"indicator", "行為指標"}, Text{"what it asks", "內容"}, Text{"answered in section", "對應章節"}), rows)
}

// indicator is one of the standard's, quoted, with the sections that answer it.
type indicator struct {
	id       string
	text     Text
	sections []string
}

// sign writes the block where those who decide sign.
func (p *page) sign(title, confirms Text, roles []Text) {
	s := p.section("signoff", title)
	s.text(p.in(confirms))
	var rows [][]datum
	for _, r := range roles {
		rows = append(rows, []datum{plain(p.in(r)), {}, {}, {}, {}, {}})
	}
	s.add(block{Kind: "sign", Rows: rows, Head: p.columns(Text{"role", "角色"}, Text{"name", "姓名"}, Text{"decision", "審核意見"}, Text{"signature", "簽名"},
		Text{"date", "日期"}, Text{"remarks", "備註"})})
}
