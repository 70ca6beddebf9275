package verify

import (
	"fmt"
	"slices"
	"strings"

	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// tagged are the kinds of resource that carry tags which can be read back.
var tagged = []string{"Network", "Server", "Database", "ObjectStore", "Bucket", "Balancer"}

// identity checks that everything built says whose it is, as read back, and that generated secrets are as long as declared.
func identity(s *facts.Subject) []check {
	var checks []check
	for _, t := range []struct{ leaf, tag, want string }{
		{"name", "environment", s.Arch.Name},
		{"owner.team", "owner", s.Arch.Owner.Team},
		{"owner.contact", "contact", s.Arch.Owner.Contact},
	} {
		if t.want == "" {
			continue
		}
		checks = append(checks, check{id: "identity/" + t.leaf, requirements: s.Known(t.leaf), judge: func([]probe.Outcome) verdict {
			return judgeTag(s, t.leaf, t.tag, t.want)
		}})
	}
	for _, secret := range s.Arch.Secrets {
		checks = append(checks, check{id: "identity/secret " + secret.Name, requirements: secret.Requirements, judge: func([]probe.Outcome) verdict {
			return judgeSecret(s, secret.Name, secret.Length)
		}})
	}
	return checks
}

func judgeTag(s *facts.Subject, leaf, tag, want string) verdict {
	var right, unread, gone, wrong []string
	for _, b := range s.Built {
		switch {
		case !slices.Contains(tagged, b.Kind):
		case !b.Found && b.Missing != "":
			unread = append(unread, b.Reason())
		case !b.Found:
			gone = append(gone, b.Name)
		case b.Live.Tags[tag] != want:
			wrong = append(wrong, fmt.Sprintf("%s has %q", b.Name, b.Live.Tags[tag]))
		default:
			right = append(right, b.Name)
		}
	}
	total := len(right) + len(wrong)
	e := saw("tag "+tag, want, fmt.Sprintf("%d of %d resources carry it", len(right), total), "the control plane")
	switch {
	case len(wrong) > 0:
		e.Got += ": " + strings.Join(wrong, ", ")
		return fail(fmt.Sprintf("%s: %s, declared %q", leaf, strings.Join(wrong, ", "), want), e)
	case len(unread) > 0:
		return unproven(leaf+": "+unread[0], e)
	case total == 0:
		return unproven(leaf+": nothing that was built carries tags", e)
	case len(gone) > 0:
		return unproven(fmt.Sprintf("%s: %s is gone, the other %d carry it", leaf, strings.Join(gone, ", "), len(right)), e)
	}
	return pass(fmt.Sprintf("%s %q on all %d resources that carry tags", leaf, want, total), e)
}

// judgeSecret measures a generated secret without showing it.
func judgeSecret(s *facts.Subject, name string, length int) verdict {
	if b := s.First("Secret", "secrets."+name); b != nil && b.Outputs.Value != "" {
		got := len([]rune(b.Outputs.Value))
		e := saw("length of the secret "+name, fmt.Sprint(length), fmt.Sprint(got), "the deployment")
		if got != length {
			return fail(fmt.Sprintf("secret %s has %d characters, declared %d", name, got, length), e)
		}
		return pass(fmt.Sprintf("secret %s was generated with %d characters", name, got), e)
	}
	return unproven("secret " + name + " is not in the deployment")
}
