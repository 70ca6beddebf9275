package provider

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// bare takes the wrappers off a value: what is secret, or known with its dependencies, becomes the value itself; what is not
// known yet becomes a computed value.
func bare(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return bare(v.SecretValue().Element)
	case v.IsOutput():
		if !v.OutputValue().Known {
			return resource.MakeComputed(resource.NewStringProperty(""))
		}
		return bare(v.OutputValue().Element)
	case v.IsComputed():
		return resource.MakeComputed(resource.NewStringProperty(""))
	case v.IsArray():
		list := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			list[i] = bare(e)
		}
		return resource.NewArrayProperty(list)
	case v.IsObject():
		return resource.NewObjectProperty(bareMap(v.ObjectValue()))
	}
	return v
}

func bareMap(m resource.PropertyMap) resource.PropertyMap {
	out := make(resource.PropertyMap, len(m))
	for k, v := range m {
		out[k] = bare(v)
	}
	return out
}

// unknown is a value that only the real operation will tell.
func unknown() resource.PropertyValue {
	return resource.MakeComputed(resource.NewStringProperty(""))
}

// secretly marks a value to be encrypted in state and never printed. Marking twice, or what is not known yet, changes nothing.
func secretly(v resource.PropertyValue) resource.PropertyValue {
	if v.IsSecret() || v.IsComputed() || v.IsOutput() {
		return v
	}
	return resource.MakeSecret(v)
}

// text gives a string value, or "" for anything else.
func text(v resource.PropertyValue) string {
	if v = bare(v); v.IsString() {
		return v.StringValue()
	}
	return ""
}

// same tells whether two values are equal once their wrappers are off. A value not known yet equals nothing.
func same(a, b resource.PropertyValue) bool {
	a, b = bare(a), bare(b)
	return !a.ContainsUnknowns() && !b.ContainsUnknowns() && a.DeepEquals(b)
}

// fromJSON turns a value of the control plane's API into properties.
func fromJSON(v any) (resource.PropertyMap, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("decode %T: %w", v, err)
	}
	return resource.NewPropertyMapFromMap(m), nil
}

// toJSON turns properties into a value of the control plane's API, which must have a place for each of them.
func toJSON(m resource.PropertyMap, into any) error {
	raw, err := json.Marshal(bareMap(m).Mappable())
	if err != nil {
		return fmt.Errorf("encode properties: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("properties do not fit %T: %w", into, err)
	}
	return nil
}
