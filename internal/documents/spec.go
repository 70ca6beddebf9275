// Package documents renders documents from what the tool knows, so that they cannot go stale unnoticed: a test compares them.
package documents

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"surety/blueprints"
)

// schema is the part of JSON Schema (draft-07) that a reference needs.
type schema struct {
	Ref                  string             `json:"$ref"`
	Description          string             `json:"description"`
	Type                 any                `json:"type"`
	Enum                 []any              `json:"enum"`
	Examples             []any              `json:"examples"`
	Default              any                `json:"default"`
	Required             []string           `json:"required"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties json.RawMessage    `json:"additionalProperties"`
	Definitions          map[string]*schema `json:"definitions"`
	AllOf                []*schema          `json:"allOf"`
}

// SpecReference renders the reference of the spec language from its JSON Schema and what can be referred to, as Markdown.
func SpecReference(text []byte, attributes []blueprints.Attribute) (string, error) {
	var root schema
	if err := json.Unmarshal(text, &root); err != nil {
		return "", fmt.Errorf("read schema: %w", err)
	}
	r := renderer{root: &root}
	r.line("# The spec, property by property\n")
	r.line("Generated from the JSON Schema (`surety schema`); do not edit. Every leaf is a requirement, and its path is its ID.\n")
	r.line("| property | type | what it means |\n|---|---|---|")
	if err := r.properties("", &root, 0); err != nil {
		return "", err
	}
	r.line("\n## References\n\nIn `env` and `files`, `${…}` stands for what is known only once it is built; `$${` is a literal `${`.")
	r.line("A reference to a component needs that component in `uses`.\n\n| reference | stands for |\n|---|---|")
	for _, a := range attributes {
		secret := ""
		if a.Secret {
			secret = "; secret: encrypted in the state and never printed"
		}
		r.line("| `%s` | %s%s |", a.Pattern(), a.Meaning, secret)
	}
	return r.out.String(), nil
}

type renderer struct {
	root *schema
	out  strings.Builder
}

func (r *renderer) line(format string, args ...any) { fmt.Fprintf(&r.out, format+"\n", args...) }

// maxDepth bounds recursion, for a schema may refer to itself.
const maxDepth = 8

func (r *renderer) properties(path string, s *schema, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("schema at %s is nested too deeply", path)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		p, err := r.resolve(s.Properties[name])
		if err != nil {
			return err
		}
		required := ""
		if slices.Contains(s.Required, name) {
			required = ", required"
		}
		r.line("| `%s` | %s%s | %s |", at, kind(p), required, cell(p))
		if err := r.below(at, p, depth); err != nil {
			return err
		}
	}
	return nil
}

// below renders what is inside a property: its own properties, or those of a map's values under NAME.
func (r *renderer) below(at string, p *schema, depth int) error {
	if err := r.properties(at, p, depth+1); err != nil {
		return err
	}
	var values *schema
	if len(p.AdditionalProperties) > 0 && p.AdditionalProperties[0] == '{' {
		if err := json.Unmarshal(p.AdditionalProperties, &values); err != nil {
			return err
		}
		inner, err := r.resolve(values)
		if err != nil {
			return err
		}
		return r.properties(at+".NAME", inner, depth+1)
	}
	return nil
}

// resolve follows a reference, also one that stands alone under allOf; a description beside the reference stays.
func (r *renderer) resolve(s *schema) (*schema, error) {
	ref := s.Ref
	if ref == "" && len(s.AllOf) == 1 {
		ref = s.AllOf[0].Ref
	}
	if ref == "" {
		return s, nil
	}
	name, ok := strings.CutPrefix(ref, "#/definitions/")
	target := r.root.Definitions[name]
	if !ok || target == nil {
		return nil, fmt.Errorf("schema refers to %q, which is not there", ref)
	}
	merged := *target
	if s.Description != "" {
		merged.Description = s.Description
	}
	if s.Examples != nil {
		merged.Examples = s.Examples
	}
	return &merged, nil
}

func kind(s *schema) string {
	switch t := s.Type.(type) {
	case string:
		if t == "array" {
			return "list"
		}
		if t == "object" && len(s.Properties) == 0 {
			return "map"
		}
		return t
	case []any:
		var parts []string
		for _, one := range t {
			parts = append(parts, fmt.Sprint(one))
		}
		return strings.Join(parts, " or ")
	}
	return "value"
}

// cell gives the description with the values allowed and an example, on one line.
func cell(s *schema) string {
	text := s.Description
	const most = 12 // of a long list, as the currencies of the world, the schema itself is the place to look
	if n := len(s.Enum); n > 0 && n <= most {
		text += " One of " + list(s.Enum) + "."
	}
	if s.Default != nil {
		text += " Default: " + list([]any{s.Default}) + "."
	}
	if len(s.Examples) > 0 {
		text += " Example: " + list(s.Examples[:1]) + "."
	}
	text = strings.Join(strings.Fields(text), " ")
	return strings.ReplaceAll(text, "|", `\|`)
}

func list(values []any) string {
	var parts []string
	for _, v := range values {
		encoded, err := json.Marshal(v)
		if err != nil {
			encoded = []byte(fmt.Sprint(v))
		}
		parts = append(parts, "`"+string(encoded)+"`")
	}
	return strings.Join(parts, ", ")
}
