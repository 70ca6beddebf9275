package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/validate"
	"surety/validate/verify/facts"
)

// Planned is one check that Run will make.
type Planned struct {
	Check        string   `json:"check"`
	Suite        string   `json:"suite"`
	Requirements []string `json:"requirements"`
}

// Plan tells which checks Run will make once the architecture is built. It is the same derivation, on hosts that do not stand yet,
// and asks nobody anything. What only the target can tell (as whom a bucket lets in) may add a check when the time comes.
func Plan(doc *blueprints.Document, arch architecture.Architecture, graph stacks.Graph) ([]Planned, error) {
	hosts := []stacks.Host{future{name: "outside", component: architecture.Internet}}
	store := false
	for _, c := range arch.Components {
		switch c.Kind {
		case architecture.KindBucket:
			if !store {
				hosts = append(hosts, future{name: facts.StoreGroup, component: facts.StoreGroup})
			}
			store = true
		case architecture.KindBalancer:
			hosts = append(hosts, future{name: "balancer-" + c.Name, component: c.ID})
		default:
			for i := range c.Instances {
				hosts = append(hosts, future{name: fmt.Sprintf("%s-%d", c.Name, i), component: c.ID})
			}
		}
	}
	for i, h := range hosts {
		f := h.(future)
		f.address = fmt.Sprintf("host %d", i) // unlike all others is all that is asked of it
		hosts[i] = f
	}
	checks, err := plan(facts.New(facts.Given{Document: doc, Architecture: arch, Graph: graph, Hosts: hosts}), nil)
	if err != nil {
		return nil, err
	}
	planned := make([]Planned, len(checks))
	for i, c := range checks {
		planned[i] = Planned{Check: c.id, Suite: c.suite, Requirements: c.requirements}
	}
	return planned, nil
}

// future is a host that does not stand yet.
type future struct{ name, component, address string }

func (f future) Name() string      { return f.name }
func (f future) Component() string { return f.component }
func (f future) Address() string   { return f.address }
func (f future) Run(context.Context, stacks.Command) error {
	return errors.New(f.name + " is not built yet")
}

// Headline sums the results of a suite up in a few words, with the figures that tell most.
func Headline(s validate.Suite) string {
	switch s.Name {
	case Connectivity:
		flows, pairs, rules := parts(s, "connectivity/flow/"), parts(s, "connectivity/refused/"), parts(s, "connectivity/rule")
		return fmt.Sprintf("%s open as declared, %s refused, %s as declared", flows.of("flow"), pairs.of("undeclared pair"), rules.of("rule check"))
	case Hosts:
		return fmt.Sprintf("%s of size, system and software as declared", parts(s, "").of("figure"))
	case Web:
		return fmt.Sprintf("%s healthy", parts(s, "").of("answer"))
	case Databases:
		all := parts(s, "")
		if all.pass == all.all {
			for _, r := range s.Results {
				if len(r.Evidence) > 0 && r.Evidence[0].What == "SQL round trip" {
					return r.Summary + and(all.all-1)
				}
			}
		}
		return fmt.Sprintf("%s as declared", all.of("figure"))
	case Storage:
		refusals := parts(s, "refuses")
		return fmt.Sprintf("%s as declared, %s kept out", parts(s, "").less(refusals).of("figure"), refusals.of("stranger"))
	}
	return fmt.Sprintf("%s as declared", parts(s, "").of("figure"))
}

func and(more int) string {
	if more <= 0 {
		return ""
	}
	return "; and " + number(more, "other check") + " passed"
}

// share is how many of some results passed.
type share struct{ pass, all int }

// parts counts the results whose check ID holds a piece of text.
func parts(s validate.Suite, piece string) (n share) {
	for _, r := range s.Results {
		if !strings.Contains(r.Check, piece) {
			continue
		}
		n.all++
		if r.State == validate.Pass {
			n.pass++
		}
	}
	return n
}

func (n share) less(m share) share { return share{n.pass - m.pass, n.all - m.all} }

// of gives "12 flows", or "11 of 12 flows" when not all passed.
func (n share) of(what string) string {
	if n.pass == n.all {
		return number(n.all, what)
	}
	return fmt.Sprintf("%d of %s", n.pass, number(n.all, what))
}
