package provider

import (
	"context"
	"slices"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Diff implements plugin.Provider.
func (p *Provider) Diff(_ context.Context, r plugin.DiffRequest) (plugin.DiffResponse, error) {
	k, known := kindOf(typeOf(r.Type, r.URN))
	if !known {
		return plugin.DiffResult{}, unknownType(typeOf(r.Type, r.URN))
	}
	return k.diff(r.OldInputs, r.OldOutputs, r.NewInputs), nil
}

// settled is an output that is false while the last request on a resource did not come to its end, or nobody saw its end.
// Whatever the inputs say then, the resource needs another request, which goes on from what is there.
const settled resource.PropertyKey = "settled"

// diff compares what stands, as the state's inputs tell it, with what is wanted. After a refresh the state's inputs are what
// was read back from the world, so that drift is a difference like any other.
func (k *kind) diff(olds, outputs, news resource.PropertyMap) plugin.DiffResult {
	result := plugin.DiffResult{Changes: plugin.DiffNone, DetailedDiff: map[string]plugin.PropertyDiff{}}
	for _, p := range k.properties {
		before, after := p.compared(olds), p.compared(news)
		difference := before.Diff(after)
		if difference == nil {
			continue
		}
		replace := p.change == replaces || p.name == limits.name && !p.spacious && shrinks(olds, news)
		for path, d := range plugin.NewDetailedDiffFromObjectDiff(difference, true) {
			if replace && (p.change == replaces || path == "limits.disk") {
				d = d.ToReplace()
			}
			result.DetailedDiff[path] = d
		}
		result.ChangedKeys = append(result.ChangedKeys, p.name)
		if replace {
			result.ReplaceKeys = append(result.ReplaceKeys, p.name)
		}
	}
	if v, known := outputs[settled]; known && bare(v).IsBool() && !bare(v).BoolValue() {
		result.ChangedKeys = append(result.ChangedKeys, settled)
		result.DetailedDiff[string(settled)] = plugin.PropertyDiff{Kind: plugin.DiffUpdate}
	}
	if len(result.ChangedKeys) == 0 {
		return result
	}
	slices.Sort(result.ChangedKeys)
	result.Changes = plugin.DiffSome
	// Two of one name cannot stand at the same time, so the old one goes first. A secret is in the state alone, and what uses it
	// changes over to the new one before the old one is dropped.
	result.DeleteBeforeReplace = len(result.ReplaceKeys) > 0 && k.operations != nil
	return result
}

// compared gives a map with the property alone, without wrappers and without what does not count.
func (p property) compared(m resource.PropertyMap) resource.PropertyMap {
	v, given := m[p.name]
	if !given {
		return resource.PropertyMap{}
	}
	v = bare(v)
	if p.name == "program" && v.IsObject() {
		program := v.ObjectValue().Copy()
		delete(program, "source") // the same content from another place is the same program
		v = resource.NewObjectProperty(program)
	}
	return resource.PropertyMap{p.name: v}
}

// shrinks tells whether the disk is to become smaller.
func shrinks(olds, news resource.PropertyMap) bool {
	before, after := disk(olds), disk(news)
	return before.IsNumber() && after.IsNumber() && after.NumberValue() < before.NumberValue()
}

func disk(m resource.PropertyMap) resource.PropertyValue {
	if v := bare(m[limits.name]); v.IsObject() {
		return v.ObjectValue()["disk"]
	}
	return resource.NewNullProperty()
}
