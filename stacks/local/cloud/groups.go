package cloud

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"surety/stacks/local/network"
)

const (
	internetGroup = "internet" // the group of the host that stands for the outside
	foreignGroup  = "foreign"  // stands for rules that belong to no group of ours; it can be read, not written
	replication   = "replication"
	foreignReason = "not made by surety"
)

// wish is a rule that should be in the kernel.
type wish struct {
	group    string
	rule     Rule
	implicit bool         // not part of the group's spec
	kernel   network.Rule // no From or no To: there is nothing to allow yet
}

// members maps each group to the addresses of its hosts, service addresses included. What is being deleted is no member any more.
func (d *daemon) members() (map[string][]netip.Addr, error) {
	groups := map[string][]netip.Addr{}
	for _, r := range d.book.all() {
		if r.Phase == phaseDeleting || len(r.Hosts) == 0 {
			continue
		}
		group, err := groupOf(r)
		if err != nil {
			return nil, err
		}
		for _, name := range r.hostNames() {
			groups[group] = append(groups[group], r.Hosts[name])
		}
		if r.Service.IsValid() {
			groups[group] = append(groups[group], r.Service)
		}
	}
	for _, addrs := range groups {
		slices.SortFunc(addrs, netip.Addr.Compare)
	}
	return groups, nil
}

// groupOf is the security group of a record's hosts.
func groupOf(r record) (string, error) {
	switch r.Kind {
	case KindNetwork:
		return internetGroup, nil
	case KindObjectStore:
		v, err := specOf[ObjectStore](r)
		return v.Group, err
	case KindDatabase:
		v, err := specOf[Database](r)
		return v.Group, err
	case KindServer:
		v, err := specOf[Server](r)
		return v.Group, err
	case KindBalancer:
		v, err := specOf[Balancer](r)
		return v.Group, err
	}
	return "", nil
}

// wishes lists the rules of all groups and those that databases need among their own hosts.
func (d *daemon) wishes(groups map[string][]netip.Addr) ([]wish, error) {
	cidr, err := d.cidr()
	if err != nil {
		return nil, err
	}
	var out []wish
	for _, r := range d.book.list(KindSecurityGroup) {
		g, err := specOf[SecurityGroup](r)
		if err != nil {
			return nil, err
		}
		if r.Phase == phaseDeleting {
			continue
		}
		for _, rule := range g.Ingress {
			out = append(out, wish{group: g.Name, rule: rule, kernel: network.Rule{
				From: sources(rule, groups, cidr), To: groups[g.Name], Port: uint16(rule.Port), Comment: comment(g.Name, rule)}})
		}
	}
	for _, r := range d.book.list(KindDatabase) {
		db, err := specOf[Database](r)
		if err != nil {
			return nil, err
		}
		if r.Phase == phaseDeleting || len(r.Hosts) < 2 {
			continue
		}
		var own []netip.Addr
		for _, name := range r.hostNames() {
			own = append(own, r.Hosts[name])
		}
		rule := Rule{FromGroup: db.Group, Port: postgresPort, Reason: replication}
		out = append(out, wish{group: db.Group, rule: rule, implicit: true, kernel: network.Rule{
			From: prefixes(own), To: own, Port: postgresPort, Comment: comment(db.Group, rule)}})
	}
	return out, nil
}

// sources are the addresses a rule lets in. A CIDR is for callers beyond the environment, so the environment's own hosts are taken out of
// it; the outside host stands for a caller from that range, whichever it is.
func sources(rule Rule, groups map[string][]netip.Addr, environment netip.Prefix) []netip.Prefix {
	if rule.FromGroup != "" {
		return prefixes(groups[rule.FromGroup])
	}
	prefix, err := netip.ParsePrefix(rule.CIDR) // checked when it came in
	if err != nil {
		return nil
	}
	return append(without(prefix.Masked(), environment), prefixes([]netip.Addr{outsideOf(environment)})...)
}

// without splits a prefix into those that together hold all of it but the hole.
func without(p, hole netip.Prefix) []netip.Prefix {
	if !p.Overlaps(hole) {
		return []netip.Prefix{p}
	}
	if hole.Bits() <= p.Bits() {
		return nil
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	raw := p.Addr().As4()
	raw[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	high := netip.PrefixFrom(netip.AddrFrom4(raw), p.Bits()+1)
	return append(without(low, hole), without(high, hole)...)
}

func prefixes(addrs []netip.Addr) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addrs {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

// comment names a rule in the kernel, where a comment may have some 120 bytes; a longer one is cut and told apart by its digest.
func comment(group string, r Rule) string {
	const longest = 120
	text := fmt.Sprintf("%s from %s: %s", group, cmp.Or(r.FromGroup, r.CIDR), r.Reason)
	if len(text) <= longest {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return strings.ToValidUTF8(text[:longest-10], "") + "~" + hex.EncodeToString(sum[:4])
}

// applyRules brings the kernel's rules to what all groups want. Calls that wait for an earlier one are answered by one application.
func (d *daemon) applyRules(ctx context.Context) error {
	mine := d.rulesWanted.Add(1)
	d.net.Lock()
	defer d.net.Unlock()
	if d.rulesDone >= mine || d.router == nil {
		return nil
	}
	now := d.rulesWanted.Load()
	groups, err := d.members()
	if err != nil {
		return err
	}
	wishes, err := d.wishes(groups)
	if err != nil {
		return err
	}
	var rules []network.Rule
	for _, w := range wishes {
		if len(w.kernel.From) > 0 && len(w.kernel.To) > 0 {
			rules = append(rules, w.kernel)
		}
	}
	if err := d.router.Apply(ctx, rules); err != nil {
		return fmt.Errorf("apply security groups: %w", err)
	}
	d.rulesDone = now
	return nil
}

// opening is one source, destination and port that a kernel rule lets through.
type opening struct {
	from    netip.Prefix
	to      netip.Addr
	port    uint16
	comment string
}

func openings(r network.Rule) []opening {
	var out []opening
	for _, from := range r.From {
		for _, to := range r.To {
			out = append(out, opening{from.Masked(), to, r.Port, r.Comment})
		}
	}
	return out
}

// ingress reads every group's rules back from the kernel. A rule of ours that is whole comes back as it was asked for; whatever else
// is open is listed with the group that owns its destination, or with "foreign" when none does.
func (d *daemon) ingress(ctx context.Context) (map[string][]Rule, error) {
	router, err := d.theRouter()
	if err != nil {
		return nil, nil // without a router, as after a restart of the machine, nothing is let through
	}
	kernel, err := router.Rules(ctx)
	if err != nil {
		return nil, fmt.Errorf("read rules back: %w", err)
	}
	groups, err := d.members()
	if err != nil {
		return nil, err
	}
	wishes, err := d.wishes(groups)
	if err != nil {
		return nil, err
	}
	return attribute(kernel, wishes, groups), nil
}

// attribute is the pure part of ingress.
func attribute(kernel []network.Rule, wishes []wish, groups map[string][]netip.Addr) map[string][]Rule {
	open := map[opening]bool{}
	for _, r := range kernel {
		for _, o := range openings(r) {
			open[o] = true
		}
	}
	out := map[string][]Rule{}
	explained := map[opening]bool{}
	for _, w := range wishes {
		whole := true
		for _, o := range openings(w.kernel) {
			whole = whole && open[o]
		}
		if !whole {
			continue
		}
		for _, o := range openings(w.kernel) {
			explained[o] = true
		}
		if !w.implicit {
			out[w.group] = append(out[w.group], w.rule)
		}
	}
	owner := map[netip.Addr]string{}
	for group, addrs := range groups {
		for _, a := range addrs {
			owner[a] = group
		}
	}
	for _, r := range kernel {
		if r.Comment == network.Measurement { // ours, and gone in a moment: neither a group's nor drift
			continue
		}
		for group, rule := range unexplained(r, explained, owner) {
			out[group] = append(out[group], rule...)
		}
	}
	return out
}

// unexplained expresses what a kernel rule opens beyond our own rules, for each group that owns a destination.
func unexplained(r network.Rule, explained map[opening]bool, owner map[netip.Addr]string) map[string][]Rule {
	out := map[string][]Rule{}
	reason := cmp.Or(r.Comment, foreignReason)
	add := func(to netip.Addr, rule Rule) {
		group := cmp.Or(owner[to], foreignGroup)
		if group == internetGroup || group == foreignGroup {
			group = foreignGroup
			if to.IsValid() {
				rule.Reason = fmt.Sprintf("%s, to %s", reason, to)
			}
		}
		if !slices.Contains(out[group], rule) {
			out[group] = append(out[group], rule)
		}
	}
	if len(r.From) == 0 || len(r.To) == 0 { // a form that is not ours: anybody, or anywhere
		for _, to := range destinations(r) {
			add(to, Rule{CIDR: "0.0.0.0/0", Port: int(r.Port), Reason: reason})
		}
		return out
	}
	for _, o := range openings(r) {
		if explained[o] {
			continue
		}
		rule := Rule{CIDR: o.from.String(), Port: int(o.port), Reason: reason}
		if from := owner[o.from.Addr()]; from != "" && o.from.IsSingleIP() {
			rule.CIDR, rule.FromGroup = "", from
		}
		add(o.to, rule)
	}
	return out
}

func checkGroup(name string, g *SecurityGroup) error {
	if err := checkName("name", name, g.Name); err != nil {
		return err
	}
	if name == foreignGroup || name == internetGroup {
		return &Invalid{Field: "name", Message: fmt.Sprintf("%q is reserved", name), Mend: "choose another name"}
	}
	for i, r := range g.Ingress {
		field := fmt.Sprintf("ingress[%d]", i)
		if (r.FromGroup == "") == (r.CIDR == "") {
			return &Invalid{Field: field, Message: "exactly one of fromGroup and cidr must be set"}
		}
		if p, err := netip.ParsePrefix(r.CIDR); r.CIDR != "" && (err != nil || !p.Addr().Is4()) {
			return &Invalid{Field: field + ".cidr", Message: fmt.Sprintf("%q is not an IPv4 range", r.CIDR), Mend: `write it as "0.0.0.0/0"`}
		}
		if err := checkPort(field+".port", r.Port); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) putGroup(act, _ context.Context, _ *record, _ SecurityGroup) error {
	if _, err := d.theRouter(); err != nil {
		return err
	}
	return d.applyRules(act)
}

func (d *daemon) readGroup(ctx context.Context, _ record, g SecurityGroup, _ bool) (SecurityGroup, error) {
	all, err := d.ingress(ctx)
	g.Ingress = append([]Rule{}, all[g.Name]...)
	return g, err
}

// foreign reads back the rules that belong to no group of ours.
func (d *daemon) foreign(ctx context.Context) (any, error) {
	all, err := d.ingress(ctx)
	if err != nil {
		return nil, err
	}
	if len(all[foreignGroup]) == 0 {
		return nil, &NotFound{Kind: KindSecurityGroup, Name: foreignGroup}
	}
	return SecurityGroup{Name: foreignGroup, Ingress: all[foreignGroup]}, nil
}

func (d *daemon) removeGroup(ctx context.Context, _ record) error { return d.applyRules(ctx) }

// destinations are a rule's, or the invalid address when it is not bound to any.
func destinations(r network.Rule) []netip.Addr {
	if len(r.To) == 0 {
		return []netip.Addr{{}}
	}
	return r.To
}
