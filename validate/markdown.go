package validate

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Markdown writes results for a pull request: the verdict, a table of suites, then what failed or is unproven, with evidence.
func Markdown(w io.Writer, results []Result) error {
	out := bufio.NewWriter(w)
	count := Tally(results)
	_, took := span(results)
	fmt.Fprintf(out, "### %s Verification: %s in %s\n\n", marks[count.State()][0], count, Took(took))
	if len(results) > 0 {
		fmt.Fprint(out, "| suite | passed | failed | unproven |\n|---|--:|--:|--:|\n")
		for _, s := range Suites(results) {
			c := Tally(s.Results)
			fmt.Fprintf(out, "| %s | %d | %d | %d |\n", cell(s.Name), c.Pass, c.Fail, c.Unproven)
		}
	}
	for _, part := range []struct {
		state State
		title string
	}{{Fail, "Failed"}, {Unproven, "Unproven"}} {
		begun := false
		for _, r := range results {
			if r.State != part.state {
				continue
			}
			if !begun {
				fmt.Fprintf(out, "\n#### %s\n\n| requirement | finding | evidence |\n|---|---|---|\n", part.title)
				begun = true
			}
			ids := make([]string, len(r.Requirements))
			for i, id := range r.Requirements {
				ids[i] = "`" + strings.ReplaceAll(id, "|", `\|`) + "`"
			}
			evidence := make([]string, len(r.Evidence))
			for i, e := range r.Evidence {
				evidence[i] = cell(e.sentence())
			}
			fmt.Fprintf(out, "| %s | %s | %s |\n", strings.Join(ids, "<br>"), cell(r.Summary), strings.Join(evidence, "<br>"))
		}
	}
	return out.Flush()
}

// MarkdownCell makes text harmless in a cell of a Markdown table.
func MarkdownCell(s string) string { return cell(s) }

// cell makes text harmless in a table: no row or column ends, no markup, no HTML.
func cell(s string) string {
	return strings.NewReplacer("\\", `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`).Replace(oneLine(s))
}
