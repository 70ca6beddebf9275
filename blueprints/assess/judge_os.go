package assess

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"surety/blueprints"
)

// systemNames are how operating systems are written, in lower case without spaces and punctuation, and how the spec writes them.
var systemNames = []struct{ prefix, name string }{
	{"debian", "debian"}, {"ubuntu", "ubuntu"}, {"centosstream", "centos-stream"}, {"centos", "centos"}, {"redhat", "rhel"}, {"rhel", "rhel"},
	{"rocky", "rocky"}, {"alma", "almalinux"}, {"oraclelinux", "oracle-linux"}, {"amazonlinux", "amazon-linux"}, {"amzn", "amazon-linux"},
	{"sles", "sles"}, {"suse", "sles"}, {"windows", "windows"}, {"microsoftwindows", "windows"}, {"aix", "aix"}, {"ibmaix", "aix"},
	{"solaris", "solaris"}, {"oraclesolaris", "solaris"}, {"sunos", "solaris"}, {"hpux", "hp-ux"}, {"zos", "z-os"}, {"ibmi", "ibm-i"}, {"os400", "ibm-i"},
	{"openvms", "openvms"}, {"vmwareesx", "esxi"}, {"esx", "esxi"}, {"macos", "macos"}, {"netware", "netware"}, {"freebsd", "freebsd"}, {"linux", ""},
}

// elsewhere are systems for which none of the providers of the catalogue sells machines: they need processors or licences bound to
// their makers' hardware, or are what a provider has in their place.
var elsewhere = map[string]string{
	"aix": "AIX runs on POWER processors only", "solaris": "Solaris is sold for SPARC and x86 machines of its maker",
	"hp-ux": "HP-UX runs on PA-RISC and Itanium processors only", "z-os": "z/OS runs on IBM Z processors only",
	"ibm-i": "IBM i runs on POWER processors only", "openvms": "OpenVMS runs on Alpha, Itanium and x86 machines that its maker lists", "netware": "NetWare is no longer made",
	"esxi": "a hypervisor is not moved: its guests are", "macos": "macOS may run on Apple's hardware only",
}

// rebuilt are systems made from the same sources as another, whose software is the nearest to theirs.
var rebuilt = map[string]string{"centos": "rhel", "rocky": "rhel", "almalinux": "rhel", "oracle-linux": "rhel", "centos-stream": "rhel"}

var firstNumber = regexp.MustCompile(`[0-9]+(\.[0-9]+)*`)
var specSystem = regexp.MustCompile(`^[a-z]+(-[a-z]+)*-[0-9]+(\.[0-9]+)*$`)

// systemOf gives the spec's word for an operating system, "" when it is not known which is meant, and its version without words around it.
func systemOf(os, version string) (name, number string) {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(os))
	for _, s := range systemNames {
		if strings.HasPrefix(plain, s.prefix) {
			name = s.name
			break
		}
	}
	if number = firstNumber.FindString(version); number == "" {
		number = firstNumber.FindString(os) // "Windows Server 2016" in one cell
		if name == "ibm-i" || name == "z-os" {
			number = ""
		}
	}
	if parts := strings.Split(number, "."); name == "ubuntu" && len(parts) > 2 {
		number = strings.Join(parts[:2], ".")
	}
	return name, number
}

func (j *judge) os(p *plan) {
	s := p.system
	written := strings.TrimSpace(s.OS + " " + s.OSVersion)
	if written == "" {
		p.os = blueprints.DefaultOS
		p.assume("os", "the inventory does not say which operating system it is")
		p.find(Finding{Level: Unproven, Topic: TopicOS, To: p.os, Reason: "the inventory does not say which operating system it is",
			Mend: "find out, and write os and osVersion", Facts: p.said("name")})
		return
	}
	name, number := systemOf(s.OS, s.OSVersion)
	if why, is := elsewhere[name]; is {
		p.unsayable = true
		p.find(Finding{Level: Blocks, Topic: TopicOS, From: written, Reason: why + ", and no provider asked about has an image of it",
			Mend: "keep it where it is, or replace its software by one that runs on Linux", Facts: append(p.said("os"), j.known.imageFacts()...)})
		return
	}
	id := name + "-" + number
	current, known := lifeOf(name, number)
	at, imageFacts := j.known.images(id)
	if known { // an image of 8 is one of 8.10 too
		if at, imageFacts = j.known.images(name + "-" + current.version); len(at) > 0 {
			id = name + "-" + current.version
		}
	}
	lifeFacts := []Fact{}
	if known {
		lifeFacts = append(lifeFacts, current.fact)
	}
	now := j.known.now
	switch {
	case name == "" || number == "" || !specSystem.MatchString(id):
		p.os = blueprints.DefaultOS
		p.assume("os", fmt.Sprintf("today it is %q, of which nothing is known here", written))
		p.find(Finding{Level: Unproven, Topic: TopicOS, From: written, To: p.os, Reason: "which system and version this is, and until when it is supported, is not known here",
			Mend: "write os and osVersion as in ubuntu and 22.04", Facts: p.said("os")})
	case known && !now.After(current.standard) && len(at) > 0:
		p.os = id
		p.find(Finding{Level: Carries, Topic: TopicOS, From: written, To: id,
			Reason: fmt.Sprintf("supported until %s; an image is known at %s", current.standard.Format(day), strings.Join(at, ", ")), Facts: append(lifeFacts, imageFacts...)})
	case known && (now.After(current.standard) || len(at) == 0 && j.successor(name, id) != ""):
		j.renew(p, name, id, written, current, at, append(lifeFacts, imageFacts...))
	default:
		p.os = id
		reason := "until when it is supported is not known here"
		if known {
			reason = "supported until " + current.standard.Format(day)
		}
		switch {
		case len(at) > 0:
			reason += "; an image is known at " + strings.Join(at, ", ")
		default:
			reason += fmt.Sprintf("; no image of it is known at %s, which does not say that there is none", strings.Join(j.known.providers, ", "))
		}
		p.find(Finding{Level: Unproven, Topic: TopicOS, From: written, To: id, Reason: reason, Mend: "ask the provider for an image of it",
			Facts: append(append(p.said("os"), lifeFacts...), imageFacts...)})
	}
	if name == "windows" {
		p.find(Finding{Level: Blocks, Topic: TopicSoftware, From: written,
			Reason: "the spec says how software gets on a host as a package of a Linux distribution or a program in /opt/bin, and has no words for Windows",
			Mend:   "move its software to Linux, or keep the system beside what surety builds; it is in the draft so that its price can be compared",
			Facts:  []Fact{language("servers.*.runs")}})
	}
}

// renew replaces a system whose support has ended, or of which no image is known.
func (j *judge) renew(p *plan, name, id, written string, current life, at []string, facts []Fact) {
	now := j.known.now
	ended := fmt.Sprintf("standard support ended on %s", current.standard.Format(day))
	extended := !current.extended.IsZero() && !now.After(current.extended)
	switch {
	case !now.After(current.standard):
		ended = fmt.Sprintf("supported until %s, and no image of it is known at %s", current.standard.Format(day), strings.Join(j.known.providers, ", "))
	case extended:
		ended += fmt.Sprintf(", and %s extends it to %s", current.by, current.extended.Format(day))
	case !current.extended.IsZero():
		ended += fmt.Sprintf(", and its extension (%s) on %s", current.by, current.extended.Format(day))
	}
	next := j.successor(name, id)
	if extended && len(at) > 0 && next == "" {
		p.os = id
		p.find(Finding{Level: Carries, Topic: TopicOS, From: written, To: id, Reason: ended + "; an image is known at " + strings.Join(at, ", "),
			Mend: "plan the next version before that day", Facts: facts})
		return
	}
	p.os = next
	why := fmt.Sprintf("the newest version of %s that is supported and of which an image is known", name)
	if next == "" {
		p.os, why = j.fallback(name)
	}
	if p.os == id {
		p.find(Finding{Level: Unproven, Topic: TopicOS, From: written, To: id, Reason: ended + "; no supported system with a known image is in the catalogue to take its place", Mend: "choose one with the provider, and write it in the draft", Facts: facts})
		return
	}
	at, more := j.known.images(p.os)
	p.assume("os", fmt.Sprintf("today it is %s: %s", written, ended))
	p.find(Finding{Level: Changes, Topic: TopicOS, From: written, To: p.os, Reason: fmt.Sprintf("%s; %s is %s (%s)", ended, p.os, why, strings.Join(at, ", ")),
		Mend: "install the software on it and test it there", Facts: append(facts, more...)})
}

// successor is the newest system of the same name that is supported in the standard way and has a known image; "" when there is none.
func (j *judge) successor(name, besides string) string {
	all, _ := lives()
	best := ""
	for _, l := range all {
		id := l.system + "-" + l.version
		if l.system != name || id == besides || j.known.now.After(l.standard) {
			continue
		}
		if at, _ := j.known.images(id); len(at) > 0 && (best == "" || versionLess(best, id)) {
			best = id
		}
	}
	return best
}

// fallback is what takes the place of a system that has no successor of its own: the one whose sources it was built from, else the default.
func (j *judge) fallback(name string) (id, why string) {
	if origin := rebuilt[name]; origin != "" {
		if next := j.successor(origin, ""); next != "" {
			return next, "from the same sources, supported, and an image is known"
		}
	}
	return blueprints.DefaultOS, "what surety builds on when nothing else is asked for"
}

// imageFacts says which catalogue was looked through.
func (k *knowledge) imageFacts() []Fact {
	var facts []Fact
	for _, id := range k.providers {
		facts = append(facts, Fact{Source: fmt.Sprintf("the catalogue's %d images of %s", len(k.of[id].Images), id)})
	}
	return facts
}

// versionLess compares the numbers in two versions.
func versionLess(a, b string) bool {
	return slices.Compare(numbers(a), numbers(b)) < 0
}

func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(firstNumber.FindString(version), ".") {
		n := 0
		for _, c := range part {
			n = n*10 + int(c-'0')
		}
		out = append(out, n)
	}
	return out
}
