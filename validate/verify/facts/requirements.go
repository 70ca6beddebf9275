package facts

import (
	"slices"
	"strings"

	"surety/blueprints/architecture"
)

// Known keeps those IDs that the spec has, without repeats.
func (s *Subject) Known(ids ...string) []string {
	var out []string
	for _, id := range ids {
		if s.known[id] && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// telling are the leaves that stand for a component when the one in question was left to its default.
var telling = map[string][]string{
	"servers":   {"runs.command", "runs.program", "runs.package"},
	"databases": {"engine", "version"},
	"buckets":   {"size", "versioning"},
	"backups":   {"of[0]"},
}

// Require gives the IDs of a component's leaves. When the spec has none of them, it gives the nearest that the spec has:
// one under the same parent, a leaf that stands for the component, any of its leaves, the environment's name.
// It is never empty for a spec that has a leaf at all.
func (s *Subject) Require(component string, leaves ...string) []string {
	ids := make([]string, len(leaves))
	for i, leaf := range leaves {
		ids[i] = component + "." + leaf
	}
	if known := s.Known(ids...); len(known) > 0 {
		return known
	}
	// A balancer has no leaves of its own: it stands for the group behind it.
	if name, ok := strings.CutPrefix(component, "balancers."); ok {
		if known := s.Known("servers." + name + ".public"); len(known) > 0 {
			return known
		}
		component = "servers." + name
	}
	for _, id := range ids {
		parent, _, _ := cutLast(id)
		if parent != component {
			if under := s.under(parent); len(under) > 0 {
				return under[:1]
			}
		}
	}
	section, _, _ := strings.Cut(component, ".")
	for _, leaf := range telling[section] {
		if known := s.Known(component + "." + leaf); len(known) > 0 {
			return known
		}
	}
	if known := s.Known(component); len(known) > 0 {
		return known // a bucket or a secret without any leaf is itself one requirement
	}
	if under := s.under(component); len(under) > 0 {
		return under[:1]
	}
	if known := s.Known("name"); len(known) > 0 {
		return known
	}
	if len(s.requirements) > 0 {
		return []string{s.requirements[0].ID}
	}
	return nil
}

// Exposure gives the leaves that open a component to callers: what a connection that no flow permits goes against.
func (s *Subject) Exposure(component string) []string {
	var ids []string
	for _, f := range s.Arch.Flows {
		if GroupOf(f.To) == GroupOf(component) {
			ids = append(ids, f.Requirements...)
		}
	}
	if known := s.Known(ids...); len(known) > 0 {
		return known
	}
	if component == StoreGroup {
		for _, c := range s.Arch.Components {
			if c.Kind == architecture.KindBucket {
				return s.Require(c.ID, "size")
			}
		}
	}
	return s.Require(component, "uses[0]", "public")
}

// Reach gives the leaves that say what a component may connect to: what its connections to the outside go against.
func (s *Subject) Reach(component string) []string {
	var ids []string
	for _, f := range s.Arch.Flows {
		if f.From == component {
			ids = append(ids, f.Requirements...)
		}
	}
	if known := s.Known(ids...); len(known) > 0 {
		return known
	}
	return s.Exposure(component)
}

// under lists the leaves below a path, in the order written.
func (s *Subject) under(path string) []string {
	var out []string
	for _, r := range s.requirements {
		if rest, ok := strings.CutPrefix(r.ID, path); ok && rest != "" && (rest[0] == '.' || rest[0] == '[') {
			out = append(out, r.ID)
		}
	}
	return out
}

func cutLast(id string) (parent, leaf string, ok bool) {
	i := strings.LastIndexAny(id, ".[")
	if i < 0 {
		return id, "", false
	}
	return id[:i], id[i+1:], true
}
