package assess

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"surety/blueprints"
)

// writer writes YAML with comments.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// comment writes a comment on one line: what would break the line is written as a space.
func (w *writer) comment(indent, text string) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\u3000' {
			return r
		}
		return ' '
	}, text)
	w.line("%s# %s", indent, text)
}

// value writes a key with its value, and before it why it was assumed.
func (w *writer) value(indent, key, value, assumed string) {
	if assumed != "" {
		w.comment(indent, "assumed "+key+": "+assumed)
	}
	w.line("%s%s: %s", indent, key, value)
}

func (w *writer) item(indent, value, why string) {
	if why != "" {
		w.comment(indent, why)
	}
	w.line("%s- %s", indent, value)
}

// size writes what is known of a size; the rest is left to the sizing rules.
func (w *writer) size(p *plan, disk blueprints.Bytes) {
	s := p.system
	var parts []string
	if s.CPU > 0 {
		parts = append(parts, "cpu: "+strconv.FormatFloat(s.CPU, 'f', -1, 64))
	}
	if s.Memory > 0 {
		parts = append(parts, "memory: "+s.Memory.String())
	}
	if disk > 0 {
		parts = append(parts, "disk: "+disk.String())
	}
	if len(parts) == 0 {
		w.comment("    ", "size: not in the inventory, so surety's sizing rules decide")
		return
	}
	if p.section == "databases" && s.Disk < s.DataSize {
		w.comment("    ", "assumed disk: no more than the data of today, with no room to grow")
	}
	w.line("    size: {%s}", strings.Join(parts, ", "))
}

var plainWord = regexp.MustCompile(`^[a-z][a-z0-9+./-]*[a-z0-9]$`)

// plain writes a word without quotes where YAML reads it as text.
func plain(text string) string {
	switch text {
	case "true", "false", "null", "yes", "no", "on", "off":
		return quote(text)
	}
	if plainWord.MatchString(text) {
		return text
	}
	return quote(text)
}

// quote writes a text in double quotes. Escapes of Go are those of YAML too, for what can stand in a text.
func quote(text string) string { return strconv.Quote(text) }
