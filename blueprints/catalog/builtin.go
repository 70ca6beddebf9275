package catalog

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"surety/blueprints"
)

//go:embed data
var embedded embed.FS

// Findings are what is wrong with data that was read beside the embedded: where, what, and how to mend it.
type Findings = blueprints.Diagnostics

// Catalog is what is known of all providers. It may be used by many at once.
type Catalog struct {
	providers []*Provider
	exchanges []exchange
}

// names are the providers that surety knows of, whether or not it has a figure of theirs, as they write themselves.
var names = map[string]string{"aws": "Amazon Web Services", "azure": "Microsoft Azure", "gcp": "Google Cloud", "digitalocean": "DigitalOcean",
	"hicloud": "Chunghwa Telecom hicloud", "twcc": "Taiwan Web Service Corporation TWCC"}

// Builtin gives the embedded catalogue. An error is a fault of the build, and of nobody's data.
func Builtin() (*Catalog, error) { return builtin() }

var builtin = sync.OnceValues(func() (*Catalog, error) { return loadEmbedded() })

func loadEmbedded() (*Catalog, error) {
	data, err := fs.Sub(embedded, "data")
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	c := &Catalog{}
	for id := range names {
		c.provider(id)
	}
	if err := c.readFolder(data, "", false); err != nil {
		return nil, err
	}
	c.sort()
	return c, nil
}

// Providers gives all, sorted by ID. Not to be changed.
func (c *Catalog) Providers() []*Provider { return c.providers }

// Provider gives one, or nil when it is not known.
func (c *Catalog) Provider(id string) *Provider {
	if i := slices.IndexFunc(c.providers, func(p *Provider) bool { return p.ID == id }); i >= 0 {
		return c.providers[i]
	}
	return nil
}

// provider gives one, and makes it when it is not known.
func (c *Catalog) provider(id string) *Provider {
	if p := c.Provider(id); p != nil {
		return p
	}
	p := &Provider{ID: id, Name: cmp.Or(names[id], id), rates: map[string][]Rate{}}
	c.providers = append(c.providers, p)
	return p
}

// readFolder reads all files of prices and tables in a folder, in the order of their names. The place is printed before a file's name.
// What is fresh takes the place of what was read before, and is doubted.
func (c *Catalog) readFolder(folder fs.FS, place string, fresh bool) error {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return fmt.Errorf("read catalogue %q: %w", place, err)
	}
	for _, e := range entries {
		table := tables[e.Name()]
		if e.IsDir() || (table == nil && path.Ext(e.Name()) != ".prices") {
			continue
		}
		text, err := fs.ReadFile(folder, e.Name())
		name := path.Join(place, e.Name())
		if err != nil {
			return fmt.Errorf("read catalogue %q: %w", name, err)
		}
		if table != nil {
			if err := c.readTable(name, text, fresh, table); err != nil {
				return err
			}
			continue
		}
		m, err := readMatrix(name, text)
		if err != nil {
			return err
		}
		m.fresh = fresh
		p := c.provider(m.provider)
		if m.sellsDatabases() {
			p.databases.add(m)
		} else {
			p.machines.add(m)
		}
	}
	return nil
}

// sellsDatabases tells it from the form of its series, which have an engine before the colon.
func (m *matrix) sellsDatabases() bool {
	for _, lines := range m.regions {
		for _, line := range lines {
			_, rest, _ := strings.Cut(line, " ")
			series, _, _ := strings.Cut(rest, " ")
			return strings.Contains(series, ":")
		}
	}
	return false
}

func (c *Catalog) sort() {
	slices.SortFunc(c.providers, func(a, b *Provider) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range c.providers {
		p.sort()
	}
}

func (p *Provider) sort() {
	slices.SortFunc(p.Regions, func(a, b Region) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(p.Promises, func(a, b Promise) int { return cmp.Compare(a.Service, b.Service) })
	slices.SortStableFunc(p.Images, func(a, b Image) int { return cmp.Or(cmp.Compare(a.OS, b.OS), cmp.Compare(a.Arch, b.Arch)) })
	for _, rates := range p.rates {
		sortRates(rates)
	}
}

// Instances gives a region's machine types, the cheapest on demand first and those of unknown price last. Shared: not to be changed.
func (p *Provider) Instances(region string) []Instance { return p.machines.instances(region) }

// Databases gives a region's managed database classes for an engine, with and without standby, the cheapest on demand first. Shared: not
// to be changed.
func (p *Provider) Databases(region, engine string) []DatabaseClass {
	return p.databases.databases(region, engine)
}

// Commitments gives the prices per hour of a machine type for who commits to a term, in the order of the source.
func (p *Provider) Commitments(region, typ string) []Commitment {
	return p.machines.commitments(region, "", "", typ)
}

// DatabaseCommitments gives the prices per hour of a class for who commits to a term, in the order of the source.
func (p *Provider) DatabaseCommitments(region string, c DatabaseClass) []Commitment {
	return p.databases.commitments(region, c.Service, deployment(c.Engine, c.Standby), c.Class)
}

// Rates gives what is sold by quantity in a region, sorted by class and SKU. Shared: not to be changed.
func (p *Provider) Rates(region string, what What) []Rate {
	all := p.rates[region]
	from, _ := slices.BinarySearchFunc(all, what, func(r Rate, w What) int { return cmp.Compare(r.What, w) })
	to := from
	for to < len(all) && all[to].What == what {
		to++
	}
	return all[from:to:to]
}

// Region gives a region of the provider's, or nil.
func (p *Provider) Region(id string) *Region {
	if i := slices.IndexFunc(p.Regions, func(r Region) bool { return r.ID == id }); i >= 0 {
		return &p.Regions[i]
	}
	return nil
}

// Doubted gives the refreshed prices of a region that were left out because they are not to be believed. Ask after Instances.
func (p *Provider) Doubted(region string) []Doubt {
	p.machines.mu.Lock()
	defer p.machines.mu.Unlock()
	return p.machines.doubted[region]
}

// Err gives the first fault found in prices that were parsed so far, or nil.
func (p *Provider) Err() error {
	p.machines.mu.Lock()
	defer p.machines.mu.Unlock()
	p.databases.mu.Lock()
	defer p.databases.mu.Unlock()
	return cmp.Or(p.machines.err, p.databases.err)
}
