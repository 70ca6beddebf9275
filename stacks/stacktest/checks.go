package stacktest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

func encode(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode %T: %v", v, err)
	}
	return string(raw)
}

// checkSame wants the same bytes from the same and from another target, and after a way through JSON.
func checkSame(t *testing.T, open func(*testing.T) stacks.Target, arch architecture.Architecture, graph stacks.Graph) {
	want := encode(t, graph)
	for range 5 { // more than one, because the order of a map may happen to be the same
		again, _ := open(t).Graph(arch)
		if got := encode(t, again); got != want {
			t.Fatalf("another target gives another graph:\n%s\n%s", got, want)
		}
	}
	var back stacks.Graph
	if err := json.Unmarshal([]byte(want), &back); err != nil {
		t.Fatalf("decode: %v", err)
	}
	if got := encode(t, back); got != want {
		t.Errorf("through JSON it is another graph:\n%s\n%s", got, want)
	}
}

// checkWhole wants names, types, references and dependencies that can be given to the engine.
func checkWhole(t *testing.T, target stacks.Target, arch architecture.Architecture, graph stacks.Graph) {
	if graph.Project != arch.Name || graph.Stack != target.Name() {
		t.Errorf("it is called %s/%s, want %s/%s", graph.Project, graph.Stack, arch.Name, target.Name())
	}
	for _, d := range graph.Check() {
		t.Error(d)
	}
	if len(graph.Resources) == 0 {
		t.Error("it has no resources")
	}
}

// checkRules wants the rules to be exactly the flows: one that is missing breaks the software, one too many lets somebody in.
func checkRules(t *testing.T, arch architecture.Architecture, rules []Rule) {
	stands := func(group, component string) bool {
		return group == component || group == "buckets" && (strings.HasPrefix(component, "buckets.") || strings.HasPrefix(component, "backups."))
	}
	allows := func(r Rule, f architecture.Flow) bool {
		to := stands(r.To, f.To)
		if f.From == architecture.Internet {
			return to && r.Port == f.Port && r.From == "" && r.CIDR == f.CIDR
		}
		return to && r.Port == f.Port && stands(r.From, f.From) && r.CIDR == ""
	}
	for _, f := range arch.Flows {
		i := slices.IndexFunc(rules, func(r Rule) bool { return allows(r, f) })
		if i < 0 {
			t.Errorf("no rule for the flow from %s to %s:%d", f.From, f.To, f.Port)
			continue
		}
		for _, id := range f.Requirements {
			if !slices.Contains(rules[i].Requirements, id) {
				t.Errorf("the rule from %s to %s:%d does not name %s, which it serves", f.From, f.To, f.Port, id)
			}
		}
	}
	for i, r := range rules {
		if !slices.ContainsFunc(arch.Flows, func(f architecture.Flow) bool { return allows(r, f) }) {
			t.Errorf("a rule that no flow asks for: %+v", r)
		}
		if slices.ContainsFunc(rules[:i], func(o Rule) bool { return reflect.DeepEqual(o, r) }) {
			t.Errorf("a rule twice: %+v", r)
		}
	}
}

// checkRequirements wants each leaf of the spec to be named by a resource, or to be said to be unproven.
func checkRequirements(t *testing.T, target stacks.Target, leaves []blueprints.Requirement, graph stacks.Graph) {
	served := map[string]bool{}
	for _, r := range graph.Resources {
		for _, id := range r.Requirements {
			served[id] = true
		}
	}
	unproven := target.Capabilities(t.Context()).Unproven
	excused := func(id string) bool {
		for pattern := range unproven {
			if architecture.Matches(pattern, id) {
				return true
			}
		}
		return false
	}
	for _, leaf := range leaves {
		// The version of the language is the loader's, and how fast all comes back a drill's.
		if id := leaf.ID; !slices.Contains([]string{"surety", "objectives.rto", "objectives.rpo"}, id) && !served[id] && !excused(id) {
			t.Errorf("%s is neither served by a resource nor said to be unproven", id)
		}
	}
}

// sensitive are names of inputs that hold secrets wherever they stand.
var sensitive = []string{"password", "secretKey", "secret", "token", "privateKey"}

// checkSecrets wants what is secret to be made by the engine or marked, and not to stand in the Graph, which is kept and shown.
func checkSecrets(t *testing.T, graph stacks.Graph) {
	for _, r := range graph.Resources {
		walk(r.Inputs, r.Name, func(at, key string, v any) {
			if text, literal := v.(string); literal && text != "" && slices.Contains(sensitive, key) {
				t.Errorf("%s holds a secret in the clear", at)
			}
		})
	}
}

// checkReferences wants nothing of ${…} to be left, because the software would take it literally.
func checkReferences(t *testing.T, graph stacks.Graph) {
	for _, r := range graph.Resources {
		walk(r.Inputs, r.Name, func(at, _ string, v any) {
			if text, literal := v.(string); literal && strings.Contains(text, "${") {
				t.Errorf("%s is left as %q", at, text)
			}
		})
	}
}

// checkTags wants the owner's name on everything that can carry it.
func checkTags(t *testing.T, untagged []string, arch architecture.Architecture, graph stacks.Graph) {
	for _, r := range graph.Resources {
		if slices.Contains(untagged, r.Type) {
			continue
		}
		tags, _ := r.Inputs["tags"].(map[string]any)
		for key, want := range map[string]string{"environment": arch.Name, "owner": arch.Owner.Team, "contact": arch.Owner.Contact} {
			if got, _ := tags[key].(string); got != want {
				t.Errorf("%s has the tag %s=%q, want %q", r.Name, key, got, want)
			}
		}
	}
}

// walk visits every value in v with its path and the name of the field it stands in.
func walk(v any, at string, see func(at, key string, v any)) {
	var inside func(v any, at, key string)
	inside = func(v any, at, key string) {
		see(at, key, v)
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				inside(e, at+"."+k, k)
			}
		case []any:
			for _, e := range v {
				inside(e, at, key)
			}
		case stacks.Join:
			for _, e := range v {
				if text, literal := e.(string); literal && !strings.Contains(text, "${") {
					continue // a part of a value is no secret by itself
				}
				inside(e, at, key)
			}
		}
	}
	inside(v, at, "")
}
