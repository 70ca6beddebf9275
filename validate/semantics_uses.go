package validate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
)

// usable are the sections whose components can be connected to.
var usable = []string{"servers", "databases", "buckets"}

// components are the paths of all of them, in order of section and name.
func (j *judge) components() []string {
	var out []string
	for _, section := range usable {
		for _, name := range j.names(section) {
			out = append(out, section+"."+name)
		}
	}
	return out
}

func (j *judge) names(section string) []string {
	switch section {
	case "servers":
		return blueprints.SortedKeys(j.spec.Servers)
	case "databases":
		return blueprints.SortedKeys(j.spec.Databases)
	case "buckets":
		return blueprints.SortedKeys(j.spec.Buckets)
	case "secrets":
		return blueprints.SortedKeys(j.spec.Secrets)
	}
	return nil
}

func (j *judge) has(section, name string) bool {
	var ok bool
	switch section {
	case "servers":
		_, ok = j.spec.Servers[name]
	case "databases":
		_, ok = j.spec.Databases[name]
	case "buckets":
		_, ok = j.spec.Buckets[name]
	case "secrets":
		_, ok = j.spec.Secrets[name]
	}
	return ok
}

func split(id string) (section, name string) {
	section, name, _ = strings.Cut(id, ".")
	return section, name
}

func (j *judge) uses(id string, s blueprints.Server) {
	for i, target := range s.Uses {
		at := fmt.Sprintf("%s.uses[%d]", id, i)
		if target == id {
			j.fault(at, "the group uses itself", "remove it; ${self.address} is the host's own address")
			continue
		}
		if !j.exists(at, target) {
			continue
		}
		if section, name := split(target); section == "servers" && j.spec.Servers[name].Runs.Port == 0 && j.sound(target+".runs.port") {
			j.fault(at, fmt.Sprintf("%s has no port to connect to", target), fmt.Sprintf("add port: 8080 to %s.runs, or remove the use", target))
		}
	}
}

// exists reports a component that is named at a place and is not in the spec, with what was probably meant.
func (j *judge) exists(at, target string) bool {
	section, name := split(target)
	if slices.Contains(usable, section) && j.has(section, name) {
		return true
	}
	j.dangling = true
	if !j.sound(at, target) {
		return false
	}
	switch {
	case slices.Contains(usable, section):
		j.fault(at, fmt.Sprintf("no %s named %q", kind(section), name), j.meant(section, name))
	case section == "secrets":
		j.fault(at, "a secret is not connected to", "remove it, and write ${secrets.NAME} in env or files")
	case !strings.Contains(target, "."):
		j.fault(at, fmt.Sprintf("%q names no section", target), j.meant("", target))
	default:
		mend := blueprints.DidYouMean(section, usable)
		if near, ok := blueprints.Nearest(section, usable); ok {
			mend = fmt.Sprintf("did you mean %q?", near+"."+name)
		}
		j.fault(at, fmt.Sprintf("%q is not a section of components", section), mend)
	}
	return false
}

// meant finds the component that a dangling name stands for: one of the same section, or the same name in another.
func (j *judge) meant(section, name string) string {
	if near, ok := blueprints.Nearest(name, j.names(section)); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	for _, other := range usable {
		if j.has(other, name) {
			return fmt.Sprintf("did you mean %q?", other+"."+name)
		}
	}
	if near, ok := blueprints.Nearest(section+"."+name, j.components()); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if names := j.names(section); len(names) > 0 {
		return blueprints.OneOf(names) + ", or add it to " + section
	}
	if section == "" {
		return "write its section before it, as in databases.main"
	}
	if blueprints.Slug(name) != name || name == "" {
		return "write the path of a component, as in " + section + ".main"
	}
	return fmt.Sprintf("add it: %s: {%s: …}", section, name)
}

func kind(section string) string {
	switch section {
	case "servers":
		return "server group"
	case "databases":
		return "database"
	case "buckets":
		return "bucket"
	}
	return strings.TrimSuffix(section, "s")
}

// references judges the ${…} of one text: that each can be read, that what it names is there, and that the group uses it.
func (j *judge) references(id, place, text string, s blueprints.Server) {
	at := id + "." + place
	refs, err := blueprints.References(text)
	for _, e := range each(err) {
		var bad *blueprints.ReferenceError
		if errors.As(e, &bad) {
			j.dangling = true
			j.fault(at, bad.Text+" "+bad.Problem, bad.Mend)
		}
	}
	seen := map[string]bool{}
	for _, r := range refs {
		target := r.Component()
		if seen[target] || r.Section == "self" {
			continue
		}
		seen[target] = true
		switch {
		case r.Section == "secrets":
			if !j.has(r.Section, r.Name) && j.sound(target) {
				j.dangling = true
				mend := fmt.Sprintf("add it: secrets: {%s: {length: 24}}", r.Name)
				if near, ok := blueprints.Nearest(r.Name, j.names("secrets")); ok {
					mend = fmt.Sprintf("did you mean %q?", near)
				}
				j.fault(at, fmt.Sprintf("no secret named %q", r.Name), mend)
			}
		case target == id:
			j.fault(at, fmt.Sprintf("%s refers to the group itself", r.Text), "write ${self.address} for the host, or a fixed text")
		case j.exists(at, target) && !slices.Contains(s.Uses, target) && j.sound(id+".uses", target):
			j.fault(at, fmt.Sprintf("refers to %s, which the group does not use", target), fmt.Sprintf("add %s to %s.uses, so that the connection is opened and tested", target, id))
		}
	}
}

// each gives the parts of a joined error.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return nil
}
