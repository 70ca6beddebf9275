package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const acme = `surety-book: v1
provider: acme
title: ACME private cloud
currency: TWD
date: 2026-11-01
source: contract 2026-17
exchange:
  - {from: USD, to: TWD, rate: 31.5, date: 2026-11-20, source: Central Bank}
  - {from: USD, to: TWD, rate: 33, date: 2025-11-20, source: Central Bank}
regions:
  taipei: {country: TW, location: Taipei, zones: 2}
  kaohsiung: {country: TW}
instances:
  m1.large: {cpu: 2, memory: 8GiB, price: 3.125}
  m1.small: {cpu: 1, memory: 2GiB, disk: 20GB, prices: {taipei: 0.9}}
databases:
  pg.large: {engine: postgres, standby: true, cpu: 2, memory: 8GiB, price: 9}
rates:
  - {what: block storage, class: ssd, price: 3.2}
  - {what: egress to internet, tiers: [{from: 0, price: 3}, {from: 10240, price: 2.4}], regions: [taipei]}
promises: [{service: compute, scope: one machine, percent: 99.5}]
support: [{name: Gold, monthly: 30000, critical: 30m}]
`

func TestBookOfAPrivateCloud(t *testing.T) {
	c := open(t, write(t, filepath.Join(t.TempDir(), "acme.yaml"), acme))
	p := c.Provider("acme")
	if p == nil || p.Name != "ACME private cloud" || len(p.Regions) != 2 || p.Region("taipei").Zones != 2 || p.Region("kaohsiung").Zones != 0 {
		t.Fatalf("provider: %+v", p)
	}
	got := p.Instances("taipei")
	if len(got) != 2 || got[0].Type != "m1.small" || got[0].Hourly.Amount.String() != "0.9" || got[1].Hourly.Currency != "TWD" ||
		got[1].Memory != 8<<30 || got[0].Disk != 20e9 || got[1].Hourly.Origin.Kind != Own || !strings.Contains(got[1].Hourly.Origin.Source, "contract 2026-17") {
		t.Errorf("machines of taipei: %+v", got)
	}
	if far := p.Instances("kaohsiung"); len(far) != 1 || far[0].Type != "m1.large" {
		t.Errorf("machines of kaohsiung, where one has no price: %+v", far)
	}
	if d := p.Databases("taipei", "postgres"); len(d) != 1 || !d[0].Standby || d[0].Hourly.Amount.String() != "9" {
		t.Errorf("databases: %+v", d)
	}
	if r := p.Rates("taipei", Egress); len(r) != 1 || len(r[0].Tiers) != 2 || r[0].Tiers[1].Price.Amount.String() != "2.4" || r[0].Unit != "GiB" {
		t.Errorf("egress: %+v", r)
	}
	if r := p.Rates("kaohsiung", Egress); len(r) != 0 {
		t.Errorf("egress where none was written: %+v", r)
	}
	if len(p.Promises) != 1 || len(p.Plans) != 1 || p.Plans[0].Critical != 30*time.Minute {
		t.Errorf("terms: %+v %+v", p.Promises, p.Plans)
	}
	twd, origin, known := c.Convert(decimal.NewFromInt(100), "USD", "TWD")
	if !known || twd.String() != "3150" || origin.Date.Year() != 2026 {
		t.Errorf("100 USD are %s TWD by %+v, want the newest rate", twd, origin)
	}
	if usd, _, known := c.Convert(decimal.NewFromInt(3150), "TWD", "USD"); !known || !usd.Equal(decimal.NewFromInt(100)) {
		t.Errorf("3,150 TWD are %s USD", usd)
	}
	if _, _, known := c.Convert(decimal.NewFromInt(1), "JPY", "TWD"); known {
		t.Error("JPY has a rate that nobody wrote")
	}
}

func TestDiscount(t *testing.T) {
	dir := t.TempDir()
	c := open(t, write(t, filepath.Join(dir, "deal.yaml"), `surety-book: v1
date: 2026-10-01
source: enterprise agreement
discounts:
  - {provider: aws, percent: 12.5, on: machines, regions: [ap-northeast-1], types: ["m5.*"]}
  - {provider: aws, percent: 10, on: rates, types: [block storage]}
`))
	if m := machineOf(t, c, "aws", "ap-northeast-1", "m5.large"); m.Hourly.Amount.String() != "0.1085" || m.Hourly.Origin.Kind != Own ||
		!strings.Contains(m.Hourly.Origin.Source, "less 12.5 % by enterprise agreement") {
		t.Errorf("m5.large in Tokyo: %+v, want 0.124 less 12.5 %%", m.Hourly)
	}
	all := c.Provider("aws").Instances("ap-northeast-1")
	if !slices.IsSortedFunc(all, func(a, b Instance) int { return a.Hourly.Amount.Cmp(b.Hourly.Amount) }) {
		t.Error("after a discount the cheapest is not first")
	}
	for _, at := range [][2]string{{"us-east-1", "m5.large"}, {"ap-northeast-1", "c5.large"}} {
		if m := machineOf(t, c, "aws", at[0], at[1]); m.Hourly.Origin.Kind == Own {
			t.Errorf("%v has a discount that is not for it", at)
		}
	}
	for _, r := range c.Provider("aws").Rates("us-east-1", BlockStorage) {
		if r.Class == "gp3" && r.Tiers[0].Price.Amount.String() != "0.072" {
			t.Errorf("gp3 less 10 %%: %s", r.Tiers[0].Price.Amount)
		}
	}
	before, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if m := machineOf(t, before, "aws", "ap-northeast-1", "m5.large"); m.Hourly.Amount.String() != "0.124" {
		t.Errorf("the embedded price became %s", m.Hourly.Amount)
	}
}

func TestBookFindings(t *testing.T) {
	for name, c := range map[string]struct{ change, to, want string }{
		"misspelt key":      {"currency: TWD", "curency: TWD", `book.yaml:4:1: curency: unknown key "curency" — did you mean "currency"?`},
		"price of zero":     {"price: 3.125", "price: 0", `book.yaml:14:36: instances.m1.large.price: 0: must be greater than 0`},
		"negative price":    {"price: 3.2}", "price: -3.2}", `book.yaml:19:39: rates.0.price: -3.2: must be greater`},
		"unknown what":      {"block storage, class", "blok storage, class", `rates.0.what: blok storage is not known here — did you mean "block storage"?`},
		"no such region":    {"{taipei: 0.9}", "{taipie: 0.9}", `instances.m1.small.prices.taipie: no region "taipie" in this book — did you mean "taipei"?`},
		"future":            {"date: 2026-11-01", "date: 2026-12-01", `book.yaml:5:1: date: 2026-12-01 lies in the future`},
		"no calendar day":   {"date: 2026-11-01", "date: 2026-02-30", `date: 2026-02-30 is no day of the calendar`},
		"no unit":           {"memory: 8GiB, price: 3", "memory: 8, price: 3", `instances.m1.large.memory: 8: invalid type`},
		"tiers that fall":   {"from: 10240", "from: 0", `rates.1.tiers.1: a tier begins where the one before does`},
		"no price":          {", price: 9}", "}", `databases.pg.large: it has no price`},
		"no source":         {"source: contract 2026-17\n", "", `"source" is missing`},
		"no YAML":           {"regions:\n", "regions: [\n", `this is no YAML`},
		"wrong version":     {"surety-book: v1", "surety-book: v2", `book.yaml:1:1: surety-book: v2 is not known here — write v1`},
		"country by name":   {"{country: TW}", "{country: Taiwan}", `regions.kaohsiung.country: Taiwan: does not match`},
		"no currency":       {"currency: TWD\n", "", `"currency" is missing — add: currency: TWD`},
		"a disk of no size": {"what: block storage", "what: block disk", `rates.0: only a block disk has a size, and each has one`},
	} {
		if !strings.Contains(acme, c.change) {
			t.Fatalf("%s: %q is not in the book", name, c.change)
		}
		file := write(t, filepath.Join(t.TempDir(), "book.yaml"), strings.Replace(acme, c.change, c.to, 1))
		b, found, err := ReadBook(file, today)
		if err != nil || b != nil || !found.HasErrors() {
			t.Errorf("%s: book %v, findings %v, error %v", name, b != nil, found, err)
			continue
		}
		var all []string
		for _, d := range found {
			if d.Position.Line == 0 || d.Position.Column == 0 {
				t.Errorf("%s: %s has no place", name, d)
			}
			all = append(all, strings.ReplaceAll(d.String(), filepath.Dir(file)+"/", ""))
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %s", name, got, c.want)
		}
	}
}

// list is a refreshed price list with one family of four sizes.
func list(date string, prices ...string) string {
	return "surety prices 1\nprovider aws\nservice ec2\ncurrency USD\norigin a " + date + " official https://example.org/prices\n" +
		"type m5.large m5 2 8192 0 amd64\ntype m5.xlarge m5 4 16384 0 amd64\ntype m5.2xlarge m5 8 32768 0 amd64\ntype m5.4xlarge m5 16 65536 0 amd64\n" +
		"price us-east-1 a on-demand " + strings.Join(prices, " ") + "\nend\n"
}

func TestRefreshedTakesThePlaceOfARegion(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".versions", "aws-1", "aws-ec2.prices"), list("2026-11-20", ".1", ".2", ".4", ".8"))
	write(t, filepath.Join(dir, ".versions", "aws-1", "rates.csv"), "provider,region,what,class,sku,unit,size-gib,from,price,currency,date,kind,source\n"+
		"aws,us-east-1,block storage,gp3,EBS:VolumeUsage.gp3,GiB-month,,,0.09,USD,2026-11-20,official,https://example.org/prices\n")
	if err := os.Symlink(filepath.Join(".versions", "aws-1"), filepath.Join(dir, "aws")); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir)
	if all := c.Provider("aws").Instances("us-east-1"); len(all) != 4 || all[0].Hourly.Amount.String() != "0.1" || all[0].Hourly.Origin.Kind != Official {
		t.Errorf("us-east-1 has %d machines, the first %+v: old and new are mixed", len(all), all[0].Hourly)
	}
	if m := machineOf(t, c, "aws", "ap-northeast-1", "m5.large"); m == nil || m.Hourly.Amount.String() != "0.124" {
		t.Error("a region that was not refreshed lost its prices")
	}
	if r := c.Provider("aws").Rates("us-east-1", BlockStorage); len(r) != 1 || r[0].Tiers[0].Price.Amount.String() != "0.09" {
		t.Errorf("block storage: %+v", r)
	}
	if r := c.Provider("aws").Rates("us-east-1", ObjectStorage); len(r) == 0 {
		t.Error("what was not refreshed is gone")
	}
	if found, err := Check(dir, today); err != nil || len(found) > 0 {
		t.Errorf("a good list: %v %v", found, err)
	}
}

// Each of these is a mistake that a list of others was seen with, or may have.
func TestRefreshedIsDoubted(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		left     int // machines that remain in us-east-1
		severity blueprints.Severity
		want     string
	}{
		"a price of Windows among Linux": {list("2026-11-20", ".096", ".376", ".384", ".768"), 3, blueprints.Error, "m5.xlarge is left out: +96 %"},
		"a month's price":                {list("2026-11-20", ".096", ".192", ".384", "560.64"), 3, blueprints.Error, "m5.4xlarge is left out: 35.04 USD an hour for a vCPU"},
		"another list":                   {list("2026-11-20", ".188", ".376", ".752", "1.504"), 4, blueprints.Error, "m5.large costs 0.188 an hour, and was 0.096"},
		"of the future":                  {list("2027-01-01", ".096", ".192", ".384", ".768"), -1, blueprints.Error, "which lies in the future"},
		"a price of zero":                {list("2026-11-20", ".096", "0", ".384", ".768"), 0, blueprints.Error, `"0" is not a price above zero`},
		"a negative price":               {list("2026-11-20", ".096", "-.192", ".384", ".768"), 0, blueprints.Error, `"-.192" is not a number of types`},
		"cut off":                        {list("2026-11-20", ".096")[:150], -1, blueprints.Error, "it was cut off"},
		"more prices than machines":      {list("2026-11-20", ".096", ".192", ".384", ".768", "1.5"), 0, blueprints.Error, "of one of its 4 types"},
		"no list at all":                 {"<html>", -1, blueprints.Error, "it begins with"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "aws-ec2.prices"), c.text)
		found, err := Check(dir, today)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		for _, d := range found {
			got += string(d.Severity) + " " + d.String() + "\n"
		}
		if !strings.Contains(got, c.want) || !found.HasErrors() {
			t.Errorf("%s:\n%swant an error and %q", name, got, c.want)
		}
		if c.left < 0 {
			continue
		}
		over, _, err := OpenAt(today, dir)
		if err != nil {
			t.Fatal(err)
		}
		if all := over.Provider("aws").Instances("us-east-1"); len(all) != c.left {
			t.Errorf("%s: %d machines remain, want %d", name, len(all), c.left)
		}
	}
}

// The families that third-party lists are known to mix prices of Windows into.
func TestDoubtsFindWindowsAmongAzure(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	windows := decimal.RequireFromString("0.046") // more for a vCPU and hour
	for _, typ := range []string{"Standard_D8as_v5", "Standard_D8ads_v5", "Standard_E8as_v5", "Standard_E8ads_v5"} {
		all := slices.Clone(c.Provider("azure").Instances("eastus"))
		i := slices.IndexFunc(all, func(i Instance) bool { return i.Type == typ })
		if i < 0 {
			t.Errorf("eastus has no %s", typ)
			continue
		}
		price := *all[i].Hourly
		price.Amount = price.Amount.Add(windows.Mul(decimal.NewFromFloat(all[i].CPU)))
		all[i].Hourly = &price
		if doubts := Doubts(all); len(doubts) != 1 || doubts[0].Type != typ {
			t.Errorf("%s with Windows: %v", typ, doubts)
		}
	}
}
