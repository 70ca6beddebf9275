package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"gopkg.in/yaml.v3"

	"surety/blueprints"
)

// Book is a price book: what a user writes of a provider that surety has no figures of, of prices that were negotiated, and of what a
// currency is worth. See docs/catalog.md.
type Book struct {
	Version   string                  `yaml:"surety-book"`
	Provider  string                  `yaml:"provider"`
	Title     string                  `yaml:"title"`
	Currency  string                  `yaml:"currency"`
	Date      string                  `yaml:"date"`
	Source    string                  `yaml:"source"`
	Exchange  []bookExchange          `yaml:"exchange"`
	Regions   map[string]bookRegion   `yaml:"regions"`
	Instances map[string]bookMachine  `yaml:"instances"`
	Databases map[string]bookDatabase `yaml:"databases"`
	Rates     []bookRate              `yaml:"rates"`
	Promises  []bookPromise           `yaml:"promises"`
	Support   []bookPlan              `yaml:"support"`
	Discounts []bookDiscount          `yaml:"discounts"`

	file string
	node *yaml.Node
}

// figure is a number as it is written, to the last digit.
type figure struct{ decimal.Decimal }

func (f *figure) UnmarshalYAML(n *yaml.Node) (err error) {
	f.Decimal, err = decimal.NewFromString(strings.ReplaceAll(n.Value, "_", ""))
	return err
}

type bookExchange struct {
	From, To, Date, Source string
	Rate                   figure
}

type bookRegion struct {
	Country, Location string
	Zones             int
}

type bookMachine struct {
	Family, Arch           string
	CPU                    float64
	Memory, Disk           blueprints.Bytes
	Burstable, Accelerated bool
	Price                  *figure
	Prices                 map[string]figure
}

type bookDatabase struct {
	Engine             string
	Standby, Burstable bool
	CPU                float64
	Memory             blueprints.Bytes
	Price              *figure
	Prices             map[string]figure
}

type bookRate struct {
	What       What
	Class, SKU string
	Size       blueprints.Bytes
	Price      *figure
	Tiers      []struct{ From, Price figure }
	Regions    []string
}

type bookPromise struct {
	Service, Scope, Notes string
	Percent               float64
	Credits               []Credit
}

type bookPlan struct {
	Name, Percent, Hours, Notes       string
	Monthly                           *figure
	Critical, Down, Impaired, General blueprints.Duration
}

type bookDiscount struct {
	Provider       string
	Percent        figure
	On             string
	Regions, Types []string
}

// origin is the source of the book's figures.
func (b *Book) origin() Origin {
	day, _ := time.Parse(time.DateOnly, b.Date) // checked when the book was read
	return Origin{Source: b.Source + " (price book " + filepath.Base(b.file) + ")", Date: day, Kind: Own}
}

// apply puts the book over what the catalogue has.
func (c *Catalog) apply(b *Book) error {
	for _, e := range b.Exchange {
		day, _ := time.Parse(time.DateOnly, e.Date)
		c.exchanges = append(c.exchanges, exchange{from: e.From, to: e.To, rate: e.Rate.Decimal, origin: Origin{Source: e.Source, Date: day, Kind: Own}})
	}
	if b.Provider != "" {
		if err := c.applyProvider(b); err != nil {
			return err
		}
	}
	for _, d := range b.Discounts {
		c.provider(d.Provider).discount(discount{share: decimal.NewFromInt(100).Sub(d.Percent.Decimal).Div(decimal.NewFromInt(100)), on: d.On,
			regions: d.Regions, types: d.Types, says: fmt.Sprintf("; less %s %% by %s", d.Percent, b.origin().Source)})
	}
	return nil
}

func (c *Catalog) applyProvider(b *Book) error {
	p, origin := c.provider(b.Provider), b.origin()
	p.Name = cmp.Or(b.Title, p.Name)
	for _, id := range blueprints.SortedKeys(b.Regions) {
		r := b.Regions[id]
		region := Region{ID: id, Country: r.Country, Location: r.Location, Zones: r.Zones, Origin: origin}
		if old := p.Region(id); old != nil {
			*old = region
		} else {
			p.Regions = append(p.Regions, region)
		}
	}
	machines := &PriceFile{Provider: p.ID, Service: "book " + b.file, Currency: b.Currency}
	for _, name := range blueprints.SortedKeys(b.Instances) {
		m := b.Instances[name]
		i := Instance{Type: name, Family: cmp.Or(m.Family, name), CPU: m.CPU, Memory: int64(m.Memory), Disk: int64(m.Disk), Arch: cmp.Or(m.Arch, "amd64"),
			Burstable: m.Burstable, Accelerated: m.Accelerated}
		for region, price := range b.everywhere(p, m.Price, m.Prices) {
			machines.Add(i, region, onDemand, origin, price)
		}
	}
	databases := &PriceFile{Provider: p.ID, Service: "book " + b.file, Currency: b.Currency}
	for _, name := range blueprints.SortedKeys(b.Databases) {
		d := b.Databases[name]
		i := Instance{Type: name, Family: name, CPU: d.CPU, Memory: int64(d.Memory), Arch: "-", Burstable: d.Burstable}
		for region, price := range b.everywhere(p, d.Price, d.Prices) {
			databases.Add(i, region, deployment(d.Engine, d.Standby)+":"+onDemand, origin, price)
		}
	}
	for _, f := range []struct {
		file *PriceFile
		to   *shelf
	}{{machines, &p.machines}, {databases, &p.databases}} {
		if len(f.file.Types) == 0 {
			continue
		}
		var text bytes.Buffer
		if err := f.file.Write(&text); err != nil {
			return fmt.Errorf("read price book %q: %w", b.file, err)
		}
		m, err := readMatrix(b.file, text.Bytes())
		if err != nil {
			return err
		}
		f.to.add(m)
	}
	b.applyRates(p, origin)
	b.applyPromises(p, origin)
	return nil
}

// everywhere gives the prices by region: one for all of the provider's, and those that are named.
func (b *Book) everywhere(p *Provider, one *figure, named map[string]figure) map[string]decimal.Decimal {
	all := map[string]decimal.Decimal{}
	if one != nil {
		for _, region := range b.places(p) {
			all[region] = one.Decimal
		}
	}
	for region, price := range named {
		all[region] = price.Decimal
	}
	return all
}

// places are the regions that a price without a region is for: the book's, or if it names none the provider's.
func (b *Book) places(p *Provider) []string {
	if len(b.Regions) > 0 {
		return blueprints.SortedKeys(b.Regions)
	}
	var all []string
	for _, r := range p.Regions {
		all = append(all, r.ID)
	}
	return all
}

func (b *Book) applyRates(p *Provider, origin Origin) {
	replaced := map[[2]string]bool{} // region and what: the book's take the place of all that was known
	for _, r := range b.Rates {
		rate := Rate{What: r.What, Class: r.Class, SKU: cmp.Or(r.SKU, r.Class, string(r.What)), Unit: Units[r.What], Size: int64(r.Size)}
		if r.Price != nil {
			rate.Tiers = []Tier{{Price: Price{Amount: r.Price.Decimal, Currency: b.Currency, Origin: origin}}}
		}
		for _, t := range r.Tiers {
			rate.Tiers = append(rate.Tiers, Tier{From: t.From.Decimal, Price: Price{Amount: t.Price.Decimal, Currency: b.Currency, Origin: origin}})
		}
		regions := r.Regions
		if len(regions) == 0 {
			regions = b.places(p)
		}
		for _, region := range regions {
			if key := [2]string{region, string(r.What)}; !replaced[key] {
				replaced[key] = true
				p.dropRates(region, r.What)
			}
			p.rates[region] = append(p.rates[region], rate)
		}
	}
}

func (b *Book) applyPromises(p *Provider, origin Origin) {
	for _, s := range b.Promises {
		p.Promises = append(p.Promises, Promise{Service: s.Service, Scope: s.Scope, Percent: s.Percent, Credits: s.Credits, Notes: s.Notes, Origin: origin})
	}
	for _, s := range b.Support {
		plan := Plan{Name: s.Name, Current: true, Percent: s.Percent, Critical: s.Critical.Std(), Down: s.Down.Std(), Impaired: s.Impaired.Std(),
			General: s.General.Std(), Hours: s.Hours, Notes: s.Notes, Origin: origin}
		if s.Monthly != nil {
			plan.Monthly = &s.Monthly.Decimal
		}
		p.Plans = append(p.Plans, plan)
	}
}

// Summary says in a line what the book holds.
func (b *Book) Summary() string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{len(b.Regions), "region"}, {len(b.Instances), "machine type"}, {len(b.Databases), "database class"}, {len(b.Rates), "rate"},
		{len(b.Promises), "promise"}, {len(b.Support), "support plan"}, {len(b.Discounts), "discount"}, {len(b.Exchange), "exchange rate"}} {
		switch plural := "s"; {
		case part.n == 1:
			parts = append(parts, "1 "+part.what)
		case part.n > 1:
			if strings.HasSuffix(part.what, "ss") {
				plural = "es"
			}
			parts = append(parts, fmt.Sprintf("%d %s%s", part.n, part.what, plural))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing")
}
