package catalog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

func open(t *testing.T, places ...string) *Catalog {
	t.Helper()
	c, found, err := OpenAt(today, places...)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		t.Errorf("unexpected finding: %s", d)
	}
	return c
}

func machineOf(t *testing.T, c *Catalog, provider, region, typ string) *Instance {
	t.Helper()
	all := c.Provider(provider).Instances(region)
	if i := slices.IndexFunc(all, func(i Instance) bool { return i.Type == typ }); i >= 0 {
		return &all[i]
	}
	return nil
}

// Prices that the sources publish, read there by hand.
func TestSpotPricesOfMachines(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		provider, region, typ, price string
		cpu                          float64
		gib                          float64
		arch                         string
	}{
		{"aws", "us-east-1", "m5.large", "0.096", 2, 8, "amd64"},
		{"aws", "ap-northeast-1", "m5.large", "0.124", 2, 8, "amd64"},
		{"aws", "us-east-1", "t3.micro", "0.0104", 2, 1, "amd64"},
		{"aws", "us-east-1", "m6g.large", "0.077", 2, 8, "arm64"},
		{"aws", "us-east-1", "c5.xlarge", "0.17", 4, 8, "amd64"},
		{"aws", "us-east-1", "r5.large", "0.126", 2, 16, "amd64"},
		{"azure", "eastus", "Standard_D4s_v5", "0.192", 4, 16, "amd64"},
		{"azure", "japaneast", "Standard_D4s_v5", "0.248", 4, 16, "amd64"},
		{"azure", "eastus", "Standard_D4as_v5", "0.172", 4, 16, "amd64"}, // 0.356 is Windows
		{"azure", "eastus", "Standard_E4as_v5", "0.226", 4, 32, "amd64"}, // 0.41 is Windows
		{"gcp", "us-central1", "e2-standard-4", "0.13402", 4, 16, "amd64"},
		{"gcp", "us-central1", "n2-highmem-128", "", 128, 864, "amd64"},
		{"gcp", "us-central1", "c4a-standard-4", "", 4, 16, "arm64"},
	} {
		got := machineOf(t, c, want.provider, want.region, want.typ)
		if got == nil {
			t.Errorf("%s %s has no %s", want.provider, want.region, want.typ)
			continue
		}
		if got.CPU != want.cpu || got.Memory != int64(want.gib*(1<<30)) || got.Arch != want.arch {
			t.Errorf("%s: %v vCPUs, %d bytes, %s; want %v, %v GiB, %s", want.typ, got.CPU, got.Memory, got.Arch, want.cpu, want.gib, want.arch)
		}
		tolerance := decimal.New(2, -5) // of the fit: 0.01 %, and the source's own figure is rounded
		if got.Hourly.Origin.Kind != Fitted {
			tolerance = decimal.Zero
		}
		if want.price != "" && got.Hourly.Amount.Sub(decimal.RequireFromString(want.price)).Abs().GreaterThan(tolerance) {
			t.Errorf("%s in %s costs %s, and the source says %s", want.typ, want.region, got.Hourly.Amount, want.price)
		}
		if got.Hourly.Origin.Source == "" || got.Hourly.Origin.Date.IsZero() || got.Hourly.Currency != "USD" {
			t.Errorf("%s: the price has no source, date or currency: %+v", want.typ, got.Hourly)
		}
	}
	terms := c.Provider("aws").Commitments("us-east-1", "m5.large")
	if i := slices.IndexFunc(terms, func(c Commitment) bool { return c.Term == "1y no upfront" }); i < 0 || terms[i].Price.Amount.String() != "0.06" {
		t.Errorf("m5.large for a year: %v, want 0.06 with nothing upfront", terms)
	}
}

func TestSpotPricesOfDatabases(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		provider, region, engine, class string
		standby                         bool
		price                           string
		kind                            Kind
	}{
		{"aws", "us-east-1", "postgres", "db.m5.large", false, "0.178", Secondary},
		{"aws", "us-east-1", "postgres", "db.m5.large", true, "0.356", Fitted},
		{"aws", "us-east-1", "mysql", "db.m5.large", false, "0.171", Secondary},
		{"aws", "us-east-1", "mariadb", "db.t3.micro", false, "0.017", Secondary},
		{"gcp", "us-central1", "postgres", "db-n1-standard-4", true, "0.5404", Secondary},
		{"gcp", "us-central1", "mysql", "db-f1-micro", false, "0.0105", Secondary},
		{"gcp", "us-central1", "postgres", "db-custom-2-7680", false, "0.1351", Fitted}, // 2 × 0.0413 + 7.5 × 5.11 / 730
		{"azure", "westus", "postgres", "GP_Standard_D4s_v3", false, "0.39", Secondary},
		{"azure", "eastus", "postgres", "B_Standard_B1ms", false, "0.017", Secondary},
	} {
		all := c.Provider(want.provider).Databases(want.region, want.engine)
		i := slices.IndexFunc(all, func(d DatabaseClass) bool { return d.Class == want.class && d.Standby == want.standby })
		if i < 0 {
			t.Errorf("%s %s has no %s %s, standby %v", want.provider, want.region, want.engine, want.class, want.standby)
		} else if d := all[i]; d.Hourly.Amount.String() != want.price || d.Hourly.Origin.Kind != want.kind || d.CPU <= 0 || d.Memory <= 0 {
			t.Errorf("%s %s, standby %v: %s (%s), want %s (%s)", want.class, want.engine, want.standby, d.Hourly.Amount, d.Hourly.Origin.Kind, want.price, want.kind)
		}
	}
}

func TestSpotRates(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		provider, region string
		what             What
		class            string
		tiers            string
		currency         string
	}{
		{"aws", "us-east-1", BlockStorage, "gp3", "0:0.08", "USD"},
		{"aws", "us-east-1", BlockIOPS, "io1", "0:0.065", "USD"},
		{"aws", "us-east-1", BlockIOPS, "gp3", "0:0.005", "USD"},
		{"aws", "us-east-1", ObjectStorage, "standard", "0:0.023", "USD"},
		{"aws", "us-east-1", ObjectPut, "standard", "0:0.005", "USD"},
		{"aws", "ap-northeast-1", Egress, "", "0:0.114 10240:0.089 51200:0.086 153600:0.084", "USD"},
		{"azure", "westus", ObjectPut, "hot-lrs", "0:0.0055", "USD"}, // 0.055 for 10,000
		{"azure", "westus", ObjectStorage, "hot-lrs", "0:0.0208 51200:0.019968 563200:0.019136", "USD"},
		{"azure", "eastus", BlockDisk, "premium-ssd", "0:5.28", "USD"},
		{"gcp", "us-east1", BlockStorage, "balanced", "0:0.1", "USD"},
		{"gcp", "us-east1", Egress, "", "0:0.12 1024:0.11 10240:0.08", "USD"},
		{"gcp", "us-central1", DatabaseStorageHA, "ssd", "0:0.34", "USD"},
		{"hicloud", "taiwan", ObjectStorage, "standard", "0:0.75", "TWD"},
		{"hicloud", "taiwan", Egress, "", "0:3 10240:2.4 40960:1.9 102400:1.5", "TWD"},
	} {
		var got []string
		for _, r := range c.Provider(want.provider).Rates(want.region, want.what) {
			if r.Class != want.class {
				continue
			}
			for _, tier := range r.Tiers {
				got = append(got, tier.From.String()+":"+tier.Price.Amount.String())
				if tier.Price.Currency != want.currency || tier.Price.Origin.Source == "" {
					t.Errorf("%s %s: %+v is not in %s, or has no source", want.provider, want.what, tier.Price, want.currency)
				}
			}
			if r.Unit != Units[want.what] {
				t.Errorf("%s %s is counted in %q", want.provider, want.what, r.Unit)
			}
		}
		if strings.Join(got, " ") != want.tiers {
			t.Errorf("%s %s %s %s: %v, want %s", want.provider, want.region, want.what, want.class, got, want.tiers)
		}
	}
}

func TestSpotTerms(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	promise := func(provider, service, scope string) *Promise {
		for _, p := range c.Provider(provider).Promises {
			if p.Service == service && strings.HasPrefix(p.Scope, scope) {
				return &p
			}
		}
		t.Errorf("%s promises nothing of %s %s", provider, service, scope)
		return &Promise{}
	}
	if p := promise("aws", "rds", "multi-az"); p.Percent != 99.95 || len(p.Credits) != 3 || p.Credits[1] != (Credit{Below: 99, From: 95, Percent: 25}) {
		t.Errorf("rds multi-az: %+v", p)
	}
	if p := promise("azure", "virtual-machines", ">=2 instances"); p.Percent != 99.99 || p.Credits[0] != (Credit{Below: 99.99, From: 99, Percent: 10}) {
		t.Errorf("azure machines: %+v", p)
	}
	if p := promise("gcp", "cloud-sql", "Enterprise with HA"); p.Percent != 99.95 {
		t.Errorf("cloud sql: %+v", p)
	}
	for _, want := range []struct {
		provider, name     string
		monthly            string
		critical, impaired time.Duration
		current            bool
	}{
		{"aws", "Business Support+", "29", 30 * time.Minute, 4 * time.Hour, true},
		{"aws", "Business", "100", 0, 4 * time.Hour, false},
		{"azure", "Standard", "100", time.Hour, 4 * time.Hour, true},
		{"gcp", "Premium", "12500", 15 * time.Minute, 4 * time.Hour, true},
	} {
		plans := c.Provider(want.provider).Plans
		i := slices.IndexFunc(plans, func(p Plan) bool { return p.Name == want.name })
		if i < 0 {
			t.Errorf("%s has no plan %s", want.provider, want.name)
		} else if p := plans[i]; p.Monthly.String() != want.monthly || p.Critical != want.critical || p.Impaired != want.impaired || p.Current != want.current {
			t.Errorf("%s %s: %+v", want.provider, want.name, p)
		}
	}
}

// What nobody published here is not there, and not a zero.
func TestUnknownStaysUnknown(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if all := c.Provider("hicloud").Instances("taiwan"); len(all) != 0 {
		t.Errorf("hicloud has machine prices: %v", all)
	}
	if all := c.Provider("aws").Instances("ap-east-2"); len(all) != 0 {
		t.Errorf("Taipei has prices: %v", all[0])
	}
	if c.Provider("aws").Region("ap-east-2") == nil {
		t.Error("Taipei is no region")
	}
	if all := c.Provider("aws").Rates("ap-northeast-1", BlockStorage); len(all) != 0 {
		t.Errorf("block storage of Tokyo: %v", all)
	}
	if all := c.Provider("digitalocean").Regions; len(all) != 0 {
		t.Errorf("DigitalOcean: %v", all)
	}
	if _, _, known := c.Convert(decimal.NewFromInt(1), "USD", "TWD"); known {
		t.Error("there is a rate of exchange without a price book")
	}
	for _, p := range c.Providers() {
		if _, known := p.rates["westus"]; known && p.ID != "azure" {
			t.Errorf("%s sells in westus", p.ID)
		}
	}
}

// Every embedded price is above zero, dated before the day of this test, of a known region, and in order.
func TestEmbeddedIsSound(t *testing.T) {
	c, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, p := range c.Providers() {
		for _, m := range append(slices.Clone(p.machines.files), p.databases.files...) {
			for _, region := range m.order {
				if p.Region(region) == nil {
					t.Errorf("%s: prices of %s, which is no region", m.name, region)
				}
			}
		}
		for _, r := range p.Regions {
			if len(r.Country) != 2 {
				t.Errorf("%s %s: country %q", p.ID, r.ID, r.Country)
			}
			all := p.Instances(r.ID)
			for i, m := range all {
				count++
				if !m.Hourly.Amount.IsPositive() || m.Hourly.Origin.Date.After(today) {
					t.Errorf("%s %s: %+v", r.ID, m.Type, m.Hourly)
				}
				if i > 0 && m.Hourly.Amount.LessThan(all[i-1].Hourly.Amount) {
					t.Errorf("%s: %s comes after what is dearer", r.ID, m.Type)
				}
			}
			for _, d := range Doubts(all) {
				t.Errorf("%s %s %s: %s", p.ID, r.ID, d.Type, d.Reason)
			}
			for _, engine := range []string{"postgres", "mysql", "mariadb"} {
				count += len(p.Databases(r.ID, engine))
			}
		}
		if err := p.Err(); err != nil {
			t.Error(err)
		}
	}
	if count < 70_000 {
		t.Errorf("%d prices only", count)
	}
}

// What a comparison of five regions reads, from nothing. It should take 10 ms at most on an idle machine.
func BenchmarkFiveRegions(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		c, err := loadEmbedded()
		if err != nil {
			b.Fatal(err)
		}
		for p, regions := range map[string][]string{"aws": {"ap-northeast-1", "us-east-1"}, "azure": {"japaneast"}, "gcp": {"asia-east1", "us-central1"}} {
			for _, r := range regions {
				if len(c.Provider(p).Instances(r)) < 100 {
					b.Fatal(p, r)
				}
				c.Provider(p).Databases(r, "postgres")
			}
		}
	}
}
