package verify

import (
	"fmt"
	"strings"

	"surety/validate"
)

// Headline sums the results of a suite up in a few words, with the figures that tell most.
func Headline(s validate.Suite) string {
	switch s.Name {
	case Connectivity:
		flows, pairs, rules := parts(s, "connectivity/flow/"), parts(s, "connectivity/refused/"), parts(s, "connectivity/rule")
		return fmt.Sprintf("%s open as declared, %s refused, %s as declared", flows.of("flow"), pairs.of("undeclared pair"), rules.of("rule check"))
	case Hosts:
		return fmt.Sprintf("%s of size, system and software as declared", parts(s, "").of("figure"))
	case Load:
		return borne(s)
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
	case Backup:
		var said []string
		if copied := parts(s, "/newest"); copied.all > 0 {
			said = append(said, copied.of("source")+" copied in time")
		}
		if restored := parts(s, drilled); restored.all > 0 {
			said = append(said, restored.of("source")+" restored and equal to what was copied")
		}
		return strings.Join(said, ", ")
	}
	return fmt.Sprintf("%s as declared", parts(s, "").of("figure"))
}

// borne quotes the latency, or else the rate, of each server group that was driven, when all of them met what is expected.
func borne(s validate.Suite) string {
	all := parts(s, "")
	if all.pass < all.all {
		return fmt.Sprintf("%s met", all.of("expectation"))
	}
	said := map[string]string{} // by group
	var groups []string
	for _, r := range s.Results {
		group, leaf, _ := strings.Cut(strings.TrimPrefix(r.Check, "load/"), "/")
		if said[group] == "" {
			groups, said[group] = append(groups, group), r.Summary
		} else if leaf == "p95" {
			said[group] = r.Summary
		}
	}
	const most = 2
	var lines []string
	for _, group := range groups[:min(len(groups), most)] {
		lines = append(lines, said[group])
	}
	return strings.Join(lines, "; ") + and(all.all-len(lines))
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
