package architecture

import (
	"fmt"
	"strings"

	"surety/blueprints"
)

// Design turns a loaded spec into an architecture. It is pure: no clock, no network, no randomness, and equal documents
// give equal architectures, byte for byte when encoded as JSON.
// What cannot be built or cannot hold together is a diagnostic; the architecture is then still returned as far as it goes,
// so that it can be shown, but it must not be built while the diagnostics hold errors.
func Design(doc *blueprints.Document) (Architecture, blueprints.Diagnostics) {
	d := newDesigner(doc)
	d.secrets()
	d.servers()
	d.databases()
	d.buckets()
	d.backups()
	d.balancers()
	d.flows()
	d.order()
	d.availability()
	d.conflicts()
	d.recovery()
	return d.out, d.diags.Sort()
}

// use is one element of a server group's uses: a declared connection.
type use struct {
	from string // component ID of the server group
	to   string // as written: "databases.main", "servers.api"
	id   string // requirement ID: "servers.web.uses[0]"
}

// designer carries the state of one Design.
type designer struct {
	doc     *blueprints.Document
	spec    *blueprints.Spec
	leaves  map[string][]string // component ID → requirement IDs of its leaves, in the order written
	written map[string]bool     // requirement IDs that the author wrote
	// Both hold only the uses that lead somewhere.
	usedFrom map[string][]use    // component ID of a server group → what it uses, as written
	usedBy   map[string][]use    // target as written → who uses it
	needs    map[string][]string // component ID → IDs that must stand before it
	index    map[string]int      // component ID → place in out.Components
	out      Architecture
	diags    blueprints.Diagnostics
}

func newDesigner(doc *blueprints.Document) *designer {
	d := &designer{
		doc: doc, spec: &doc.Spec,
		leaves: map[string][]string{}, written: map[string]bool{}, usedFrom: map[string][]use{}, usedBy: map[string][]use{},
	}
	s := d.spec
	d.out = Architecture{
		Name: s.Name, Owner: s.Owner, Objectives: s.Objectives,
		Components: []Component{}, Flows: []Flow{}, StartOrder: [][]string{}, SinglePoints: []SinglePoint{}, Decisions: []Decision{},
	}
	for _, r := range doc.Requirements {
		d.written[r.ID] = true
		if owner := componentOf(r.ID); owner != "" {
			d.leaves[owner] = append(d.leaves[owner], r.ID)
		}
	}
	for _, name := range blueprints.SortedKeys(s.Servers) {
		for i, to := range s.Servers[name].Uses {
			if to == "" {
				continue // the loader has reported it and kept its place
			}
			d.declare(use{from: "servers." + name, to: to, id: fmt.Sprintf("servers.%s.uses[%d]", name, i)})
		}
	}
	return d
}

// declare keeps a use that leads somewhere and reports one that does not.
func (d *designer) declare(u use) {
	section, name, _ := strings.Cut(u.to, ".")
	var there, listens bool
	switch section {
	case "servers":
		var s blueprints.Server
		s, there = d.spec.Servers[name]
		listens = s.Runs.Port > 0
	case "databases":
		_, there = d.spec.Databases[name]
		listens = true
	case "buckets":
		_, there = d.spec.Buckets[name]
		listens = true
	}
	switch {
	case !there:
		d.report(u.id, fmt.Sprintf("nothing named %q to use", u.to), "name a server group, database or bucket of this spec")
	case u.to == u.from:
		d.report(u.id, "a server group cannot use itself: it would have to run before it starts", "remove this use")
	case !listens:
		d.report(u.id, u.to+" listens on no port, so nothing can use it", "give "+u.to+".runs a port")
	default:
		d.usedFrom[u.from] = append(d.usedFrom[u.from], u)
		d.usedBy[u.to] = append(d.usedBy[u.to], u)
	}
}

// add appends a component; its place is final only after order.
func (d *designer) add(c Component) { d.out.Components = append(d.out.Components, c) }

// decide records a figure with its rule. Requirement IDs that the author did not write are dropped: a default serves no requirement.
func (d *designer) decide(component, what, value, rule, reason string, ids ...string) {
	d.out.Decisions = append(d.out.Decisions, Decision{
		Component: component, What: what, Value: value, Rule: rule, Reason: reason, Requirements: d.only(ids...),
	})
}

// only keeps the IDs that the author wrote.
func (d *designer) only(ids ...string) []string {
	var kept []string
	for _, id := range ids {
		if d.written[id] {
			kept = append(kept, id)
		}
	}
	return kept
}

// report adds an error diagnostic at a requirement.
func (d *designer) report(id, summary, mend string, conflict ...string) {
	d.diags = append(d.diags, blueprints.Diagnostic{
		Severity: blueprints.Error, Requirement: id, Position: d.doc.At(id), Summary: summary, Mend: mend, Conflict: conflict,
	})
}

// secrets lists the generated secrets.
func (d *designer) secrets() {
	for _, name := range blueprints.SortedKeys(d.spec.Secrets) {
		s, id := d.spec.Secrets[name], "secrets."+name
		rule, reason := "as required", "the spec asks for it"
		if s.Length == 0 {
			rule, reason = "default", "24 characters of 62 are 142 bits, beyond guessing"
		}
		d.out.Secrets = append(d.out.Secrets, SecretComponent{Name: name, Length: s.Characters(), Requirements: d.leaves[id]})
		d.decide(id, "length", fmt.Sprint(s.Characters()), rule, reason, id+".length")
	}
}

// componentOf gives the component a requirement belongs to: "servers.web" for "servers.web.size.cpu".
// Names are DNS labels, so that the second dot ends the name.
func componentOf(id string) string {
	section, rest, ok := strings.Cut(id, ".")
	if !ok {
		return ""
	}
	switch section {
	case "servers", "databases", "buckets", "secrets", "backups":
		name, _, _ := strings.Cut(rest, ".")
		return section + "." + name
	}
	return ""
}
