package blueprints

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// Bounds of what a spec may be, so that a small file cannot become a large amount of work.
const (
	maxDepth    = 32      // levels of nesting; the language itself needs 6
	maxAliased  = 100_000 // nodes reached through aliases, against alias bombs
	maxKey      = 256     // characters of a key
	mergeTag    = "!!merge"
	mergeMend   = "write <<: *name, or <<: [*one, *two], of mappings"
	aliasedMend = "write the values out, or use fewer aliases"
)

// expander copies a syntax tree with aliases and merge keys resolved, so that what follows sees plain mappings, lists and
// scalars, each with the place at which its text stands. It reports everything that YAML allows and a spec does not.
type expander struct {
	doc         *Document
	diagnostics Diagnostics
	active      map[*yaml.Node]bool // anchors being expanded, to find one that contains itself
	inAlias     int
	aliased     int
	outer       *yaml.Node // the alias that the spec itself holds, of those being expanded
	outerPath   string
	stopped     bool // a bound was hit; reported once
}

func (x *expander) report(n *yaml.Node, path, summary, mend string) {
	x.diagnostics = append(x.diagnostics, Diagnostic{
		Severity: Error, Requirement: path, Position: Position{x.doc.File, n.Line, n.Column}, Summary: summary, Mend: mend,
	})
	x.doc.markFaulty(path)
}

// expand gives nil for what cannot be used, after reporting it.
func (x *expander) expand(n *yaml.Node, path string, depth int) *yaml.Node {
	if x.stopped {
		return nil
	}
	if depth > maxDepth {
		x.stopped = true
		path, _, _ = strings.Cut(path, "[")
		x.report(n, path, fmt.Sprintf("is nested more than %d levels deep", maxDepth), "write it flatter; no part of a spec needs more than 6 levels")
		return nil
	}
	if x.inAlias > 0 {
		if x.aliased++; x.aliased > maxAliased {
			x.stopped = true
			x.report(x.outer, x.outerPath, fmt.Sprintf("aliases expand to more than %d values", maxAliased), aliasedMend)
			return nil
		}
	}
	if n.Kind == yaml.AliasNode {
		return x.alias(n, path, depth)
	}
	if !x.tagAllowed(n, path) {
		return nil
	}
	if n.Anchor != "" {
		x.active[n] = true
		defer delete(x.active, n)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return x.mapping(n, path, depth)
	case yaml.SequenceNode:
		c := &yaml.Node{Kind: n.Kind, Tag: "!!seq", Style: n.Style & yaml.FlowStyle, Line: n.Line, Column: n.Column}
		for i, e := range n.Content {
			v := x.expand(e, element(path, i), depth+1)
			if v == nil { // keep the index of those that follow
				v = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Line: e.Line, Column: e.Column}
			}
			c.Content = append(c.Content, v)
		}
		return c
	default:
		return &yaml.Node{Kind: n.Kind, Tag: n.ShortTag(), Value: n.Value, Style: n.Style &^ yaml.TaggedStyle, Line: n.Line, Column: n.Column}
	}
}

func (x *expander) alias(n *yaml.Node, path string, depth int) *yaml.Node {
	if x.active[n.Alias] {
		x.report(n, path, fmt.Sprintf("the alias *%s contains itself", n.Value), "write the values out")
		return nil
	}
	if x.inAlias == 0 {
		x.outer, x.outerPath = n, path
	}
	x.inAlias++
	defer func() { x.inAlias-- }()
	return x.expand(n.Alias, path, depth)
}

// tagAllowed refuses explicit tags other than those of plain values: a spec has no other types.
func (x *expander) tagAllowed(n *yaml.Node, path string) bool {
	if n.Style&yaml.TaggedStyle == 0 {
		return true
	}
	tag := n.ShortTag()
	ok := tag == "!!str" && n.Kind == yaml.ScalarNode || tag == "!!map" && n.Kind == yaml.MappingNode || tag == "!!seq" && n.Kind == yaml.SequenceNode
	if !ok {
		x.report(n, path, fmt.Sprintf("the tag %s is not part of the spec language", shorten(n.Tag)), "remove the tag, or put the value in quotes")
	}
	return ok
}

func (x *expander) mapping(n *yaml.Node, path string, depth int) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: "!!map", Style: n.Style & yaml.FlowStyle, Line: n.Line, Column: n.Column}
	seen := map[string]int{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content) && !x.stopped; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == mergeTag && key.Style == 0 {
			merges = append(merges, value)
			continue
		}
		name, ok := x.key(key, path)
		if !ok {
			continue
		}
		p := join(path, name)
		if first, twice := seen[name]; twice {
			x.diagnostics = append(x.diagnostics, Diagnostic{
				Severity: Error, Requirement: p, Position: Position{x.doc.File, key.Line, key.Column},
				Summary: fmt.Sprintf("%s is written twice, first on line %d", strconv.Quote(name), first), Mend: "keep one of the two",
			})
			continue
		}
		seen[name] = key.Line
		if v := x.expand(value, p, depth+1); v != nil {
			c.Content = append(c.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: key.Line, Column: key.Column}, v)
		}
	}
	for _, m := range merges {
		x.merge(c, m, path, depth, seen)
	}
	return c
}

// merge adds the entries of a mapping, or of each of a list of mappings, that are not there yet.
func (x *expander) merge(to, from *yaml.Node, path string, depth int, seen map[string]int) {
	target := from
	if from.Kind == yaml.AliasNode {
		target = from.Alias
	}
	switch target.Kind {
	case yaml.SequenceNode:
		if from.Kind == yaml.AliasNode && x.active[target] {
			x.report(from, path, fmt.Sprintf("the alias *%s contains itself", from.Value), "write the values out")
			return
		}
		for _, e := range target.Content {
			if e.Kind == yaml.SequenceNode || e.Kind == yaml.AliasNode && e.Alias.Kind == yaml.SequenceNode {
				x.report(e, path, "a merge key (<<) takes mappings only", mergeMend)
				continue
			}
			x.merge(to, e, path, depth, seen)
		}
	case yaml.MappingNode:
		if v := x.expand(from, path, depth); v != nil {
			for i := 0; i+1 < len(v.Content); i += 2 {
				if name := v.Content[i].Value; seen[name] == 0 {
					seen[name] = v.Content[i].Line
					to.Content = append(to.Content, v.Content[i], v.Content[i+1])
				}
			}
		}
	default:
		x.report(from, path, "a merge key (<<) takes mappings only", mergeMend)
	}
}

// key gives the text of a key, refusing what could not be part of a requirement's ID.
func (x *expander) key(n *yaml.Node, path string) (string, bool) {
	at := n
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	problem, mend := "", "write a plain word as the key"
	switch {
	case n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0:
		x.report(at, path, "a mapping is used as a key", "templates ({{ … }}) are not filled in: write the value itself")
		return "", false
	case n.Kind != yaml.ScalarNode:
		problem = "a key is a list or a mapping"
	case n.Value == "":
		problem = "a key is empty"
	case len(n.Value) > maxKey:
		problem, mend = fmt.Sprintf("the key %s is %d characters long", shorten(n.Value), len(n.Value)), fmt.Sprintf("write at most %d characters", maxKey)
	case strings.ContainsFunc(n.Value, func(r rune) bool { return !unicode.IsPrint(r) }):
		problem = fmt.Sprintf("the key %s has unprintable characters", shorten(n.Value))
	default:
		return n.Value, true
	}
	// The parent stays usable: only this entry is lost.
	x.diagnostics = append(x.diagnostics, Diagnostic{
		Severity: Error, Requirement: path, Position: Position{x.doc.File, at.Line, at.Column}, Summary: problem, Mend: mend,
	})
	return "", false
}

// shorten quotes a text for a message, on one line and cut to a readable length.
func shorten(text string) string {
	if r := []rune(text); len(r) > 48 {
		text = string(r[:47]) + "…"
	}
	return strconv.Quote(text)
}
