package catalog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"surety/blueprints"
)

// bookShape is the schema of price books as a tree, from which findings take their examples and the keys known at a place.
var bookShape = sync.OnceValue(func() map[string]any {
	var root map[string]any
	_ = json.Unmarshal(bookSchemaJSON, &root) // compiled before, when the first book was read
	return root
})

// shapeAt gives the part of the schema that holds for a path, or nil.
func shapeAt(path []string) map[string]any {
	at := bookShape()
	for _, key := range path {
		at = follow(at)
		properties, _ := at["properties"].(map[string]any)
		next, known := properties[key].(map[string]any)
		if !known {
			if _, err := strconv.Atoi(key); err == nil && at["items"] != nil {
				next, _ = at["items"].(map[string]any)
			} else {
				next, _ = at["additionalProperties"].(map[string]any)
			}
		}
		if next == nil {
			return nil
		}
		at = next
	}
	return follow(at)
}

// follow takes a reference to its definition.
func follow(at map[string]any) map[string]any {
	if ref, is := at["$ref"].(string); is {
		definitions, _ := bookShape()["definitions"].(map[string]any)
		to, _ := definitions[ref[len("#/definitions/"):]].(map[string]any)
		return to
	}
	return at
}

func keysAt(path []string) []string {
	properties, _ := shapeAt(path)["properties"].(map[string]any)
	return blueprints.SortedKeys(properties)
}

func enumAt(path []string) []string {
	shape := shapeAt(path)
	if only, is := shape["const"].(string); is {
		return []string{only}
	}
	words, _ := shape["enum"].([]any)
	var all []string
	for _, w := range words {
		all = append(all, fmt.Sprint(w))
	}
	return all
}

// example gives what could be written for a key, from the schema.
func example(path []string, key string) string {
	examples, _ := shapeAt(append(path[:len(path):len(path)], key))["examples"].([]any)
	if len(examples) == 0 {
		return "…"
	}
	return fmt.Sprint(examples[0])
}
