package commands

import (
	"cmp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/catalog"
	"surety/internal/terminal"
)

var monthHours = decimal.NewFromInt(catalog.HoursPerMonth)

// sold is one type in one region, with all its prices.
type sold struct {
	Provider    string               `json:"provider"`
	Region      string               `json:"region"`
	Country     string               `json:"country"`
	Type        string               `json:"type"`
	Engine      string               `json:"engine,omitempty"`
	Standby     bool                 `json:"standby,omitempty"`
	CPU         float64              `json:"cpu"`
	Memory      int64                `json:"memory"`
	Hourly      *catalog.Price       `json:"hourly"`
	Commitments []catalog.Commitment `json:"commitments,omitempty"`
}

// shown is all that is known of a name.
type shown struct {
	Sold     []sold                       `json:"sold,omitempty"`
	Promises map[string][]catalog.Promise `json:"promises,omitempty"` // by provider
	Plans    map[string][]catalog.Plan    `json:"plans,omitempty"`
	Versions map[string][]catalog.Engine  `json:"versions,omitempty"`
}

func (a *app) catalogShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "All that is known of a machine type, database class, service or support plan",
		Long: `Shows a machine type or a database class in each region that has a price for it, the cheapest first, with the
prices for who commits to a term; or what is promised of a service, a support plan, or until when an engine's
versions are supported. -v shows the sources.`,
		Example: `  surety catalog show m5.large
  surety catalog show db.m5.large --region ap-northeast-1
  surety catalog show rds
  surety catalog show "Business Support+"`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.openCatalog()
			if err != nil {
				return err
			}
			providers, err := a.providersAsked(c)
			if err != nil {
				return err
			}
			found, names := lookUp(providers, a.settings.GetString("region"), args[0])
			if len(found.Sold)+len(found.Promises)+len(found.Plans)+len(found.Versions) == 0 {
				mend := "surety catalog list shows what is known"
				if near, ok := blueprints.Nearest(args[0], names); ok {
					mend = "did you mean \"" + near + "\"?"
				}
				return wrong("nothing is known of %q — %s", args[0], mend)
			}
			a.showFound(found)
			return a.print(found)
		},
	}
	c.Flags().String("provider", "", "of one provider only")
	c.Flags().String("region", "", "in one region only")
	return c
}

// lookUp looks a name up among all that has one, and gives the names that there are.
func lookUp(providers []*catalog.Provider, region, name string) (found shown, names []string) {
	found = shown{Promises: map[string][]catalog.Promise{}, Plans: map[string][]catalog.Plan{}, Versions: map[string][]catalog.Engine{}}
	seen := map[string]bool{}
	is := func(other string) bool {
		if !seen[other] {
			seen[other] = true
			names = append(names, other)
		}
		return strings.EqualFold(other, name)
	}
	for _, p := range providers {
		for _, r := range p.Regions {
			if region != "" && r.ID != region {
				continue
			}
			for _, i := range p.Instances(r.ID) {
				if is(i.Type) {
					found.Sold = append(found.Sold, sold{Provider: p.ID, Region: r.ID, Country: r.Country, Type: i.Type, CPU: i.CPU, Memory: i.Memory,
						Hourly: i.Hourly, Commitments: p.Commitments(r.ID, i.Type)})
				}
			}
			for _, engine := range []string{"postgres", "mysql", "mariadb", "redis"} {
				for _, d := range p.Databases(r.ID, engine) {
					if is(d.Class) {
						found.Sold = append(found.Sold, sold{Provider: p.ID, Region: r.ID, Country: r.Country, Type: d.Class, Engine: engine, Standby: d.Standby,
							CPU: d.CPU, Memory: d.Memory, Hourly: d.Hourly, Commitments: p.DatabaseCommitments(r.ID, d)})
					}
				}
			}
		}
		for _, s := range p.Promises {
			if is(s.Service) {
				found.Promises[p.ID] = append(found.Promises[p.ID], s)
			}
		}
		for _, s := range p.Plans {
			if is(s.Name) {
				found.Plans[p.ID] = append(found.Plans[p.ID], s)
			}
		}
		for _, e := range p.Engines {
			if is(e.Engine) {
				found.Versions[p.ID] = append(found.Versions[p.ID], e)
			}
		}
	}
	slices.SortStableFunc(found.Sold, func(a, b sold) int {
		return cmp.Or(cmp.Compare(a.Hourly.Currency, b.Hourly.Currency), a.Hourly.Amount.Cmp(b.Hourly.Amount), cmp.Compare(a.Region, b.Region))
	})
	return found, names
}

func (a *app) showFound(f shown) {
	s := a.screen()
	cells := func(texts ...string) (all []terminal.Cell) {
		for _, text := range texts {
			all = append(all, terminal.Cell{Text: text})
		}
		return all
	}
	if len(f.Sold) > 0 {
		first := f.Sold[0]
		s.Line("%s: %s vCPU, %s", first.Type, plainFigure(first.CPU), blueprints.Bytes(first.Memory))
		t := s.Table("provider", "region", "country", "engine", "hour", "month of 730 h", "committed, an hour", "date", "source")
		for _, o := range f.Sold {
			var committed []string
			for _, c := range o.Commitments {
				committed = append(committed, c.Term+" "+c.Price.Amount.String())
			}
			engine := o.Engine
			if o.Standby {
				engine += " + standby"
			}
			month := o.Hourly.Amount.Mul(monthHours).StringFixed(2)
			t.Row(cells(o.Provider, o.Region, o.Country, engine, price(o.Hourly), month, strings.Join(committed, ", "), day(o.Hourly.Origin), a.sourceText(o.Hourly.Origin))...)
		}
		t.Print()
	}
	for _, id := range blueprints.SortedKeys(f.Promises) {
		for _, p := range f.Promises[id] {
			s.Line("%s %s promises %s %% a month: %s", id, p.Service, plainFigure(p.Percent), cmp.Or(p.Scope, "no condition stated"))
			for _, c := range p.Credits {
				s.Line("    below %v %%, down to %v %%: %v %% of the month's bill back", c.Below, c.From, c.Percent)
			}
			if p.Notes != "" {
				s.Line("    %s", p.Notes)
			}
			s.Line("    source: %s, %s", p.Origin.Source, day(p.Origin))
		}
	}
	for _, id := range blueprints.SortedKeys(f.Plans) {
		for _, p := range f.Plans[id] {
			monthly := "unknown price"
			if p.Monthly != nil {
				monthly = p.Monthly.String() + " USD a month at least"
			}
			s.Line("%s %s: %s, of the bill: %s %%", id, p.Name, monthly, cmp.Or(p.Percent, "–"))
			s.Line("    answers critical %s, production down %s, impaired %s, general %s", within(p.Critical), within(p.Down), within(p.Impaired), within(p.General))
			if p.Notes != "" {
				s.Line("    %s", p.Notes)
			}
			s.Line("    source: %s, %s", p.Origin.Source, day(p.Origin))
		}
	}
	for _, id := range blueprints.SortedKeys(f.Versions) {
		t := s.Table("provider", "service", "engine", "version", "standard until", "extended until", "date")
		for _, e := range f.Versions[id] {
			t.Row(cells(id, e.Service, e.Engine, e.Version, date(e.Standard), date(e.Extended), day(e.Origin))...)
		}
		t.Print()
	}
}
