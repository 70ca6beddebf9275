package local

import (
	"fmt"
	"maps"
	"testing"

	"surety/stacks"
	"surety/stacks/stacktest"
)

func TestTargetKeepsItsContract(t *testing.T) {
	stacktest.Suite{
		Open: func(*testing.T) stacks.Target { return testTarget() },
		Rules: func(g stacks.Graph) []stacktest.Rule {
			var rules []stacktest.Rule
			for _, r := range Rules(g) {
				rules = append(rules, stacktest.Rule{From: r.From, CIDR: r.CIDR, To: r.To, Port: r.Port, Requirements: r.Requirements})
			}
			return rules
		},
		Built: madeUp,
	}.Run(t)
}

// madeUp gives every resource its inputs as outputs, and addresses where the provider would.
func madeUp(g stacks.Graph) stacks.Deployment {
	d := stacks.Deployment{Project: g.Project, Stack: g.Stack, Resources: map[string]stacks.Deployed{}}
	for i, r := range g.Resources {
		outputs := maps.Clone(r.Inputs)
		outputs["address"], outputs["outside"] = fmt.Sprintf("10.77.0.%d", i+10), "203.0.113.10"
		if r.Type == TypeDatabase {
			hosts := []any{map[string]any{"name": text(r.Inputs["name"]) + "-0", "address": "10.77.1.1"}}
			if r.Inputs["standby"] == true {
				hosts = append(hosts, map[string]any{"name": text(r.Inputs["name"]) + "-1", "address": "10.77.1.2"})
			}
			outputs["hosts"] = hosts
		}
		d.Resources[r.Name] = stacks.Deployed{Type: r.Type, ID: r.Name, Outputs: outputs}
	}
	return d
}
