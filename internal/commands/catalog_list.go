package commands

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/catalog"
	"surety/internal/terminal"
)

// listing is one kind of fact that can be listed, as a table and as JSON. A region that is empty stands for all.
type listing struct {
	name    string
	says    string
	heading []string
	rows    func(p *catalog.Provider, region string) ([][]string, []any)
}

var listings = []listing{
	{"regions", "where it is sold", []string{"region", "country", "location", "zones", "date"}, func(p *catalog.Provider, region string) (rows [][]string, values []any) {
		for _, r := range p.Regions {
			if region == "" || r.ID == region {
				rows, values = append(rows, []string{r.ID, r.Country, r.Location, orUnknown(r.Zones), day(r.Origin)}), append(values, r)
			}
		}
		return rows, values
	}},
	{"machines", "machine types, the cheapest first", []string{"region", "type", "vCPU", "memory", "arch", "hour", "date"}, func(p *catalog.Provider, region string) (rows [][]string, values []any) {
		for _, at := range regionsOf(p, region) {
			for _, i := range p.Instances(at) {
				rows = append(rows, []string{at, i.Type, plainFigure(i.CPU), blueprints.Bytes(i.Memory).String(), i.Arch, price(i.Hourly), day(i.Hourly.Origin)})
				values = append(values, inRegion{at, i})
			}
		}
		return rows, values
	}},
	{"databases", "managed database classes, the cheapest first", []string{"region", "engine", "class", "standby", "vCPU", "memory", "hour", "date"},
		func(p *catalog.Provider, region string) (rows [][]string, values []any) {
			for _, at := range regionsOf(p, region) {
				for _, engine := range []string{"postgres", "mysql", "mariadb", "redis"} {
					for _, d := range p.Databases(at, engine) {
						rows = append(rows, []string{at, engine, d.Class, yesNo(d.Standby), plainFigure(d.CPU), blueprints.Bytes(d.Memory).String(), price(d.Hourly), day(d.Hourly.Origin)})
						values = append(values, inRegion{at, d})
					}
				}
			}
			return rows, values
		}},
	{"rates", "what is sold by quantity", []string{"region", "what", "class", "from", "price", "for a", "date"}, func(p *catalog.Provider, region string) (rows [][]string, values []any) {
		for _, at := range regionsOf(p, region) {
			for _, what := range catalog.Whats {
				for _, r := range p.Rates(at, what) {
					for _, t := range r.Tiers {
						rows = append(rows, []string{at, string(what), r.Class, t.From.String(), price(&t.Price), r.Unit, day(t.Price.Origin)})
					}
					values = append(values, inRegion{at, r})
				}
			}
		}
		return rows, values
	}},
	{"promises", "availability that its terms promise", []string{"service", "under which condition", "percent", "credits", "date"}, func(p *catalog.Provider, _ string) (rows [][]string, values []any) {
		for _, s := range p.Promises {
			var credits []string
			for _, c := range s.Credits {
				credits = append(credits, fmt.Sprintf("%v %% below %v", c.Percent, c.Below))
			}
			rows = append(rows, []string{s.Service, s.Scope, plainFigure(s.Percent), cmp.Or(strings.Join(credits, ", "), "unknown"), day(s.Origin)})
			values = append(values, s)
		}
		return rows, values
	}},
	{"support", "support plans and how soon they answer", []string{"plan", "monthly from", "critical", "down", "impaired", "general", "sold", "date"}, func(p *catalog.Provider, _ string) (rows [][]string, values []any) {
		for _, s := range p.Plans {
			monthly := "unknown"
			if s.Monthly != nil {
				monthly = s.Monthly.String()
			}
			rows = append(rows, []string{s.Name, monthly, within(s.Critical), within(s.Down), within(s.Impaired), within(s.General), yesNo(s.Current), day(s.Origin)})
			values = append(values, s)
		}
		return rows, values
	}},
	{"versions", "until when versions are supported", []string{"service", "engine", "version", "standard until", "extended until", "date"}, func(p *catalog.Provider, _ string) (rows [][]string, values []any) {
		for _, e := range p.Engines {
			rows = append(rows, []string{e.Service, e.Engine, e.Version, date(e.Standard), date(e.Extended), day(e.Origin)})
			values = append(values, e)
		}
		return rows, values
	}},
	{"images", "where images of distributions are", []string{"os", "arch", "reference"}, func(p *catalog.Provider, _ string) (rows [][]string, values []any) {
		for _, i := range p.Images {
			rows, values = append(rows, []string{i.OS, i.Arch, i.Reference}), append(values, i)
		}
		return rows, values
	}},
	{"lacks", "what a region is known not to have", []string{"region", "has no", "date"}, func(p *catalog.Provider, region string) (rows [][]string, values []any) {
		for _, l := range p.Lacks {
			if region == "" || l.Region == region {
				rows, values = append(rows, []string{l.Region, l.Feature, day(l.Origin)}), append(values, l)
			}
		}
		return rows, values
	}},
	{"left-out", "what the sources have and this catalogue has not, with the reason", []string{"type", "region", "reason"}, func(p *catalog.Provider, region string) (rows [][]string, values []any) {
		for _, l := range p.LeftOut {
			if region == "" || l.Region == "" || slices.Contains(strings.Fields(l.Region), region) {
				rows, values = append(rows, []string{l.Type, cmp.Or(l.Region, "all"), l.Reason}), append(values, l)
			}
		}
		return rows, values
	}},
}

type inRegion struct {
	Region string `json:"region"`
	Offer  any    `json:"offer"`
}

func listingNames() []string {
	var all []string
	for _, l := range listings {
		all = append(all, l.name)
	}
	return all
}

func (a *app) catalogListCommand() *cobra.Command {
	says := map[string]string{}
	for _, l := range listings {
		says[l.name] = l.says
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(says)) {
		fmt.Fprintf(&lines, "  %-10s %s\n", name, says[name])
	}
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is known of providers, regions, machines, databases, rates, terms",
		Long: `Without --what: how much is known of each provider. With it, one of:
` + lines.String() + `Prices are for an hour unless another unit is beside them, without tax. "unknown" is what no source says.`,
		Example: `  surety catalog list
  surety catalog list --provider gcp --region asia-east1 --what machines
  surety catalog list --provider aws --what support --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.openCatalog()
			if err != nil {
				return err
			}
			providers, err := a.providersAsked(c)
			if err != nil {
				return err
			}
			what := a.settings.GetString("what")
			if what == "" {
				return a.listProviders(providers)
			}
			i := slices.IndexFunc(listings, func(l listing) bool { return l.name == what })
			if i < 0 {
				return wrong("nothing to list is named %q — %s", what, blueprints.DidYouMean(what, listingNames()))
			}
			return a.list(listings[i], providers, a.settings.GetString("region"))
		},
	}
	c.Flags().String("provider", "", "of one provider only")
	c.Flags().String("region", "", "in one region only")
	c.Flags().String("what", "", "one of "+strings.Join(listingNames(), ", "))
	return c
}

// providersAsked gives those of --provider, or all; a region that none of them has is a mistake.
func (a *app) providersAsked(c *catalog.Catalog) ([]*catalog.Provider, error) {
	providers := c.Providers()
	if id := a.settings.GetString("provider"); id != "" {
		p := c.Provider(id)
		if p == nil {
			var ids []string
			for _, p := range providers {
				ids = append(ids, p.ID)
			}
			return nil, wrong("no provider %q — %s", id, blueprints.DidYouMean(id, ids))
		}
		providers = []*catalog.Provider{p}
	}
	region := a.settings.GetString("region")
	if region == "" {
		return providers, nil
	}
	var known []string
	var having []*catalog.Provider
	for _, p := range providers {
		for _, r := range p.Regions {
			known = append(known, r.ID)
			if r.ID == region {
				having = append(having, p)
			}
		}
	}
	if len(having) == 0 {
		mend := "surety catalog list --what regions shows all"
		if near, ok := blueprints.Nearest(region, known); ok {
			mend = fmt.Sprintf("did you mean %q?", near)
		}
		return nil, wrong("no region %q — %s", region, mend)
	}
	return having, nil
}

func (a *app) listProviders(providers []*catalog.Provider) error {
	type row struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Regions  int    `json:"regions"`
		Promises int    `json:"promises"`
		Plans    int    `json:"supportPlans"`
		Versions int    `json:"versions"`
	}
	s := a.screen()
	t := s.Table("provider", "name", "regions", "promises", "support plans", "versions")
	rows := []row{}
	for _, p := range providers {
		rows = append(rows, row{ID: p.ID, Name: p.Name, Regions: len(p.Regions), Promises: len(p.Promises), Plans: len(p.Plans), Versions: len(p.Engines)})
		t.Row(terminal.Cell{Text: p.ID, Style: terminal.Bold}, terminal.Cell{Text: p.Name}, terminal.Cell{Text: orUnknown(len(p.Regions))},
			terminal.Cell{Text: orUnknown(len(p.Promises))}, terminal.Cell{Text: orUnknown(len(p.Plans))}, terminal.Cell{Text: orUnknown(len(p.Engines))})
	}
	t.Print()
	s.Line("more: surety catalog list --what %s", strings.Join(listingNames(), "|"))
	return a.print(rows)
}

func (a *app) list(l listing, providers []*catalog.Provider, region string) error {
	type of struct {
		Provider string `json:"provider"`
		Known    []any  `json:"known"`
	}
	all := []of{}
	s := a.screen()
	t := s.Table(append([]string{"provider"}, l.heading...)...)
	count := 0
	for _, p := range providers {
		rows, values := l.rows(p, region)
		if values == nil {
			values = []any{}
		}
		all = append(all, of{p.ID, values})
		for _, row := range rows {
			cells := []terminal.Cell{{Text: p.ID}}
			for _, text := range row {
				cells = append(cells, terminal.Cell{Text: text})
			}
			t.Row(cells...)
			count++
		}
		if err := p.Err(); err != nil {
			return err
		}
	}
	if count == 0 {
		s.Line("nothing is known of %s here. A price book can say it: docs/catalog.md", l.name)
	} else {
		t.Print()
	}
	return a.print(all)
}

func regionsOf(p *catalog.Provider, region string) []string {
	if region != "" {
		return []string{region}
	}
	var all []string
	for _, r := range p.Regions {
		all = append(all, r.ID)
	}
	return all
}

func price(p *catalog.Price) string {
	if p == nil {
		return "unknown"
	}
	return p.Amount.String() + " " + p.Currency
}

func plainFigure(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func orUnknown(n int) string {
	if n == 0 {
		return "unknown"
	}
	return strconv.Itoa(n)
}

func within(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return blueprints.Duration(d).String()
}

func date(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Format(time.DateOnly)
}

func day(o catalog.Origin) string { return date(o.Date) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
