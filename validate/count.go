package validate

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Writer writes results in one form. It is a fold over the results: the same ones give the same bytes.
type Writer func(w io.Writer, results []Result) error

// Writers are the forms by the names given to --format.
var Writers = map[string]Writer{
	"text":     func(w io.Writer, results []Result) error { return Text(w, results, TextOptions{}) },
	"json":     JSON,
	"junit":    JUnit,
	"markdown": Markdown,
	"sarif":    SARIF,
}

// Count is how results ended.
type Count struct {
	Pass     int `json:"pass"`
	Fail     int `json:"fail"`
	Unproven int `json:"unproven"`
}

// Tally counts results by state.
func Tally(results []Result) Count {
	var c Count
	for _, r := range results {
		switch r.State {
		case Pass:
			c.Pass++
		case Fail:
			c.Fail++
		default:
			c.Unproven++
		}
	}
	return c
}

// String gives "3 passed, 1 failed, 2 unproven", leaving out what is zero.
func (c Count) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{c.Pass, "passed"}, {c.Fail, "failed"}, {c.Unproven, "unproven"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	if len(parts) == 0 {
		return "nothing was checked"
	}
	return strings.Join(parts, ", ")
}

// State is the worst of what was counted: one failure fails all, then one unproven leaves all unproven. Nothing at all proves nothing.
func (c Count) State() State {
	switch {
	case c.Fail > 0:
		return Fail
	case c.Unproven > 0 || c.Pass == 0:
		return Unproven
	}
	return Pass
}

// Suite is the results of one suite, in the order they were given.
type Suite struct {
	Name    string
	Results []Result
}

// Suites groups results, in the order in which suites first appear.
func Suites(results []Result) []Suite {
	var suites []Suite
	for _, r := range results {
		i := slices.IndexFunc(suites, func(s Suite) bool { return s.Name == r.Suite })
		if i < 0 {
			suites = append(suites, Suite{Name: r.Suite})
			i = len(suites) - 1
		}
		suites[i].Results = append(suites[i].Results, r)
	}
	return suites
}

// span gives when the first result began and how long it was until the last ended.
func span(results []Result) (time.Time, time.Duration) {
	if len(results) == 0 {
		return time.Time{}, 0
	}
	first, last := results[0].Started, time.Time{}
	for _, r := range results {
		if r.Started.Before(first) {
			first = r.Started
		}
		if end := r.Started.Add(r.Took); end.After(last) {
			last = end
		}
	}
	return first, last.Sub(first)
}

// sentence joins a piece of evidence into one line: "SHOW server_version on web-0: 14.2, required 15".
func (e Evidence) sentence() string {
	var b strings.Builder
	b.WriteString(e.What)
	if e.From != "" {
		b.WriteString(" on " + e.From)
	}
	b.WriteString(": " + cmp.Or(oneLine(e.Got), "nothing"))
	if e.Want != "" && e.Want != e.Got {
		b.WriteString(", required " + oneLine(e.Want))
	}
	return b.String()
}

// drawing gives the lines of a drawing, indented. Blanks keep their places, and no control character is left.
func (e Evidence) drawing(indent string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(e.Drawing, "\n")) {
		line = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, strings.ReplaceAll(line, "\t", " "))
		b.WriteString(strings.TrimRight(indent+line, " ") + "\n")
	}
	return b.String()
}

// oneLine folds white space, control characters included: what a program printed must not move the terminal's cursor.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
