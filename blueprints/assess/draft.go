package assess

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
)

// mostRounds bounds how often the draft is mended: each round doubles at least one component.
const mostRounds = 100

// draft writes the spec and lets it be checked.
type draft struct {
	*judge
	name  string
	check func(*blueprints.Document) blueprints.Diagnostics
}

// settle drafts the spec, doubles what the required availability does not allow to stand alone, and turns what still cannot hold into
// findings of the systems that it is about. So what surety validate reports of the draft is what the assessment lists as blocking.
func (d *draft) settle() string {
	for range mostRounds {
		found := d.checked()
		if !d.double(found) {
			d.report(found)
			break
		}
	}
	return d.text()
}

func (d *draft) checked() blueprints.Diagnostics {
	doc, found := blueprints.Parse(blueprints.FileName, []byte(d.text()))
	if d.check != nil {
		found = append(found, d.check(doc)...)
	}
	return found.Sort()
}

const availabilityID = "objectives.availability"

// double gives a second instance to what a conflict with the required availability names as standing alone. It tells whether it did.
func (d *draft) double(found blueprints.Diagnostics) bool {
	done := false
	for _, f := range found {
		if f.Requirement != availabilityID && !slices.Contains(f.Conflict, availabilityID) {
			continue
		}
		for _, id := range append([]string{f.Requirement}, f.Conflict...) {
			p := d.owner(id)
			if p == nil || p.section == "servers" && p.count > 1 || p.section == "databases" && p.standby {
				continue
			}
			to := "two hosts"
			switch p.section {
			case "servers":
				p.count = 2
				p.assume("count", fmt.Sprintf("one today; %s of availability is required", d.required()))
			case "databases":
				p.standby, to = true, "a standby"
				p.assume("highAvailability", fmt.Sprintf("none today; %s of availability is required", d.required()))
			default:
				continue
			}
			done = true
			p.find(Finding{Level: Changes, Topic: TopicAvailability, From: "one", To: to, Reason: fmt.Sprintf("alone it keeps a service below the required %s", d.required()),
				Mend: "see that the software bears to run twice", Facts: []Fact{{Source: "the availability that surety computes from providers' published terms"}}})
		}
	}
	return done
}

// report turns what the check found into findings. What belongs to no system belongs to the first that requires it.
func (d *draft) report(found blueprints.Diagnostics) {
	for _, f := range found {
		p := d.owner(f.Requirement)
		for _, id := range f.Conflict {
			if p == nil {
				p = d.owner(id)
			}
		}
		topic := TopicSpec
		if f.Requirement == availabilityID || slices.Contains(f.Conflict, availabilityID) {
			topic = TopicAvailability
		}
		if p == nil && topic == TopicAvailability {
			i := slices.IndexFunc(d.plans, func(p *plan) bool { return p.section != "" && p.availabilityRequired == d.required() })
			p = d.plans[max(0, i)]
		}
		if p == nil {
			p = d.plans[0]
		}
		level := Blocks
		if f.Severity == blueprints.Warning {
			level = Unproven
		}
		others := slices.DeleteFunc(slices.Clone(f.Conflict), func(id string) bool { return id == f.Requirement })
		reason := f.Summary
		if len(others) > 0 {
			reason += " (together with " + strings.Join(others, ", ") + ")"
		}
		p.find(Finding{Level: level, Topic: topic, Reason: reason, Mend: f.Mend, Requirement: f.Requirement, Facts: []Fact{{Source: "surety validate, of the drafted spec"}}})
	}
}

// owner finds the system that a requirement's component came from.
func (d *draft) owner(id string) *plan {
	section, rest, _ := strings.Cut(id, ".")
	name, _, _ := strings.Cut(rest, ".")
	for _, p := range d.plans {
		if p.section == section && p.name == name || section == "buckets" && p.bucket != "" && p.bucket == name {
			return p
		}
	}
	return nil
}

// required is the highest availability that a drafted system requires; 0: none does.
func (d *draft) required() blueprints.Percent {
	most := blueprints.Percent(0)
	for _, p := range d.plans {
		if p.section != "" {
			most = max(most, p.availabilityRequired)
		}
	}
	return most
}

// text writes the spec as a person would, with a comment at every value that the inventory did not give.
func (d *draft) text() string {
	w := &writer{}
	w.comment("", fmt.Sprintf("A first spec, drafted from %s by surety assess. Read it to the end before using it:", d.inv.Source))
	w.comment("", "what is marked \"assumed\" was not in the inventory, and what is marked \"blocks\" is missing here or cannot hold as it stands.")
	w.line("surety: v1")
	w.line("name: %s", d.name)
	if most := d.required(); most > 0 {
		w.line("")
		w.line("objectives:")
		w.line("  availability: %s  # the highest that a system of the inventory requires", strings.TrimSuffix(most.String(), "%"))
	}
	left := false
	for _, p := range d.plans {
		if p.section != "" || p.behind {
			continue
		}
		if !left {
			w.line("")
			w.comment("", "Left out, because it blocks:")
			left = true
		}
		w.comment("", fmt.Sprintf("  %s: %s", p.system.Name, p.blocks()))
	}
	d.sections(w)
	return w.String()
}

func (d *draft) sections(w *writer) {
	for _, section := range []string{"servers", "databases", "buckets"} {
		begun := false
		begin := func() {
			w.line("")
			if !begun {
				w.line("%s:", section)
				begun = true
			}
		}
		for _, p := range d.plans {
			if p.section == section {
				begin()
				d.component(w, p)
			}
			if section == "buckets" && p.bucket != "" {
				begin()
				w.comment("  ", "assumed: the files that "+p.system.Name+" keeps on its own disk")
				w.line("  %s: {size: %s}", p.bucket, p.files)
			}
		}
	}
}

// blocks are the reasons of a plan that blocks, in a line.
func (p *plan) blocks() string {
	var reasons []string
	for _, f := range p.findings {
		if f.Level == Blocks {
			reasons = append(reasons, f.Reason)
		}
	}
	return strings.Join(reasons, "; ")
}

func (d *draft) component(w *writer, p *plan) {
	s := p.system
	w.comment("  ", fmt.Sprintf("%s (%s)%s", s.Name, s.At(""), note(s.Notes)))
	for _, f := range p.findings {
		if f.Level == Blocks {
			w.comment("  ", "blocks: "+f.Reason)
		}
	}
	w.line("  %s:", p.name)
	switch p.section {
	case "servers":
		d.server(w, p)
	case "databases":
		w.line("    engine: %s", p.engine)
		if p.version != "" {
			w.value("    ", "version", quote(p.version), p.assumed["version"])
		} else if why := p.assumed["version"]; why != "" {
			w.comment("    ", "version: "+why)
		}
		w.size(p, cmp.Or(max(s.Disk, s.DataSize), 0))
		if p.standby {
			w.value("    ", "highAvailability", "true", p.assumed["highAvailability"])
		}
	case "buckets":
		if size := cmp.Or(s.DataSize, s.Disk); size > 0 {
			w.line("    size: %s", size)
		}
		if s.Versioning {
			w.line("    versioning: true")
		}
		if s.DataSize == 0 && s.Disk == 0 && !s.Versioning {
			w.comment("    ", "size: how much is stored is not known")
			w.line("    versioning: false")
		}
	}
}

func note(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

func (d *draft) server(w *writer, p *plan) {
	s := p.system
	if p.count > 0 {
		w.value("    ", "count", fmt.Sprint(p.count), p.assumed["count"])
	}
	w.size(p, s.Disk)
	w.value("    ", "os", p.os, p.assumed["os"])
	w.line("    runs:")
	w.value("      ", "package", plain(p.pkg), p.assumed["package"])
	quoted := make([]string, len(p.command))
	for i, argument := range p.command {
		quoted[i] = quote(argument)
	}
	w.value("      ", "command", "["+strings.Join(quoted, ", ")+"]", p.assumed["command"])
	if p.port > 0 {
		w.value("      ", "port", fmt.Sprint(p.port), p.assumed["port"])
	}
	uses := blueprints.SortedKeys(p.uses)
	if p.bucket != "" {
		uses = append(uses, "buckets."+p.bucket)
	}
	if len(uses) > 0 {
		w.line("    uses:")
		for _, id := range uses {
			why := p.uses[id]
			if why != "" {
				why = "from " + why
			}
			if id == "buckets."+p.bucket {
				why = "for its files"
			}
			w.item("      ", id, why)
		}
		w.comment("    ", "assumed: how the software is told where these are is not known; hand it over in env, as in")
		w.comment("    ", fmt.Sprintf("  env: {ADDRESS: %q}", "${"+uses[0]+"."+attributeOf(uses[0])+"}"))
	}
	slices.Sort(p.left)
	for _, name := range slices.Compact(p.left) {
		w.comment("    ", "blocks: it uses "+name+", to which no flow can be drafted")
	}
	if p.public != nil {
		from := ""
		if p.public.From != "" {
			from = ", from: " + quote(p.public.From)
		}
		w.line("    public: {port: %d%s}", p.public.Port, from)
	}
}

func attributeOf(id string) string {
	if strings.HasPrefix(id, "buckets.") {
		return "endpoint"
	}
	return "url"
}
