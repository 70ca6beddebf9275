package local

import (
	"maps"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// Type tokens of the local target's resources. Data is a resource without anything behind it, for measuring the engine.
const (
	TypeNetwork       = "surety:local:Network"
	TypeSecret        = "surety:local:Secret"
	TypeSecurityGroup = "surety:local:SecurityGroup"
	TypeObjectStore   = "surety:local:ObjectStore"
	TypeBucket        = "surety:local:Bucket"
	TypeGrant         = "surety:local:Grant"
	TypeDatabase      = "surety:local:Database"
	TypeServer        = "surety:local:Server"
	TypeBalancer      = "surety:local:Balancer"
	TypeBackupJob     = "surety:local:BackupJob"
	TypeData          = "surety:local:Data"
)

// networkName and storeName are the names of the two resources that an environment has one of at most.
const (
	networkName = "network"
	storeName   = "object-store"
)

// Graph implements stacks.Target. Besides the architecture it depends on the content of the programs that are to be placed,
// which it reads for their digests, and on what the machine offers.
//
// Order: the network comes first, then the security groups, so that no host ever stands unguarded; then what is used before
// what uses it; the servers of a group one after the other, each waiting for the health of the one before, so that a release
// that does not become healthy stops at the first instance while the others go on serving the old one; a balancer last,
// because its backends are addresses of its servers. Copies begin when what they are made of stands. That order holds in an update, too: a new server is healthy before the
// balancer sends it requests, and one that goes has left the balancer before it is removed, because removals come at the end.
func (t *Target) Graph(arch architecture.Architecture) (stacks.Graph, blueprints.Diagnostics) {
	b := &builder{target: t, arch: arch, components: map[string]architecture.Component{}, names: map[string]bool{}, digests: map[string]string{}}
	for _, c := range arch.Components {
		b.components[c.ID] = c
	}
	b.network()
	b.secrets()
	b.securityGroups()
	b.storage()
	for _, c := range arch.Components { // in start order
		switch {
		case c.Database != nil:
			b.database(c)
		case c.Server != nil:
			b.servers(c)
		case c.Balancer != nil:
			b.balancer(c)
		}
	}
	b.backups()
	b.hostNames()
	return stacks.Graph{Project: arch.Name, Stack: Name, Resources: b.resources}, b.diagnostics.Sort()
}

// builder collects the resources of one Graph.
type builder struct {
	target      *Target
	arch        architecture.Architecture
	components  map[string]architecture.Component
	resources   []stacks.Resource
	names       map[string]bool
	grants      []granted
	digests     map[string]string // path → SHA-256
	diagnostics blueprints.Diagnostics
}

// add appends a resource with what all of them have: the owner's tags, and requirement IDs and dependencies in a stable order.
func (b *builder) add(r stacks.Resource, component string, requirements ...[]string) {
	r.Inputs["tags"] = b.tags(component)
	r.Requirements = union(requirements...)
	r.DependsOn = union(r.DependsOn)
	b.names[r.Name] = true
	b.resources = append(b.resources, r)
}

// has tells whether a resource of that name is in the Graph already.
func (b *builder) has(name string) bool { return b.names[name] }

// tags say whose a resource is. Every resource has them, so that whoever finds one knows whom to ask.
func (b *builder) tags(component string) map[string]any {
	tags := map[string]any{"environment": b.arch.Name}
	for key, value := range map[string]string{"owner": b.arch.Owner.Team, "contact": b.arch.Owner.Contact, "component": component} {
		if value != "" {
			tags[key] = value
		}
	}
	return tags
}

// report adds a diagnostic.
func (b *builder) report(severity blueprints.Severity, requirement, summary, mend string) {
	b.diagnostics = append(b.diagnostics, blueprints.Diagnostic{Severity: severity, Requirement: requirement, Summary: summary, Mend: mend})
}

// network adds the network. It carries what is required of the environment as a whole, because everything stands in it.
func (b *builder) network() {
	requirements := []string{"name"}
	if b.arch.Owner.Team != "" {
		requirements = append(requirements, "owner.team")
	}
	if b.arch.Owner.Contact != "" {
		requirements = append(requirements, "owner.contact")
	}
	b.add(stacks.Resource{
		Name:                networkName,
		Type:                TypeNetwork,
		Inputs:              map[string]any{"name": b.arch.Name, "cidr": CIDR},
		DeleteBeforeReplace: true,
	}, "", requirements)
}

// inNetwork is the input that ties a resource to the network: when that is replaced, so is everything in it.
func inNetwork() stacks.Ref { return stacks.Ref{Resource: networkName, Property: "name"} }

// secrets adds the secrets that the spec asks for. Those that the target needs for itself come with what they are for.
func (b *builder) secrets() {
	for _, s := range b.arch.Secrets {
		b.add(secret("secret-"+s.Name, s.Length), "secrets."+s.Name, s.Requirements)
	}
}

func secret(name string, length int) stacks.Resource {
	return stacks.Resource{Name: name, Type: TypeSecret, Inputs: map[string]any{"length": length}}
}

// dashed makes a component ID fit for a resource name: "servers.web" becomes "servers-web".
func dashed(component string) string { return strings.ReplaceAll(component, ".", "-") }

// union merges lists into one, sorted and without repeats; nil when there is nothing in it.
func union(lists ...[]string) []string {
	all := map[string]bool{}
	for _, list := range lists {
		for _, s := range list {
			all[s] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
