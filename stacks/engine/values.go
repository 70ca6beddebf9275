package engine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks"
)

// stood is what is known of a resource after its step: its ID and outputs. In a preview some values are unknown.
type stood struct {
	urn     resource.URN
	id      resource.PropertyValue
	outputs resource.PropertyMap
}

// resolve turns a Graph value into a Pulumi value, with each Ref replaced by the output it names.
// Secretness is kept: whatever a secret goes into is secret. What is not known yet is unknown.
func resolve(v any, of func(name string) (stood, bool), preview bool) (resource.PropertyValue, error) {
	switch v := v.(type) {
	case nil:
		return resource.NewNullProperty(), nil
	case bool:
		return resource.NewProperty(v), nil
	case int:
		return resource.NewProperty(float64(v)), nil
	case float64:
		return resource.NewProperty(v), nil
	case string:
		return resource.NewProperty(v), nil
	case stacks.Secret:
		inner, err := resolve(v.Value, of, preview)
		if err != nil {
			return inner, err
		}
		return secretOf(inner), nil
	case stacks.Ref:
		return resolveRef(v, of, preview)
	case stacks.Join:
		return resolveJoin(v, of, preview)
	case []any:
		list := make([]resource.PropertyValue, len(v))
		for i, inner := range v {
			value, err := resolve(inner, of, preview)
			if err != nil {
				return value, fmt.Errorf("[%d]: %w", i, err)
			}
			list[i] = value
		}
		return resource.NewProperty(list), nil
	case map[string]any:
		object := make(resource.PropertyMap, len(v))
		for key, inner := range v {
			value, err := resolve(inner, of, preview)
			if err != nil {
				return value, fmt.Errorf("%s: %w", key, err)
			}
			object[resource.PropertyKey(key)] = value
		}
		return resource.NewProperty(object), nil
	default:
		return resource.PropertyValue{}, fmt.Errorf("a value of type %T cannot stand in a graph", v)
	}
}

func unknown() resource.PropertyValue {
	return resource.MakeComputed(resource.NewProperty(""))
}

func secretOf(v resource.PropertyValue) resource.PropertyValue {
	if v.IsSecret() {
		return v
	}
	return resource.MakeSecret(v)
}

// resolveRef looks an output up. The property is a path ("addresses[0]", "endpoint.host"); "id" and "urn" are the resource's own
// unless it has outputs of these names.
func resolveRef(r stacks.Ref, of func(string) (stood, bool), preview bool) (resource.PropertyValue, error) {
	s, ok := of(r.Resource)
	if !ok {
		return resource.PropertyValue{}, fmt.Errorf("refers to %q, which does not stand", r.Resource)
	}
	path, err := resource.ParsePropertyPath(r.Property)
	if err != nil {
		return resource.PropertyValue{}, fmt.Errorf("refers to %q by a malformed path %q: %w", r.Resource, r.Property, err)
	}
	value, secret, found := follow(resource.NewProperty(s.outputs), path)
	switch {
	case found:
	case r.Property == "id":
		value = s.id
	case r.Property == "urn":
		value = resource.NewProperty(string(s.urn))
	case preview:
		value = unknown() // it may come with the step
	default:
		return resource.PropertyValue{}, fmt.Errorf("refers to output %q of %q, which it does not have", r.Property, r.Resource)
	}
	if secret {
		value = secretOf(value)
	}
	return value, nil
}

// follow walks a path through a value, through secrets and up to what is unknown.
func follow(v resource.PropertyValue, path resource.PropertyPath) (value resource.PropertyValue, secret, found bool) {
	for _, key := range path {
		for v.IsSecret() {
			v, secret = v.SecretValue().Element, true
		}
		if v.IsComputed() || v.IsOutput() {
			return unknown(), secret, true
		}
		next, ok := v, false
		switch key := key.(type) {
		case string:
			if v.IsObject() {
				next, ok = v.ObjectValue()[resource.PropertyKey(key)]
			}
		case int:
			if v.IsArray() && key >= 0 && key < len(v.ArrayValue()) {
				next, ok = v.ArrayValue()[key], true
			}
		}
		if !ok {
			return resource.PropertyValue{}, secret, false
		}
		v = next
	}
	return v, secret, true
}

func resolveJoin(j stacks.Join, of func(string) (stood, bool), preview bool) (resource.PropertyValue, error) {
	var text strings.Builder
	secret, known := false, true
	for i, part := range j {
		v, err := resolve(part, of, preview)
		if err != nil {
			return v, fmt.Errorf("[%d]: %w", i, err)
		}
		for v.IsSecret() {
			v, secret = v.SecretValue().Element, true
		}
		if v.ContainsUnknowns() {
			known = false
			continue
		}
		s, err := plainText(v)
		if err != nil {
			return v, fmt.Errorf("[%d]: %w", i, err)
		}
		text.WriteString(s)
	}
	value := resource.NewProperty(text.String())
	if !known {
		value = unknown()
	}
	if secret {
		value = secretOf(value)
	}
	return value, nil
}

// plainText gives the text of a value inside a Join: whole numbers without a fraction, as a port is written.
func plainText(v resource.PropertyValue) (string, error) {
	switch {
	case v.IsString():
		return v.StringValue(), nil
	case v.IsNumber():
		return strconv.FormatFloat(v.NumberValue(), 'f', -1, 64), nil
	case v.IsBool():
		return strconv.FormatBool(v.BoolValue()), nil
	default:
		return "", fmt.Errorf("a %s cannot be joined to text", v.TypeString())
	}
}
