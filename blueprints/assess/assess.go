package assess

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/catalog"
)

// Level grades a finding, and a system by its worst.
type Level string

// Levels, from the best to the worst. Unproven is what nothing known decides: it is neither taken for good nor for bad.
const (
	Carries  Level = "carries over"
	Unproven Level = "unproven"
	Changes  Level = "changes"
	Blocks   Level = "blocks"
)

// Levels in the order in which they are counted and shown.
var Levels = []Level{Carries, Changes, Unproven, Blocks}

func (l Level) weight() int { return slices.Index([]Level{Carries, Unproven, Changes, Blocks}, l) }

// Topic is what of a system a finding is about.
type Topic string

// Topics of findings.
const (
	TopicOS           Topic = "operating system"
	TopicEngine       Topic = "engine"
	TopicSoftware     Topic = "software"
	TopicArch         Topic = "processor architecture"
	TopicPlatform     Topic = "platform"
	TopicSize         Topic = "size"
	TopicPorts        Topic = "ports"
	TopicCallers      Topic = "callers"
	TopicFiles        Topic = "files"
	TopicLicence      Topic = "licence"
	TopicAvailability Topic = "availability"
	TopicDependency   Topic = "dependency"
	TopicKind         Topic = "kind"
	TopicSpec         Topic = "requirement" // found by the checks of surety validate in the drafted spec
)

// Fact is where the reason of a finding comes from.
type Fact struct {
	Source string `json:"source"`
	Date   string `json:"date,omitempty"` // of the fact, as 2006-01-02; empty is unknown, or timeless for what the spec language can say
}

// Finding is one thing that carries over, changes, blocks, or is not known.
type Finding struct {
	Level  Level  `json:"level"`
	Topic  Topic  `json:"topic"`
	From   string `json:"from,omitempty"` // as it is today
	To     string `json:"to,omitempty"`   // as it is drafted
	Reason string `json:"reason"`
	Mend   string `json:"mend,omitempty"` // what to do, or to find out
	Facts  []Fact `json:"facts"`          // at least one
	// Requirement is the place in the drafted spec at which surety validate reports the same.
	Requirement string `json:"requirement,omitempty"`
	// Through is the system that blocks this one.
	Through string `json:"through,omitempty"`
}

// Judged is a system with what was found about it.
type Judged struct {
	System   System    `json:"system"`
	Verdict  Level     `json:"verdict"`
	Places   []string  `json:"places"` // in the drafted spec: "servers.web"; empty: it is not in it
	Findings []Finding `json:"findings"`
}

// Assessment is what came of an inventory. It is data only, for documents to render.
type Assessment struct {
	Name      string         `json:"name"`
	Source    string         `json:"source"`
	Providers []string       `json:"providers"` // whose facts were used
	At        time.Time      `json:"at"`        // the day for which end-of-life dates were judged
	Systems   []Judged       `json:"systems"`
	Counts    map[Level]int  `json:"counts"`
	Unread    map[string]int `json:"unread,omitempty"` // what the source holds and was not judged, by type
	Draft     string         `json:"draft"`            // the drafted spec, YAML with comments
}

// Blocked tells whether any system blocks.
func (a Assessment) Blocked() bool { return a.Counts[Blocks] > 0 }

// Options of an assessment.
type Options struct {
	Catalog *catalog.Catalog
	// Target is the provider to assess for; with none, all that the catalogue has figures of.
	Target string
	// Now is the day for which end-of-life dates are judged.
	Now time.Time
	// Check finds what cannot hold in the drafted spec, as surety validate does. What it finds is part of the assessment.
	Check func(*blueprints.Document) blueprints.Diagnostics
}

// Assess judges each system of an inventory and drafts a spec. It is a function of its arguments: equal ones give equal bytes. An unknown
// target, and an inventory that names a system which is not in it, are errors.
func Assess(inv Inventory, o Options) (Assessment, error) {
	if err := inv.sound(); err != nil {
		return Assessment{}, err
	}
	known, err := gather(o)
	if err != nil {
		return Assessment{}, err
	}
	j := &judge{inv: inv, known: known, plans: make([]*plan, len(inv.Systems))}
	for i := range inv.Systems {
		j.plans[i] = &plan{system: &inv.Systems[i], uses: map[string]string{}}
		j.system(j.plans[i])
	}
	j.place()
	j.dependencies()
	j.callers()
	j.withoutPort()
	d := &draft{judge: j, name: cmp.Or(inv.Name, "existing"), check: o.Check}
	text := d.settle()
	a := Assessment{Name: d.name, Source: inv.Source, Providers: known.providers, At: o.Now, Systems: []Judged{}, Counts: map[Level]int{},
		Unread: inv.Unread, Draft: text}
	for _, p := range j.plans {
		judged := Judged{System: *p.system, Verdict: p.verdict(), Places: p.places(), Findings: p.findings}
		a.Systems = append(a.Systems, judged)
		a.Counts[judged.Verdict]++
	}
	return a, nil
}

// judge carries the state of one assessment.
type judge struct {
	inv   Inventory
	known *knowledge
	plans []*plan
}

// plan is what is to become of one system.
type plan struct {
	system   *System
	findings []Finding

	section string // servers, databases, buckets; empty: not in the draft
	name    string // there
	behind  bool   // a balancer or firewall: what it stands before takes its place
	stands  []*plan

	os, engine, version  string
	pkg                  string
	command              []string
	port                 int
	public               *blueprints.Public
	count                int
	standby              bool
	files                blueprints.Bytes // of local files that become a bucket
	bucket               string           // its name
	uses                 map[string]string
	left                 []string // uses that the draft cannot say, as comments
	assumed              map[string]string
	unsayable            bool // it blocks, and is left out of the draft
	availabilityRequired blueprints.Percent
}

// id is the path in the draft, "" when it is left out.
func (p *plan) id() string {
	if p.section == "" {
		return ""
	}
	return p.section + "." + p.name
}

// places are all paths in the draft that the system became.
func (p *plan) places() []string {
	out := []string{}
	if p.id() != "" {
		out = append(out, p.id())
	}
	if p.bucket != "" {
		out = append(out, "buckets."+p.bucket)
	}
	return out
}

func (p *plan) verdict() Level {
	worst := Carries
	for _, f := range p.findings {
		if f.Level.weight() > worst.weight() {
			worst = f.Level
		}
	}
	return worst
}

func (p *plan) find(f Finding) {
	f.Facts = distinct(f.Facts)
	p.findings = append(p.findings, f)
}

// assume notes why a value stands in the draft that the inventory did not give.
func (p *plan) assume(key, why string) {
	if p.assumed == nil {
		p.assumed = map[string]string{}
	}
	p.assumed[key] = why
}

// said is the fact that the inventory says so.
func (p *plan) said(key string) []Fact {
	at := p.system.At(key)
	return []Fact{{Source: "the inventory, " + at.String()}}
}

// language is the fact that the spec language has such and no other words.
func language(path string) Fact { return Fact{Source: "the spec language v1, " + path} }

// system judges one system by itself.
func (j *judge) system(p *plan) {
	s := p.system
	p.count = s.Count
	p.availabilityRequired = s.Availability
	if s.Kind == Other {
		j.other(p)
		return
	}
	j.platform(p)
	j.arch(p)
	engine := engineOf(s.Software)
	switch {
	case s.Kind == Database, s.Kind == Server && engine != "":
		j.database(p, engine)
	case s.Kind == Storage:
		j.storage(p)
	default:
		p.section = "servers"
		j.os(p)
		j.software(p)
		j.files(p)
	}
	j.licence(p)
	if p.unsayable {
		p.section = ""
		return
	}
	j.size(p)
	j.ports(p)
}

// place gives each system of the draft its name there.
func (j *judge) place() {
	taken := map[string]bool{}
	free := func(section, wanted, otherwise string) string {
		base := cmp.Or(blueprints.Slug(wanted), otherwise)
		name := base
		for n := 2; taken[section+"."+name]; n++ {
			suffix := fmt.Sprintf("-%d", n)
			name = strings.TrimRight(base[:min(len(base), 30-len(suffix))], "-") + suffix
		}
		taken[section+"."+name] = true
		return name
	}
	for _, p := range j.plans {
		if p.section != "" {
			p.name = free(p.section, p.system.Name, strings.TrimSuffix(p.section, "s"))
		}
	}
	for _, p := range j.plans {
		if p.section == "servers" && p.files > 0 {
			base := p.name
			p.bucket = free("buckets", strings.TrimRight(base[:min(len(base), 24)], "-")+"-files", "files")
		}
	}
}
