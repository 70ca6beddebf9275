package blueprints

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/xeipuuv/gojsonschema"
	"gopkg.in/yaml.v3"
)

// explain words one finding of the schema library for the person who wrote the spec: what is wrong with what they
// wrote, and what to write instead, with the schema's own examples. What was reported already is left out.
func (v *validator) explain(path string, e gojsonschema.ResultError) {
	at := v.at[path]
	if v.doc.faulty[path] || at.value == nil {
		return
	}
	detail := func(key string) string { return fmt.Sprint(e.Details()[key]) }
	switch e.(type) {
	case *gojsonschema.NumberAllOfError: // its parts are reported on their own
	case *gojsonschema.RequiredError:
		v.missing(path, at, detail("property"))
	case *gojsonschema.AdditionalPropertyNotAllowedError:
		v.unknown(path, at, detail("property"))
	case *gojsonschema.InvalidPropertyNameError:
		v.misnamed(path, at, detail("property"))
	case *gojsonschema.InvalidTypeError:
		v.wrongType(path, at)
	case *gojsonschema.EnumError:
		v.report(path, shorten(at.value.Value)+" is "+noun(at.shape), choose(at.value.Value, at.shape))
	case *gojsonschema.ItemsMustBeUniqueError:
		j, _ := e.Details()["j"].(int)
		p := element(path, j)
		v.report(p, cut(flow(at.value.Content[j]))+" is listed twice", "remove one of the two")
	case *gojsonschema.NumberGTEError, *gojsonschema.NumberLTEError, *gojsonschema.NumberGTError, *gojsonschema.NumberLTError:
		v.report(path, cut(at.value.Value)+" is out of range", "write a number "+at.shape.limits())
	case *gojsonschema.ArrayMinItemsError:
		v.report(path, "the list is empty", "write "+v.assignment(path, at.shape))
	case *gojsonschema.StringLengthGTEError:
		v.report(path, "the text is empty", "write "+v.assignment(path, at.shape))
	case *gojsonschema.StringLengthLTEError:
		v.report(path, fmt.Sprintf("%s is longer than %s characters", shorten(at.value.Value), detail("max")), "write "+v.assignment(path, at.shape))
	case *gojsonschema.DoesNotMatchPatternError:
		if at.value.Kind == yaml.ScalarNode { // else it is about a name, and reported with it
			v.malformed(path, at)
		}
	default:
		v.report(path, strings.ToLower(e.Description()[:1])+e.Description()[1:], "write "+v.assignment(path, at.shape))
	}
}

func (v *validator) missing(path string, at entry, property string) {
	p := join(path, property)
	if v.doc.faulty[p] {
		return // it is there, and wrong; or it is there under a misspelt key
	}
	v.add(p, v.doc.At(path), fmt.Sprintf("%q is missing", property), "add "+v.assignment(p, at.shape.child(property)))
}

func (v *validator) unknown(path string, at entry, property string) {
	p := join(path, property)
	key := v.at[p].key
	if key == nil || v.doc.faulty[p] {
		return
	}
	free := slices.DeleteFunc(slices.Clone(at.shape.keys), func(k string) bool { return field(at.value, k) != nil })
	mend := ""
	if near := synonyms[strings.ToLower(property)]; slices.Contains(free, near) {
		mend = fmt.Sprintf("did you mean %q?", near)
		v.doc.markFaulty(join(path, near))
	} else if near, ok := Nearest(property, free); ok {
		mend = fmt.Sprintf("did you mean %q?", near)
		v.doc.markFaulty(join(path, near)) // what is missing because of the slip is not reported again
	} else if inner := below(at.shape, property); len(inner) > 0 {
		mend = fmt.Sprintf("it belongs under %s", strings.Join(inner, " or "))
	} else if near, ok := Nearest(property, at.shape.keys); ok {
		mend = fmt.Sprintf("%q is there already; remove this one", near)
	} else {
		mend = "remove it; known here are " + strings.Join(at.shape.keys, ", ")
	}
	v.add(p, Position{v.doc.File, key.Line, key.Column}, fmt.Sprintf("unknown key %q", property), mend)
}

// below finds the keys one level down under which a misplaced key would be known.
func below(s *shape, key string) []string {
	var out []string
	for _, k := range s.keys {
		if c := s.properties[k]; c != nil && c.properties[key] != nil {
			out = append(out, k)
		}
	}
	return out
}

func (v *validator) misnamed(path string, at entry, property string) {
	p := join(path, property)
	key := v.at[p].key
	if key == nil || at.shape.names == nil {
		return
	}
	mend := "write a name such as " + flow(at.shape.names.example)
	summary := fmt.Sprintf("%s is not a usable name", shorten(property))
	switch at.shape.names.definition {
	case "name":
		mend = "use lower-case letters, digits and hyphens, beginning with a letter, at most 30"
		if s := Slug(property); s != "" && s != property {
			mend = fmt.Sprintf("write %q: %s", s, mend)
		}
	case "variable":
		summary = fmt.Sprintf("%s is not the name of an environment variable", shorten(property))
		mend = "use letters, digits and underscores, beginning with no digit, as in DATABASE_URL"
	case "path":
		summary = fmt.Sprintf("%s is not an absolute path of a file", shorten(property))
		mend = "write the whole path, as in " + flow(at.shape.names.example)
	}
	v.diagnostics = append(v.diagnostics, Diagnostic{
		Severity: Error, Requirement: p, Position: Position{v.doc.File, key.Line, key.Column}, Summary: summary, Mend: mend,
	})
}

func (v *validator) wrongType(path string, at entry) {
	if at.value.ShortTag() == "!!null" {
		v.report(path, "there is no value", "write "+v.assignment(path, at.shape)+", or remove the key")
		return
	}
	mend := "write " + v.assignment(path, at.shape)
	switch {
	case at.shape.is("string") && at.value.Kind == yaml.ScalarNode:
		mend = "put it in quotes: " + shorten(at.value.Value)
	case at.shape.is("array") && at.value.Kind == yaml.ScalarNode:
		mend = fmt.Sprintf("write it as a list: [%s]", cut(flow(at.value)))
	case at.shape.is("boolean"):
		mend = "write true or false"
	case at.shape.is("integer") && at.value.ShortTag() == "!!float":
		mend = "write a whole number"
	case strings.HasSuffix(path, ".cpu") && milli.MatchString(at.value.Value):
		n, _ := strconv.ParseFloat(strings.TrimSuffix(at.value.Value, "m"), 64)
		mend = fmt.Sprintf("did you mean %s?", strconv.FormatFloat(n/1000, 'f', -1, 64))
	case (at.shape.is("number") || at.shape.is("integer")) && at.value.ShortTag() == "!!str":
		mend = "write a number without unit or quotes, as in " + v.assignment(path, at.shape)
	}
	v.report(path, fmt.Sprintf("is %s and must be %s", kindOf(at.value), wanted(at.shape)), mend)
}

// malformed words a text that does not fit the pattern of its place.
func (v *validator) malformed(path string, at entry) {
	text := at.value.Value
	example := "write " + v.assignment(path, at.shape)
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch {
	case at.shape.definition == "name":
		if s := Slug(text); s != "" && s != text {
			example = fmt.Sprintf("write %q: use lower-case letters, digits and hyphens, beginning with a letter, at most 30", s)
		}
		v.report(path, shorten(text)+" is not a usable name", example)
	case at.shape.definition == "version":
		v.report(path, shorten(text)+" is not a version", `write digits and dots, as in "15" or "2.8"; leave it out when any version will do`)
	case last == "health":
		v.report(path, shorten(text)+" is not a path", fmt.Sprintf("begin it with /, as in health: %s", "/"+cut(strings.TrimLeft(strings.Join(strings.Fields(text), ""), "/"))))
	case last == "os":
		v.report(path, shorten(text)+" is not an operating system with its version", "write distribution-version, as in debian-12 or ubuntu-24.04")
	case last == "package":
		v.report(path, shorten(text)+" is not the name of a package", "write the name only, as in nginx; its version belongs under version")
	default:
		v.report(path, shorten(text)+" does not have the form wanted here", example)
	}
}

// assignment writes a key with its example, as "command: [api, serve]".
func (v *validator) assignment(path string, s *shape) string {
	key := path[strings.LastIndexByte(path, '.')+1:]
	if at := strings.IndexByte(key, '['); at >= 0 {
		key = key[:at]
		if s != nil {
			return flow(s.example)
		}
	}
	if s == nil || s.example == nil {
		return key + ": …"
	}
	return key + ": " + flow(s.example)
}

// milli is how Kubernetes writes parts of a processor.
var milli = regexp.MustCompile(`^[0-9]{1,6}m$`)

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!bool":
		return "true or false (" + cut(n.Value) + ")"
	case n.ShortTag() == "!!int", n.ShortTag() == "!!float":
		return "a number (" + cut(n.Value) + ")"
	default:
		return "text (" + shorten(n.Value) + ")"
	}
}

func wanted(s *shape) string {
	switch {
	case s.is("object"):
		return "a mapping"
	case s.is("array"):
		return "a list"
	case s.is("boolean"):
		return "true or false"
	case s.is("integer"):
		return "a whole number"
	case s.is("number"):
		return "a number"
	default:
		return "text"
	}
}
