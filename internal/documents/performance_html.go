package documents

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"surety/validate"
)

//go:embed performance.html.tmpl
var performanceTemplate string

// performancePage is what the template sees: the data, and what the language makes of it.
type performancePage struct {
	Performance
	Language Language
	Sections []string // keys in the order of the document
	Charts   struct {
		Load, Latencies []*chart
		Baseline        *chart
	}
	Count validate.Count // of the requirements
	State validate.State // the worst of all
}

// performanceSections are the document's sections in their order.
var performanceSections = []string{"s.environment", "s.requirements", "s.load", "s.latency", "s.figures", "s.consistency", "s.baseline", "s.work", "s.unproven", "s.indicators", "s.signoff"}

// PerformanceHTML renders the host performance check as one HTML file with its pictures inline: it loads nothing, runs no script,
// prints on A4, and is the same bytes for the same data. Everything is escaped by html/template. The error is a fault of ours.
func PerformanceHTML(p Performance, l Language) (string, error) {
	page := performancePage{Performance: p, Language: l, Sections: performanceSections}
	page.Count, page.State = p.tally()
	for _, c := range p.Load {
		drawn, err := loadChart(l, c)
		if err != nil {
			return "", err
		}
		page.Charts.Load = append(page.Charts.Load, drawn)
	}
	for _, h := range p.Latencies {
		drawn, err := histogramChart(l, h)
		if err != nil {
			return "", err
		}
		page.Charts.Latencies = append(page.Charts.Latencies, drawn)
	}
	if p.Baseline != nil {
		drawn, err := changeChart(l, *p.Baseline)
		if err != nil {
			return "", err
		}
		page.Charts.Baseline = drawn
	}
	t, err := template.New("performance").Funcs(template.FuncMap(performanceFuncs(l))).Parse(performanceTemplate)
	if err != nil {
		return "", fmt.Errorf("parse performance document: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, page); err != nil {
		return "", fmt.Errorf("render performance document: %w", err)
	}
	return out.String(), nil
}

// performanceFuncs are what the template may call.
func performanceFuncs(l Language) map[string]any {
	return map[string]any{
		"say":     func(key string) (string, error) { return say(l, key) },
		"in":      func(t Text) string { return t.in(l) },
		"state":   stateWord,
		"number":  figureNumber,
		"count":   func(n int) string { return figureNumber(float64(n)) },
		"percent": percent,
		"signed":  signedPercent,
		"chance":  chanceOf,
		"moment":  moment,
		"took":    func(d time.Duration) string { return lasting(l, d) },
		"fact":    func(name string) string { return factName(l, name) },
		"counted": func(p performancePage) (string, error) { return counted(l, p.Count) },
		"section": sectionNumber,
		"parts":   func(path string) []string { return strings.Split(path, ".") }, // a long path may break at its dots
		"figure":  func(f Figure) string { return figureNumber(f.Value) + " " + f.Unit },
		"between": between,
		"indicators": func() any {
			type row struct {
				ID       string
				Text     Text
				Sections []string
			}
			var rows []row
			for _, i := range performanceIndicators {
				rows = append(rows, row{i.id, i.text, i.sections})
			}
			return rows
		},
	}
}

// sectionNumber gives a section's number, from 1.
func sectionNumber(key string) (int, error) {
	for i, s := range performanceSections {
		if s == key {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("document: no section %q", key)
}

// between prints an interval, or a dash when none is known. One that is open above says so.
func between(f Figure) string {
	if f.Low == f.Value && f.High == f.Value && !f.Open {
		return "–"
	}
	high := figureNumber(f.High)
	if f.Open {
		high = "≥ " + high
	}
	return figureNumber(f.Low) + " … " + high
}

// counted says how many requirements ended how.
func counted(l Language, c validate.Count) (string, error) {
	format, err := say(l, "counted")
	return fmt.Sprintf(format, c.Pass+c.Fail+c.Unproven, c.Pass, c.Fail, c.Unproven), err
}

// tally counts the requirements by their end, and gives the worst state of the whole check.
func (p Performance) tally() (validate.Count, validate.State) {
	count := validate.Tally(p.results("", func(r validate.Result) bool { return r.Suite == suiteRequirement }))
	return count, validate.Tally(p.results("", nil)).State()
}
