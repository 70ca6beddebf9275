package cloud

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"surety/stacks/local/network"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// What is taken out of a range is not in the result, and everything else is: checked on the edges of every part.
func TestRangeWithoutTheEnvironment(t *testing.T) {
	everything := netip.MustParsePrefix("0.0.0.0/0")
	parts := without(everything, testRange)
	if len(parts) != 16 {
		t.Errorf("0.0.0.0/0 without a /16 is %d parts, want 16: %v", len(parts), parts)
	}
	in := func(s string) bool {
		return slices.ContainsFunc(parts, func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(s)) })
	}
	for _, s := range []string{"10.77.0.0", "10.77.0.1", "10.77.128.9", "10.77.255.255"} {
		if in(s) {
			t.Errorf("%s of the environment is let in as from outside", s)
		}
	}
	for _, s := range []string{"0.0.0.0", "10.76.255.255", "10.78.0.0", "203.0.113.10", "255.255.255.255"} {
		if !in(s) {
			t.Errorf("%s is outside and not let in", s)
		}
	}
	if p := without(netip.MustParsePrefix("10.77.3.0/24"), testRange); len(p) != 0 {
		t.Errorf("a range inside the environment leaves %v", p)
	}
	if p := without(netip.MustParsePrefix("192.0.2.0/24"), testRange); len(p) != 1 {
		t.Errorf("a range beside the environment becomes %v", p)
	}
}

func testGroups() map[string][]netip.Addr {
	return map[string][]netip.Addr{
		"servers.web": addrs("10.77.0.20", "10.77.0.21"), "balancers.web": addrs("10.77.0.30"),
		"databases.main": addrs("10.77.0.40", "10.77.0.41", "10.77.0.42"), internetGroup: {outsideOf(testRange)},
	}
}

func testWish(group string, rule Rule) wish {
	groups := testGroups()
	return wish{group: group, rule: rule, kernel: network.Rule{From: sources(rule, groups, testRange), To: groups[group], Port: uint16(rule.Port), Comment: comment(group, rule)}}
}

func TestAttribute(t *testing.T) {
	web := testWish("servers.web", Rule{FromGroup: "balancers.web", Port: 8080, Reason: "servers.web.public"})
	entry := testWish("balancers.web", Rule{CIDR: "0.0.0.0/0", Port: 80, Reason: "servers.web.public"})
	main := testWish("databases.main", Rule{FromGroup: "servers.web", Port: 5432, Reason: "servers.web.uses[0]"})
	nobody := testWish("servers.empty", Rule{FromGroup: "servers.web", Port: 1, Reason: "no members yet"})
	inner := testWish("databases.main", Rule{FromGroup: "databases.main", Port: 5432, Reason: replication})
	inner.implicit = true
	wishes := []wish{web, entry, main, nobody, inner}
	asMade := []network.Rule{web.kernel, entry.kernel, main.kernel, inner.kernel}
	foreign := network.Rule{From: prefixes(addrs("10.77.0.20")), To: addrs("10.77.0.30"), Port: 22}
	toNobody := network.Rule{From: prefixes(addrs("192.0.2.9")), To: addrs("10.77.9.9"), Port: 22, Comment: "foreign: by hand"}
	half := main.kernel
	half.From = half.From[:1]
	cases := map[string]struct {
		kernel []network.Rule
		want   map[string][]Rule
	}{
		"as made":             {asMade, map[string][]Rule{"servers.web": {web.rule}, "balancers.web": {entry.rule}, "databases.main": {main.rule}, "servers.empty": {nobody.rule}}},
		"one deleted by hand": {asMade[1:], map[string][]Rule{"balancers.web": {entry.rule}, "databases.main": {main.rule}, "servers.empty": {nobody.rule}}},
		"one added by hand": {append(slices.Clone(asMade), foreign), map[string][]Rule{"servers.web": {web.rule},
			"balancers.web": {entry.rule, {FromGroup: "servers.web", Port: 22, Reason: foreignReason}}, "databases.main": {main.rule}, "servers.empty": {nobody.rule}}},
		"one to an address of nobody": {append(slices.Clone(asMade), toNobody), map[string][]Rule{"servers.web": {web.rule}, "balancers.web": {entry.rule}, "databases.main": {main.rule}, "servers.empty": {nobody.rule},
			foreignGroup: {{CIDR: "192.0.2.9/32", Port: 22, Reason: "foreign: by hand, to 10.77.9.9"}}}},
		"one narrowed by hand": {[]network.Rule{web.kernel, entry.kernel, half, inner.kernel}, map[string][]Rule{"servers.web": {web.rule}, "balancers.web": {entry.rule}, "servers.empty": {nobody.rule},
			"databases.main": {{FromGroup: "servers.web", Port: 5432, Reason: main.kernel.Comment}}}},
		"the filter gone": {[]network.Rule{{Comment: "foreign: missing chain"}}, map[string][]Rule{"servers.empty": {nobody.rule},
			foreignGroup: {{CIDR: "0.0.0.0/0", Reason: "foreign: missing chain"}}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := attribute(c.kernel, wishes, testGroups()); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestLongCommentsStayApart(t *testing.T) {
	long := strings.Repeat("servers.web.uses[0], ", 20)
	a := comment("servers.web", Rule{FromGroup: "x", Reason: long + "a"})
	b := comment("servers.web", Rule{FromGroup: "x", Reason: long + "b"})
	if len(a) > 128 || a == b {
		t.Errorf("comments of %d bytes, equal: %v", len(a), a == b)
	}
}
