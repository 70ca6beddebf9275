package terminal

import "surety/blueprints"

// Findings prints diagnostics, each with its place, its requirement and the way to mend it, and how many there are.
func (s *Screen) Findings(findings blueprints.Diagnostics) {
	errors, warnings := 0, 0
	for _, d := range findings {
		style := Red
		if d.Severity == blueprints.Warning {
			style = Yellow
			warnings++
		} else {
			errors++
		}
		where := d.Position.String()
		if where != "" {
			where += ": "
		}
		id := ""
		if d.Requirement != "" {
			id = s.Paint(Bold, d.Requirement) + ": "
		}
		label := ""
		if d.Severity == blueprints.Warning {
			label = "warning: "
		}
		s.Line("%s%s%s%s", where, id, s.Paint(style, label), d.Summary)
		if len(d.Conflict) > 0 {
			conflict := d.Conflict[0]
			for _, id := range d.Conflict[1:] {
				conflict += " + " + id
			}
			s.Line("    conflict: %s", conflict)
		}
		if d.Mend != "" {
			s.Line("    mend: %s", d.Mend)
		}
	}
	switch {
	case errors > 0 && warnings > 0:
		s.Line("%s, %s", Count(errors, "problem"), Count(warnings, "warning"))
	case errors > 0:
		s.Line("%s", Count(errors, "problem"))
	}
}
