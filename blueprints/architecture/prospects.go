package architecture

import (
	"fmt"
	"strings"
	"time"

	"surety/blueprints"
)

// Way is how a requirement is going to be proven.
type Way string

// Ways of proving.
const (
	WayMeasured Way = "measured" // a suite observes it on what was built
	WayDesigned Way = "designed" // it follows from the spec, the architecture and published terms
	WayUnproven Way = "unproven" // nothing can prove it here
)

// Prospect says, before anything is built, how a requirement will be proven.
type Prospect struct {
	Requirement string `json:"requirement"`
	Way         Way    `json:"way"`
	By          string `json:"by,omitempty"`     // suite or rule
	Reason      string `json:"reason,omitempty"` // why it stays unproven; of a measured one, when its suite was not run, and what to type
}

// Rules that are no suite, as named in By.
const (
	byLoader = "the loader"
	byTerms  = "published availability terms"
)

// ways maps patterns of requirement IDs to how they are proven; the first that matches counts. An * stands for any name, and as
// the last part for all that follows. A pattern without a suite or rule carries the reason why nothing proves it.
var ways = []struct {
	pattern string
	way     Way
	text    string // By, or Reason when unproven
}{
	{"surety", WayDesigned, byLoader},
	{"name", WayDesigned, byLoader},
	{"owner.*", WayDesigned, byLoader},
	{"secrets.*", WayDesigned, byLoader},
	{"objectives.availability", WayDesigned, byTerms},
	{"objectives.rto", WayMeasured, "drill"},
	{"objectives.rpo", WayMeasured, "drill"},
	{"objectives.budget", WayUnproven, "nothing is billed on a local target; surety compare says what each provider charges"},
	{"objectives.residency", WayUnproven, "a local target has no region; surety compare judges the regions of each provider"},
	{"objectives.support.*", WayUnproven, "nobody is paid to answer on a local target; surety compare names the plan of each provider that does"},
	{"servers.*.count", WayMeasured, "host"},
	{"servers.*.size.*", WayMeasured, "host"},
	{"servers.*.os", WayMeasured, "host"},
	{"servers.*.runs.port", WayMeasured, "connectivity"},
	{"servers.*.runs.health", WayMeasured, "http"},
	{"servers.*.runs.*", WayMeasured, "host"},
	{"servers.*.env.*", WayMeasured, "host"},
	{"servers.*.files.*", WayMeasured, "host"},
	{"servers.*.uses[*]", WayMeasured, "connectivity"},
	{"servers.*.public", WayMeasured, "connectivity"},
	{"servers.*.expects.*", WayMeasured, "load"},
	{"databases.*.engine", WayMeasured, "database"},
	{"databases.*.version", WayMeasured, "database"},
	{"databases.*.size.*", WayMeasured, "host"},
	{"databases.*.highAvailability", WayMeasured, "database"},
	{"databases.*.expects.*", WayMeasured, "database"},
	{"buckets.*.versioning", WayMeasured, "storage"},
	{"buckets.*.size", WayUnproven, "it is the data expected to be stored; nothing limits or reserves it"},
	{"buckets.*.expects.consistency", WayMeasured, "consistency"},
	{"buckets.*.expects.*", WayMeasured, "storage"},
	{"buckets.*", WayMeasured, "storage"},
	{"backups.*", WayMeasured, "backup"},
}

// idle says why what is measured is unproven when nothing set out to measure it: it takes its time, and is not done each time.
var idle = []struct{ pattern, reason string }{
	{"objectives.*", "no drill was made: measure it with surety drill"},
	{"servers.*.expects.*", "no load was driven: measure it with surety verify --suite load"},
	{"databases.*.expects.*", "no load was driven: measure it with surety verify --suite load"},
	{"buckets.*.expects.consistency", "no concurrent clients were run: measure it with surety verify --suite consistency"},
	{"buckets.*.expects.*", "no load was driven: measure it with surety verify --suite load"},
	{"backups.*", "no copy was looked at: measure it with surety verify --suite backup"},
}

// Prospects tells for each requirement, in order, how it will be proven. unproven is what the target cannot prove: patterns with
// reasons, in the same form as above; it wins over everything else. What no pattern knows is unproven.
func Prospects(arch Architecture, requirements []blueprints.Requirement, unproven map[string]string) []Prospect {
	prospects := make([]Prospect, 0, len(requirements))
	for _, r := range requirements {
		prospects = append(prospects, prospect(arch, r.ID, unproven))
	}
	return prospects
}

func prospect(arch Architecture, id string, unproven map[string]string) Prospect {
	p := Prospect{Requirement: id, Way: WayUnproven, Reason: "no check serves this requirement"}
	for _, pattern := range blueprints.SortedKeys(unproven) {
		if Matches(pattern, id) {
			p.Reason = unproven[pattern]
			return p
		}
	}
	for _, w := range ways {
		if !Matches(w.pattern, id) {
			continue
		}
		if w.way == WayUnproven {
			p.Reason = w.text
			return p
		}
		p = Prospect{Requirement: id, Way: w.way, By: w.text}
		for _, i := range idle {
			if w.way == WayMeasured && Matches(i.pattern, id) {
				p.Reason = i.reason
				break
			}
		}
		return p
	}
	return p
}

// DesignedEntries gives the verdicts that need nothing built: what the loader read and applies, and the composed availability against
// its objective. What the target cannot prove is left out.
func DesignedEntries(arch Architecture, requirements []blueprints.Requirement, unproven map[string]string, at time.Time) []Entry {
	var entries []Entry
	for i, p := range Prospects(arch, requirements, unproven) {
		if p.Way != WayDesigned {
			continue
		}
		e := Entry{Requirement: p.Requirement, State: Met, By: p.By, At: at}
		switch p.By {
		case byLoader:
			e.Source, e.Evidence = SourceDeclared, "read as "+requirements[i].Value
		case byTerms:
			av := arch.Availability
			e.Source = SourceDesigned
			e.Evidence = fmt.Sprintf("%s %% = %s, by the lowest published terms; required %s %%", percent(av.Percent), av.Formula, number(av.Required))
			if av.Percent < av.Required-tolerance {
				e.State = Breached
			}
		}
		entries = append(entries, e)
	}
	return entries
}

// Matches tells whether a pattern covers a requirement ID. Parts are separated by dots; * stands for one part or for one list
// index, and as the last part for all that follows, which may itself hold dots, as the paths in files do.
func Matches(pattern, id string) bool {
	for {
		p, restP, moreP := strings.Cut(pattern, ".")
		if p == "*" && !moreP {
			return id != ""
		}
		part, rest, more := strings.Cut(id, ".")
		if p != "*" && p != part && !matchesIndex(p, part) {
			return false
		}
		if !moreP || !more {
			return moreP == more
		}
		pattern, id = restP, rest
	}
}

// matchesIndex matches "uses[*]" with "uses[3]".
func matchesIndex(pattern, part string) bool {
	name, ok := strings.CutSuffix(pattern, "[*]")
	return ok && strings.HasPrefix(part, name+"[") && strings.HasSuffix(part, "]")
}
