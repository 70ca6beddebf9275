package blueprints

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/xeipuuv/gojsonschema"
)

func TestSchemaIsDraft07AndCompiles(t *testing.T) {
	if _, err := compiledSchema(); err != nil {
		t.Fatal(err)
	}
	var root struct {
		Schema string `json:"$schema"`
	}
	if err := json.Unmarshal(Schema(), &root); err != nil || root.Schema != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("%q %v", root.Schema, err)
	}
	meta, err := gojsonschema.NewSchema(gojsonschema.NewReferenceLoader("http://json-schema.org/draft-07/schema#")) // embedded in the library
	if err != nil {
		t.Fatal(err)
	}
	result, err := meta.Validate(gojsonschema.NewBytesLoader(Schema()))
	if err != nil || !result.Valid() {
		t.Errorf("against the meta-schema: %v %v", err, result.Errors())
	}
	Schema()[0] = 'x'
	if Schema()[0] != '{' {
		t.Error("a caller can change the schema")
	}
}

// nodes calls visit for every schema in the file, with its place.
func nodes(place string, v any, visit func(place string, node map[string]any)) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	visit(place, m)
	for _, key := range []string{"properties", "definitions"} {
		children, _ := m[key].(map[string]any)
		for name, c := range children {
			nodes(place+"/"+name, c, visit)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		nodes(place+"/"+key, m[key], visit)
	}
}

func schemaRoot(t *testing.T) map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// An editor shows the description at the pointer and offers the examples: every property has both, every object is closed,
// and every example is right by the schema that it stands in.
func TestEverySchemaNodeIsDescribedAndItsExamplesAreRight(t *testing.T) {
	root, seen := schemaRoot(t), 0
	nodes("", root, func(place string, n map[string]any) {
		if _, ref := n["$ref"]; ref {
			return
		}
		seen++
		if d, _ := n["description"].(string); len(d) < 8 || !strings.HasSuffix(d, ".") {
			t.Errorf("%s: description %q", place, d)
		}
		if n["properties"] != nil && n["additionalProperties"] != false {
			t.Errorf("%s takes unknown keys", place)
		}
		examples, _ := n["examples"].([]any)
		if len(examples) == 0 && place != "" && n["allOf"] == nil {
			t.Errorf("%s has no example", place)
		}
		part := map[string]any{"$schema": root["$schema"], "definitions": root["definitions"], "allOf": []any{n}}
		schema, err := gojsonschema.NewSchema(gojsonschema.NewGoLoader(part))
		if err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		for _, e := range examples {
			if result, err := schema.Validate(gojsonschema.NewGoLoader(e)); err != nil || !result.Valid() {
				t.Errorf("%s: the example %v is wrong: %v %v", place, e, err, result.Errors())
			}
		}
	})
	if seen < 70 {
		t.Errorf("only %d nodes were looked at", seen)
	}
}

// The schema and the Go types describe the same language.
func TestSchemaAgreesWithTheTypes(t *testing.T) {
	agree(t, "spec", reflect.TypeFor[Spec](), specShape())
}

func agree(t *testing.T, place string, typ reflect.Type, s *shape) {
	t.Helper()
	if s == nil {
		t.Errorf("%s: not in the schema", place)
		return
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	definitions := map[reflect.Type]string{
		reflect.TypeFor[Bytes](): "bytes", reflect.TypeFor[Throughput](): "throughput", reflect.TypeFor[Duration](): "duration", reflect.TypeFor[Percent](): "percent",
	}
	if want, ok := definitions[typ]; ok {
		if s.definition != want {
			t.Errorf("%s: is %s in Go and %q in the schema", place, want, s.definition)
		}
		return
	}
	switch typ.Kind() {
	case reflect.Struct:
		var keys []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			key := f.Tag.Get("yaml")
			if j, _, _ := strings.Cut(f.Tag.Get("json"), ","); j != key {
				t.Errorf("%s.%s: yaml key %q, json key %q", place, f.Name, key, j)
			}
			keys = append(keys, key)
			agree(t, place+"."+key, f.Type, s.properties[key])
		}
		for _, k := range s.keys {
			if !slices.Contains(keys, k) {
				t.Errorf("%s.%s: in the schema and not in Go", place, k)
			}
		}
	case reflect.Map:
		if s.names == nil {
			t.Errorf("%s: the schema does not judge the names", place)
		}
		agree(t, place+".*", typ.Elem(), s.extra)
	case reflect.Slice:
		agree(t, place+"[]", typ.Elem(), s.items)
	default:
		want := map[reflect.Kind]string{reflect.String: "string", reflect.Int: "integer", reflect.Float64: "number", reflect.Bool: "boolean"}[typ.Kind()]
		if want == "" || !s.is(want) && (want != "string" || len(s.enum) == 0) {
			t.Errorf("%s: is %s in Go and %v in the schema", place, typ, s.types)
		}
	}
}

// The patterns of the schema, which editors use, and the parsers accept the same.
func TestPatternsAndParsersAgree(t *testing.T) {
	root := schemaRoot(t)
	for definition, parse := range quantities {
		schema, err := gojsonschema.NewSchema(gojsonschema.NewGoLoader(map[string]any{"definitions": root["definitions"], "$ref": definitionPrefix + definition}))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"512MiB", "4GiB", "20GB", "1kB", "1KB", "5B", "512", "4 GiB", "-1GiB", "1.5GiB", ".5GiB", "5.GiB", "GiB", "", "1Mi", "4gib", "1e3GiB",
			"50MiB/s", "50MiB/S", "50/s", "150ms", "15m", "1h30m", "7d", "2w", "5us", "5ns", "5", "1.5h", "5M", "5 m", "99.9", "0.1%", "99,9", "0.1 %", "%", "abc",
		} {
			result, err := schema.Validate(gojsonschema.NewGoLoader(text))
			if err != nil {
				t.Fatal(err)
			}
			if accepted := parse(text) == nil; accepted != result.Valid() {
				t.Errorf("%s %q: parser %v, schema %v", definition, text, accepted, result.Valid())
			}
		}
	}
}
