package blueprints

import (
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// composites are the paths that are one requirement each though they have parts; * stands for any name.
var composites = [][]string{
	{"objectives", "budget"}, {"objectives", "residency"}, {"servers", "*", "public"}, {"servers", "*", "runs", "command"},
	{"servers", "*", "runs", "versionCommand"}, {"backups", "*", "keep"},
}

// bare are the paths at which an empty value is a requirement: that the thing exists.
var bare = [][]string{{"secrets", "*"}, {"buckets", "*"}}

func matches(path []string, patterns [][]string) bool {
	for _, p := range patterns {
		if len(p) != len(path) {
			continue
		}
		same := true
		for i := range p {
			same = same && (p[i] == "*" || p[i] == path[i])
		}
		if same {
			return true
		}
	}
	return false
}

// requirements lists the leaves below a node in the order written.
func (d *Document) requirements(path []string, n *yaml.Node) {
	id := strings.Join(path, ".")
	if d.faulty[id] || d.tainted[id] && matches(path, composites) {
		return
	}
	empty := len(n.Content) == 0 && (n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null")
	switch {
	case empty && !matches(path, bare):
	case n.Kind == yaml.ScalarNode, empty, matches(path, composites):
		d.Requirements = append(d.Requirements, Requirement{ID: id, Value: oneLine(n), Position: d.At(id)})
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.requirements(append(path[:len(path):len(path)], n.Content[i].Value), n.Content[i+1])
		}
	case n.Kind == yaml.SequenceNode:
		for i, e := range n.Content {
			if p := element(id, i); !d.faulty[p] {
				d.Requirements = append(d.Requirements, Requirement{ID: p, Value: oneLine(e), Position: d.At(p)})
			}
		}
	}
}

// oneLine gives a value as it was written, without the quotes of a single text.
func oneLine(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		return flow(n)
	}
	return printable(n.Value)
}

// printable writes what would break a line or hide itself as an escape.
func printable(text string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) && r != '\u3000' && r != '\u00a0' }
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
