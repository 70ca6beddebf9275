package assess

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"surety/blueprints"
	"surety/blueprints/catalog"
)

const day = "2006-01-02"

// knowledge is what the catalogue and the table of systems' lives say for the providers that are asked about.
type knowledge struct {
	now       time.Time
	providers []string
	of        map[string]*catalog.Provider
	largest   map[string]catalog.Instance // by provider: the machine with most memory
	most      map[string]catalog.Instance // by provider: the machine with most virtual CPUs
	arches    map[string][]string         // by provider
	machines  map[string][]catalog.Instance
}

// gather reads the facts about the target, or about all providers of whose machines something is known.
func gather(o Options) (*knowledge, error) {
	k := &knowledge{now: o.Now, of: map[string]*catalog.Provider{}, largest: map[string]catalog.Instance{}, most: map[string]catalog.Instance{},
		arches: map[string][]string{}, machines: map[string][]catalog.Instance{}}
	var all []string
	for _, p := range o.Catalog.Providers() {
		all = append(all, p.ID)
		if o.Target != "" && p.ID != o.Target {
			continue
		}
		k.scan(p)
		if o.Target == "" && len(k.machines[p.ID]) == 0 && len(p.Images) == 0 && len(p.Engines) == 0 {
			continue
		}
		k.providers = append(k.providers, p.ID)
		k.of[p.ID] = p
	}
	if o.Target != "" && len(k.providers) == 0 {
		return nil, fmt.Errorf("there is no provider %q in the catalogue: %s", o.Target, blueprints.DidYouMean(o.Target, all))
	}
	return k, nil
}

func (k *knowledge) scan(p *catalog.Provider) {
	seen := map[string]bool{}
	for _, r := range p.Regions {
		for _, m := range p.Instances(r.ID) {
			if seen[m.Type] {
				continue
			}
			seen[m.Type] = true
			k.machines[p.ID] = append(k.machines[p.ID], m)
			if m.Memory > k.largest[p.ID].Memory {
				k.largest[p.ID] = m
			}
			if m.CPU > k.most[p.ID].CPU {
				k.most[p.ID] = m
			}
			if m.Arch != "" && !slices.Contains(k.arches[p.ID], m.Arch) {
				k.arches[p.ID] = append(k.arches[p.ID], m.Arch)
			}
		}
	}
}

func fact(o catalog.Origin) Fact {
	f := Fact{Source: o.Source}
	if !o.Date.IsZero() {
		f.Date = o.Date.Format(day)
	}
	return f
}

func machineFact(m catalog.Instance) Fact {
	if m.Hourly == nil {
		return Fact{Source: "the catalogue's machine type " + m.Type}
	}
	return fact(m.Hourly.Origin)
}

// fits tells whether any machine type of a provider has at least so much.
func (k *knowledge) fits(provider string, cpu float64, memory blueprints.Bytes) bool {
	return slices.ContainsFunc(k.machines[provider], func(m catalog.Instance) bool { return m.CPU >= cpu && m.Memory >= int64(memory) })
}

// images are the providers that have an image of a system, in their order, and the facts.
func (k *knowledge) images(system string) (at []string, facts []Fact) {
	for _, id := range k.providers {
		for _, i := range k.of[id].Images {
			if i.OS == system && i.Reference != "" && !slices.Contains(at, id) {
				at = append(at, id)
				f := fact(i.Origin)
				f.Source = id + " image " + i.Reference + ": " + f.Source
				facts = append(facts, f)
			}
		}
	}
	return at, facts
}

//go:embed systems.csv
var systemsCSV string

// life is until when a version of an operating system, or of an engine by its own makers, gets corrections.
type life struct {
	system, version    string
	standard, extended time.Time // zero: none, or not known
	by                 string    // who extends it
	fact               Fact
}

// lives reads the table. Its dates are the ends of security support; the date of a fact is the newest release that its source knew of,
// so that the fact is not older. That the table can be read is tested.
var lives = sync.OnceValues(func() ([]life, error) {
	rows, err := csv.NewReader(strings.NewReader(systemsCSV)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read systems: %w", err)
	}
	var out []life
	for _, r := range rows[1:] {
		l := life{system: r[0], version: r[1], by: r[4], fact: Fact{Source: r[6], Date: r[5]}}
		for i, at := range []*time.Time{&l.standard, &l.extended} {
			if r[2+i] == "" {
				continue
			}
			if *at, err = time.Parse(day, r[2+i]); err != nil {
				return nil, fmt.Errorf("read systems: %w", err)
			}
		}
		out = append(out, l)
	}
	return out, nil
})

// lifeOf finds the entry of a version, or of the one it continues at a dot: 7.9 is of 7.
func lifeOf(system, version string) (life, bool) {
	all, _ := lives()
	best := life{}
	for _, l := range all {
		if l.system == system && continues(version, l.version) && len(l.version) > len(best.version) {
			best = l
		}
	}
	return best, best.system != ""
}

// continues tells whether a version is another or continues it at a dot: 15.4 continues 15.
func continues(version, of string) bool {
	rest, ok := strings.CutPrefix(version, of)
	return ok && (rest == "" || rest[0] == '.')
}
