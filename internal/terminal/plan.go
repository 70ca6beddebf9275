package terminal

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/engine"
)

// Plan is what a plan shows.
type Plan struct {
	Document     *blueprints.Document
	Architecture architecture.Architecture
	Graph        stacks.Graph
	Target       string
	Built        bool // something stands already
	Steps        engine.Plan
	Prospects    []architecture.Prospect
	Losing       []string // names of resources whose data the plan loses
}

var opSigns = map[engine.Op]struct {
	sign  string
	style Style
}{
	engine.OpCreate:  {"+", Green},
	engine.OpUpdate:  {"~", Yellow},
	engine.OpReplace: {"±", Yellow},
	engine.OpDelete:  {"-", Red},
	engine.OpRead:    {">", Plain},
}

// Plan prints what would be done and why.
func (s *Screen) Plan(p Plan) {
	state := "nothing built yet"
	if p.Built {
		state = Changes(p.Steps)
	}
	s.Line("%s   %s · %s · %s", s.Paint(Bold, p.Document.Spec.Name+" on "+p.Target),
		Count(len(p.Document.Requirements), "requirement"), Count(len(p.Graph.Resources), "resource"), state)
	s.drift(p.Steps.Drift)
	inputs := map[string]stacks.Resource{}
	width := 0
	for _, r := range p.Graph.Resources {
		inputs[r.Name] = r
	}
	for _, step := range p.Steps.Steps {
		width = max(width, len(step.Name))
	}
	for _, step := range p.Steps.Steps {
		sign, shown := opSigns[step.Op]
		if !shown {
			if s.Verbose && step.Op == engine.OpSame {
				s.Line("    %s", step.Name)
			}
			continue
		}
		line := fmt.Sprintf("  %s %s", s.Paint(sign.style, sign.sign), Pad(step.Name, width))
		if what := describe(inputs[step.Name]); step.Op == engine.OpCreate && what != "" {
			line += "  " + what
		}
		s.Line("%s%s", line, s.serves(step.Requirements))
		s.changes(step.Diff)
		if slices.Contains(p.Losing, step.Name) {
			s.Line("      %s", s.Paint(Red, "all data in it is lost"))
		}
	}
	s.architecture(p)
	s.prospects(p.Prospects)
}

// Changes counts what a plan would do.
func Changes(p engine.Plan) string {
	words := []struct {
		op   engine.Op
		word string
	}{{engine.OpCreate, "to create"}, {engine.OpUpdate, "to update"}, {engine.OpReplace, "to replace"}, {engine.OpDelete, "to delete"}}
	var parts []string
	for _, w := range words {
		if n := p.Counts[w.op]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, w.word))
		}
	}
	if len(parts) == 0 {
		return "no changes"
	}
	return strings.Join(parts, ", ")
}

func (s *Screen) drift(drift []engine.Step) {
	if len(drift) == 0 {
		return
	}
	s.Line("%s", s.Paint(Yellow, "changed behind our back (surety up mends it):"))
	for _, step := range drift {
		if step.Op == engine.OpDelete {
			s.Line("  %s %s is gone%s", s.Paint(Yellow, "!"), step.Name, s.serves(step.Requirements))
			continue
		}
		s.Line("  %s %s%s", s.Paint(Yellow, "!"), step.Name, s.serves(step.Requirements))
		s.changes(step.Diff)
	}
}

func (s *Screen) changes(diff []engine.PropertyChange) {
	for _, c := range diff {
		replaces := ""
		if c.ForcesReplace {
			replaces = s.Paint(Yellow, "  (replaces it)")
		}
		s.Line("      %s: %s → %s%s", c.Path, value(c.From), value(c.To), replaces)
	}
}

// serves names the requirements that something serves, the first three of them unless more was asked for.
func (s *Screen) serves(requirements []string) string {
	if len(requirements) == 0 {
		return ""
	}
	shown, rest := requirements, ""
	if len(shown) > 3 && !s.Verbose {
		rest = fmt.Sprintf(" +%d", len(shown)-3)
		shown = shown[:3]
	}
	return s.Paint(Dim, "  ← "+strings.Join(shown, " ")+rest)
}

func (s *Screen) architecture(p Plan) {
	a := p.Architecture
	layers := make([]string, len(a.StartOrder))
	for i, layer := range a.StartOrder {
		layers[i] = strings.Join(layer, ", ")
	}
	points := "none"
	if len(a.SinglePoints) > 0 {
		parts := make([]string, len(a.SinglePoints))
		for i, point := range a.SinglePoints {
			parts[i] = fmt.Sprintf("%s (stops %s; %s)", point.Component, point.Stops, point.Mend)
		}
		points = strings.Join(parts, "; ")
	}
	s.Line("  start order: %s", strings.Join(layers, " → "))
	s.Line("  single points of failure: %s", points)
	required := ""
	if a.Availability.Required > 0 {
		required = fmt.Sprintf(", required %v %%", a.Availability.Required)
	}
	percent := math.Floor(a.Availability.Percent*1000) / 1000 // down: nothing is promised 100 %
	s.Line("  availability by design: %.3f %%%s   %s", percent, required, s.Paint(Dim, a.Availability.Formula))
	if !s.Verbose {
		return
	}
	for _, f := range a.Flows {
		s.Line("  flow: %s → %s:%d %s%s", f.From, f.To, f.Port, f.Speaks, s.serves(f.Requirements))
	}
	for _, d := range a.Decisions {
		s.Line("  %s %s = %s   %s%s", d.Component, d.What, d.Value, s.Paint(Dim, d.Rule+": "+d.Reason), s.serves(d.Requirements))
	}
}

// prospects says how many requirements will be proven how, and which cannot be.
func (s *Screen) prospects(prospects []architecture.Prospect) {
	if len(prospects) == 0 {
		return
	}
	counts := map[architecture.Way]int{}
	reasons := map[string][]string{}
	for _, p := range prospects {
		counts[p.Way]++
		if p.Way == architecture.WayUnproven {
			reasons[p.Reason] = append(reasons[p.Reason], p.Requirement)
		}
	}
	s.Line("  will prove: %d by measurement, %d by design, %d unproven", counts[architecture.WayMeasured], counts[architecture.WayDesigned], counts[architecture.WayUnproven])
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		s.More("    unproven: %s: %s", strings.Join(reasons[reason], " "), reason)
	}
}

// describe says in a few words what a resource will be.
func describe(r stacks.Resource) string {
	var parts []string
	text := func(key, before string) {
		if v, ok := r.Inputs[key].(string); ok && v != "" {
			parts = append(parts, before+v)
		}
	}
	if engine, ok := r.Inputs["engine"].(string); ok {
		version, _ := r.Inputs["version"].(string)
		parts = append(parts, strings.TrimSpace(engine+" "+version))
	}
	if limits, ok := r.Inputs["limits"].(map[string]any); ok {
		parts = append(parts, fmt.Sprintf("%v cpu, %s memory, %s disk", limits["cpu"], amount(limits["memory"]), amount(limits["disk"])))
	}
	text("os", "")
	text("cidr", "")
	text("source", "copies ")
	if every, ok := r.Inputs["every"].(float64); ok {
		parts = append(parts, "every "+blueprints.Duration(every*float64(time.Second)).String())
	}
	if standby, _ := r.Inputs["standby"].(bool); standby {
		parts = append(parts, "standby")
	}
	if rules, ok := r.Inputs["ingress"].([]any); ok {
		for _, rule := range rules {
			if rule, ok := rule.(map[string]any); ok {
				from := rule["fromGroup"]
				if from == nil || from == "" {
					from = rule["cidr"]
				}
				parts = append(parts, fmt.Sprintf("%v from %v", rule["port"], from))
			}
		}
	}
	return strings.Join(parts, ", ")
}

func amount(v any) string {
	switch n := v.(type) {
	case int64:
		return blueprints.Bytes(n).String()
	case int:
		return blueprints.Bytes(n).String()
	case float64:
		return blueprints.Bytes(n).String()
	}
	return fmt.Sprint(v)
}

func value(text string) string {
	if text == "" {
		return "(none)"
	}
	return Cut(text, 60)
}
