package blueprints

import (
	"bytes"
	"errors"
	"io"

	"gopkg.in/yaml.v3"
)

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
