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
