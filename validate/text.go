package validate

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// TextOptions say how results are printed for a person.
type TextOptions struct {
	Verbose bool // list what passed, too, and all evidence
	Color   bool // mark states with ANSI colours; never on a pipe
	// Headline sums a suite up in a few words, as "12 flows open as declared"; the count of its states when nil or empty.
	Headline func(Suite) string
}

// marks are the signs of the three states, each with its ANSI colour.
var marks = map[State][2]string{Pass: {"✔", "32"}, Fail: {"✘", "31"}, Unproven: {"?", "33"}}

// Text prints one line per suite, and below it every failure and everything unproven with its evidence and requirements.
func Text(w io.Writer, results []Result, o TextOptions) error {
	out := bufio.NewWriter(w)
	suites := Suites(results)
	width := 0
	for _, s := range suites {
		width = max(width, len(s.Name))
	}
	for _, s := range suites {
		count := Tally(s.Results)
		headline := count.String()
		if o.Headline != nil {
			if h := o.Headline(s); h != "" {
				headline = h
			}
		}
		fmt.Fprintf(out, "%s %-*s  %s\n", o.mark(count.State()), width, s.Name, headline)
		shown := s.Results
		if !o.Verbose {
			shown = brief(shown)
		}
		for _, r := range shown {
			o.result(out, r)
		}
	}
	_, took := span(results)
	fmt.Fprintf(out, "%s in %s\n", Tally(results), Took(took))
	return out.Flush()
}

// brief leaves out what passed, and says once what several checks could not be run for: one dead host is one piece of news.
func brief(results []Result) []Result {
	var shown []Result
	first := map[string]int{} // summary of an unproven result → its place in shown
	count := map[string]int{}
	for _, r := range results {
		if r.State == Pass {
			continue
		}
		if at, repeated := first[r.Summary]; repeated && r.State == Unproven {
			count[r.Summary]++
			for _, id := range r.Requirements {
				if !slices.Contains(shown[at].Requirements, id) {
					shown[at].Requirements = append(slices.Clip(shown[at].Requirements), id)
				}
			}
			continue
		}
		if r.State == Unproven {
			first[r.Summary], count[r.Summary] = len(shown), 1
		}
		shown = append(shown, r)
	}
	for summary, at := range first {
		if n := count[summary]; n > 1 {
			shown[at].Summary, shown[at].Evidence = fmt.Sprintf("%s (%d checks)", summary, n), nil
		}
	}
	return shown
}

func (o TextOptions) result(out io.Writer, r Result) {
	served := ""
	if len(r.Requirements) > 0 {
		served = "   ← " + strings.Join(r.Requirements, ", ")
	}
	fmt.Fprintf(out, "  %s %s%s\n", o.mark(r.State), oneLine(r.Summary), served)
	if r.State == Pass && !o.Verbose {
		return
	}
	if o.Verbose {
		fmt.Fprintf(out, "      %s, %s\n", r.Check, Took(r.Took))
	}
	for _, e := range r.Evidence {
		if r.State == Pass || e.Want != e.Got || len(r.Evidence) == 1 {
			fmt.Fprintf(out, "      %s\n%s", e.sentence(), e.drawing("        "))
		}
	}
}

func (o TextOptions) mark(s State) string {
	m, ok := marks[s]
	if !ok {
		m = marks[Unproven]
	}
	if !o.Color {
		return m[0]
	}
	return "\x1b[" + m[1] + "m" + m[0] + "\x1b[0m"
}

// Took prints a duration the way a person says it, with about two digits: "0.41 ms", "12 ms", "1.2 s", "3 min 5 s".
func Took(d time.Duration) string {
	switch {
	case d > 0 && d < 10*time.Microsecond:
		return "< 0.01 ms"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2g ms", float64(d)/float64(time.Millisecond))
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
	case d.Round(time.Second/10) < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
}
