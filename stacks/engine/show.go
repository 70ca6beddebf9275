package engine

import (
	"encoding/json"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// show renders a value for an event: strings as they are, anything else as compact JSON, secrets and unknowns by their placeholder.
func show(v resource.PropertyValue) string {
	plain := showable(v)
	if s, ok := plain.(string); ok {
		return s
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return v.TypeString()
	}
	return string(raw)
}

func showable(v resource.PropertyValue) any {
	switch {
	case v.IsSecret(), v.IsOutput() && v.OutputValue().Secret:
		return SecretText
	case v.IsComputed(), v.IsOutput() && !v.OutputValue().Known:
		return UnknownText
	case v.IsOutput():
		return showable(v.OutputValue().Element)
	case v.IsArray():
		list := make([]any, len(v.ArrayValue()))
		for i, inner := range v.ArrayValue() {
			list[i] = showable(inner)
		}
		return list
	case v.IsObject():
		object := make(map[string]any, len(v.ObjectValue()))
		for key, inner := range v.ObjectValue() {
			object[string(key)] = showable(inner)
		}
		return object
	case v.IsNull(), v.IsBool(), v.IsNumber(), v.IsString():
		return v.V
	default:
		return v.TypeString()
	}
}

// opened gives a value in plain Go, secrets opened: for a Deployment, never for print.
func opened(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return opened(v.SecretValue().Element)
	case v.IsOutput():
		return opened(v.OutputValue().Element)
	case v.IsArray():
		list := make([]any, len(v.ArrayValue()))
		for i, inner := range v.ArrayValue() {
			list[i] = opened(inner)
		}
		return list
	case v.IsObject():
		object := make(map[string]any, len(v.ObjectValue()))
		for key, inner := range v.ObjectValue() {
			object[string(key)] = opened(inner)
		}
		return object
	case v.IsNull(), v.IsBool(), v.IsNumber(), v.IsString():
		return v.V
	default:
		return nil
	}
}
