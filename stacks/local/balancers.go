package local

import (
	"fmt"
	"net/netip"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// balancer adds the entry of a server group.
func (b *builder) balancer(c architecture.Component) {
	group := b.components[c.Balancer.For]
	backends := make([]any, group.Instances)
	for i := range backends {
		name := fmt.Sprintf("%s-%d", group.Name, i)
		backends[i] = map[string]any{
			"name": name, "address": stacks.Ref{Resource: "server-" + name, Property: "address"}, "port": c.Balancer.TargetPort,
		}
	}
	if from, err := netip.ParsePrefix(c.Balancer.From); err == nil && !from.Addr().Is4() {
		b.report(blueprints.Error, group.ID+".public", fmt.Sprintf("the local target's network has IPv4 only, and cannot let %s in", from), "give an IPv4 block, as 0.0.0.0/0")
	}
	b.portFree(group.ID+".public", c.Balancer.Port)
	inputs := map[string]any{
		"name": balancerResource(c.Name), "group": c.ID, "network": inNetwork(), "limits": b.limits(c),
		"port": c.Balancer.Port, "backends": backends,
	}
	if c.Balancer.Health != "" {
		inputs["health"] = c.Balancer.Health
	}
	b.add(stacks.Resource{
		Name:                balancerResource(c.Name),
		Type:                TypeBalancer,
		Inputs:              inputs,
		DependsOn:           []string{groupResource(c.ID)},
		DeleteBeforeReplace: true,
	}, c.ID, c.Requirements)
}

func balancerResource(name string) string { return "balancer-" + name }
