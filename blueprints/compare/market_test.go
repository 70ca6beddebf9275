package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

// market is a made-up provider's prices, one region's like another's.
type market struct {
	instances []catalog.Instance
	classes   []catalog.DatabaseClass
	rates     []catalog.Rate
	committed map[string][]catalog.Commitment
}

func (m *market) Instances(string) []catalog.Instance { return m.instances }

func (m *market) Databases(_, engine string) []catalog.DatabaseClass {
	return slices.DeleteFunc(slices.Clone(m.classes), func(c catalog.DatabaseClass) bool { return c.Engine != engine })
}

func (m *market) Rates(_ string, what catalog.What) []catalog.Rate {
	return slices.DeleteFunc(slices.Clone(m.rates), func(r catalog.Rate) bool { return r.What != what })
}

func (m *market) Commitments(_, typ string) []catalog.Commitment { return m.committed[typ] }

func (m *market) DatabaseCommitments(_ string, c catalog.DatabaseClass) []catalog.Commitment {
	return m.committed[c.Class]
}

const gibibyte = 1 << 30

var published = time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)

func price(amount string) *catalog.Price {
	if amount == "" {
		return nil
	}
	return &catalog.Price{Amount: decimal.RequireFromString(amount), Currency: "USD", Origin: catalog.Origin{Source: "made up", Date: published}}
}

func instance(name string, cpu float64, memory int64, hourly string) catalog.Instance {
	return catalog.Instance{Type: name, CPU: cpu, Memory: memory * gibibyte, Arch: "amd64", Hourly: price(hourly)}
}

func class(name string, standby bool, hourly string) catalog.DatabaseClass {
	return catalog.DatabaseClass{Class: name, Service: "managed-sql", Engine: "postgres", Standby: standby, CPU: 2, Memory: 4 * gibibyte, Hourly: price(hourly)}
}

// rate takes prices, or FROM:PRICE for further tiers.
func rate(what catalog.What, class string, tiers ...string) catalog.Rate {
	r := catalog.Rate{What: what, Class: class, SKU: string(what) + " " + class, Unit: catalog.Units[what]}
	for _, t := range tiers {
		from, amount, tiered := strings.Cut(t, ":")
		if !tiered {
			from, amount = "0", t
		}
		r.Tiers = append(r.Tiers, catalog.Tier{From: decimal.RequireFromString(from), Price: *price(amount)})
	}
	return r
}

// alpha knows all its prices; its figures are round so that bills can be checked by hand.
func alpha() (shop, *market) {
	m := &market{
		instances: []catalog.Instance{
			{Type: "tiny", CPU: 2, Memory: 4 * gibibyte, Arch: "amd64", Burstable: true, Hourly: price("0.02")},
			{Type: "arm", CPU: 2, Memory: 4 * gibibyte, Arch: "arm64", Hourly: price("0.05")},
			{Type: "old", CPU: 2, Memory: 4 * gibibyte, Arch: "amd64", Previous: true, Hourly: price("0.06")},
			instance("small", 1, 4, "0.07"), instance("medium", 2, 4, "0.10"), instance("large", 4, 8, "0.19"),
		},
		classes: []catalog.DatabaseClass{class("db", false, "0.15"), class("db", true, "0.30")},
		rates: []catalog.Rate{
			rate(catalog.BlockStorage, "ssd", "0.10"), rate(catalog.BlockStorage, "hdd", "0.02"),
			rate(catalog.DatabaseStorage, "", "0.20"), rate(catalog.DatabaseStorageHA, "", "0.40"), rate(catalog.DatabaseBackup, "", "0.09"),
			rate(catalog.ObjectStorage, "standard", "0.02"), rate(catalog.ObjectStorage, "archive", "0.001"),
			rate(catalog.ObjectPut, "standard", "0.005"), rate(catalog.ObjectGet, "standard", "0.0004"),
			rate(catalog.BalancerHour, "", "0.025"), rate(catalog.BalancerTraffic, "", "0.008"), rate(catalog.PublicAddress, "in use", "0.005"),
			rate(catalog.PublicAddress, "unused", "0.001"), rate(catalog.Egress, "", "0.10", "60:0.05"), rate(catalog.InterZone, "", "0.01"),
			rate(catalog.Snapshot, "", "0.05"),
		},
		committed: map[string][]catalog.Commitment{"large": {{Term: "1y no upfront", Price: *price("0.08")}, {Term: "1y all upfront", Price: *price("0.075")}, {Term: "3y no upfront", Price: *price("0.01")}}},
	}
	hundred, thousand, nothing := decimal.NewFromInt(100), decimal.NewFromInt(1000), decimal.Decimal{}
	p := &catalog.Provider{ID: "alpha", Name: "Alpha",
		Regions: []catalog.Region{{ID: "north", Country: "TW", Zones: 3}},
		Promises: []catalog.Promise{
			{Service: "compute", Scope: "instances in multiple zones", Percent: 99.99, Credits: []catalog.Credit{{Below: 99.99, From: 99, Percent: 10}}},
			{Service: "compute", Scope: "single instance", Percent: 99.5},
			{Service: "managed-sql", Scope: "multi-az", Percent: 99.95}, {Service: "managed-sql", Scope: "single instance", Percent: 99},
			{Service: "object-storage", Scope: "standard", Percent: 99.9}, {Service: "load-balancing", Scope: "", Percent: 99.99},
		},
		Plans: []catalog.Plan{
			{Name: "free", Current: true, Monthly: &nothing}, {Name: "gone", Monthly: &nothing, Critical: time.Minute},
			{Name: "silver", Current: true, Monthly: &hundred, Percent: "10 to 1K, 3 above", Down: time.Hour},
			{Name: "gold", Current: true, Monthly: &thousand, Percent: "+5", Critical: 15 * time.Minute},
		},
		Images: []catalog.Image{{OS: "debian-12", Arch: "amd64", Reference: "debian"}},
		Engines: []catalog.Engine{
			{Service: "managed-sql", Engine: "postgres", Version: "15", Standard: published.AddDate(0, 6, 0), Extended: published.AddDate(3, 0, 0)},
			{Service: "managed-sql", Engine: "postgres", Version: "9.6", Standard: published.AddDate(-5, 0, 0), Extended: published.AddDate(-1, 0, 0)},
		},
	}
	return shop{p, m}, m
}

// beta is dearer, in another country, with one zone, and its balancer has no known price.
func beta() (shop, *market) {
	s, m := alpha()
	m.instances = []catalog.Instance{instance("b2", 2, 4, "0.20"), instance("b4", 4, 16, "0.40")}
	m.rates = slices.DeleteFunc(m.rates, func(r catalog.Rate) bool { return r.What == catalog.BalancerHour })
	s.facts.ID, s.facts.Name = "beta", "Beta"
	s.facts.Regions = []catalog.Region{{ID: "south", Country: "JP", Zones: 1}}
	return s, m
}

const shopSpec = `surety: v1
name: shop
objectives:
  {{objectives}}
servers:
  web:
    count: 2
    size: {cpu: 2, memory: 4GiB, disk: 20GiB}
    os: debian-12
    runs: {package: nginx, command: [nginx], port: 80}
    uses: [databases.main, buckets.media]
    public: {port: 80}
    expects: {rps: 100}
databases:
  main: {engine: postgres, version: "15", size: {cpu: 2, memory: 4GiB, disk: 100GiB}, highAvailability: true}
buckets:
  media: {size: 200GiB}
`

// spec puts objectives into the shop's spec, and makes replacements, given in pairs.
func spec(objectives string, replace ...string) string {
	text := strings.Replace(shopSpec, "{{objectives}}", cmp.Or(objectives, "rto: 1h"), 1)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			panic(fmt.Sprintf("no %q in the spec", replace[i]))
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	return text
}

var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// given is usage that leaves little open.
var given = Usage{Egress: 100 * gibibyte, Requests: 1e6}

func noRate(from, to string) (decimal.Decimal, bool) { return decimal.NewFromInt(1), from == to }

func designed(t testing.TB, text string) (*blueprints.Document, architecture.Architecture) {
	t.Helper()
	doc, problems := blueprints.Parse("surety.yaml", []byte(text))
	if problems.HasErrors() {
		t.Fatalf("%v\n%s", problems, text)
	}
	arch, _ := architecture.Design(doc) // conflicts by the lowest terms are not ours
	return doc, arch
}

func compared(t testing.TB, text string, o Options, shops ...shop) Comparison {
	t.Helper()
	doc, arch := designed(t, text)
	if o.Now.IsZero() {
		o.Now = today
	}
	c, err := compareAll(doc, arch, shops, noRate, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (o *Offer) line(component string, part Part) *Line {
	for i := range o.Lines {
		if o.Lines[i].Component == component && o.Lines[i].Part == part {
			return &o.Lines[i]
		}
	}
	return nil
}
