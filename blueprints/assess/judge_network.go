package assess

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"surety/blueprints"
)

// remote are ports by which hosts are administered, which surety does by itself.
var remote = map[int]string{22: "ssh", 3389: "RDP", 5985: "WinRM", 5986: "WinRM"}

// enginePort is the port of an engine in a spec.
func enginePort(engine string) int { return blueprints.Database{Engine: engine}.Port() }

func (j *judge) ports(p *plan) {
	if p.section == "buckets" {
		return
	}
	var tcp []int
	for i, l := range p.system.Listens {
		at := p.said(fmt.Sprintf("listens[%d]", i))
		switch name := remote[l.Port]; {
		case l.Protocol == "icmp":
			p.find(Finding{Level: Changes, Topic: TopicPorts, From: l.String(), To: "closed", Reason: "the spec's flows are TCP: no answer to a ping is among them", Mend: "let what watches it connect to its port",
				Facts: append(at, language("servers.*.runs.port"))})
		case l.Protocol != "tcp":
			p.find(Finding{Level: Blocks, Topic: TopicPorts, From: l.String(), Reason: "the spec's flows are TCP, and it has no words for " + l.Protocol,
				Mend: "leave it out when nobody needs it; else keep what needs it outside the spec", Facts: append(at, language("servers.*.runs.port"))})
		case l.To > 0:
			p.find(Finding{Level: Blocks, Topic: TopicPorts, From: l.String(), Reason: "the software of a server group listens on one port, and not on a range",
				Mend: "configure one port (passive FTP needs many: offer the files by a bucket)", Facts: append(at, language("servers.*.runs.port"))})
		case name != "":
			p.find(Finding{Level: Changes, Topic: TopicPorts, From: l.String() + " (" + name + ")", To: "surety ssh", Reason: "ways of administration are surety's own, and no flow of the spec",
				Mend: "drop the rules for it", Facts: append(at, language("servers.*.uses"))})
		default:
			tcp = append(tcp, l.Port)
		}
	}
	if p.section == "databases" {
		if len(tcp) > 0 && !slices.Contains(tcp, enginePort(p.engine)) {
			p.find(Finding{Level: Changes, Topic: TopicPorts, From: fmt.Sprintf("%d/tcp", tcp[0]), To: fmt.Sprintf("%d/tcp", enginePort(p.engine)), Reason: "a database of the spec listens on its engine's own port",
				Mend: "let the software read host and port from ${databases.NAME.url}", Facts: append(p.said("listens"), language("databases"))})
		}
		return
	}
	if len(tcp) == 0 {
		return
	}
	p.port = tcp[0]
	if rest := without(tcp, 443); len(tcp) == 2 && len(rest) == 1 && rest[0] == 80 {
		p.port = 80
		p.assume("port", "of 80 and 443 the one without TLS")
		p.find(Finding{Level: Changes, Topic: TopicPorts, From: "80/tcp, 443/tcp", To: "80/tcp", Reason: "the software of a server group listens on one port; the draft keeps the one without TLS, which a balancer can pass on",
			Mend: "end TLS before the balancer, or let the software listen on 443 alone", Facts: append(p.said("listens"), language("servers.*.runs.port"))})
	} else if len(tcp) > 1 {
		p.assume("port", fmt.Sprintf("the first of %v", tcp))
		p.find(Finding{Level: Blocks, Topic: TopicPorts, From: fmt.Sprintf("%v", tcp), Reason: "the software of a server group listens on one port",
			Mend: "make a server group of each part that listens, or bring them behind one port; the draft has the first", Facts: append(p.said("listens"), language("servers.*.runs.port"))})
	}
	if slices.Contains(tcp, 443) {
		p.find(Finding{Level: Unproven, Topic: TopicPorts, From: "443/tcp", Reason: "the spec names no certificates, so where TLS is ended is not said in it", Mend: "decide who holds the certificate: the software itself, or what stands before the balancer",
			Facts: []Fact{language("servers.*.public")}})
	}
}

// String gives the form that inventories use.
func (l Listen) String() string {
	switch {
	case l.Port == 0:
		return "any/" + l.Protocol
	case l.To > 0:
		return fmt.Sprintf("%d-%d/%s", l.Port, l.To, l.Protocol)
	}
	return fmt.Sprintf("%d/%s", l.Port, l.Protocol)
}

func without(ports []int, port int) []int {
	return slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return p == port })
}

// callers turns who may connect today into uses and public entries. Rules by address become rules by name, after those that are by name.
func (j *judge) callers() {
	for _, p := range j.plans {
		var public []string
		for _, caller := range p.system.ReachedFrom {
			switch block, is := blockOf(caller); {
			case caller == "internet", is && isPublic(block):
				public = append(public, caller)
			case !is:
				j.flow(j.plans[j.inv.find(caller)], p, "reachedFrom of "+p.system.Name)
			}
		}
		if len(public) > 0 {
			j.open(p, public)
		}
	}
	for _, p := range j.plans {
		for i, caller := range p.system.ReachedFrom {
			if block, is := blockOf(caller); is && !isPublic(block) {
				j.byAddress(p, caller, block, fmt.Sprintf("reachedFrom[%d]", i))
			}
		}
	}
}

// byAddress finds the systems whose addresses a rule lets through. A rule for a whole network lets through more than is needed: a use that
// would close a circle with those that are known is not drafted from it, which is said.
func (j *judge) byAddress(p *plan, caller string, block netip.Prefix, key string) {
	var names, targets, circular []string
	for _, from := range j.plans {
		if from == p || !slices.ContainsFunc(from.system.Addresses, func(a string) bool { address, err := netip.ParseAddr(a); return err == nil && block.Contains(address) }) {
			continue
		}
		if from.section != "servers" {
			continue // a database or bucket calls nobody
		}
		names = append(names, from.system.Name)
		if p.id() != "" && j.reaches(p, from, map[*plan]bool{}) {
			circular = append(circular, from.system.Name)
			continue
		}
		targets = append(targets, from.id())
		j.flow(from, p, "the rule for "+caller)
	}
	if len(names) == 0 {
		p.find(Finding{Level: Unproven, Topic: TopicCallers, From: caller, To: "closed", Reason: "no server of the inventory has an address in it, so who calls is not known; callers in an office network need a way into the provider's network, of which the spec says nothing",
			Mend: "write addresses of the systems that call, or reachedFrom with their names", Facts: p.said(key)})
		return
	}
	reason, mend, to := "a rule by address becomes one flow for each use by name: "+strings.Join(names, ", "), "remove the uses that nobody needs", strings.Join(targets, ", ")+" → "+p.where()
	if len(targets) == 0 {
		to = "closed"
	}
	if len(circular) > 0 {
		reason += "; not drafted is that of " + strings.Join(circular, ", ") + ", which it uses itself, directly or through others"
		mend = "find out who calls whom, and write dependsOn"
	}
	p.find(Finding{Level: Changes, Topic: TopicCallers, From: caller, To: to, Reason: reason, Mend: mend, Facts: append(p.said(key), language("servers.*.uses"))})
}

// reaches tells whether one plan uses another, directly or through others.
func (j *judge) reaches(from, to *plan, seen map[*plan]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for id := range from.uses {
		if next := j.planAt(id); next != nil && !seen[next] && j.reaches(next, to, seen) {
			return true
		}
	}
	return false
}

// where names a plan's place in words, for one that is left out too.
func (p *plan) where() string {
	if p.id() != "" {
		return p.id()
	}
	return p.system.Name
}

// open makes a server group public. A balancer stands for what it balances.
func (j *judge) open(p *plan, callers []string) {
	from := callers[0]
	if slices.Contains(callers, "internet") {
		callers, from = []string{"internet"}, ""
	}
	if block, is := blockOf(from); is {
		from = block.String()
	}
	targets := []*plan{p}
	if p.behind {
		targets = nil
		for _, name := range p.system.DependsOn {
			targets = append(targets, j.plans[j.inv.find(name)])
		}
		targets = j.oneGroup(p, targets)
	}
	for _, t := range targets {
		switch {
		case t.section == "servers":
			port := t.port
			if p.behind && len(p.system.Listens) > 0 {
				port = p.system.Listens[0].Port
			} else if len(t.system.Listens) > 0 && slices.ContainsFunc(t.system.Listens, func(l Listen) bool { return l.Port == 443 }) && t.port != 80 {
				port = 443
			}
			if port == 0 {
				p.find(Finding{Level: Unproven, Topic: TopicCallers, Reason: "it is reached from outside, and the inventory does not say on which port", Mend: "write listens, as in [443/tcp]", Facts: p.said("reachedFrom")})
				continue
			}
			t.public = &blueprints.Public{Port: port, From: from}
		case t.section != "":
			t.find(Finding{Level: Changes, Topic: TopicCallers, From: strings.Join(callers, ", "), To: "closed", Reason: "only server groups are public: a database or bucket is reached by who uses it",
				Mend: "let outside callers go through a server group", Facts: append(t.said("reachedFrom"), language("servers.*.public"))})
		}
	}
	if len(callers) > 1 {
		p.find(Finding{Level: Blocks, Topic: TopicCallers, From: strings.Join(callers, ", "), To: from, Reason: "a public entry lets one address block through", Mend: "write the one block that holds them all, and keep the rest out elsewhere; the draft has the first",
			Facts: append(p.said("reachedFrom"), language("servers.*.public.from"))})
	}
}

// oneGroup keeps the first server group behind a balancer: a balancer of the spec stands before one group of equal hosts.
func (j *judge) oneGroup(p *plan, targets []*plan) []*plan {
	var first *plan
	for _, t := range targets {
		switch {
		case t.section != "servers":
		case first == nil:
			first = t
		default:
			t.find(Finding{Level: Blocks, Topic: TopicCallers, From: "behind " + p.system.Name + " with " + first.system.Name,
				Reason: fmt.Sprintf("a balancer of the spec stands before one group of equal hosts, and in the draft %s is public in its stead", first.system.Name),
				Mend:   "write both as one system with count: 2 when they are equal; else give each a public port of its own", Facts: append(p.said("dependsOn"), language("servers.*.public"))})
		}
	}
	if first == nil {
		return nil
	}
	return []*plan{first}
}

// flow adds a use from one system to another, to what takes its place, or a comment in its stead.
func (j *judge) flow(from, to *plan, why string) {
	if from == to || from.section != "servers" {
		return
	}
	switch {
	case to.behind:
		for _, name := range to.system.DependsOn {
			if next := j.plans[j.inv.find(name)]; next != from && !next.behind {
				j.flow(from, next, why+", through "+to.system.Name)
			}
		}
	case to.section == "":
		from.left = append(from.left, to.system.Name)
	default:
		if _, there := from.uses[to.id()]; !there {
			from.uses[to.id()] = why
		}
	}
}

// dependencies turns what each system needs into uses, and says what blocks through another.
func (j *judge) dependencies() {
	for _, p := range j.plans {
		for i, name := range p.system.DependsOn {
			to := j.plans[j.inv.find(name)]
			key := fmt.Sprintf("dependsOn[%d]", i)
			if p.section == "databases" || p.section == "buckets" {
				p.find(Finding{Level: Changes, Topic: TopicDependency, From: name, To: "none", Reason: "a database or bucket of the spec connects to nothing", Mend: "let a server group fetch what it needs (links between databases, scheduled copies)",
					Facts: append(p.said(key), language("servers.*.uses"))})
				continue
			}
			j.flow(p, to, "")
			if p.section == "" && !p.behind {
				continue
			}
			if to.section == "" && !to.behind && !p.behind {
				p.find(Finding{Level: Blocks, Topic: TopicDependency, From: name, Reason: fmt.Sprintf("%s blocks, and the spec has no flow to what is outside of it", name), Mend: "settle " + name + " first", Through: name, Facts: p.said(key)})
			}
		}
	}
}

// withoutPort reports what is used and listens on no port that is known, and leaves the use out.
func (j *judge) withoutPort() {
	for _, p := range j.plans {
		for _, id := range blueprints.SortedKeys(p.uses) {
			to := j.planAt(id)
			if to != nil && to.section == "servers" && to.port == 0 {
				delete(p.uses, id)
				p.left = append(p.left, to.system.Name)
				to.find(Finding{Level: Blocks, Topic: TopicPorts, Reason: fmt.Sprintf("%s connects to it, and the inventory does not say on which port it listens", p.system.Name), Mend: "write listens, as in [8080/tcp]", Facts: append(to.said("listens"), language("servers.*.runs.port"))})
			}
		}
	}
}

func (j *judge) planAt(id string) *plan {
	for _, p := range j.plans {
		if p.id() == id {
			return p
		}
	}
	return nil
}

func blockOf(text string) (netip.Prefix, bool) {
	if block, err := netip.ParsePrefix(text); err == nil {
		return block, true
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, address.BitLen()), true
}

func isPublic(block netip.Prefix) bool {
	a := block.Addr()
	return !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}
