package stacks

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"surety/blueprints"
)

// typeToken is the form of a Pulumi type token: package:module:Type, the module may have slashes.
var typeToken = regexp.MustCompile(`^[a-z][a-z0-9-]*:[A-Za-z0-9_./-]+:[A-Za-z][A-Za-z0-9]*$`)

// resourceName is what a resource may be called: it stands in a URN, in file names and on command lines.
var resourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Check judges a Graph by itself: names that are unique, type tokens of the right form, references that lead somewhere, no cycles.
// It touches no network. An empty result means that the Graph can be given to the engine.
func (g Graph) Check() blueprints.Diagnostics {
	var found blueprints.Diagnostics
	add := func(r Resource, format string, args ...any) {
		d := blueprints.Diagnostic{Severity: blueprints.Error, Summary: fmt.Sprintf("resource %q: ", r.Name) + fmt.Sprintf(format, args...)}
		if len(r.Requirements) > 0 {
			d.Requirement = r.Requirements[0]
		}
		found = append(found, d)
	}
	names := make(map[string]bool, len(g.Resources))
	for _, r := range g.Resources {
		switch {
		case !resourceName.MatchString(r.Name):
			add(r, "a name is letters, digits, dots, dashes and underscores, and begins with a letter or digit")
		case names[r.Name]:
			add(r, "the name is used twice")
		}
		names[r.Name] = true
		if !typeToken.MatchString(r.Type) {
			add(r, "type %q is not of the form package:module:Type", r.Type)
		}
	}
	for _, r := range g.Resources {
		for _, on := range r.DependsOn {
			if !names[on] {
				add(r, "depends on %q, which is not in the graph", on)
			}
		}
		for _, path := range slices.Sorted(maps.Keys(r.Inputs)) {
			walkSpecial(r.Inputs[path], path, func(at string, v any) {
				switch v := v.(type) {
				case Ref:
					if !names[v.Resource] {
						add(r, "input %s refers to %q, which is not in the graph", at, v.Resource)
					} else if v.Property == "" {
						add(r, "input %s refers to %q without naming a property", at, v.Resource)
					}
				case error:
					add(r, "input %s: %v", at, v)
				}
			})
		}
	}
	if len(found) == 0 {
		if _, cycle := g.order(); len(cycle) > 0 {
			r := g.Resources[slices.IndexFunc(g.Resources, func(r Resource) bool { return r.Name == cycle[0] })]
			add(r, "needs itself: %s", strings.Join(append(cycle, cycle[0]), " → "))
		}
	}
	return found
}

// walkSpecial calls see for each Ref in v, and for each value of a kind that a Graph may not hold (as an error).
func walkSpecial(v any, at string, see func(at string, v any)) {
	switch v := v.(type) {
	case nil, bool, string, float64, int:
	case Ref:
		see(at, v)
	case Secret:
		walkSpecial(v.Value, at, see)
	case Join:
		for i, part := range v {
			switch part := part.(type) {
			case string:
			case Ref, Secret:
				walkSpecial(part, fmt.Sprintf("%s[%d]", at, i), see)
			default:
				see(at, fmt.Errorf("a part of a Join is a string, a Ref or a Secret, not %T", part))
			}
		}
	case []any:
		for i, inner := range v {
			walkSpecial(inner, fmt.Sprintf("%s[%d]", at, i), see)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if len(v) == 1 && (key == refKey || key == joinKey || key == secretKey) {
				see(at, fmt.Errorf("a map with the single key %s would be read back as something else", key))
			}
			walkSpecial(v[key], at+"."+key, see)
		}
	default:
		see(at, fmt.Errorf("a value of type %T cannot stand in a graph", v))
	}
}

// Needs lists, for each input key, the names of the resources that the key's value refers to, sorted.
func (r Resource) Needs() map[string][]string {
	needs := map[string][]string{}
	for key, value := range r.Inputs {
		var names []string
		walkSpecial(value, key, func(_ string, v any) {
			if ref, ok := v.(Ref); ok {
				names = append(names, ref.Resource)
			}
		})
		if len(names) > 0 {
			slices.Sort(names)
			needs[key] = slices.Compact(names)
		}
	}
	return needs
}

// Dependencies lists the names of all resources that must stand before this one, by reference or by DependsOn, sorted.
func (r Resource) Dependencies() []string {
	all := slices.Clone(r.DependsOn)
	for _, names := range r.Needs() {
		all = append(all, names...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Order lists resource names so that each comes after all it depends on. Among those free to come, the Graph's own order is kept.
func (g Graph) Order() ([]string, error) {
	if found := g.Check(); found.HasErrors() {
		return nil, fmt.Errorf("order the graph: %s", found[0].Summary)
	}
	names, _ := g.order()
	return names, nil
}

// order is Kahn's algorithm; the second result is one cycle, when there is one.
func (g Graph) order() (names, cycle []string) {
	waiting := make([]int, len(g.Resources))
	index := make(map[string]int, len(g.Resources))
	for i, r := range g.Resources {
		index[r.Name] = i
	}
	after := make([][]int, len(g.Resources))
	depends := make([][]string, len(g.Resources))
	for i, r := range g.Resources {
		depends[i] = r.Dependencies()
		waiting[i] = len(depends[i])
		for _, on := range depends[i] {
			after[index[on]] = append(after[index[on]], i)
		}
	}
	var ready []int
	for i, n := range waiting {
		if n == 0 {
			ready = append(ready, i)
		}
	}
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		names = append(names, g.Resources[i].Name)
		for _, next := range after[i] {
			if waiting[next]--; waiting[next] == 0 {
				ready = append(ready, next)
			}
		}
	}
	if len(names) == len(g.Resources) {
		return names, nil
	}
	return names, findCycle(g, index, depends, waiting)
}

// findCycle follows unmet dependencies until a resource comes up again. Every resource still waiting has one.
func findCycle(g Graph, index map[string]int, depends [][]string, waiting []int) []string {
	at := slices.IndexFunc(waiting, func(n int) bool { return n > 0 })
	var path []string
	seen := map[int]int{}
	for {
		if from, again := seen[at]; again {
			return path[from:]
		}
		seen[at] = len(path)
		path = append(path, g.Resources[at].Name)
		for _, on := range depends[at] {
			if waiting[index[on]] > 0 {
				at = index[on]
				break
			}
		}
	}
}
