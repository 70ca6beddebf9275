package architecture

import (
	"cmp"
	"slices"
)

// RuleSet is everything that may connect to one component. What no rule lets in is refused.
type RuleSet struct {
	Destination string `json:"destination"` // component ID
	Ingress     []Rule `json:"ingress"`
}

// Rule lets connections in. Exactly one of From and CIDR is set.
type Rule struct {
	From         string   `json:"from,omitempty"` // component ID
	CIDR         string   `json:"cidr,omitempty"` // of callers outside the environment
	Port         int      `json:"port"`
	Reasons      []string `json:"reasons"`
	Requirements []string `json:"requirements"`
}

// Rules gives the least-privilege rules, one set per component in the order of Components, also for a component that nothing may reach.
// Flows with the same source and port are one rule that serves all their requirements.
func (a Architecture) Rules() []RuleSet {
	sets := make([]RuleSet, len(a.Components))
	at := make(map[string]int, len(a.Components))
	for i, c := range a.Components {
		sets[i] = RuleSet{Destination: c.ID, Ingress: []Rule{}}
		at[c.ID] = i
	}
	for _, f := range a.Flows {
		i, ok := at[f.To]
		if !ok {
			continue
		}
		r := Rule{From: f.From, CIDR: f.CIDR, Port: f.Port, Reasons: []string{f.Reason}, Requirements: slices.Clone(f.Requirements)}
		if f.From == Internet {
			r.From = ""
		}
		set := &sets[i]
		if j := slices.IndexFunc(set.Ingress, func(o Rule) bool { return o.From == r.From && o.CIDR == r.CIDR && o.Port == r.Port }); j >= 0 {
			set.Ingress[j].Reasons = append(set.Ingress[j].Reasons, r.Reasons...)
			set.Ingress[j].Requirements = union(set.Ingress[j].Requirements, r.Requirements)
			continue
		}
		set.Ingress = append(set.Ingress, r)
	}
	return sets
}

// Permits tells whether a flow lets from (a component ID or Internet) connect to a port of to.
func (a Architecture) Permits(from, to string, port int) bool {
	return slices.ContainsFunc(a.Flows, func(f Flow) bool { return f.From == from && f.To == to && f.Port == port })
}

// Pair is a connection that somebody could try.
type Pair struct {
	From string `json:"from"` // component ID or Internet
	To   string `json:"to"`   // component ID
	Port int    `json:"port"`
}

// Undeclared lists the connections that must be refused: every ordered pair of components, and every component seen from outside,
// on the ports the destination listens on and on the extra ones (such as 22 of hosts with an SSH service), less what a flow permits.
// Left out, because a network cannot tell them apart:
//   - a component's own instances among each other, which are one security group;
//   - buckets as sources, which open no connections;
//   - a bucket for a source that uses another bucket: all share one endpoint, and it is the grant that refuses.
//
// extra ports are tried on servers and databases, which are hosts; a balancer and an object store listen on nothing else.
func (a Architecture) Undeclared(extra ...int) []Pair {
	permitted := make(map[Pair]bool, len(a.Flows))
	reachesStore := map[string]bool{}
	kinds := make(map[string]Kind, len(a.Components))
	for _, c := range a.Components {
		kinds[c.ID] = c.Kind
	}
	for _, f := range a.Flows {
		permitted[Pair{f.From, f.To, f.Port}] = true
		if kinds[f.To] == KindBucket {
			reachesStore[f.From] = true
		}
	}
	sources := []string{Internet}
	for _, c := range a.Components {
		if c.Kind != KindBucket {
			sources = append(sources, c.ID)
		}
	}
	var pairs []Pair
	for _, to := range a.Components {
		for _, port := range to.ports(extra) {
			for _, from := range sources {
				p := Pair{from, to.ID, port}
				if from == to.ID || permitted[p] || to.Kind == KindBucket && reachesStore[from] {
					continue
				}
				pairs = append(pairs, p)
			}
		}
	}
	slices.SortFunc(pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.Port, b.Port), cmp.Compare(a.From, b.From))
	})
	return pairs
}

// ports lists where a component listens.
func (c Component) ports(extra []int) []int {
	var ports []int
	switch c.Kind {
	case KindServer:
		if c.Server.Runs.Port > 0 {
			ports = append(ports, c.Server.Runs.Port)
		}
		ports = append(ports, extra...)
	case KindDatabase:
		if c.Database.Port > 0 {
			ports = append(ports, c.Database.Port)
		}
		ports = append(ports, extra...)
	case KindBucket:
		ports = []int{BucketPort}
	case KindBalancer:
		ports = []int{c.Balancer.Port}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// union appends what is not yet there, keeping the order.
func union(into, more []string) []string {
	for _, s := range more {
		if !slices.Contains(into, s) {
			into = append(into, s)
		}
	}
	return into
}
