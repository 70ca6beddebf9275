package compare

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

// The bill of the shop at alpha, by hand: hours are 730 a month.
func TestBillByHand(t *testing.T) {
	a, _ := alpha()
	c := compared(t, spec(""), Options{Usage: given}, a)
	o := &c.Offers[0]
	for _, want := range []struct {
		component string
		part      Part
		says      string
	}{
		{"servers.web", PartMachine, "146.00"},           // 2 × 730 × 0.10
		{"servers.web", PartDisk, "4.00"},                // 2 × 20 × 0.10
		{"databases.main", PartDatabase, "219.00"},       // 730 × 0.30
		{"databases.main", PartDatabaseStorage, "40.00"}, // 100 × 0.40
		{"buckets.media", PartObjects, "4.00"},           // 200 × 0.02
		{"buckets.media", PartWrites, "0.00–0.50"},       // 100,000 / 1,000 × 0.005
		{"buckets.media", PartReads, "0.00–0.40"},        // 1,000,000 / 1,000 × 0.0004
		{"balancers.web", PartBalancer, "18.25"},         // 730 × 0.025
		{"balancers.web", PartBalancerTraffic, "0.80"},   // 100 × 0.008
		{"balancers.web", PartAddress, "3.65–7.30"},      // 730 × 0.005, once or twice
		{"balancers.web", PartEgress, "8.00"},            // 60 × 0.10 + 40 × 0.05
		{"", PartInterZone, "0.00–1.00"},                 // 100 × 0.01
	} {
		l := o.line(want.component, want.part)
		if l == nil {
			t.Errorf("no line %s of %q", want.part, want.component)
		} else if l.Monthly.String() != want.says {
			t.Errorf("%s of %q: %s, want %s", want.part, want.component, l.Monthly, want.says)
		}
	}
	if got := o.Total.String(); got != "443.70–449.25" || len(o.Lines) != 12 {
		t.Errorf("total %s in %d lines, want 443.70–449.25 in 12", got, len(o.Lines))
	}
	if c.Winner != "alpha/north" {
		t.Errorf("winner %q (%s)", c.Winner, c.Unmet)
	}
}

// Copies are paid for with what they are copies of, and not again as the bucket that the design derives for them.
func TestBackupsAreCountedOnce(t *testing.T) {
	a, _ := alpha()
	text := spec("") + "backups:\n  nightly: {of: [databases.main, servers.web, buckets.media], every: 24h, keep: {daily: 7}}\n"
	_, arch := designed(t, text)
	if !slices.ContainsFunc(arch.Components, func(c architecture.Component) bool { return c.ID == "backups.nightly" && c.Backup != nil }) {
		t.Fatal("the design has no component for the backup")
	}
	o := &compared(t, text, Options{Usage: given}, a).Offers[0]
	for _, l := range o.Lines {
		if l.Component == "backups.nightly" {
			t.Errorf("a line %s of %q: %s", l.Part, l.Component, l.Monthly)
		}
	}
	for _, of := range []string{"databases.main", "servers.web", "buckets.media"} {
		if o.line(of, PartBackup) == nil {
			t.Errorf("no line for the copies of %s", of)
		}
	}
}

// Why the types that cost less were not taken.
func TestChoiceSaysWhyOthersLost(t *testing.T) {
	a, _ := alpha()
	c := compared(t, spec(""), Options{Usage: given}, a)
	choice := c.Offers[0].Choices[slices.IndexFunc(c.Offers[0].Choices, func(c Choice) bool { return c.Component == "servers.web" })]
	if choice.Type != "medium" || choice.Feasible != 2 {
		t.Errorf("%+v, want medium of 2", choice)
	}
	var got []string
	for _, r := range choice.RunnersUp {
		got = append(got, r.Type+": "+r.Reason)
	}
	want := []string{"arm: arm64, amd64 required", "old: of a previous generation", "small: 1 vCPU, 2 required", "large: would do, for 131.40 USD more"}
	if !slices.Equal(got, want) {
		t.Errorf("runners-up\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A share of a CPU will do only where neither CPUs nor a load are asked for.
func TestBurstableRule(t *testing.T) {
	a, _ := alpha()
	for text, want := range map[string]string{
		spec("", "size: {cpu: 2, memory: 4GiB, disk: 20GiB}", "size: {memory: 4GiB, disk: 20GiB}"):                                  "small",
		spec("", "size: {cpu: 2, memory: 4GiB, disk: 20GiB}", "size: {memory: 4GiB, disk: 20GiB}", "    expects: {rps: 100}\n", ""): "tiny",
		spec("", "    expects: {rps: 100}\n", ""): "medium",
	} {
		if got := compared(t, text, Options{}, a).Offers[0].line("servers.web", PartMachine).SKU; got != want {
			t.Errorf("%s chosen, want %s, for\n%s", got, want, text)
		}
	}
	if got := compared(t, spec(""), Options{Burstable: true}, a).Offers[0].line("servers.web", PartMachine).SKU; got != "tiny" {
		t.Errorf("--burstable: %s", got)
	}
	if got := compared(t, spec(""), Options{Arch: "any"}, a).Offers[0].line("servers.web", PartMachine).SKU; got != "arm" {
		t.Errorf("--arch any: %s", got)
	}
}

// A commitment may make another type the cheapest, and counts the cheapest way to pay for its term.
func TestCommitment(t *testing.T) {
	a, _ := alpha()
	l := compared(t, spec(""), Options{Commit: "1y"}, a).Offers[0].line("servers.web", PartMachine)
	if l.SKU != "large" || !strings.Contains(l.What, "1y all upfront") || l.Monthly.String() != "109.50" { // 2 × 730 × 0.075
		t.Errorf("%+v", l)
	}
}

// What has no price is said, opens the total, and is never printed as nothing.
func TestUnknownStaysUnknown(t *testing.T) {
	a, m := alpha()
	m.rates = slices.DeleteFunc(m.rates, func(r catalog.Rate) bool { return r.What == catalog.BalancerHour })
	c := compared(t, spec("budget: {monthly: 1000, currency: USD}"), Options{Usage: given}, a)
	o := &c.Offers[0]
	if got := o.line("balancers.web", PartBalancer).Monthly.String(); got != "unknown" {
		t.Errorf("the balancer's line says %q", got)
	}
	if got := o.Total.String(); got != "≥ 425.45" { // 443.70 − 18.25
		t.Errorf("total %s", got)
	}
	if len(o.Unknown) != 1 || o.Unknown[0] != "balancers.web: balancer: no known price" {
		t.Errorf("unknown: %q", o.Unknown)
	}
	if j := o.Judge(idBudget); j.State != Unproven {
		t.Errorf("budget: %+v", j)
	}
	if j := compared(t, spec("budget: {monthly: 400, currency: USD}"), Options{Usage: given}, a).Offers[0].Judge(idBudget); j.State != Breached {
		t.Errorf("a lower bound above the budget breaches it: %+v", j)
	}
	m.instances = nil
	c = compared(t, spec(""), Options{Usage: given}, a)
	if o := c.Offers[0]; o.Ranked || o.Infeasible != "" || c.Winner != "" || o.line("servers.web", PartMachine).Monthly.String() != "unknown" {
		t.Errorf("machines without prices: ranked %v, %q, winner %q", o.Ranked, o.Unranked, c.Winner)
	}
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), `"unitPrice":{"amount":"0"`) {
		t.Errorf("%v: a price of nothing in %s", err, text)
	}
}

// Nothing bounds what an entry without a required rate sends, until somebody says it.
func TestUsageNarrowsRanges(t *testing.T) {
	a, _ := alpha()
	egress := func(text string, u Usage) *Line {
		return compared(t, text, Options{Usage: u}, a).Offers[0].line("balancers.web", PartEgress)
	}
	if l := egress(spec("", "    expects: {rps: 100}\n", ""), Usage{}); !l.QuantityOpen || !l.Monthly.Open {
		t.Errorf("no rate: %+v", l)
	}
	// 100/s × 2,628,000 s × 10 % × 2 KiB is 50.1251 GiB, and × 64 KiB at the full rate 16,040.039 GiB.
	if l := egress(spec(""), Usage{}); l.Quantity.StringFixed(3) != "50.125" || l.QuantityHigh.StringFixed(3) != "16040.039" {
		t.Errorf("from the rate: %s to %s", l.Quantity, l.QuantityHigh)
	}
	if l := egress(spec(""), Usage{Requests: 1 << 20, Response: 1 << 20}); l.Quantity.String() != "1024" || l.QuantityHigh != nil {
		t.Errorf("a million answers of 1 MiB: %s GiB", l.Quantity)
	}
}

// Providers are held against each other on what both price: beta's balancer is unknown, so alpha's does not count either.
func TestEqualFootprint(t *testing.T) {
	a, _ := alpha()
	b, _ := beta()
	c := compared(t, spec(""), Options{Usage: given}, a, b)
	if c.Winner != "alpha/north" || slices.Contains(c.Positions, "balancers.web balancer") || !slices.Contains(c.Positions, "servers.web machine") {
		t.Errorf("winner %s by %v", c.Winner, c.Positions)
	}
	low := map[string]string{"alpha": "425.45", "beta": "571.45"} // beta: + 2 × 730 × 0.10
	for _, o := range c.Offers {
		if got := o.Compared.Low.StringFixed(2); got != low[o.Provider] {
			t.Errorf("%s is compared by %s, want %s", o.Provider, got, low[o.Provider])
		}
		if o.Provider == "beta" && !o.Total.Open {
			t.Errorf("beta's total: %s", o.Total)
		}
	}
}

func TestAvailabilityChecksConditions(t *testing.T) {
	a, _ := alpha()
	b, _ := beta()
	want := 99.99 * .9999 * .9995 * .999 // balancer, 2 servers in zones, standby in zones, object storage
	c := compared(t, spec("availability: 99.8"), Options{Usage: given}, a, b)
	for _, o := range c.Offers {
		j := o.Judge(idAvailability)
		switch o.Provider {
		case "alpha":
			if math.Abs(o.Availability-want) > 1e-9 || j.State != Met {
				t.Errorf("alpha: %v, want %v: %+v", o.Availability, want, j)
			}
			if math.Abs(o.Minutes-(1-want/100)*43200) > 1e-6 {
				t.Errorf("%v minutes", o.Minutes)
			}
		case "beta": // one zone: neither the pair of servers nor the standby has the promise for several zones
			if w := 99.99 * .995 * .99 * .999; math.Abs(o.Availability-w) > 1e-9 || j.State != Breached {
				t.Errorf("beta: %v, want %v: %+v", o.Availability, w, j)
			}
		}
	}
	a.facts.Regions[0].Zones = 0
	if j := compared(t, spec("availability: 99.8"), Options{}, a).Offers[0].Judge(idAvailability); j.State != Unproven {
		t.Errorf("zones unknown: %+v", j)
	}
	a.facts.Regions[0].Zones = 3
	a.facts.Promises = slices.DeleteFunc(a.facts.Promises, func(p catalog.Promise) bool { return p.Service == "load-balancing" })
	o := compared(t, spec("availability: 99.8"), Options{}, a).Offers[0]
	if o.Availability != 0 || o.Judge(idAvailability).State != Unproven {
		t.Errorf("nothing promised for the balancer: %v, %+v", o.Availability, o.Judge(idAvailability))
	}
	if j := compared(t, spec("availability: 99.95"), Options{}, a).Offers[0].Judge(idAvailability); j.State != Breached {
		t.Errorf("the rest alone misses 99.95: %+v", j)
	}
}

func TestSupport(t *testing.T) {
	a, _ := alpha()
	o := compared(t, spec("support: {critical: 1h}"), Options{Usage: given}, a).Offers[0]
	if s := o.Support; s == nil || s.Plan != "silver" || s.Monthly.String() != "100.00" { // 10 % of 449.25 is less than the least price
		t.Errorf("%+v", s)
	}
	if got := o.Total.String(); got != "543.70–549.25" {
		t.Errorf("total with support: %s", got)
	}
	o = compared(t, spec("support: {critical: 1h}", "count: 2", "count: 20"), Options{Usage: given}, a).Offers[0]
	// Without support: 443.70 + 18 × (73 + 2) = 1,793.70 to 1,799.25; 10 % of 1,000 and 3 % of the rest.
	if got := o.Support.Monthly.String(); got != "123.81–123.98" {
		t.Errorf("by bands: %s", got)
	}
	if s := compared(t, spec("support: {critical: 15m}"), Options{Usage: given}, a).Offers[0].Support; s.Plan != "gold" || s.Monthly.Low.String() != "1022.19" { // 1,000 + 5 % of 443.70
		t.Errorf("%+v", s)
	}
	if j := compared(t, spec("support: {critical: 1m}"), Options{}, a).Offers[0].Judge(idSupport); j.State != Breached {
		t.Errorf("the only plan so quick cannot be bought any more: %+v", j)
	}
	a.facts.Plans = nil
	if j := compared(t, spec("support: {critical: 1h}"), Options{}, a).Offers[0].Judge(idSupport); j.State != Unproven {
		t.Errorf("no plan known: %+v", j)
	}
}

func TestResidencyAndPreflight(t *testing.T) {
	a, _ := alpha()
	b, _ := beta()
	c := compared(t, spec("residency: [TW]"), Options{}, a, b)
	if c.Winner != "alpha/north" || c.Offers[1].Infeasible == "" {
		t.Errorf("winner %s; beta: %q", c.Winner, c.Offers[1].Infeasible)
	}
	pre := strings.Join(c.Offers[0].Preflight, "\n")
	if !strings.Contains(pre, "standard support of postgres 15 ends on 2027-02-01") || !strings.Contains(pre, "quotas") {
		t.Errorf("preflight:\n%s", pre)
	}
	c = compared(t, spec("", `"15"`, `"9.6"`), Options{}, a)
	if j := c.Offers[0].Judge("databases.main.version"); j.State != Breached || c.Winner != "" {
		t.Errorf("a version after its end: %+v", j)
	}
	if j := compared(t, spec("", `"15"`, `"99"`), Options{}, a).Offers[0].Judge("databases.main.version"); j.State != Breached {
		t.Errorf("a version that is not offered: %+v", j)
	}
}

// A currency without a rate is shown as it is, and judged by nobody.
func TestCurrencies(t *testing.T) {
	a, _ := alpha()
	o := compared(t, spec("budget: {monthly: 100, currency: TWD}"), Options{Usage: given}, a).Offers[0]
	if o.Currency != "USD" || o.Judge(idBudget).State != Unproven || o.Ranked {
		t.Errorf("in %s, %+v", o.Currency, o.Judge(idBudget))
	}
	doc, arch := designed(t, spec("budget: {monthly: 15000, currency: TWD}"))
	c, err := compareAll(doc, arch, []shop{a}, func(from, to string) (decimal.Decimal, bool) {
		return decimal.NewFromInt(30), from == "USD" && to == "TWD"
	}, Options{Usage: given, Now: today})
	if err != nil {
		t.Fatal(err)
	}
	if o := c.Offers[0]; o.Currency != "TWD" || o.line("servers.web", PartMachine).Monthly.String() != "4380.00" || o.Judge(idBudget).State != Met {
		t.Errorf("in %s: %s, %+v", o.Currency, o.line("servers.web", PartMachine).Monthly, o.Judge(idBudget))
	}
}

func TestNamesMustBeKnown(t *testing.T) {
	a, _ := alpha()
	doc, arch := designed(t, spec(""))
	for _, o := range []Options{{Providers: []string{"gamma"}}, {Regions: []string{"west"}}, {Providers: []string{"alpha"}, Regions: []string{"beta/south"}}} {
		if _, err := compareAll(doc, arch, []shop{a}, noRate, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

// A disk that must give operations a second gets a type whose published limits give them, with what must be bought.
func TestIOPS(t *testing.T) {
	a, m := alpha()
	a.facts.ID = "aws"
	m.rates = append(m.rates, rate(catalog.BlockStorage, "gp2", "0.05"), rate(catalog.BlockStorage, "gp3", "0.08"), rate(catalog.BlockIOPS, "gp3", "0.005"),
		rate(catalog.BlockStorage, "io1", "0.125"), rate(catalog.BlockIOPS, "io1", "0.065"))
	bill := func(text string, iops float64) (disk, bought string) {
		o := compared(t, text, Options{IOPS: iops}, a).Offers[0]
		disk, bought = o.line("servers.web", PartDisk).Monthly.String(), "none"
		if l := o.line("servers.web", PartIOPS); l != nil {
			bought = l.Monthly.String()
		}
		return disk, bought
	}
	large := spec("", "disk: 20GiB", "disk: 1100GiB")
	for _, c := range []struct {
		text         string
		iops         float64
		disk, bought string
	}{
		{spec(""), 0, "2.00", "none"},        // gp2: 2 × 20 × 0.05
		{spec(""), 3000, "3.20", "none"},     // gp3: gp2 gives 100
		{spec(""), 4000, "3.20", "10.00"},    // 2 × 1,000 × 0.005
		{spec(""), 12000, "unknown", "none"}, // more than 500 per GiB
		{large, 3300, "110.00", "none"},      // gp2 gives 3 per GiB
		{large, 20000, "275.00", "2600.00"},  // io1
	} {
		if disk, bought := bill(c.text, c.iops); disk != c.disk || bought != c.bought {
			t.Errorf("%v IOPS: %s and %s, want %s and %s", c.iops, disk, bought, c.disk, c.bought)
		}
	}
}

// Where only some prices are known, the offers of which they are are judged, and what nothing is known of comes last.
func TestWhatIsKnownIsJudgedFirst(t *testing.T) {
	a, m := alpha()
	m.classes = nil // no database is known
	b, n := beta()
	n.instances, n.classes = nil, nil
	c := compared(t, spec("availability: 99.9"), Options{Usage: given}, b, a)
	if !c.Fails || c.Offers[0].Provider != "alpha" || len(c.Conflicts) == 0 {
		t.Errorf("fails %v, first %s, conflicts %v", c.Fails, c.Offers[0].Provider, c.Conflicts)
	}
	if c := compared(t, spec("availability: 99"), Options{Usage: given}, b, a); c.Fails || c.Winner != "" || c.Unmet == "" {
		t.Errorf("nothing is breached: fails %v, winner %q", c.Fails, c.Winner)
	}
}
