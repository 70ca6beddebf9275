package catalog

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/xeipuuv/gojsonschema"
	"gopkg.in/yaml.v3"

	"surety/blueprints"
)

//go:embed book.schema.json
var bookSchemaJSON []byte

// BookSchema gives the JSON Schema (draft-07) of price books. Each call gives a copy.
func BookSchema() []byte { return slices.Clone(bookSchemaJSON) }

var bookSchema = sync.OnceValues(func() (*gojsonschema.Schema, error) {
	loader := gojsonschema.NewSchemaLoader()
	loader.AutoDetect = false // a newer $schema would be accepted and its keywords ignored
	loader.Draft = gojsonschema.Draft7
	return loader.Compile(gojsonschema.NewBytesLoader(bookSchemaJSON))
})

// ReadBook reads a price book. What is wrong with it is in the findings, and then there is no book; an error is one of reading the file.
// No date of it may lie after now.
func ReadBook(file string, now time.Time) (*Book, Findings, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read price book: %w", err)
	}
	b, found, err := parseBook(file, text, now)
	if err != nil {
		return nil, nil, fmt.Errorf("read price book %q: %w", file, err)
	}
	if found.Sort().HasErrors() {
		return nil, found, nil
	}
	return b, found, nil
}

func parseBook(file string, text []byte, now time.Time) (*Book, Findings, error) {
	r := &bookReader{book: &Book{file: file}}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		line := 1
		if _, rest, has := strings.Cut(err.Error(), "line "); has {
			digits, _, _ := strings.Cut(rest, ":")
			if n, err := strconv.Atoi(digits); err == nil {
				line = n
			}
		}
		return nil, Findings{{Severity: blueprints.Error, Position: blueprints.Position{File: file, Line: line, Column: 1},
			Summary: "this is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: "), Mend: "check the indentation and quotes of this line and the one before"}}, nil
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return nil, Findings{{Severity: blueprints.Error, Position: blueprints.Position{File: file, Line: 1, Column: 1},
			Summary: "this is no price book", Mend: "begin it with: surety-book: v1"}}, nil
	}
	r.book.node = document.Content[0]
	schema, err := bookSchema()
	if err != nil {
		return nil, nil, err
	}
	result, err := schema.Validate(gojsonschema.NewGoLoader(plain(r.book.node)))
	if err != nil {
		return nil, nil, err
	}
	for _, e := range result.Errors() {
		r.explain(e)
	}
	if r.found.HasErrors() {
		return nil, r.found, nil
	}
	if err := r.book.node.Decode(r.book); err != nil {
		r.report(nil, "cannot be read: "+err.Error(), "")
		return nil, r.found, nil
	}
	r.meaning(now)
	return r.book, r.found, nil
}

type bookReader struct {
	book  *Book
	found Findings
}

// report adds a finding at a path of keys and indexes, or where that is not written at the nearest that is.
func (r *bookReader) report(path []string, summary, mend string) {
	n := r.book.node
	at := blueprints.Position{File: r.book.file, Line: n.Line, Column: n.Column}
walk:
	for _, key := range path {
		switch n.Kind {
		case yaml.MappingNode:
			next := false
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == key {
					at.Line, at.Column = n.Content[i].Line, n.Content[i].Column
					n, next = n.Content[i+1], true
					break
				}
			}
			if !next {
				break walk
			}
		case yaml.SequenceNode:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(n.Content) {
				break walk
			}
			n = n.Content[i]
			at.Line, at.Column = n.Line, n.Column
		default:
			break walk
		}
	}
	r.found = append(r.found, blueprints.Diagnostic{Severity: blueprints.Error, Position: at, Requirement: strings.Join(path, "."), Summary: summary, Mend: mend})
}

// explain words one finding of the schema library, at the value it is about.
func (r *bookReader) explain(e gojsonschema.ResultError) {
	path := strings.Split(e.Context().String("\x00"), "\x00")[1:]
	property, _ := e.Details()["property"].(string)
	switch e.(type) {
	case *gojsonschema.NumberAllOfError, *gojsonschema.NumberOneOfError: // their parts are reported on their own
	case *gojsonschema.RequiredError:
		r.report(path, fmt.Sprintf("%q is missing", property), "add: "+property+": "+example(path, property))
	case *gojsonschema.AdditionalPropertyNotAllowedError:
		known := keysAt(path)
		mend := blueprints.DidYouMean(property, known)
		if mend == "" {
			mend = "remove it; known here are " + strings.Join(known, ", ")
		}
		r.report(append(path, property), fmt.Sprintf("unknown key %q", property), mend)
	case *gojsonschema.InvalidPropertyNameError:
		r.report(append(path, property), fmt.Sprintf("%q is no usable name", property), "use lower-case letters, digits and hyphens, beginning with a letter")
	case *gojsonschema.EnumError, *gojsonschema.ConstError:
		r.report(path, fmt.Sprintf("%v is not known here", e.Value()), blueprints.DidYouMean(fmt.Sprint(e.Value()), enumAt(path)))
	default:
		mend := "write " + example(path[:max(len(path)-1, 0)], last(path))
		r.report(path, fmt.Sprintf("%v: %s", e.Value(), strings.ToLower(e.Description()[:1])+e.Description()[1:]), mend)
	}
}

func last(path []string) string {
	if len(path) == 0 {
		return ""
	}
	return path[len(path)-1]
}

// plain turns YAML into what a JSON reader would give. A date stays the text that it was written as.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.AliasNode:
		return plain(n.Alias)
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		all := []any{}
		for _, e := range n.Content {
			all = append(all, plain(e))
		}
		return all
	}
	var value any
	switch n.ShortTag() {
	case "!!int", "!!float", "!!bool":
		if n.Decode(&value) == nil {
			return value
		}
	case "!!null":
		return nil
	}
	return n.Value
}
