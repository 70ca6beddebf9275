// Package stacktest is the conformance suite that every target runs: what the contract of stacks.Target promises, checked over
// architectures that were designed from specs.
package stacktest

import (
	"testing"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// Rule is one firewall rule of a Graph: who may connect to whom.
type Rule struct {
	From string // component ID; empty when CIDR is set
	CIDR string
	// To is a component ID, or "buckets" when one service stands for all buckets, those of backups included; so is From.
	To           string
	Port         int
	Requirements []string
}

// Suite says how to look into what a target makes.
type Suite struct {
	// Open makes a target. It must offer debian-12 and PostgreSQL 15, which the suite's specs ask for.
	Open func(t *testing.T) stacks.Target
	// Rules lists the firewall rules of one of the target's Graphs.
	Rules func(stacks.Graph) []Rule
	// Built makes up the deployment that a Graph would become, with outputs as the target's provider gives them.
	Built func(stacks.Graph) stacks.Deployment
	// Untagged are the resource types that can carry no tags.
	Untagged []string
}

// Run checks a target. Each promise is a subtest of each spec, so that a failure names both.
func (s Suite) Run(t *testing.T) {
	t.Run("capabilities", func(t *testing.T) { checkCapabilities(t, s.Open(t)) })
	for _, spec := range specs {
		t.Run(spec.name, func(t *testing.T) {
			arch, leaves := Design(t, spec.text)
			given := encode(t, arch)
			target := s.Open(t)
			graph, diagnostics := target.Graph(arch)
			if len(diagnostics) > 0 {
				t.Fatalf("diagnostics of a spec that can be built: %v", diagnostics)
			}
			t.Run("changes nothing it is given", func(t *testing.T) {
				if encode(t, arch) != given {
					t.Error("the architecture is another one after Graph")
				}
			})
			t.Run("is the same every time", func(t *testing.T) { checkSame(t, s.Open, arch, graph) })
			t.Run("is whole", func(t *testing.T) { checkWhole(t, target, arch, graph) })
			t.Run("has a rule for each flow and no other", func(t *testing.T) { checkRules(t, arch, s.Rules(graph)) })
			t.Run("serves or excuses each requirement", func(t *testing.T) { checkRequirements(t, target, leaves, graph) })
			t.Run("shows no secret", func(t *testing.T) { checkSecrets(t, graph) })
			t.Run("resolves every reference", func(t *testing.T) { checkReferences(t, graph) })
			t.Run("says whose everything is", func(t *testing.T) { checkTags(t, s.Untagged, arch, graph) })
			t.Run("leads to its hosts", func(t *testing.T) { checkHosts(t, target, arch, s.Built(graph)) })
		})
	}
	t.Run("what cannot be given", func(t *testing.T) { checkRefusals(t, s.Open(t)) })
	t.Run("every attribute of the language", func(t *testing.T) { checkAttributes(t, s.Open(t)) })
}

// Design turns a spec into an architecture, with the requirements it was written from, and fails the test when that is not possible without an error.
func Design(t *testing.T, text string) (architecture.Architecture, []blueprints.Requirement) {
	t.Helper()
	doc, diagnostics := blueprints.Parse("surety.yaml", []byte(text))
	if diagnostics.HasErrors() {
		t.Fatalf("spec: %v", diagnostics)
	}
	arch, diagnostics := architecture.Design(doc)
	if diagnostics.HasErrors() {
		t.Fatalf("design: %v", diagnostics)
	}
	return arch, doc.Requirements
}
