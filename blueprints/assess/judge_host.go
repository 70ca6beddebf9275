package assess

import (
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
)

// derived are systems that surety makes by itself out of what the spec says, in lower case, with what takes their place.
var derived = []struct{ word, becomes string }{
	{"load balancer", "balancer"}, {"loadbalancer", "balancer"}, {"f5", "balancer"}, {"big-ip", "balancer"}, {"netscaler", "balancer"}, {"citrix adc", "balancer"},
	{"haproxy", "balancer"}, {"keepalived", "balancer"}, {"lvs", "balancer"}, {"elb", "balancer"}, {"alb", "balancer"}, {"nlb", "balancer"}, {"a10", "balancer"},
	{"firewall", "firewall"}, {"pfsense", "firewall"}, {"opnsense", "firewall"}, {"fortigate", "firewall"}, {"palo alto", "firewall"}, {"iptables", "firewall"},
	{"security group", "firewall"}, {"cisco asa", "firewall"}, {"check point", "firewall"},
}

// other judges what is neither server, database nor storage: a balancer or a firewall is made anew from the spec, the rest has no place in it.
func (j *judge) other(p *plan) {
	software := strings.ToLower(p.system.Software)
	for _, d := range derived {
		if strings.HasPrefix(software, d.word) {
			p.behind = true
			reason := "surety puts a balancer before each server group that is public or used by another: what it balances becomes public instead"
			fact := language("servers.*.public")
			if d.becomes == "firewall" {
				reason = "surety makes one rule for each use and each public entry, and closes everything else: the appliance and its rules are not carried over"
				fact = language("servers.*.uses")
			}
			p.find(Finding{Level: Changes, Topic: TopicKind, From: p.system.Software, To: "a derived " + d.becomes, Reason: reason,
				Mend: "compare its rules with the flows that surety plan shows", Facts: []Fact{fact}})
			return
		}
	}
	p.unsayable = true
	p.find(Finding{Level: Blocks, Topic: TopicKind, From: strings.TrimSpace("other " + p.system.Software), Reason: "a spec consists of servers, databases and buckets, and this is none of them",
		Mend: "describe it as a server with its software when it is one; else keep it where it is", Facts: append(p.said("kind"), language("servers, databases, buckets"))})
}

func (j *judge) platform(p *plan) {
	switch p.system.Platform {
	case "physical":
		p.find(Finding{Level: Changes, Topic: TopicPlatform, From: "physical", To: "virtual",
			Reason: "a virtual machine has none of its host's devices: dongles, tape drives, HBAs, accelerators and addresses bound to a card stay behind",
			Mend:   "list what is plugged in, and how the software is licensed to the hardware", Facts: p.said("platform")})
	case "container":
		p.find(Finding{Level: Changes, Topic: TopicPlatform, From: "container", To: "a package or program on a host",
			Reason: "the spec runs a distribution's package or a program, and no container images", Mend: "take the program out of the image, or run the image by a package such as podman",
			Facts: append(p.said("platform"), language("servers.*.runs"))})
	}
}

// arches are how processor architectures are written, and how the catalogue does.
var arches = map[string]string{"amd64": "amd64", "x86_64": "amd64", "x86-64": "amd64", "x64": "amd64", "intel": "amd64", "arm64": "arm64", "aarch64": "arm64",
	"i386": "i386", "i486": "i386", "i586": "i386", "i686": "i386", "x86": "i386", "32-bit": "i386"}

func (j *judge) arch(p *plan) {
	written := p.system.Arch
	if written == "" {
		return
	}
	arch := arches[strings.ToLower(written)]
	var sold, without []string
	var facts []Fact
	for _, id := range j.known.providers {
		if len(j.known.machines[id]) == 0 {
			continue
		}
		if slices.Contains(j.known.arches[id], arch) {
			sold = append(sold, id)
		} else {
			without = append(without, id)
		}
		facts = append(facts, machineFact(j.known.largest[id]))
	}
	facts = append(p.said("arch"), distinct(facts)...)
	switch {
	case arch == "i386":
		p.find(Finding{Level: Changes, Topic: TopicArch, From: written, To: "amd64", Reason: "machines are sold with 64-bit processors: 32-bit programs run there with 32-bit libraries only, and drivers not at all",
			Mend: "look for 64-bit builds of the software", Facts: facts})
	case arch == "amd64" && len(without) == 0 && len(sold) > 0:
		p.find(Finding{Level: Carries, Topic: TopicArch, From: written, To: "amd64", Reason: "sold at " + strings.Join(sold, ", "), Facts: facts})
	case arch == "arm64" && len(sold) > 0 && len(without) == 0:
		p.find(Finding{Level: Carries, Topic: TopicArch, From: written, To: "arm64", Reason: "sold at " + strings.Join(sold, ", "),
			Mend: "ask for it when comparing: the spec leaves the processor open", Facts: facts})
	case arch == "arm64" && len(sold) > 0:
		p.find(Finding{Level: Changes, Topic: TopicArch, From: written, To: "arm64 or amd64", Reason: fmt.Sprintf("sold at %s; the catalogue has no such machine of %s", strings.Join(sold, ", "), strings.Join(without, ", ")),
			Mend: "build the software for amd64 where there is no arm64", Facts: facts})
	case len(sold)+len(without) == 0:
		p.find(Finding{Level: Unproven, Topic: TopicArch, From: written, Reason: "no machine types are known of " + strings.Join(j.known.providers, ", "), Mend: "ask the provider", Facts: facts})
	case arch == "arm64":
		p.find(Finding{Level: Changes, Topic: TopicArch, From: written, To: "amd64", Reason: "the catalogue has no arm64 machine of " + strings.Join(without, ", "), Mend: "build the software for amd64", Facts: facts})
	default:
		p.find(Finding{Level: Blocks, Topic: TopicArch, From: written, Reason: "the machines in the catalogue have amd64 or arm64 processors", Mend: "build the software for one of them, or keep the system where it is", Facts: facts})
	}
}

// size judges whether one machine can be so large. What one instance of a spec may have at most is found by the check of the draft.
func (j *judge) size(p *plan) {
	s := p.system
	if p.section == "buckets" {
		return
	}
	if s.CPU == 0 && s.Memory == 0 {
		p.find(Finding{Level: Unproven, Topic: TopicSize, Reason: "the inventory does not say how many processors and how much memory it has", Mend: "find out; the draft leaves it to surety's sizing rules", Facts: p.said("name")})
		return
	}
	var fits, not []string
	var facts []Fact
	most, largest := 0.0, blueprints.Bytes(0)
	for _, id := range j.known.providers {
		if len(j.known.machines[id]) == 0 {
			continue
		}
		most, largest = max(most, j.known.most[id].CPU), max(largest, blueprints.Bytes(j.known.largest[id].Memory))
		facts = append(facts, machineFact(j.known.largest[id]))
		if j.known.fits(id, s.CPU, s.Memory) {
			fits = append(fits, id)
		} else {
			not = append(not, id)
		}
	}
	facts = append(p.said("cpu"), distinct(facts)...)
	from := sizeOf(s)
	switch {
	case len(fits)+len(not) == 0:
		p.find(Finding{Level: Unproven, Topic: TopicSize, From: from, Reason: "no machine types are known of " + strings.Join(j.known.providers, ", "), Mend: "ask the provider", Facts: facts})
	case len(fits) == 0:
		p.find(Finding{Level: Blocks, Topic: TopicSize, From: from,
			Reason: fmt.Sprintf("no machine type in the catalogue of %s has as much of both: the most are %g vCPUs, and %s of memory", strings.Join(not, ", "), most, largest),
			Mend:   "spread the load over several systems", Facts: facts})
	case len(not) > 0:
		p.find(Finding{Level: Carries, Topic: TopicSize, From: from, To: from, Reason: fmt.Sprintf("machines of that size are sold at %s, and not at %s", strings.Join(fits, ", "), strings.Join(not, ", ")), Facts: facts})
	default:
		p.find(Finding{Level: Carries, Topic: TopicSize, From: from, To: from, Reason: "machines of that size are sold at " + strings.Join(fits, ", "), Facts: facts})
	}
}

func sizeOf(s *System) string {
	var parts []string
	if s.CPU > 0 {
		parts = append(parts, fmt.Sprintf("%g CPU", s.CPU))
	}
	if s.Memory > 0 {
		parts = append(parts, s.Memory.String())
	}
	return strings.Join(parts, ", ")
}

// subscriptions are systems that are not free, with what has to be settled.
var subscriptions = map[string]string{"rhel": "a subscription of Red Hat, the provider's by the hour or your own", "sles": "a subscription of SUSE, the provider's by the hour or your own",
	"windows": "a licence of Microsoft, the provider's by the hour or your own with its terms for shared hardware"}

func (j *judge) licence(p *plan) {
	s := p.system
	if s.Licence != "" {
		p.find(Finding{Level: Unproven, Topic: TopicLicence, From: s.Licence, Reason: "whether the licence holds on a provider's hardware is not known here", Mend: "ask the licensor in writing", Facts: p.said("licence")})
	}
	family, _, _ := strings.Cut(p.os, "-")
	if what, is := subscriptions[family]; is {
		p.find(Finding{Level: Changes, Topic: TopicLicence, To: p.os, Reason: p.os + " needs " + what, Mend: "see with surety cost whether the price is known, and compare it with your agreement", Facts: append(p.said("os"), language("servers.*.os"))})
	}
}
