package blueprints

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Reference is one ${…} in an environment variable or a file: a value that is known only when the thing is built.
type Reference struct {
	Section   string // databases, buckets, servers, secrets or self
	Name      string // of the component or secret; empty for self
	Attribute string // empty for secrets
	Text      string // as written, with ${ and }
}

// Component is the path of what is referred to, as "databases.main"; "self" for the host itself.
func (r Reference) Component() string {
	if r.Name == "" {
		return r.Section
	}
	return r.Section + "." + r.Name
}

// String gives the reference without its brackets, as "databases.main.url".
func (r Reference) String() string {
	if r.Attribute == "" {
		return r.Component()
	}
	return r.Component() + "." + r.Attribute
}

// Attribute is something that can be referred to.
type Attribute struct {
	Section string
	Name    string // empty for a secret, which is its own value
	Meaning string
	Secret  bool // encrypted in state and never printed
}

// Pattern is how it is written, as "${databases.NAME.url}".
func (a Attribute) Pattern() string {
	switch {
	case a.Section == "self":
		return "${self." + a.Name + "}"
	case a.Name == "":
		return "${" + a.Section + ".NAME}"
	default:
		return "${" + a.Section + ".NAME." + a.Name + "}"
	}
}

// Attributes is everything that can be referred to, in the order of the documentation.
var Attributes = []Attribute{
	{"databases", "url", "connection URL with user and password, as postgres://user:password@host:port/name", true},
	{"databases", "host", "name or address of the primary", false},
	{"databases", "port", "TCP port", false},
	{"databases", "user", "user that the environment's software connects as", false},
	{"databases", "password", "password of that user", true},
	{"databases", "name", "name of the database on the server", false},
	{"buckets", "endpoint", "URL of the S3 interface", false},
	{"buckets", "name", "name of the bucket at the provider", false},
	{"buckets", "region", "region to sign requests for", false},
	{"buckets", "accessKey", "access key of the server group that refers to it", true},
	{"buckets", "secretKey", "secret key of the server group that refers to it", true},
	{"servers", "url", "http://host:port of the group", false},
	{"servers", "host", "name that stands for all hosts of the group", false},
	{"servers", "port", "TCP port of the group's software", false},
	{"secrets", "", "the generated secret", true},
	{"self", "name", "name of the host itself, as web-0", false},
	{"self", "address", "address of the host itself", false},
	{"self", "instance", "number of the host in its group, from 0", false},
}

// ReferenceError says what is wrong with one ${…}.
type ReferenceError struct{ Text, Problem, Mend string }

// Error gives the text, the problem and the mend on one line.
func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Text, e.Problem, e.Mend)
}

// References lists the references in a text in the order written, repeats included. $${ stands for a literal ${.
// The error joins a *ReferenceError for each that is malformed or asks for something that does not exist in the
// language; the good ones are given all the same. Whether the component exists is not judged here.
func References(text string) ([]Reference, error) {
	var out []Reference
	var bad []error
	_ = scan(text, func(string) {}, func(r Reference, err error) error {
		if err != nil {
			bad = append(bad, err)
		} else {
			out = append(out, r)
		}
		return nil
	})
	return out, errors.Join(bad...)
}

// Expand replaces each reference by what value gives for it, and $${ by ${. It stops at the first error.
// What value gives is taken literally: a reference in it is not expanded.
func Expand(text string, value func(Reference) (string, error)) (string, error) {
	var b strings.Builder
	err := scan(text, func(literal string) { b.WriteString(literal) }, func(r Reference, err error) error {
		if err != nil {
			return err
		}
		v, err := value(r)
		if err != nil {
			return fmt.Errorf("expand %s: %w", r.Text, err)
		}
		b.WriteString(v)
		return nil
	})
	if err != nil {
		return "", err
	}
	return b.String(), nil
}

// scan walks a text, giving what is literal and each reference, until reference gives an error.
func scan(text string, literal func(string), reference func(Reference, error) error) error {
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			literal(text)
			return nil
		}
		if at > 0 && text[at-1] == '$' {
			literal(text[:at-1] + "${")
			text = text[at+2:]
			continue
		}
		literal(text[:at])
		end := strings.IndexAny(text[at:], "}\n")
		if end < 0 || text[at+end] != '}' {
			rest, _, _ := strings.Cut(text[at:], "\n")
			if err := reference(Reference{}, &ReferenceError{cut(rest), "is not closed", "add the missing }, or write $${ for a literal ${"}); err != nil {
				return err
			}
			text = text[at+2:]
			continue
		}
		if err := reference(parseReference(text[at : at+end+1])); err != nil {
			return err
		}
		text = text[at+end+1:]
	}
}

var referencePart = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func parseReference(text string) (Reference, error) {
	inner := text[2 : len(text)-1]
	fail := func(problem, mend string) (Reference, error) {
		return Reference{}, &ReferenceError{cut(text), problem, mend}
	}
	parts := strings.Split(inner, ".")
	if inner == "" || slices.ContainsFunc(parts, func(p string) bool { return !referencePart.MatchString(p) }) {
		return fail("is not a reference", "write it as ${databases.main.url}, or $${ for a literal ${")
	}
	sections := Sections()
	if !slices.Contains(sections, parts[0]) {
		if near, ok := Nearest(parts[0], sections); ok {
			return fail(fmt.Sprintf("refers to the unknown section %q", parts[0]), fmt.Sprintf("did you mean %q?", near))
		}
		return fail("is not a reference", "write it as ${databases.main.url}, or $"+cut(text)+" to keep it as it stands")
	}
	known := attributesOf(parts[0])
	r := Reference{Section: parts[0], Text: text}
	rest := parts[1:]
	if r.Section != "self" {
		if len(rest) == 0 {
			return fail("names no "+singular(r.Section), "write "+known[0].Pattern())
		}
		r.Name, rest = rest[0], rest[1:]
	}
	if r.Section == "secrets" {
		if len(rest) > 0 {
			return fail("asks a secret for an attribute", fmt.Sprintf("write ${secrets.%s}", r.Name))
		}
		return r, nil
	}
	names := make([]string, len(known))
	for i, a := range known {
		names[i] = a.Name
	}
	if len(rest) != 1 {
		if len(rest) == 0 {
			return fail("names no attribute", OneOf(names)+" after it, as in "+known[0].Pattern())
		}
		return fail("has too many parts", "write "+known[0].Pattern())
	}
	if r.Attribute = rest[0]; !slices.Contains(names, r.Attribute) {
		return fail(fmt.Sprintf("asks for the unknown attribute %q", r.Attribute), DidYouMean(r.Attribute, names))
	}
	return r, nil
}

// Sections are the words that a reference can begin with, in the order of Attributes.
func Sections() []string {
	var out []string
	for _, a := range Attributes {
		if !slices.Contains(out, a.Section) {
			out = append(out, a.Section)
		}
	}
	return out
}

func attributesOf(section string) []Attribute {
	return slices.DeleteFunc(slices.Clone(Attributes), func(a Attribute) bool { return a.Section != section })
}

func singular(section string) string {
	if section == "self" {
		return "attribute"
	}
	return strings.TrimSuffix(section, "s")
}

func cut(text string) string {
	if r := []rune(text); len(r) > 48 {
		text = string(r[:47]) + "…"
	}
	return printable(text)
}
