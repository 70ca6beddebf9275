package engine

import (
	"cmp"
	"maps"
	"slices"

	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	pkgresource "github.com/pulumi/pulumi/pkg/v3/resource"
	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// changes lists what a step changes, property by property, from what the provider said; where it said nothing in detail, from the inputs.
func changes(m pulumi.StepEventMetadata, clean func(string) string) []PropertyChange {
	var before, after, beforeOut resource.PropertyMap
	if s := stateOf(m.Old); s != nil {
		before, beforeOut = s.Inputs, s.Outputs
	}
	if s := stateOf(m.New); s != nil {
		after = s.Inputs
	}
	detailed := m.DetailedDiff
	if len(detailed) == 0 {
		detailed = plugin.NewDetailedDiffFromObjectDiff(before.Diff(after, resource.IsInternalPropertyKey), true)
		forces := map[string]bool{}
		for _, key := range m.Keys {
			forces[string(key)] = true
		}
		for path, d := range detailed {
			if forces[firstKey(path)] {
				detailed[path] = d.ToReplace()
			}
		}
	}
	var out []PropertyChange
	for _, path := range slices.Sorted(maps.Keys(detailed)) {
		d := detailed[path]
		from := before
		if !d.InputDiff {
			// The provider compared with what it last saw in the world; where that has no such property, the input stands in.
			if _, ok := at(beforeOut, path); ok {
				from = beforeOut
			}
		}
		c := PropertyChange{Path: path, ForcesReplace: d.Kind.IsReplace()}
		switch d.Kind {
		case plugin.DiffAdd, plugin.DiffAddReplace:
			c.Kind = Added
		case plugin.DiffDelete, plugin.DiffDeleteReplace:
			c.Kind = Removed
		default:
			c.Kind = Changed
		}
		if v, ok := at(from, path); ok && c.Kind != Added {
			c.From = clean(show(v))
		}
		if v, ok := at(after, path); ok && c.Kind != Removed {
			c.To = clean(show(v))
		}
		out = append(out, c)
	}
	return out
}

// drift lists what a refresh found different from the state: outputs first, and inputs that the outputs do not tell.
func drift(m pulumi.StepEventMetadata, clean func(string) string) []PropertyChange {
	before, after := stateOf(m.Old), stateOf(m.New)
	if before == nil || after == nil {
		return nil
	}
	var out []PropertyChange
	seen := map[string]bool{}
	compare := func(from, to resource.PropertyMap) {
		// What is secret is the program's affair and not the world's: a value that only gained or lost its mark did not drift.
		detailed := plugin.NewDetailedDiffFromObjectDiff(unmarked(from).Diff(unmarked(to), resource.IsInternalPropertyKey), false)
		for path := range detailed {
			if seen[path] {
				continue
			}
			seen[path] = true
			c := PropertyChange{Path: path, Kind: Changed}
			if v, had := at(from, path); had {
				c.From = clean(show(v))
			} else {
				c.Kind = Added
			}
			if v, has := at(to, path); has {
				c.To = clean(show(v))
			} else if c.Kind != Added {
				c.Kind = Removed
			}
			out = append(out, c)
		}
	}
	compare(before.Outputs, after.Outputs)
	compare(before.Inputs, after.Inputs)
	slices.SortFunc(out, func(a, b PropertyChange) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// unmarked gives properties without their secret marks, for comparing only.
func unmarked(m resource.PropertyMap) resource.PropertyMap {
	out := make(resource.PropertyMap, len(m))
	for key, v := range m {
		out[key] = unmarkedValue(v)
	}
	return out
}

func unmarkedValue(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return unmarkedValue(v.SecretValue().Element)
	case v.IsOutput():
		return unmarkedValue(v.OutputValue().Element)
	case v.IsArray():
		list := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, element := range v.ArrayValue() {
			list[i] = unmarkedValue(element)
		}
		return resource.NewProperty(list)
	case v.IsObject():
		return resource.NewProperty(unmarked(v.ObjectValue()))
	}
	return v
}

func stateOf(m *pulumi.StepEventStateMetadata) *pkgresource.State {
	if m == nil {
		return nil
	}
	return m.State
}

// at gives the value at a path, keeping it secret if anything on the way is.
func at(m resource.PropertyMap, path string) (resource.PropertyValue, bool) {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil {
		return resource.PropertyValue{}, false
	}
	v, secret, ok := follow(resource.NewProperty(m), parsed)
	if secret && ok {
		v = secretOf(v)
	}
	return v, ok
}

func firstKey(path string) string {
	parsed, err := resource.ParsePropertyPath(path)
	if err != nil || len(parsed) == 0 {
		return path
	}
	key, _ := parsed[0].(string)
	return key
}
