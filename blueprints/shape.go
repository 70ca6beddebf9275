package blueprints

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/xeipuuv/gojsonschema"
	"gopkg.in/yaml.v3"
)

//go:embed schema.json
var schemaJSON []byte

// Schema gives the JSON Schema (draft-07) of the spec language, for editors and other tools. Each call gives a copy.
func Schema() []byte { return slices.Clone(schemaJSON) }

// compiledSchema is compiled once, when the first spec is read. That the embedded schema compiles is tested.
var compiledSchema = sync.OnceValues(func() (*gojsonschema.Schema, error) {
	loader := gojsonschema.NewSchemaLoader()
	loader.AutoDetect = false // a newer $schema would be accepted and its keywords ignored
	loader.Draft = gojsonschema.Draft7
	return loader.Compile(gojsonschema.NewBytesLoader(schemaJSON))
})

// shape is the part of the schema that describes one place in a spec. The validator judges with gojsonschema;
// shapes are what its findings are explained with: examples, neighbours, limits.
type shape struct {
	definition string // name in #/definitions, "" when written in place
	types      []string
	example    *yaml.Node
	properties map[string]*shape
	keys       []string // of properties, in the order of the schema
	extra      *shape   // of additionalProperties
	names      *shape   // of propertyNames
	items      *shape
	enum       []string
	minimum    string // as written in the schema, "" for none
	above      string // exclusiveMinimum
	maximum    string
}

// specShape reads the shapes from the schema once. The schema is JSON, and JSON is YAML: read so, the examples keep their order.
var specShape = sync.OnceValue(func() *shape {
	var root yaml.Node
	if err := yaml.Unmarshal(schemaJSON, &root); err != nil || len(root.Content) == 0 {
		return &shape{} // tested not to happen
	}
	definitions := map[string]*yaml.Node{}
	each(field(root.Content[0], "definitions"), func(k string, v *yaml.Node) { definitions[k] = v })
	r := &shapeReader{definitions: definitions, read: map[string]*shape{}}
	return r.shape(root.Content[0])
})

type shapeReader struct {
	definitions map[string]*yaml.Node
	read        map[string]*shape // definitions already read, shared by those that refer to them
}

const definitionPrefix = "#/definitions/"

func (r *shapeReader) shape(n *yaml.Node) *shape {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	if ref := field(n, "$ref"); ref != nil {
		return r.definition(ref.Value)
	}
	s := &shape{}
	if all := field(n, "allOf"); all != nil {
		for _, e := range all.Content {
			if ref := field(e, "$ref"); ref != nil {
				*s = *r.definition(ref.Value)
			}
		}
	}
	each(n, func(k string, v *yaml.Node) {
		switch k {
		case "type":
			s.types = words(v)
		case "examples":
			s.example = v.Content[0]
		case "enum":
			s.enum = words(v)
		case "minimum":
			s.minimum = v.Value
		case "exclusiveMinimum":
			s.above = v.Value
		case "maximum":
			s.maximum = v.Value
		case "items":
			s.items = r.shape(v)
		case "additionalProperties":
			s.extra = r.shape(v)
		case "propertyNames":
			s.names = r.shape(v)
		case "properties":
			s.properties = map[string]*shape{}
			each(v, func(k string, v *yaml.Node) {
				s.keys = append(s.keys, k)
				s.properties[k] = r.shape(v)
			})
		}
	})
	return s
}

func (r *shapeReader) definition(ref string) *shape {
	name := strings.TrimPrefix(ref, definitionPrefix)
	if r.read[name] == nil {
		s := r.shape(r.definitions[name])
		if s == nil {
			s = &shape{}
		}
		s.definition = name
		r.read[name] = s
	}
	return r.read[name]
}

// child gives the shape of a key, nil when the schema does not know it.
func (s *shape) child(key string) *shape {
	if s == nil {
		return nil
	}
	if c := s.properties[key]; c != nil {
		return c
	}
	return s.extra
}

func (s *shape) is(kind string) bool { return s != nil && slices.Contains(s.types, kind) }

// limits words the range of a number, as "from 1 to 65535".
func (s *shape) limits() string {
	switch {
	case s.above != "" && s.maximum != "":
		return fmt.Sprintf("above %s and at most %s", s.above, s.maximum)
	case s.above != "":
		return "above " + s.above
	default:
		return fmt.Sprintf("from %s to %s", s.minimum, s.maximum)
	}
}

func words(n *yaml.Node) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{n.Value}
	}
	var out []string
	for _, e := range n.Content {
		out = append(out, e.Value)
	}
	return out
}

// field gives the value of a key of a mapping, nil when it has none.
func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func each(n *yaml.Node, do func(key string, value *yaml.Node)) {
	if n == nil {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		do(n.Content[i].Value, n.Content[i+1])
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9/_$.-]([A-Za-z0-9/_.@+% -]*[A-Za-z0-9/_.@+%-])?$`)

// flow writes a value on one line in YAML's flow style, quoting text only where it must be.
func flow(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		each(n, func(k string, v *yaml.Node) { parts = append(parts, flowText(k)+": "+flow(v)) })
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, e := range n.Content {
			parts = append(parts, flow(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.AliasNode:
		return "*" + n.Value
	default:
		if n.ShortTag() == "!!str" {
			return flowText(n.Value)
		}
		return n.Value
	}
}

func flowText(text string) string {
	probe := yaml.Node{Kind: yaml.ScalarNode, Value: text}
	if plainWord.MatchString(text) && probe.ShortTag() == "!!str" && text != "-" {
		return text
	}
	return fmt.Sprintf("%q", text)
}
