package local

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"surety/blueprints/architecture"
	"surety/stacks"
)

// storeGroup is the security group of the object store, which serves all buckets: network rules cannot tell one bucket from
// another, grants do.
const storeGroup = "buckets"

// securityGroups adds one group for each component that hosts stand for, also for one that nothing may reach, and in each one
// rule for each flow that leads there. Flows to several buckets share the object store's rule.
func (b *builder) securityGroups() {
	groups := map[string]string{} // security group → component for its tag
	for _, c := range b.arch.Components {
		groups[groupOf(c.ID)] = c.ID
	}
	groups[storeGroup] = storeGroup
	flows := map[string][]architecture.Flow{}
	for _, f := range b.arch.Flows {
		flows[groupOf(f.To)] = append(flows[groupOf(f.To)], f)
	}
	names := make([]string, 0, len(groups))
	for name := range groups {
		if name != storeGroup || b.hasBuckets() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		var requirements []string
		for _, f := range flows[name] {
			requirements = append(requirements, f.Requirements...)
		}
		b.add(stacks.Resource{
			Name:                groupResource(name),
			Type:                TypeSecurityGroup,
			Inputs:              map[string]any{"name": name, "ingress": ingress(flows[name]), "network": inNetwork()},
			DeleteBeforeReplace: true,
		}, groups[name], requirements)
	}
}

// Rule is one rule of a security group of a Graph: who may connect to whom.
type Rule struct {
	From, To     string // security groups; From is empty when CIDR is set
	CIDR         string
	Port         int
	Requirements []string
}

// Rules lists the rules of a Graph of this target, for tests.
func Rules(g stacks.Graph) []Rule {
	var rules []Rule
	for _, r := range g.Resources {
		if r.Type != TypeSecurityGroup {
			continue
		}
		list, _ := r.Inputs["ingress"].([]any)
		for _, entry := range list {
			in, _ := entry.(map[string]any)
			rule := Rule{To: text(r.Inputs["name"]), From: text(in["fromGroup"]), CIDR: text(in["cidr"])}
			rule.Port, _ = in["port"].(int)
			if reason := text(in["reason"]); reason != "" {
				rule.Requirements = strings.Split(reason, ",")
			}
			rules = append(rules, rule)
		}
	}
	return rules
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// ingress turns flows into rules, merging those that let the same caller in at the same port.
func ingress(flows []architecture.Flow) []any {
	type caller struct {
		group, cidr string
		port        int
	}
	reasons := map[caller][]string{}
	for _, f := range flows {
		c := caller{group: groupOf(f.From), port: f.Port}
		if f.From == architecture.Internet {
			c.group, c.cidr = "", cmp.Or(f.CIDR, "0.0.0.0/0")
		}
		reasons[c] = append(reasons[c], f.Requirements...)
	}
	callers := slices.SortedFunc(maps.Keys(reasons), func(a, b caller) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.cidr, b.cidr), cmp.Compare(a.port, b.port))
	})
	rules := make([]any, 0, len(callers))
	for _, c := range callers {
		rule := map[string]any{"port": c.port}
		if c.group != "" {
			rule["fromGroup"] = c.group
		} else {
			rule["cidr"] = c.cidr
		}
		if reason := strings.Join(union(reasons[c]), ","); reason != "" {
			rule["reason"] = reason
		}
		rules = append(rules, rule)
	}
	return rules
}

// groupOf is the security group of a component's hosts.
func groupOf(component string) string {
	if strings.HasPrefix(component, "buckets.") || strings.HasPrefix(component, "backups.") {
		return storeGroup
	}
	return component
}

func groupResource(group string) string { return "security-group-" + dashed(group) }

func (b *builder) hasBuckets() bool {
	return slices.ContainsFunc(b.arch.Components, func(c architecture.Component) bool { return c.Bucket != nil })
}
