package facts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// Subject is what is verified, with every fact that is known about it.
type Subject struct {
	Arch         architecture.Architecture
	Capabilities stacks.Capabilities
	Hosts        []*Host
	Built        []*Built // in the Graph's order
	Strangers    []*Built // read back, but in no Graph
	Unread       map[string]string

	requirements []blueprints.Requirement
	known        map[string]bool
	secrets      []string
}

// Built is one resource of the Graph: as declared, as built, and as it is.
type Built struct {
	Name, Kind string
	Component  string // component ID, or the security group for what serves several
	Wanted     Properties
	Outputs    Properties
	Live       Properties
	// Found says that it was read back. Otherwise Missing says why there is nothing in Live.
	Found    bool
	Missing  string
	problems map[string]error
}

// Problem says why an input of the Graph could not be resolved; nil when it could.
func (b *Built) Problem(input string) error { return b.problems[input] }

// Host is one machine of the deployment.
type Host struct {
	Name, Component, Address string
	Outside                  bool // stands for callers beyond the environment
	Way                      stacks.Host
}

// Given is what a subject is made of.
type Given struct {
	Document     *blueprints.Document
	Architecture architecture.Architecture
	Graph        stacks.Graph
	Deployment   stacks.Deployment
	Hosts        []stacks.Host
	Live         Live
	Capabilities stacks.Capabilities
}

// New joins all facts. It asks nobody anything.
func New(g Given) *Subject {
	s := &Subject{Arch: g.Architecture, Capabilities: g.Capabilities, Unread: g.Live.Unread, known: map[string]bool{}}
	if g.Document != nil {
		s.requirements = g.Document.Requirements
	}
	for _, r := range s.requirements {
		s.known[r.ID] = true
	}
	resolver := &resolver{graph: map[string]stacks.Resource{}, deployment: g.Deployment}
	for _, r := range g.Graph.Resources {
		resolver.graph[r.Name] = r
	}
	inGraph := map[string]bool{}
	for _, r := range g.Graph.Resources {
		inGraph[r.Name] = true
		inputs, problems := resolver.inputs(r)
		b := &Built{Name: r.Name, Kind: Kind(r.Type), Wanted: decode(inputs), Outputs: decode(g.Deployment.Resources[r.Name].Outputs), problems: problems}
		b.Component = cmp.Or(b.Wanted.Tags["component"], b.Wanted.Group)
		if live, ok := g.Live.Resources[r.Name]; ok {
			b.Live, b.Found = decode(live.Properties), true
		} else {
			b.Missing = cmp.Or(g.Live.Unread[r.Name], g.Live.Unread[b.Kind], g.Live.Unread["*"])
		}
		s.Built = append(s.Built, b)
	}
	for name, r := range g.Live.Resources {
		if !inGraph[name] {
			b := &Built{Name: name, Kind: Kind(r.Type), Live: decode(r.Properties), Found: true}
			b.Component = cmp.Or(b.Live.Tags["component"], b.Live.Group)
			s.Strangers = append(s.Strangers, b)
		}
	}
	slices.SortFunc(s.Strangers, func(a, b *Built) int { return cmp.Compare(a.Name, b.Name) })
	for _, h := range g.Hosts {
		s.Hosts = append(s.Hosts, &Host{
			Name: h.Name(), Component: h.Component(), Address: h.Address(), Way: h,
			Outside: h.Component() == architecture.Internet || h.Name() == "outside",
		})
	}
	slices.SortStableFunc(s.Hosts, func(a, b *Host) int { return cmp.Compare(a.Name, b.Name) })
	resolver.collectSecrets()
	s.secrets = resolver.secretsSorted()
	return s
}

// Of lists the resources of a kind that belong to a component; all of the kind when component is empty.
func (s *Subject) Of(kind, component string) []*Built {
	var out []*Built
	for _, b := range s.Built {
		if b.Kind == kind && (component == "" || b.Component == component) {
			out = append(out, b)
		}
	}
	return out
}

// First is the first resource of a kind that belongs to a component, or nil.
func (s *Subject) First(kind, component string) *Built {
	if all := s.Of(kind, component); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Component finds a component of the architecture by its ID.
func (s *Subject) Component(id string) (architecture.Component, bool) {
	i := slices.IndexFunc(s.Arch.Components, func(c architecture.Component) bool { return c.ID == id })
	if i < 0 {
		return architecture.Component{}, false
	}
	return s.Arch.Components[i], true
}

// HostsOf lists the hosts of a component, of all buckets for one bucket (one store serves them), or those outside for the internet.
func (s *Subject) HostsOf(component string) []*Host {
	var out []*Host
	for _, h := range s.Hosts {
		if h.Component == component && !h.Outside || h.Outside && component == architecture.Internet {
			out = append(out, h)
		}
	}
	if len(out) == 0 && GroupOf(component) != component {
		return s.HostsOf(GroupOf(component))
	}
	return out
}

// StoreGroup is the security group of what serves all buckets.
const StoreGroup = "buckets"

// GroupOf is the security group that a component's hosts are in.
func GroupOf(component string) string {
	if strings.HasPrefix(component, StoreGroup+".") || strings.HasPrefix(component, "backups.") {
		return StoreGroup
	}
	return component
}

// Hide replaces every secret of the deployment in a text, so that evidence can quote what a program or a server said.
func (s *Subject) Hide(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}

// Server is the Graph's resource behind a host of a server group, or nil.
func (s *Subject) Server(host string) *Built {
	for _, b := range s.Built {
		if b.Kind == "Server" && b.Wanted.Name == host {
			return b
		}
	}
	return nil
}

// Reason says why there is nothing read back of a resource that a check needs.
func (b *Built) Reason() string {
	if b.Missing != "" {
		return fmt.Sprintf("%s could not be read back: %s", b.Name, b.Missing)
	}
	return fmt.Sprintf("the control plane knows no %s", b.Name)
}
