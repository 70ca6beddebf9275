package network

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Rule lets TCP connections from any of From to any of To at Port pass the router. A rule without From or To lets
// nothing pass; "anywhere" is 0.0.0.0/0.
type Rule struct {
	From    []netip.Prefix
	To      []netip.Addr
	Port    uint16
	Comment string // names the group and the reason; "foreign: …" for what somebody else put into the kernel
}

// maxComment is the longest comment kept in the kernel, which holds at most 256 bytes of user data a rule; nft allows 128.
const maxComment = 128

// comment shortens a comment that is too long; a digest keeps two of them apart.
func comment(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
	if s == "" {
		return "surety: rule" // one without a comment would come back as foreign
	}
	if len(s) <= maxComment {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:maxComment-10], "") + "…" + hex.EncodeToString(sum[:3])
}

// pass is one rule as the kernel has it: one source, one destination, one port.
type pass struct {
	from    netip.Prefix
	to      netip.Addr
	port    uint16
	comment string
}

func comparePass(a, b pass) int {
	return cmp.Or(cmp.Compare(a.comment, b.comment), cmp.Compare(a.port, b.port), a.to.Compare(b.to), comparePrefix(a.from, b.from))
}

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// expand turns rules into what the kernel gets, sorted and without doubles.
func expand(rules []Rule) ([]pass, error) {
	var all []pass
	for _, rule := range rules {
		if rule.Port == 0 {
			return nil, fmt.Errorf("rule %q: port 0", rule.Comment)
		}
		for _, from := range rule.From {
			if !from.IsValid() || !from.Addr().Is4() {
				return nil, fmt.Errorf("rule %q: %q is no IPv4 prefix", rule.Comment, from)
			}
			for _, to := range rule.To {
				if !to.Is4() {
					return nil, fmt.Errorf("rule %q: %q is no IPv4 address", rule.Comment, to)
				}
				all = append(all, pass{from.Masked(), to, rule.Port, comment(rule.Comment)})
			}
		}
	}
	slices.SortFunc(all, comparePass)
	return slices.Compact(all), nil
}

// merge turns what the kernel has into the fewest rules: passes of one comment and port that share their sources become
// one rule. It is a function of the set of passes alone, so equal sets give equal rules.
func merge(passes []pass) []Rule {
	type target struct {
		comment string
		port    uint16
		to      netip.Addr
	}
	sources := map[target][]netip.Prefix{}
	for _, p := range passes {
		t := target{p.comment, p.port, p.to}
		sources[t] = append(sources[t], p.from)
	}
	byKey := map[string]*Rule{}
	for t, from := range sources {
		slices.SortFunc(from, comparePrefix)
		from = slices.Compact(from)
		key := fmt.Sprint(t.comment, "\x00", t.port, from)
		rule := byKey[key]
		if rule == nil {
			rule = &Rule{From: from, Port: t.port, Comment: t.comment}
			byKey[key] = rule
		}
		rule.To = append(rule.To, t.to)
	}
	var rules []Rule
	for _, rule := range byKey {
		slices.SortFunc(rule.To, netip.Addr.Compare)
		rules = append(rules, *rule)
	}
	slices.SortFunc(rules, compareRule)
	return rules
}

func compareRule(a, b Rule) int {
	return cmp.Or(cmp.Compare(a.Comment, b.Comment), cmp.Compare(a.Port, b.Port),
		slices.CompareFunc(a.To, b.To, netip.Addr.Compare), slices.CompareFunc(a.From, b.From, comparePrefix))
}

// Normalize brings rules into the form that Rules reads back, so that after Apply(rules) the two are equal as long as
// nobody changed the kernel's rules by hand.
func Normalize(rules []Rule) ([]Rule, error) {
	passes, err := expand(rules)
	if err != nil {
		return nil, err
	}
	return merge(passes), nil
}

// Foreign tells that the rule read back was not made by Apply.
func (r Rule) Foreign() bool { return r.Comment == "" || strings.HasPrefix(r.Comment, foreignPrefix) }

const foreignPrefix = "foreign: "
