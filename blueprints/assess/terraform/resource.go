package terraform

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints"
)

// resource is one managed resource of a state with its attributes as JSON gives them.
type resource struct {
	address, kind, name string
	values              map[string]any
}

// base is the address without the key of an instance: what count and for_each make equal ones of.
func (r resource) base() string {
	if strings.HasSuffix(r.address, "]") {
		return r.address[:strings.LastIndexByte(r.address, '[')]
	}
	return r.address
}

// text gives an attribute as a text, "" when it is not there.
func (r resource) text(key string) string { return text(r.values, key) }

func text(values map[string]any, key string) string {
	switch v := values[key].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func number(values map[string]any, key string) int64 {
	n, err := strconv.ParseFloat(text(values, key), 64)
	if err != nil {
		return 0
	}
	return int64(n)
}

func yes(values map[string]any, key string) bool {
	b, _ := values[key].(bool)
	return b
}

// gib is an attribute in gigabytes, which all three providers count as 2^30 bytes; 0 when it is not there.
func gib(values map[string]any, key string) blueprints.Bytes {
	return blueprints.Bytes(number(values, key)) << 30
}

// blocks gives a nested block, which a state holds as a list of objects.
func (r resource) blocks(key string) []map[string]any { return blocks(r.values, key) }

func blocks(values map[string]any, key string) []map[string]any {
	var out []map[string]any
	list, _ := values[key].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// block gives the one nested block of a name, or an empty one.
func block(values map[string]any, key string) map[string]any {
	if all := blocks(values, key); len(all) > 0 {
		return all[0]
	}
	return nil
}

func (r resource) texts(key string) []string { return texts(r.values, key) }

func texts(values map[string]any, key string) []string {
	var out []string
	list, _ := values[key].([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// ids are what other resources refer to it by.
func (r resource) ids() []string {
	var out []string
	for _, key := range []string{"id", "arn", "self_link"} {
		if id := r.text(key); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// allTexts lists all texts anywhere in a value, but those of one attribute at its top.
func allTexts(value any, but string) []string {
	var out []string
	switch v := value.(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, e := range v {
			out = append(out, allTexts(e, "")...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key != but {
				out = append(out, allTexts(v[key], "")...)
			}
		}
	}
	return out
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
