package sql

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// dialect is how a kind of database writes placeholders.
type dialect int

const (
	postgres dialect = iota // $1, numbered, so that a variable used twice is one
	mysql                   // ?, in order
)

// place replaces :name outside of quotes and comments by the dialect's placeholders.
func (d dialect) place(text string, names []string) (statement, error) {
	var out strings.Builder
	var s statement
	for len(text) > 0 {
		if n := d.opaque(text); n > 0 {
			out.WriteString(text[:n])
			text = text[n:]
			continue
		}
		name := ""
		if text[0] == ':' {
			name = word(text[1:])
		}
		if name == "" {
			out.WriteByte(text[0])
			text = text[1:]
			continue
		}
		i := slices.Index(names, name)
		if i < 0 {
			return s, fmt.Errorf("the variable :%s has no range", name)
		}
		if d == mysql {
			s.uses = append(s.uses, i)
			out.WriteByte('?')
		} else {
			n := slices.Index(s.uses, i)
			if n < 0 {
				n = len(s.uses)
				s.uses = append(s.uses, i)
			}
			fmt.Fprintf(&out, "$%d", n+1)
		}
		text = text[1+len(name):]
	}
	s.text = strings.TrimSpace(out.String())
	return s, nil
}

// word is the name that text begins with, "" when it begins with none.
func word(text string) string {
	n := 0
	for n < len(text) && (text[n] == '_' || text[n] >= 'a' && text[n] <= 'z' || text[n] >= 'A' && text[n] <= 'Z' || n > 0 && text[n] >= '0' && text[n] <= '9') {
		n++
	}
	return text[:n]
}

// opaque is the length of what text begins with and may hold no variable: a quoted text or name, a comment, a cast, an assignment. 0: nothing such.
func (d dialect) opaque(text string) int {
	until := func(end string, from int) int {
		if i := strings.Index(text[from:], end); i >= 0 {
			return from + i + len(end)
		}
		return len(text)
	}
	switch {
	case strings.HasPrefix(text, "::"), strings.HasPrefix(text, ":="):
		return 2
	case strings.HasPrefix(text, "--"), d == mysql && text[0] == '#':
		return until("\n", 0)
	case strings.HasPrefix(text, "/*"):
		return until("*/", 2)
	case text[0] == '$' && d == postgres:
		if tag := word(text[1:]); strings.HasPrefix(text[1+len(tag):], "$") {
			return until("$"+tag+"$", len(tag)+2)
		}
		return 0
	case text[0] == '\'', text[0] == '"', text[0] == '`':
		for i := 1; i < len(text); i++ {
			if text[i] == '\\' && (d == mysql && text[0] != '`') {
				i++
			} else if text[i] == text[0] {
				return i + 1 // a doubled quote begins the next quoted text: the same in effect
			}
		}
		return len(text)
	}
	return 0
}

// setting is the one meta command that scripts may hold.
var setting = regexp.MustCompile(`^\\set\s+([A-Za-z_][A-Za-z_0-9]*)\s+random\(\s*(-?[0-9]+)\s*,\s*(-?[0-9]+)\s*\)\s*$`)

// Parse reads a transaction from a script: SQL statements that end in semicolons, and lines "\set name random(low, high)" with whole
// numbers, as pgbench's scripts have them. Other meta commands are an error that names the line.
func Parse(name, script string) (Transaction, error) {
	t := Transaction{Name: name, Variables: map[string]Range{}}
	var text strings.Builder
	for i, line := range strings.Split(script, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), `\`) {
			text.WriteString(line + "\n")
			continue
		}
		found := setting.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			return t, fmt.Errorf(`script %s, line %d: only \set NAME random(LOW, HIGH) with whole numbers is understood`, name, i+1)
		}
		low, err1 := strconv.ParseInt(found[2], 10, 64)
		high, err2 := strconv.ParseInt(found[3], 10, 64)
		if err1 != nil || err2 != nil {
			return t, fmt.Errorf("script %s, line %d: the numbers are too large", name, i+1)
		}
		t.Variables[found[1]] = Range{low, high}
	}
	// Statements are split with PostgreSQL's rules of quoting: a superset of what both understand, but for backslashes in MySQL's texts.
	rest, one := text.String(), strings.Builder{}
	for len(rest) > 0 {
		n := max(1, postgres.opaque(rest))
		if rest[0] == ';' {
			t.add(one.String())
			one.Reset()
		} else if !strings.HasPrefix(rest, "--") && !strings.HasPrefix(rest, "/*") {
			one.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	t.add(one.String())
	if len(t.Statements) == 0 {
		return t, fmt.Errorf("script %s holds no statement", name)
	}
	return t, nil
}

func (t *Transaction) add(statement string) {
	if s := strings.TrimSpace(statement); s != "" {
		t.Statements = append(t.Statements, s)
	}
}
