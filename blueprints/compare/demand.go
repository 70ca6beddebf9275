package compare

import (
	"slices"

	"surety/blueprints"
	"surety/blueprints/architecture"
)

// need is what one component asks of a provider.
type need struct {
	id        string
	kind      architecture.Kind
	instances int
	cpu       float64
	memory    int64 // bytes
	disk      int64 // bytes; of a bucket the data stored, 0 is unknown
	os        string
	arch      string // amd64, arm64, any
	burstable bool   // a share of a CPU will do
	engine    string
	version   string
	standby   bool
	versioned bool
	public    bool    // of a balancer
	rps       float64 // that a public balancer must pass; 0 is unknown
	copies    int     // that backups keep of it, 0: none
}

// demand is what a spec asks of a provider: a value that is cheap to copy and to ask less of.
type demand struct {
	needs      []need
	entries    [][]int // per public entry the needs behind it, or one of all of them when none is public
	objectives blueprints.Objectives
	written    func(id string) bool
	list       []blueprints.Requirement
	public     publicTraffic
	out        []item // by need: what goes through a balancer
	name       string
}

// newDemand reads a designed spec.
func newDemand(doc *blueprints.Document, arch architecture.Architecture, o Options) *demand {
	d := &demand{objectives: arch.Objectives, written: doc.Written, list: doc.Requirements, name: arch.Name}
	at := map[string]int{}
	for _, c := range arch.Components {
		if c.Backup != nil {
			// On a cloud, copies are kept by the provider's own backup and snapshot services. They are priced with what they are copies
			// of, by its copies below; the bucket that the design derives for them would be paid for a second time.
			continue
		}
		n := need{id: c.ID, kind: c.Kind, instances: c.Instances, cpu: c.Size.CPU, memory: int64(c.Size.Memory), disk: int64(c.Size.Disk)}
		switch c.Kind {
		case architecture.KindServer:
			n.os, n.arch = c.Server.OS, o.Arch
			if n.arch == "any" && c.Server.Runs.Package == "" {
				n.arch = "amd64" // a program is a file for one architecture
			}
			n.burstable = o.Burstable || allowsBurstable(doc, c.ID, c.Server.Expects.Limited())
		case architecture.KindDatabase:
			n.engine, n.version, n.standby = c.Database.Engine, c.Database.Version, c.Database.Standby
			n.burstable = o.Burstable || allowsBurstable(doc, c.ID, doc.Spec.Databases[c.Name].Expects != blueprints.DatabaseExpects{})
		case architecture.KindBucket:
			n.versioned = c.Bucket.Versioning
		case architecture.KindBalancer:
			n.public = !c.Balancer.Internal
			n.rps = doc.Spec.Servers[c.Name].Expects.RPS
		}
		at[c.ID] = len(d.needs)
		d.needs = append(d.needs, n)
	}
	for _, name := range blueprints.SortedKeys(doc.Spec.Backups) {
		b := doc.Spec.Backups[name]
		keep := b.Retention()
		for _, of := range b.Of {
			if i, known := at[of]; known {
				d.needs[i].copies += keep.Daily + keep.Weekly + keep.Monthly
			}
		}
	}
	d.entries = entriesOf(arch, at)
	d.countPublic(o.Usage)
	d.out = make([]item, len(d.needs))
	for i := range d.needs {
		if d.needs[i].kind == architecture.KindBalancer {
			d.out[i] = d.egress(&d.needs[i], o.Usage)
		}
	}
	within := d.inside()
	for i := range d.needs {
		if n := &d.needs[i]; n.kind == architecture.KindBalancer && !n.public {
			d.out[i] = within
		}
	}
	return d
}

// allowsBurstable is the rule for types that give a share of their CPUs all the time and the whole only while credits last: they will
// do where the author asks for no number of CPUs and for no load. Who writes cpu: 1 is given one all the time.
func allowsBurstable(doc *blueprints.Document, id string, load bool) bool {
	return !load && !doc.Written(id+".size.cpu")
}

// entriesOf lists what each public entry needs, following the flows; or everything, when nothing is public.
func entriesOf(arch architecture.Architecture, at map[string]int) [][]int {
	next := map[string][]string{}
	for _, f := range arch.Flows {
		if f.From != f.To {
			next[f.From] = append(next[f.From], f.To)
		}
	}
	var entries [][]int
	for _, start := range next[architecture.Internet] {
		parts, seen := []string{start}, map[string]bool{start: true}
		var entry []int
		for i := 0; i < len(parts); i++ {
			if n, known := at[parts[i]]; known {
				entry = append(entry, n)
			}
			for _, to := range next[parts[i]] {
				if !seen[to] {
					seen[to] = true
					parts = append(parts, to)
				}
			}
		}
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		all := make([]int, 0, len(at))
		for _, i := range at {
			all = append(all, i)
		}
		slices.Sort(all)
		entries = append(entries, all)
	}
	return entries
}

// with gives a demand in which one need is changed.
func (d *demand) with(i int, change func(*need)) *demand {
	other := *d
	other.needs = slices.Clone(d.needs)
	change(&other.needs[i])
	return &other
}

// asked keeps the requirements that the author wrote.
func (d *demand) asked(ids ...string) []string {
	kept := []string{}
	for _, id := range ids {
		if d.written(id) {
			kept = append(kept, id)
		}
	}
	return kept
}
