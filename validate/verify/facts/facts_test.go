package facts

import (
	"slices"
	"strings"
	"testing"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

func subject(t *testing.T, graph []stacks.Resource, outputs map[string]map[string]any, ids ...string) *Subject {
	t.Helper()
	doc := &blueprints.Document{}
	for _, id := range ids {
		doc.Requirements = append(doc.Requirements, blueprints.Requirement{ID: id})
	}
	d := stacks.Deployment{Resources: map[string]stacks.Deployed{}}
	for name, o := range outputs {
		d.Resources[name] = stacks.Deployed{Type: "surety:local:Secret", Outputs: o}
	}
	return New(Given{Document: doc, Graph: stacks.Graph{Resources: graph}, Deployment: d, Architecture: architecture.Architecture{
		Flows: []architecture.Flow{{From: "servers.web", To: "databases.main", Port: 5432, Requirements: []string{"servers.web.uses[0]"}}},
	}})
}

func TestInputsAreResolved(t *testing.T) {
	s := subject(t, []stacks.Resource{
		{Name: "db", Type: "x:y:Database", Inputs: map[string]any{"name": "main"}},
		{Name: "web", Type: "x:y:Server", Inputs: map[string]any{
			"name":    "web-0",
			"env":     map[string]any{"URL": stacks.Join{"postgres://", stacks.Ref{Resource: "db", Property: "name"}, ":", stacks.Ref{Resource: "pw", Property: "value"}}},
			"command": []any{"run", stacks.Secret{Value: "sealed-word"}},
			"files":   map[string]any{"/f": stacks.Ref{Resource: "gone", Property: "value"}},
		}},
	}, map[string]map[string]any{"pw": {"value": "p4ssw0rd"}})
	b := s.Server("web-0")
	if b == nil || b.Wanted.Env["URL"] != "postgres://main:p4ssw0rd" || !slices.Equal(b.Wanted.Command, []string{"run", "sealed-word"}) {
		t.Fatalf("%+v", b)
	}
	if err := b.Problem("files"); err == nil || !strings.Contains(err.Error(), "gone") || b.Problem("env") != nil {
		t.Errorf("a reference to nothing: %v", err)
	}
	if got := s.Hide("tried p4ssw0rd and sealed-word on main"); got != "tried [secret] and [secret] on main" {
		t.Errorf("%q", got)
	}
	if b.Found || b.Reason() != "the control plane knows no web" {
		t.Errorf("not read back, and yet: %t, %q", b.Found, b.Reason())
	}
}

func TestReferencesInACircleEnd(t *testing.T) {
	s := subject(t, []stacks.Resource{
		{Name: "a", Type: "x:y:Server", Inputs: map[string]any{"name": stacks.Ref{Resource: "b", Property: "name"}}},
		{Name: "b", Type: "x:y:Server", Inputs: map[string]any{"name": stacks.Ref{Resource: "a", Property: "name"}}},
	}, nil)
	if s.Built[0].Problem("name") == nil {
		t.Error("a circle has no value")
	}
}

// Escaped and overlapping secrets are hidden whole.
func TestHideOverlappingSecrets(t *testing.T) {
	s := subject(t, nil, map[string]map[string]any{"a": {"value": "secret"}, "b": {"value": "secret/more+"}})
	if got := s.Hide("x secret/more+ y secret%2Fmore%2B z secret"); strings.Contains(got, "more") || strings.Count(got, "[secret]") != 3 {
		t.Errorf("%q", got)
	}
}

func TestRequireIsNeverEmptyNorUnknown(t *testing.T) {
	s := subject(t, nil, nil, "name", "servers.web.size.memory", "servers.web.runs.command", "servers.web.uses[0]", "servers.web.public", "buckets.media")
	for _, c := range []struct {
		component, leaf, want string
	}{
		{"servers.web", "size.memory", "servers.web.size.memory"},
		{"servers.web", "size.cpu", "servers.web.size.memory"}, // under the same parent
		{"servers.web", "count", "servers.web.runs.command"},   // what stands for the group
		{"balancers.web", "anything", "servers.web.public"},
		{"buckets.media", "versioning", "buckets.media"}, // a bucket without a leaf is one itself
		{"servers.gone", "count", "name"},
	} {
		if got := s.Require(c.component, c.leaf); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s.%s: %v, want %s", c.component, c.leaf, got, c.want)
		}
	}
	if got := s.Exposure("databases.main"); !slices.Equal(got, []string{"servers.web.uses[0]"}) {
		t.Errorf("exposure of the database: %v", got)
	}
	if got := s.Known("name", "nowhere", "name"); !slices.Equal(got, []string{"name"}) {
		t.Errorf("known: %v", got)
	}
}
