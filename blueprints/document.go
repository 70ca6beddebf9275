package blueprints

import (
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// Requirement is one leaf of the spec. Its ID is its path, as in "servers.web.expects.p95".
// Each element of uses, of backups.X.of and of expects.requests is a requirement ("servers.web.uses[0]").
// These are one requirement each, because their parts only mean something together: objectives.budget,
// objectives.residency, servers.X.public, servers.X.runs.command, servers.X.runs.versionCommand, backups.X.keep.
// A secret or bucket of which nothing is said but its name is one requirement: "buckets.media".
type Requirement struct {
	ID       string   `json:"id"`
	Value    string   `json:"value"` // as written, on one line
	Position Position `json:"position"`
}

// Document is a loaded spec with the position of everything in it.
type Document struct {
	File string // as named by the user
	Dir  string // folder of the file; Program paths are relative to it
	Spec Spec   // what was written and could be read; leaves with a fault are left out
	// Requirements are all leaves in the order written.
	Requirements []Requirement
	positions    map[string]Position
	faulty       map[string]bool // paths that a diagnostic of the loader names
	tainted      map[string]bool // parents of faulty paths
	unreadable   bool            // nothing could be read at all
}

// At gives the position of a requirement or of its nearest known parent.
func (d *Document) At(id string) Position {
	for ; id != ""; id = Parent(id) {
		if p, ok := d.positions[id]; ok {
			return p
		}
	}
	if p, ok := d.positions[""]; ok {
		return p
	}
	return Position{File: d.File}
}

// Written tells whether the spec says anything at this path. It tells a zero that was written from one left out.
func (d *Document) Written(id string) bool {
	_, ok := d.positions[id]
	return ok && !d.faulty[id]
}

// Sound tells whether the loader found nothing wrong at this path, above it or below it.
// Checks ask it before they report something that only follows from a fault already reported.
func (d *Document) Sound(id string) bool {
	if d.unreadable || d.tainted[id] {
		return false
	}
	for ; id != ""; id = Parent(id) {
		if d.faulty[id] {
			return false
		}
	}
	return true
}

// Parent gives the path one level up, "" for a section.
func Parent(id string) string {
	if at := strings.LastIndexAny(id, ".["); at > 0 {
		return id[:at]
	}
	return ""
}

// markFaulty records that a diagnostic names this path.
func (d *Document) markFaulty(id string) {
	if id == "" {
		return
	}
	d.faulty[id] = true
	for up := Parent(id); up != ""; up = Parent(up) {
		d.tainted[up] = true
	}
}

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

// requirements lists the leaves below a node, whose path is given whole and in parts, in the order written.
func (d *Document) requirements(id string, path []string, n *yaml.Node) {
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
			key := n.Content[i].Value
			d.requirements(join(id, key), append(path, key), n.Content[i+1])
		}
	case n.Kind == yaml.SequenceNode:
		for i, e := range n.Content {
			if p := element(id, i); !d.faulty[p] && !d.tainted[p] {
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
