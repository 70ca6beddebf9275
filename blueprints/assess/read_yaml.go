package assess

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"surety/blueprints"
)

// topKeys are the keys of an inventory beside its systems.
var topKeys = []string{"inventory", "name", "systems"}

var lineOfError = regexp.MustCompile(`line (\d+): (.*)`)

func (r *reader) yaml(data []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := decoder.Decode(&doc)
	if err == nil {
		if again := decoder.Decode(&more); again == nil {
			r.fault(r.place(&more), "", "a second YAML document begins here", "keep one inventory in a file: remove the line ---")
			return
		} else if !errors.Is(again, io.EOF) {
			err = again
		}
	}
	start := blueprints.Position{File: r.file, Line: 1, Column: 1}
	const form = "write inventory: v1 and systems: […], each system with its name and kind; see docs/assess.md"
	switch {
	case errors.Is(err, io.EOF):
		r.fault(start, "", "the file is empty", form)
		return
	case err != nil:
		message := strings.TrimPrefix(err.Error(), "yaml: ")
		if m := lineOfError.FindStringSubmatch(message); m != nil {
			start.Line, _ = strconv.Atoi(m[1])
			message = m[2]
		}
		r.fault(start, "", "this is not valid YAML: "+message, "check the indentation, quotes and brackets here and on the line above")
		return
	case doc.Content[0].Kind != yaml.MappingNode:
		r.fault(r.place(doc.Content[0]), "", "the file is not a mapping of keys to values", form)
		return
	}
	root := doc.Content[0]
	given := map[string]*yaml.Node{}
	r.each(root, "", topKeys, func(key string, k, v *yaml.Node) { given[key] = v })
	if v := given["inventory"]; v == nil {
		r.fault(r.place(root), "inventory", `"inventory" is missing`, "add inventory: v1")
	} else if v.Value != "v1" {
		r.fault(r.place(v), "inventory", fmt.Sprintf("%q is not a known version of inventories", v.Value), "write inventory: v1")
	}
	if v := given["name"]; v != nil {
		if slug := blueprints.Slug(v.Value); slug == "" || slug != v.Value {
			r.fault(r.place(v), "name", fmt.Sprintf("%q is not a usable name", v.Value), "use lower-case letters, digits and hyphens, beginning with a letter, at most 30")
		} else {
			r.inv.Name = v.Value
		}
	}
	systems := given["systems"]
	switch {
	case systems == nil:
		r.fault(r.place(root), "systems", `"systems" is missing`, form)
	case systems.Kind != yaml.SequenceNode:
		r.fault(r.place(systems), "systems", "is not a list", "begin each system with a hyphen: - name: portal-web")
	default:
		for i, n := range systems.Content {
			r.system(i, n)
		}
	}
}

func (r *reader) system(i int, n *yaml.Node) {
	id := fmt.Sprintf("systems[%d]", i)
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		r.fault(r.place(n), id, "is not a system", "write - name: portal-web and kind: server below each other")
		return
	}
	for k := 0; k+1 < len(n.Content); k += 2 {
		if n.Content[k].Value == "name" && n.Content[k+1].Value != "" {
			id = "systems." + n.Content[k+1].Value
		}
	}
	var entries []entry
	r.each(n, id, Keys(), func(key string, k, v *yaml.Node) {
		f, _ := fieldOf(key)
		if cells, ok := r.cells(id+"."+key, f, v); ok {
			entries = append(entries, entry{f, r.place(v), cells})
		} else if key == "name" || key == "kind" {
			entries = append(entries, entry{f, r.place(v), nil}) // it is there, and reported already
		}
	})
	r.add(r.place(n), entries)
}

// cells reads a scalar, or a list of them. Numbers and words are taken as they are written, so that "8.10" stays 8.10.
func (r *reader) cells(id string, f field, v *yaml.Node) ([]cell, bool) {
	if v.Kind == yaml.AliasNode {
		v = v.Alias
	}
	example := fmt.Sprintf("write %s: %s", f.key, f.example)
	switch {
	case v.Kind == yaml.ScalarNode && v.ShortTag() == "!!null" && v.Value == "":
		r.fault(r.place(v), id, "there is no value", example+", or leave it out when it is not known")
		return nil, false
	case v.Kind == yaml.ScalarNode:
		return []cell{{v.Value, r.place(v)}}, true
	case v.Kind == yaml.SequenceNode && f.list:
		var out []cell
		for i, e := range v.Content {
			if e.Kind != yaml.ScalarNode {
				r.fault(r.place(e), fmt.Sprintf("%s[%d]", id, i), "is not a single value", example)
				continue
			}
			out = append(out, cell{e.Value, r.place(e)})
		}
		return out, true
	case v.Kind == yaml.SequenceNode:
		r.fault(r.place(v), id, "is a list and must be one value", example)
	default:
		r.fault(r.place(v), id, "is a mapping and must be a value", example)
	}
	return nil, false
}

// each walks a mapping and reports keys that are unknown or there twice.
func (r *reader) each(n *yaml.Node, id string, known []string, do func(key string, k, v *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		path := strings.TrimPrefix(id+"."+k.Value, ".")
		switch {
		case seen[k.Value]:
			r.fault(r.place(k), path, fmt.Sprintf("the key %q is there twice", k.Value), "remove one of the two")
		case !slices.Contains(known, k.Value):
			r.fault(r.place(k), path, fmt.Sprintf("unknown key %q", k.Value), blueprints.DidYouMean(k.Value, known))
		default:
			do(k.Value, k, v)
		}
		seen[k.Value] = true
	}
}

func (r *reader) place(n *yaml.Node) blueprints.Position {
	return blueprints.Position{File: r.file, Line: n.Line, Column: n.Column}
}
