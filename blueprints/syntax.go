package blueprints

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// checkText judges the file as text, before YAML is read from it, and takes off what YAML need not see.
func checkText(file string, data []byte) ([]byte, Diagnostics) {
	finding := func(s Severity, offset int, summary, mend string) Diagnostic {
		id := ""
		if s == Error && offset > 0 {
			id = enclosing(data, offset)
		}
		return Diagnostic{Severity: s, Requirement: id, Position: position(file, data, offset), Summary: summary, Mend: mend}
	}
	if len(data) > MaxSize {
		return nil, Diagnostics{finding(Error, 0, "the file is larger than 1 MiB", "split it into several environments; put large files beside the spec")}
	}
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(data, []byte(mark)) {
			return nil, Diagnostics{{Severity: Error, Position: Position{file, 1, 1}, Summary: "the file is UTF-16 and not UTF-8", Mend: "save it as UTF-8"}}
		}
	}
	var ds Diagnostics
	text, marked := bytes.CutPrefix(data, []byte("\xef\xbb\xbf"))
	if marked {
		ds = append(ds, finding(Warning, 0, "the file begins with a byte order mark", "save it as UTF-8 without BOM"))
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		offset := len(data) - len(text) + at
		switch {
		case r == utf8.RuneError && size == 1:
			return nil, append(ds, finding(Error, offset, fmt.Sprintf("the byte 0x%02x is not UTF-8", text[at]), "save the file as UTF-8, or remove the character"))
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
			return nil, append(ds, finding(Error, offset, fmt.Sprintf("the character U+%04X is not allowed as such", r), `remove it, or write it as an escape in double quotes, as in "\x07"`))
		}
		if r == '\r' && !bytes.HasPrefix(text[at:], []byte("\r\n")) {
			return nil, append(ds, finding(Error, offset, "a carriage return stands alone", "save the file with LF line ends"))
		}
		at += size
	}
	if at := bytes.IndexByte(text, '\r'); at >= 0 {
		ds = append(ds, finding(Warning, len(data)-len(text)+at, "lines end with a carriage return (CRLF)", "save it with LF line ends, so that the file is the same on every machine"))
	}
	return text, ds
}

// position counts the line and column, in characters, of a byte of the file.
func position(file string, data []byte, offset int) Position {
	before := bytes.TrimPrefix(data[:min(offset, len(data))], []byte("\xef\xbb\xbf"))
	lines := bytes.Count(before, []byte("\n"))
	last := before[bytes.LastIndexByte(before, '\n')+1:]
	return Position{file, lines + 1, utf8.RuneCount(last) + 1}
}

// parseYAML reads the one document of the file. It gives nil when there is none to work on.
func parseYAML(file string, text []byte) (*yaml.Node, Diagnostics) {
	whole := func(at Position, summary, mend string) (*yaml.Node, Diagnostics) {
		return nil, Diagnostics{{Severity: Error, Position: at, Summary: summary, Mend: mend}}
	}
	docs, err := decodeAll(bytes.NewReader(text))
	if err != nil {
		return nil, Diagnostics{syntaxError(file, text, err)}
	}
	const starter = "write surety: v1 and name: …, or let surety init write a starter"
	if len(docs) == 0 || len(docs[0].Content) == 0 || docs[0].Content[0].ShortTag() == "!!null" && len(docs) == 1 {
		return whole(Position{file, 1, 1}, "the file is empty", starter)
	}
	if len(docs) > 1 {
		at := Position{file, docs[1].Line, docs[1].Column}
		return whole(at, "a second YAML document begins here", "keep one document in a file: remove the line ---, or move what follows to a file of its own")
	}
	root := docs[0].Content[0]
	if root.Kind != yaml.MappingNode {
		return whole(Position{file, root.Line, root.Column}, "the file is not a mapping of keys to values", starter)
	}
	return root, nil
}

// decodeAll reads at most three documents: one is wanted, more is wrong already.
// A panic of the parser is contained, so that no file can bring the tool down.
func decodeAll(r io.Reader) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser failed: %v", p)
		}
	}()
	for decoder := yaml.NewDecoder(r); len(docs) < 3; {
		var n yaml.Node
		switch err := decoder.Decode(&n); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return docs, err
		}
		docs = append(docs, &n)
	}
	return docs, nil
}

// syntaxErrors words what the YAML parser says for someone who does not know its grammar.
var syntaxErrors = []struct{ has, summary, mend string }{
	{"did not find expected ',' or ']'", "the list that begins here is not closed or misses a comma", "write [a, b, c]"},
	{"did not find expected ',' or '}'", "the mapping that begins here is not closed or misses a comma", "write {a: 1, b: 2}"},
	{"found unexpected end of stream", "the text that begins here is not closed", "add the missing quote at its end"},
	{"found unexpected document indicator", "the text that begins here is not closed", "add the missing quote at its end"},
	{"mapping values are not allowed", "a second key on one line, or a key that is indented too far", "put the value in quotes, or begin a new line with the indentation of its neighbours"},
	{"did not find expected key", "the indentation does not fit the lines above", "indent with two spaces per level, and neighbours alike"},
	{"did not find expected '-' indicator", "the indentation does not fit the list above", "indent all elements of a list alike, each beginning with -"},
	{"block sequence entries are not allowed", "a list cannot begin here", "begin the list on a new line, or write [a, b]"},
	{"could not find expected ':'", "this is neither a key with a value nor an element of a list", "write key: value, or put a text of several lines in quotes"},
	{"unknown anchor", "the alias refers to no anchor", "define it before with &, or put the text in quotes when the * is meant literally"},
	{"did not find expected alphabetic or numeric character", "an anchor or alias without a name", "put the text in quotes when & or * is meant literally"},
	{"found unknown escape character", "an unknown escape after a backslash", `use single quotes, or write \\ for a backslash`},
	{"did not find expected hexdecimal number", "an escape with too few digits", `use single quotes, or write \\ for a backslash`},
	{"found character that cannot start any token", "a value cannot begin with this character", "put the value in quotes"},
	{"document start", "this does not belong to the value above", "begin a new line with a key, and check quotes and brackets on the lines above"},
	{"max depth", "the nesting is too deep", "write it flatter; no part of a spec needs more than 6 levels"},
}

func syntaxError(file string, text []byte, err error) Diagnostic {
	offset := locate(text)
	d := Diagnostic{
		Severity: Error, Position: position(file, text, offset), Requirement: enclosing(text, offset),
		Summary: "this is not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: "), Mend: "check the indentation, quotes and brackets here and on the line above",
	}
	for _, known := range syntaxErrors {
		if strings.Contains(err.Error(), known.has) {
			d.Summary, d.Mend = known.summary, known.mend
			break
		}
	}
	start := lineStart(text, offset)
	if strings.Contains(err.Error(), "did not find expected key") && offset > firstWord(text, start, len(text)) {
		d.Summary = "this does not belong to the value before it"
		d.Mend = "put the whole value in quotes, and write two quotes for one inside single quotes"
	}
	if indent := text[start : start+len(text[start:])-len(bytes.TrimLeft(text[start:], " \t"))]; bytes.IndexByte(indent, '\t') >= 0 {
		d.Position = position(file, text, start+bytes.IndexByte(indent, '\t'))
		d.Summary, d.Mend = "a tab is used for indentation", "indent with spaces, two per level"
	}
	return d
}

// The YAML parser names at most a line, and often one beside the fault. So the place is found by trying: the longest
// beginning of the file that is valid ends where the fault begins. An opened quote or bracket makes every longer
// beginning invalid, so that it is its opening that is found, not the end of the file.

// tryBudget bounds the bytes parsed while searching.
const tryBudget = 4 * MaxSize

type trial struct {
	text   []byte
	budget int
}

func (t *trial) valid(end int) bool {
	t.budget -= end + 1
	_, err := decodeAll(bytes.NewReader(t.text[:end]))
	return err == nil
}

// locate gives the offset of the fault in a text that is not valid YAML, always within the text.
func locate(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	t := &trial{text: text, budget: tryBudget}
	line := lineStart(text, detected(text))
	if deepest(text) > maxDepth {
		return min(firstWord(text, line, len(text)), len(text)-1) // the parser takes longer the deeper it is: once is enough
	}
	for at := line; t.budget > 0; at = lineStart(text, at-1) {
		if t.valid(at) {
			line = at
			break
		}
		if at == 0 {
			break
		}
	}
	end := line + bytes.IndexByte(text[line:], '\n')
	if end < line {
		end = len(text)
	}
	for at := end; at > line && t.budget > 0; at-- {
		if t.valid(at) {
			return wordStart(text, line, min(at, end-1))
		}
	}
	return min(firstWord(text, line, end), len(text)-1)
}

// deepest gives an upper bound of the nesting in flow style, counting brackets in texts too.
func deepest(text []byte) int {
	depth, most := 0, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth = max(0, depth-1)
		}
	}
	return most
}

// detected gives the offset up to which the parser had read when it gave up.
func detected(text []byte) int {
	r := &countingReader{text: text}
	_, _ = decodeAll(r)
	return max(0, min(r.read, len(text))-1)
}

// countingReader hands out one byte at a time, so that the parser does not read ahead.
type countingReader struct {
	text []byte
	read int
}

// Read gives the next byte.
func (r *countingReader) Read(p []byte) (int, error) {
	if r.read >= len(r.text) {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, errors.New("read into nothing")
	}
	p[0] = r.text[r.read]
	r.read++
	return 1, nil
}

func lineStart(text []byte, at int) int {
	return bytes.LastIndexByte(text[:max(0, min(at, len(text)))], '\n') + 1
}

func firstWord(text []byte, from, end int) int {
	for at := from; at < end; at++ {
		if text[at] != ' ' && text[at] != '\t' && text[at] != '\r' {
			return at
		}
	}
	return from
}

// wordStart moves back from the middle or the end of a word to its beginning.
func wordStart(text []byte, line, at int) int {
	at = max(at, line)
	if word(text[at]) || text[at] == ':' || text[at] == '\n' || text[at] == '\r' {
		for at > line && word(text[at-1]) {
			at--
		}
	}
	return at
}

func word(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}

// enclosing gives the path of what the place belongs to, as far as the text before it tells: the keys above it that are
// indented less. It is "" when the text before cannot be read.
func enclosing(text []byte, offset int) string {
	start := lineStart(text, offset)
	docs, err := decodeAll(bytes.NewReader(text[:start]))
	if err != nil || len(docs) != 1 || len(docs[0].Content) != 1 {
		return ownKey(text[start:], "")
	}
	column := firstWord(text, start, len(text)) - start + 1
	path, n := "", docs[0].Content[0]
	for n.Kind == yaml.MappingNode && len(n.Content) >= 2 && n.Style&yaml.FlowStyle == 0 {
		key := n.Content[len(n.Content)-2]
		if key.Column >= column || key.Kind != yaml.ScalarNode || len(key.Value) > maxKey {
			break
		}
		path, n = join(path, key.Value), n.Content[len(n.Content)-1]
	}
	return ownKey(text[start:], path)
}

// ownKey adds the key that the line itself begins with.
func ownKey(line []byte, path string) string {
	line = bytes.TrimLeft(line, " \t")
	end := 0
	for end < len(line) && word(line[end]) {
		end++
	}
	if end > 0 && end < min(len(line), 64) && line[end] == ':' {
		return join(path, string(line[:end]))
	}
	return path
}
