package blueprints

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity grades a diagnostic.
type Severity string

// Errors stop the work; warnings are printed and passed.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Position is a place in a spec file. Line and Column count from 1; zero means unknown.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String gives file:line:column, leaving out what is unknown.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Diagnostic is one finding about what was asked for: where, which requirement, what, and how to mend it.
// It is a value, not an error: a fault of the tool or the machine is an error.
type Diagnostic struct {
	Severity    Severity `json:"severity"`
	Requirement string   `json:"requirement,omitempty"` // ID: the path of the leaf or of its parent
	Position    Position `json:"position"`
	Summary     string   `json:"summary"`
	Mend        string   `json:"mend,omitempty"`
	// Conflict lists the smallest set of requirements that cannot hold together, when this is a conflict.
	Conflict []string `json:"conflict,omitempty"`
}

// String gives the one-line form "file:line:column: requirement: summary — mend".
func (d Diagnostic) String() string {
	var b strings.Builder
	if at := d.Position.String(); at != "" {
		b.WriteString(at + ": ")
	}
	if d.Requirement != "" {
		b.WriteString(d.Requirement + ": ")
	}
	b.WriteString(d.Summary)
	if d.Mend != "" {
		b.WriteString(" — " + d.Mend)
	}
	return b.String()
}

// Diagnostics is a list of findings.
type Diagnostics []Diagnostic

// HasErrors tells whether any finding stops the work.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sort orders findings by position, then requirement, then text, and drops exact repeats.
func (ds Diagnostics) Sort() Diagnostics {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Position.File, b.Position.File), cmp.Compare(a.Position.Line, b.Position.Line),
			cmp.Compare(a.Position.Column, b.Position.Column), cmp.Compare(a.Requirement, b.Requirement), cmp.Compare(a.Summary, b.Summary))
	})
	return slices.CompactFunc(ds, func(a, b Diagnostic) bool {
		return a.Position == b.Position && a.Requirement == b.Requirement && a.Summary == b.Summary
	})
}
