package stacks

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The JSON forms of the three special values. A map with exactly one of these keys is never a plain map.
const (
	refKey    = "$ref"
	joinKey   = "$join"
	secretKey = "$secret"
)

// MarshalJSON gives {"$ref":["resource","property"]}.
func (r Ref) MarshalJSON() ([]byte, error) {
	return marshal(map[string]any{refKey: []string{r.Resource, r.Property}})
}

// MarshalJSON gives {"$join":[part, …]}.
func (j Join) MarshalJSON() ([]byte, error) {
	parts := []any(j)
	if parts == nil {
		parts = []any{}
	}
	return marshal(map[string]any{joinKey: parts})
}

// MarshalJSON gives {"$secret":value}. The value is in the clear: JSON of a Graph is as secret as the Graph.
func (s Secret) MarshalJSON() ([]byte, error) {
	return marshal(map[string]any{secretKey: s.Value})
}

// marshal is json.Marshal without HTML escapes, so that a command line reads in a file as it was written.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// UnmarshalJSON reads a resource and turns {"$ref":…}, {"$join":…} and {"$secret":…} in its inputs back into Ref, Join and Secret.
// Whole numbers that fit an int become int, other numbers float64.
func (r *Resource) UnmarshalJSON(data []byte) error {
	type plain Resource // without this method
	var p plain
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("read resource: %w", err)
	}
	for key, value := range p.Inputs {
		v, err := revive(value)
		if err != nil {
			return fmt.Errorf("read resource %q: input %q: %w", p.Name, key, err)
		}
		p.Inputs[key] = v
	}
	*r = Resource(p)
	return nil
}

func revive(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return int(i), nil
		}
		return v.Float64()
	case []any:
		return reviveAll(v)
	case map[string]any:
		if len(v) == 1 {
			for key, inner := range v {
				if special, ok, err := reviveSpecial(key, inner); ok || err != nil {
					return special, err
				}
			}
		}
		for key, inner := range v {
			value, err := revive(inner)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			v[key] = value
		}
		return v, nil
	default:
		return v, nil
	}
}

func reviveAll(list []any) ([]any, error) {
	for i, inner := range list {
		value, err := revive(inner)
		if err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
		list[i] = value
	}
	return list, nil
}

func reviveSpecial(key string, inner any) (any, bool, error) {
	switch key {
	case refKey:
		if pair, ok := inner.([]any); ok && len(pair) == 2 {
			name, isName := pair[0].(string)
			property, isProperty := pair[1].(string)
			if isName && isProperty {
				return Ref{Resource: name, Property: property}, true, nil
			}
		}
		return nil, true, fmt.Errorf(`%s wants ["resource","property"]`, refKey)
	case joinKey:
		list, ok := inner.([]any)
		if !ok {
			return nil, true, fmt.Errorf("%s wants a list", joinKey)
		}
		parts, err := reviveAll(list)
		return Join(parts), true, err
	case secretKey:
		value, err := revive(inner)
		return Secret{Value: value}, true, err
	default:
		return nil, false, nil
	}
}
