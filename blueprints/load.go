package blueprints

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// FileName is the spec's name inside a folder that is given instead of a file.
const FileName = "surety.yaml"

// MaxSize is the largest spec that is read, in bytes. A spec of 1,000 server groups takes about 250 KiB.
const MaxSize = 1 << 20

// Load reads a spec from a file, or from surety.yaml in a folder. An error means that the file could not be read;
// whatever is wrong with its content is in the diagnostics. It changes nothing and may be repeated.
func Load(path string) (*Document, Diagnostics, error) {
	file := path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		file = filepath.Join(path, FileName)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read spec: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read spec %q: %w", file, err)
	}
	doc, ds := Parse(file, data)
	return doc, ds, nil
}

// Parse reads a spec from bytes. File is only used to name positions and to find the folder that programs are relative to.
// It never panics and always gives a Document: with diagnostics that are errors, its Spec holds what could be read.
func Parse(file string, data []byte) (*Document, Diagnostics) {
	doc := &Document{
		File: file, Dir: filepath.Dir(file), positions: map[string]Position{},
		faulty: map[string]bool{}, tainted: map[string]bool{},
	}
	text, ds := checkText(file, data)
	if ds.HasErrors() {
		doc.unreadable = true
		return doc, ds.Sort()
	}
	root, syntax := parseYAML(file, text)
	if ds = append(ds, syntax...); root == nil {
		doc.unreadable = true
		return doc, ds.Sort()
	}
	ds = append(ds, doc.read(root)...)
	return doc, oncePerPlace(ds.Sort())
}

// oncePerPlace drops what was found again at the same place for another path: the text of an anchor is read for each alias.
func oncePerPlace(ds Diagnostics) Diagnostics {
	type finding struct {
		at      Position
		summary string
	}
	seen := map[finding]bool{}
	return slices.DeleteFunc(ds, func(d Diagnostic) bool {
		f := finding{d.Position, d.Summary}
		again := seen[f]
		seen[f] = true
		return again
	})
}

// read takes a syntax tree through expansion and the schema into the Spec.
func (d *Document) read(root *yaml.Node) Diagnostics {
	x := &expander{doc: d, active: map[*yaml.Node]bool{}}
	tree := x.expand(root, "", 0)
	if tree == nil || x.stopped {
		d.unreadable = true
		return x.diagnostics
	}
	v := &validator{doc: d, at: map[string]entry{}}
	v.index("", nil, tree, specShape())
	v.validate(tree)
	ds := append(x.diagnostics, v.diagnostics...)
	if tree.Kind != yaml.MappingNode {
		d.unreadable = true
		return ds
	}
	pruned := tree
	if len(d.faulty) > 0 {
		pruned = d.prune("", tree)
	}
	if err := pruned.Decode(&d.Spec); err != nil {
		// The schema and the Go types disagree: a fault of ours, but the user must not lose the other findings.
		d.unreadable = true
		return append(ds, Diagnostic{
			Severity: Error, Position: d.At(""), Summary: fmt.Sprintf("cannot be read: %v", err),
			Mend: "this is a fault of surety; please report it with the spec",
		})
	}
	d.requirements("", make([]string, 0, maxDepth), pruned)
	return ds
}

// prune copies the tree without what is faulty. Elements of lists are emptied instead, so that those after them keep their index.
func (d *Document) prune(path string, n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if p := join(path, n.Content[i].Value); !d.faulty[p] {
				c.Content = append(c.Content, n.Content[i], d.prune(p, n.Content[i+1]))
			}
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			p := element(path, i)
			if d.faulty[p] {
				e = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null", Line: e.Line, Column: e.Column} // empty, whatever it should be
			}
			c.Content = append(c.Content, d.prune(p, e))
		}
	}
	return &c
}

// join gives the path of a key below a parent.
func join(parent, key string) string {
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// element gives the path of an element of a list.
func element(parent string, i int) string { return parent + "[" + strconv.Itoa(i) + "]" }
