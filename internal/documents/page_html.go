package documents

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"strings"
)

//go:embed page.html.tmpl
var pageTemplate string

// html writes a page as one HTML file with its pictures inline: it loads nothing, runs no script, and prints on A4. The style and the
// drawing of charts are those of the host performance check. Everything is escaped by html/template. The error is a fault of ours.
func (p *page) html() (string, error) {
	_, rest, _ := strings.Cut(performanceTemplate, "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	if !found {
		return "", errors.New("render document: the performance check has no style to share")
	}
	funcs := template.FuncMap(performanceFuncs(p.Language))
	funcs["style"] = func() template.CSS { return template.CSS(style) }
	funcs["plus"] = func(i int) int { return i + 1 }
	t, err := template.New("performance").Funcs(funcs).Parse(performanceTemplate) // for its "chart"
	if err == nil {
		t, err = t.New("page").Parse(pageTemplate)
	}
	if err != nil {
		return "", fmt.Errorf("parse document: %w", err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return "", fmt.Errorf("render document: %w", err)
	}
	return out.String(), nil
}

// numbered writes a section's number and title.
func numbered(n int, title string) string { return fmt.Sprintf("%d. %s", n, title) }
