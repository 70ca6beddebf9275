package blueprints

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"
	"gopkg.in/yaml.v3"
)

// entry is what is known about one path of a spec.
type entry struct {
	key   *yaml.Node // nil for the root and for elements of lists
	value *yaml.Node
	shape *shape // nil where the schema knows nothing
}

// validator judges an expanded tree by the schema and words the findings.
type validator struct {
	doc         *Document
	at          map[string]entry
	diagnostics Diagnostics
}

// quantities are the definitions whose text is read by our own parsers, whose errors say more than a pattern can.
var quantities = map[string]func(string) error{
	"bytes":      func(s string) error { _, err := ParseBytes(s); return err },
	"throughput": func(s string) error { _, err := ParseThroughput(s); return err },
	"duration":   func(s string) error { _, err := ParseDuration(s); return err },
	"percent":    func(s string) error { _, err := ParsePercent(s); return err },
}

// index notes the place and shape of every path, and reads the quantities.
func (v *validator) index(path string, key, n *yaml.Node, s *shape) {
	v.at[path] = entry{key, n, s}
	at := n
	if key != nil && n.Kind != yaml.ScalarNode && n.Line != key.Line || key != nil && n.ShortTag() == "!!null" {
		at = key // the first line of a block is the next thing already
	}
	v.doc.positions[path] = Position{v.doc.File, at.Line, at.Column}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			v.index(join(path, n.Content[i].Value), n.Content[i], n.Content[i+1], s.child(n.Content[i].Value))
		}
	case yaml.SequenceNode:
		var items *shape
		if s != nil {
			items = s.items
		}
		for i, e := range n.Content {
			v.index(element(path, i), nil, e, items)
		}
	case yaml.ScalarNode:
		if s == nil {
			return
		}
		if parse := quantities[s.definition]; parse == nil {
			v.number(path, n, s)
		} else if n.Tag != "!!null" {
			if err := parse(n.Value); err != nil {
				v.quantity(path, err)
			}
		}
	}
}

func (v *validator) quantity(path string, err error) {
	if u := (*UnitError)(nil); errors.As(err, &u) {
		v.report(path, shorten(u.Text)+" "+u.Problem, u.Mend)
		return
	}
	v.report(path, err.Error(), "write "+flow(v.at[path].shape.example))
}

func (v *validator) report(path, summary, mend string) {
	v.add(path, v.doc.At(path), summary, mend)
}

func (v *validator) add(path string, at Position, summary, mend string) {
	v.diagnostics = append(v.diagnostics, Diagnostic{Severity: Error, Requirement: path, Position: at, Summary: summary, Mend: mend})
	v.doc.markFaulty(path)
}

// separator cannot be part of a key: keys with unprintable characters are refused before.
const separator = "\x00"

// validate runs the schema over the tree and reports each finding at the node it is about.
func (v *validator) validate(tree *yaml.Node) {
	schema, err := compiledSchema()
	if err != nil {
		v.report("", fmt.Sprintf("cannot be judged: %v", err), "this is a fault of surety; please report it")
		return
	}
	result, err := schema.Validate(gojsonschema.NewRawLoader(toJSON(tree)))
	if err != nil {
		v.report("", fmt.Sprintf("cannot be judged: %v", err), "this is a fault of surety; please report it with the spec")
		return
	}
	findings := result.Errors()
	// Unknown keys first: a misspelt key explains why another is missing.
	slices.SortStableFunc(findings, func(a, b gojsonschema.ResultError) int { return rank(a) - rank(b) })
	for _, e := range findings {
		path := ""
		n := tree
		for _, part := range strings.Split(e.Context().String(separator), separator)[1:] {
			if n != nil && n.Kind == yaml.SequenceNode {
				i, _ := strconv.Atoi(part)
				path, n = element(path, i), n.Content[i]
			} else {
				path, n = join(path, part), field(n, part)
			}
		}
		v.explain(path, e)
	}
}

func rank(e gojsonschema.ResultError) int {
	if _, unknown := e.(*gojsonschema.AdditionalPropertyNotAllowedError); unknown {
		return 0
	}
	return 1
}

// toJSON gives the tree as the values that the schema library reads. A number keeps its digits.
func toJSON(n *yaml.Node) any {
	switch {
	case n.Kind == yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = toJSON(n.Content[i+1])
		}
		return m
	case n.Kind == yaml.SequenceNode:
		l := make([]any, 0, len(n.Content))
		for _, e := range n.Content {
			l = append(l, toJSON(e))
		}
		return l
	case n.Tag == "!!str":
		return n.Value
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return n.Value
	}
	switch x := value.(type) {
	case nil, bool:
		return x
	case int, int64, uint64:
		return json.Number(fmt.Sprint(x))
	case float64:
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return json.Number("1") // it is reported where it stands
		}
		return json.Number(strconv.FormatFloat(x, 'g', -1, 64))
	default: // a date: in a spec it is text
		return n.Value
	}
}

// number refuses what YAML takes for a number and a person does not: infinities, and a leading zero, which means base 8.
func (v *validator) number(path string, n *yaml.Node, s *shape) {
	digits := strings.TrimLeft(n.Value, "+-")
	switch {
	case !s.is("number") && !s.is("integer") || digits == "":
	case n.Tag == "!!float" && strings.Trim(digits, "0123456789_.eE+-") != "":
		v.report(path, cut(n.Value)+" is not a finite number", "write a number, as in "+v.assignment(path, s))
	case n.Tag == "!!int" && len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9':
		v.report(path, cut(n.Value)+" begins with a zero, which YAML reads in base 8", "write "+cut(strings.TrimLeft(digits, "0")))
	}
}
