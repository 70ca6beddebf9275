package verify

import (
	"fmt"
	"slices"
	"strings"

	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// anywhere is the range of all callers.
const anywhere = "0.0.0.0/0"

// foreign is the security group under which rules are read back whose destination belongs to no group.
const foreign = "foreign"

// rules compares the rules read back with the flows, both ways: each flow has its rule, and no rule is without a flow.
func rules(s *facts.Subject) []check {
	var checks []check
	groups := map[string][]architecture.Flow{}
	var names []string
	for _, c := range s.Arch.Components {
		if g := facts.GroupOf(c.ID); !slices.Contains(names, g) {
			names = append(names, g)
		}
	}
	for _, f := range s.Arch.Flows {
		groups[facts.GroupOf(f.To)] = append(groups[facts.GroupOf(f.To)], f)
		checks = append(checks, ruleCheck(s, f))
	}
	for _, g := range names {
		checks = append(checks, noOtherRule(s, g, groups[g]))
	}
	return append(checks, check{
		id: "connectivity/rules/" + foreign, requirements: everyFlow(s),
		judge: func([]probe.Outcome) verdict { return foreignRules(s) },
	})
}

// ingress gives the rules of a group as read back; a reason when they were not read.
func ingress(s *facts.Subject, group string) ([]facts.Rule, string) {
	for _, b := range s.Built {
		if b.Kind == "SecurityGroup" && first(b.Wanted.Name, b.Live.Name) == group {
			if !b.Found && b.Missing != "" {
				return nil, b.Reason()
			}
			return b.Live.Ingress, "" // a group that is gone lets nothing in: its rules are missing
		}
	}
	if reason := first(s.Unread["SecurityGroup"], s.Unread["*"]); reason != "" {
		return nil, "the rules of " + group + " could not be read back: " + reason
	}
	return nil, "the rules of " + group + " are not read back: no security group of that name was built"
}

// ruleOf is the rule that a flow becomes.
func ruleOf(f architecture.Flow) facts.Rule {
	if f.From == architecture.Internet {
		return facts.Rule{CIDR: first(f.CIDR, anywhere), Port: f.Port}
	}
	return facts.Rule{FromGroup: facts.GroupOf(f.From), Port: f.Port}
}

func same(a, b facts.Rule) bool { return a.Caller() == b.Caller() && a.Port == b.Port }

func describe(r facts.Rule, to string) string {
	port := fmt.Sprint(r.Port)
	if r.Port == 0 {
		port = "every port"
	}
	return fmt.Sprintf("%s → %s:%s", r.Caller(), to, port)
}

func ruleCheck(s *facts.Subject, f architecture.Flow) check {
	group, want := facts.GroupOf(f.To), ruleOf(f)
	return check{
		id:           fmt.Sprintf("connectivity/rule/%s/%s:%d", want.Caller(), f.To, f.Port),
		requirements: f.Requirements,
		judge: func([]probe.Outcome) verdict {
			have, reason := ingress(s, group)
			if reason != "" {
				return unproven(reason)
			}
			what := describe(want, f.To)
			asked := reasonAsked(s, group, want)
			for _, r := range have {
				if !same(r, want) {
					continue
				}
				if asked != "" && r.Reason != "" && r.Reason != asked {
					// The control plane gives a rule back as it was asked for only when all of it is in force.
					return fail("the rule "+what+" is in force in part only", saw("rules of "+group, what, what+reasonOf(r), "the packet filter"))
				}
				return pass("rule in force: "+what, saw("rule of "+group, what, what, "the packet filter"))
			}
			return fail("the rule "+what+" is missing", saw("rules of "+group, what, list(have, group), "the packet filter"))
		},
	}
}

// reasonAsked is the reason that the Graph gives a rule, by which the control plane tells a whole rule from a piece of one.
func reasonAsked(s *facts.Subject, group string, want facts.Rule) string {
	for _, b := range s.Of("SecurityGroup", "") {
		if b.Wanted.Name != group {
			continue
		}
		for _, r := range b.Wanted.Ingress {
			if same(r, want) {
				return r.Reason
			}
		}
	}
	return ""
}

func noOtherRule(s *facts.Subject, group string, flows []architecture.Flow) check {
	return check{
		id: "connectivity/rules/" + group, requirements: s.Exposure(group),
		judge: func([]probe.Outcome) verdict {
			have, reason := ingress(s, group)
			if reason != "" {
				return unproven(reason)
			}
			var extra []facts.Rule
			for _, r := range have {
				if !slices.ContainsFunc(flows, func(f architecture.Flow) bool { return same(ruleOf(f), r) }) {
					extra = append(extra, r)
				}
			}
			return extraRules(extra, group, len(have))
		},
	}
}

func extraRules(extra []facts.Rule, group string, all int) verdict {
	if len(extra) == 0 {
		return pass(fmt.Sprintf("no rule lets in to %s what no flow declares (%d in force)", group, all),
			saw("rules of "+group+" without a flow", "none", "none", "the packet filter"))
	}
	var evidence []validate.Evidence
	for _, r := range extra {
		evidence = append(evidence, saw("rule of "+group, "none without a flow", describe(r, group)+reasonOf(r), "the packet filter"))
	}
	return fail(fmt.Sprintf("%s is let in by %s that no flow declares", list(extra, group), number(len(extra), "rule")), evidence...)
}

// everyFlow gives the leaves behind all flows: what a change of the packet filter as a whole goes against.
func everyFlow(s *facts.Subject) []string {
	var ids []string
	for _, f := range s.Arch.Flows {
		ids = append(ids, f.Requirements...)
	}
	return s.Known(ids...)
}

// foreignRules judges what is open to addresses that belong to none of the environment's groups.
func foreignRules(s *facts.Subject) verdict {
	if reason := first(s.Unread["SecurityGroup"], s.Unread["security-groups/foreign"], s.Unread["*"]); reason != "" {
		return unproven("rules that belong to no group could not be read back: " + reason)
	}
	var extra []facts.Rule
	read := false
	add := func(rules []facts.Rule) {
		read = true
		for _, r := range rules {
			if !slices.Contains(extra, r) { // some control planes list them twice, with the network and as a group
				extra = append(extra, r)
			}
		}
	}
	for _, b := range s.Of("Network", "") {
		if b.Found {
			add(b.Live.ForeignRules)
		}
	}
	for _, b := range s.Strangers {
		if b.Kind == "SecurityGroup" {
			add(b.Live.Ingress)
		}
	}
	if !read {
		return unproven("rules that belong to no group were not read back")
	}
	if len(extra) == 0 {
		return pass("no rule in force belongs to no group", saw("rules of no group", "none", "none", "the packet filter"))
	}
	var found []string
	var evidence []validate.Evidence
	for _, r := range extra {
		what := first(r.Reason, describe(r, "anywhere"))
		found = append(found, what)
		evidence = append(evidence, saw("rule of no group", "none", describe(r, "anywhere")+reasonOf(r), "the packet filter"))
	}
	v := fail("the packet filter was changed by hand: "+strings.Join(found, ", "), evidence...)
	// A rule to an address of ours is held against what that component is open to.
	var concerned []string
	for _, r := range extra {
		for _, h := range s.Hosts {
			if h.Address != "" && slices.Contains(strings.FieldsFunc(r.Reason, func(c rune) bool { return c == ' ' || c == ',' || c == '/' }), h.Address) {
				concerned = append(concerned, s.Exposure(h.Component)...)
			}
		}
	}
	return v.about(concerned...)
}

func reasonOf(r facts.Rule) string {
	if r.Reason == "" {
		return ""
	}
	return " (" + r.Reason + ")"
}

func list(rules []facts.Rule, to string) string {
	if len(rules) == 0 {
		return "no rule"
	}
	parts := make([]string, len(rules))
	for i, r := range rules {
		parts[i] = describe(r, to)
	}
	return strings.Join(parts, ", ")
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
