package documents

import (
	"fmt"
	"strings"
	"unicode"
)

// PerformanceMarkdown renders the host performance check as Markdown (GitHub's kind, for its tables). Curves and histograms are
// tables there. It is the same bytes for the same data, and what hosts or programs said cannot become markup. The error is a fault
// of ours.
func PerformanceMarkdown(p Performance, l Language) (string, error) {
	m := &markdown{l: l}
	count, state := p.tally()
	m.line("# %s\n\n%s · %s · %s\n", m.say("title"), m.say("output"), m.say("task"), m.say("standard"))
	facts := [][]string{{m.say("environment"), mark(p.Environment)}}
	if p.Release != "" {
		facts = append(facts, []string{m.say("release"), mark(p.Release)})
	}
	m.table("ll", []string{m.say("item"), m.say("value")}, append(facts, []string{m.say("taken"), moment(p.Taken)},
		[]string{m.say("took"), lasting(l, p.Took)}, []string{m.say("tool"), mark(p.Tool)}))
	sentence, err := counted(l, count)
	if err != nil {
		return "", err
	}
	m.line("\n**%s%s%s** — %s\n\n%s", m.say("result"), m.say("colon"), m.say(stateWord(state)), sentence, m.say("figureNote"))
	m.environment(p)
	m.requirements(p)
	m.load(p)
	m.latencies(p)
	m.figures(p)
	m.consistency(p)
	m.baseline(p)
	m.closing(p)
	return m.out.String(), m.err
}

type markdown struct {
	l   Language
	out strings.Builder
	err error
}

func (m *markdown) say(key string) string {
	word, err := say(m.l, key)
	if err != nil && m.err == nil {
		m.err = err
	}
	return word
}

func (m *markdown) line(format string, values ...any) { fmt.Fprintf(&m.out, format+"\n", values...) }

func (m *markdown) section(key string) {
	n, err := sectionNumber(key)
	if err != nil && m.err == nil {
		m.err = err
	}
	m.line("\n## %d. %s\n", n, m.say(key))
}

// table writes rows of cells that are Markdown already. The alignment has an "l" or "r" for each column.
func (m *markdown) table(align string, head []string, rows [][]string) {
	if len(rows) == 0 {
		m.line("%s", m.say("none"))
		return
	}
	m.line("| %s |", strings.Join(head, " | "))
	for _, a := range align {
		m.out.WriteString(map[rune]string{'l': "|---", 'r': "|--:"}[a])
	}
	m.line("|")
	for _, r := range rows {
		m.line("| %s |", strings.Join(r, " | "))
	}
}

// text joins what was done and why, each made harmless.
func (m *markdown) text(parts ...Text) string {
	var out []string
	for _, p := range parts {
		if s := p.in(m.l); s != "" {
			out = append(out, mark(s))
		}
	}
	return strings.Join(out, "<br>")
}

func (m *markdown) environment(p Performance) {
	m.section("s.environment")
	var rows [][]string
	for _, f := range p.Fingerprint {
		rows = append(rows, []string{mark(factName(m.l, f.Name)), mark(f.Value)})
	}
	m.table("ll", []string{m.say("item"), m.say("value")}, rows)
	if len(p.Conditions) > 0 {
		m.line("\n%s\n", m.say("conditions"))
		for _, c := range p.Conditions {
			m.line("- %s", m.text(c))
		}
	}
}

func (m *markdown) requirements(p Performance) {
	m.section("s.requirements")
	var rows [][]string
	for _, r := range p.Requirements {
		value, interval := "–", "–"
		if r.Figure != nil {
			value, interval = mark(figureNumber(r.Figure.Value)+" "+r.Figure.Unit), between(*r.Figure)
		}
		rows = append(rows, []string{mark(r.ID), mark(r.Wanted), m.say(stateWord(r.State)), value, interval, m.text(r.How, r.Why)})
	}
	m.table("lllrrl", []string{m.say("requirement"), m.say("wanted"), m.say("verdict"), m.say("measured"), m.say("interval"), m.say("how")}, rows)
}

func (m *markdown) load(p Performance) {
	m.section("s.load")
	if len(p.Load) == 0 {
		m.line("%s", m.say("none"))
	}
	for i, c := range p.Load {
		if i > 0 {
			m.line("")
		}
		unit := mark(c.RateUnit)
		knee := m.say("noSearch")
		if c.Searched {
			knee = m.say("noKnee")
		}
		if c.Knee != nil {
			knee = fmt.Sprintf("%s (%s%s%s)", mark(figureNumber(c.Knee.Value)+" "+c.Knee.Unit), m.say("bracket"), m.say("colon"), between(*c.Knee))
		}
		m.line("### %s\n", mark(c.Subject))
		rows := [][]string{{m.say("knee"), knee}}
		if c.Saturated.in(m.l) != "" {
			rows = append(rows, []string{m.say("saturated"), m.text(c.Saturated)})
		}
		if c.Required > 0 {
			rows = append(rows, []string{m.say("required"), figureNumber(c.Required) + " " + unit})
		}
		if c.Limit > 0 {
			rows = append(rows, []string{m.say("limit"), figureNumber(c.Limit) + " ms"})
		}
		if c.MaxErrors > 0 {
			rows = append(rows, []string{m.say("maxErrors"), percent(c.MaxErrors)})
		}
		m.table("ll", []string{m.say("item"), m.say("value")}, append(rows, []string{m.say("how"), strings.TrimSpace(m.text(c.How) + " " + m.say("intended"))}))
		rows = nil
		for _, at := range c.Points {
			within := m.say("no")
			if at.Within {
				within = m.say("yes")
			}
			rows = append(rows, []string{figureNumber(at.Offered), figureNumber(at.Achieved), figureNumber(at.P50), figureNumber(at.P95),
				figureNumber(at.P95Low) + " … " + figureNumber(at.P95High), figureNumber(at.P99), percent(at.Errors), within})
		}
		m.line("")
		m.table("rrrrrrrl", []string{m.say("offered") + " (" + unit + ")", m.say("achieved") + " (" + unit + ")", "p50 (ms)", "p95 (ms)", m.say("interval") + " (p95)", "p99 (ms)",
			m.say("errors"), m.say("within")}, rows)
	}
}

func (m *markdown) latencies(p Performance) {
	m.section("s.latency")
	var rows [][]string
	for _, h := range p.Latencies {
		limit := "–"
		if h.Limit > 0 {
			limit = figureNumber(h.Limit)
		}
		rows = append(rows, []string{mark(h.Subject), figureNumber(h.P50), figureNumber(h.P95), figureNumber(h.P99), figureNumber(h.Max), limit, m.text(h.How)})
	}
	m.table("lrrrrrl", []string{m.say("subject"), "p50 (ms)", "p95 (ms)", "p99 (ms)", m.say("max") + " (ms)", m.say("limit") + " (ms)", m.say("how")}, rows)
}

func (m *markdown) figures(p Performance) {
	m.section("s.figures")
	if len(p.Figures) == 0 {
		m.line("%s", m.say("none"))
	}
	for i, g := range p.Figures {
		if i > 0 {
			m.line("")
		}
		m.line("### %s\n", m.say(string(g.Kind)))
		var rows [][]string
		for _, r := range g.Rows {
			samples := "–"
			if r.Figure.Count > 0 {
				samples = figureNumber(float64(r.Figure.Count))
			}
			rows = append(rows, []string{mark(r.Subject), m.text(r.Quantity), mark(figureNumber(r.Figure.Value) + " " + r.Figure.Unit), between(r.Figure), samples, m.text(r.How)})
		}
		m.table("llrrrl", []string{m.say("subject"), m.say("quantity"), m.say("measured"), m.say("interval"), m.say("samples"), m.say("how")}, rows)
	}
}

func (m *markdown) consistency(p Performance) {
	m.section("s.consistency")
	var rows [][]string
	for _, c := range p.Consistency {
		rows = append(rows, []string{mark(c.Subject), m.text(c.Property), m.say(stateWord(c.State)), countOf(c.Operations), countOf(c.Clients), m.text(c.How, c.Why)})
	}
	m.table("lllrrl", []string{m.say("subject"), m.say("property"), m.say("verdict"), m.say("operations"), m.say("clients"), m.say("how")}, rows)
	for _, c := range p.Consistency {
		if len(c.Anomaly) > 0 {
			m.line("\n%s%s%s\n", m.say("anomaly"), m.say("colon"), mark(c.Subject))
			for _, line := range c.Anomaly {
				m.line("    %s", flat(line)) // an indented block has no end that a program could write
			}
		}
	}
}

// countOf prints a count, or a dash when it is not known.
func countOf(n int) string {
	if n == 0 {
		return "–"
	}
	return figureNumber(float64(n))
}

func (m *markdown) baseline(p Performance) {
	m.section("s.baseline")
	b := p.Baseline
	if b == nil {
		m.line("%s", m.say("noBaseline"))
		return
	}
	m.table("ll", []string{m.say("item"), m.say("value")}, [][]string{{m.say("baseline"), mark(b.Old) + ", " + moment(b.OldTaken)}, {m.say("verdict"), m.say(stateWord(b.State))},
		{m.say("margin"), "±" + percent(b.Margin)}, {m.say("method"), m.text(b.Method)}})
	if len(b.Differs) > 0 {
		m.line("\n%s%s\n", m.say("differs"), strings.TrimSpace(m.say("colon")))
		for _, d := range b.Differs {
			m.line("- %s", mark(d))
		}
	}
	var rows [][]string
	for _, c := range b.Changes {
		row := []string{mark(c.Quantity + " (" + c.Unit + ")"), "–", "–", "–", "–", "–", fmt.Sprintf("%d / %d", c.OldRuns, c.NewRuns), m.say(stateWord(c.State)), m.text(c.Why)}
		if !c.Unmeasured {
			row[1], row[2], row[3] = figureNumber(c.Old), figureNumber(c.New), signedPercent(c.Change)
			row[4], row[5] = signedPercent(c.Low)+" … "+signedPercent(c.High), mark(chanceOf(c.P))
		}
		rows = append(rows, row)
	}
	m.line("")
	m.table("lrrrrrrll", []string{m.say("quantity"), m.say("before"), m.say("now"), m.say("change"), m.say("interval"), m.say("p"), m.say("runs"), m.say("verdict"), m.say("why")}, rows)
}

// closing writes the work done, what is unproven, the indicators and the sign-off.
func (m *markdown) closing(p Performance) {
	m.section("s.work")
	var rows [][]string
	for _, w := range p.Work {
		rows = append(rows, []string{mark(w.Indicator), m.text(w.What), m.say(stateWord(w.State)), m.text(w.Proof)})
	}
	if len(rows) == 0 {
		m.line("%s", m.say("noWork"))
	} else {
		m.table("llll", []string{m.say("indicator"), m.say("work"), m.say("verdict"), m.say("proof")}, rows)
	}
	m.section("s.unproven")
	rows = nil
	for _, u := range p.Unproven() {
		rows = append(rows, []string{m.text(u.What), m.text(u.Why)})
	}
	if len(rows) == 0 {
		m.line("%s", m.say("allProven"))
	} else {
		m.table("ll", []string{m.say("item"), m.say("why")}, rows)
	}
	m.section("s.indicators")
	rows = nil
	for _, i := range performanceIndicators {
		var where []string
		for _, s := range i.sections {
			n, err := sectionNumber(s)
			if err != nil && m.err == nil {
				m.err = err
			}
			where = append(where, fmt.Sprintf("%d. %s", n, m.say(s)))
		}
		rows = append(rows, []string{i.id, m.text(i.text), strings.Join(where, "<br>")})
	}
	m.table("lll", []string{"", m.say("indicator"), m.say("section")}, rows)
	m.section("s.signoff")
	m.line("%s\n", m.say("signedFor"))
	rows = nil
	for _, role := range p.SignOff {
		rows = append(rows, []string{m.text(role), "", "", "", ""})
	}
	if len(rows) > 0 {
		m.table("lllll", []string{m.say("role"), m.say("name"), m.say("signature"), m.say("date"), m.say("remarks")}, rows)
	}
}

// mark makes text harmless in Markdown: one line, and none of its characters begins markup, a cell or an element.
func mark(s string) string {
	return strings.NewReplacer("\\", `\\`, "|", `\|`, "&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "#", `\#`, "~", `\~`).Replace(flat(s))
}

// flat folds a text into one line without control characters.
func flat(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}
