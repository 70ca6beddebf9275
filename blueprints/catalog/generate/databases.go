package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// Cloud SQL's own machine shapes: https://cloud.google.com/sql/docs/postgres/instance-settings. A custom machine has a number of vCPUs
// and 0.9 to 6.5 GiB for each; these are the sizes that are offered here.
var (
	sharedCore   = map[string][2]float64{"db-f1-micro": {0.2, 0.6}, "db-g1-small": {0.5, 1.7}} // vCPU share, GiB
	customSizes  = []int{2, 4, 8, 16, 32, 64, 96}
	customMemory = []float64{3.75, 6.5}
)

// otherDatabases writes the prices of Cloud SQL and of Azure's flexible servers that the table has.
func (o *out) otherDatabases(path string) error {
	table, err := readTable(path)
	if err != nil {
		return err
	}
	files := map[string]*catalog.PriceFile{
		"gcp-cloud-sql.prices":         {Provider: "gcp", Service: "cloud-sql", Currency: "USD"},
		"azure-flexible-server.prices": {Provider: "azure", Service: "flexible-server", Currency: "USD"},
	}
	rates := map[string]map[string]map[string]string{} // of custom machines, by deployment and SKU
	for _, r := range table {
		if strings.HasPrefix(r["sku"], "enterprise-") {
			if rates[r["deployment"]] == nil {
				rates[r["deployment"]] = map[string]map[string]string{}
			}
			rates[r["deployment"]][r["sku"]] = r
			continue
		}
		if r["unit"] != "instance-hour" {
			continue
		}
		price, err := decimal.NewFromString(r["price_usd"])
		if err != nil {
			return fmt.Errorf("read %q: %v: %w", path, r, err)
		}
		origin := catalog.Origin{Source: r["source"], Kind: catalog.Secondary}
		origin.Date, _ = time.Parse(time.DateOnly, r["as_of"])
		if r["provider"] == "gcp" {
			i, known := cloudSQL(r["sku"])
			if !known {
				o.leaveOf("gcp", r["sku"], r["region"], "its vCPUs and memory are not known", r["source"], day(r["as_of"]))
				continue
			}
			for _, engine := range strings.Split(strings.ReplaceAll(r["engine"], "/postgres", " postgres"), " ") {
				files["gcp-cloud-sql.prices"].Add(i, r["region"], of(engine, r["deployment"] == "ha-regional"), origin, price)
			}
			continue
		}
		_, size, _ := strings.Cut(r["sku"], "_") // GP_Standard_D4s_v3
		at := slices.IndexFunc(o.azureTypes, func(i catalog.Instance) bool { return i.Type == size })
		if at < 0 {
			o.leaveOf("azure", r["sku"], r["region"], "its vCPUs and memory are not known", r["source"], day(r["as_of"]))
			continue
		}
		i := o.azureTypes[at]
		i.Type, i.Disk, i.Arch = r["sku"], 0, "-"
		files["azure-flexible-server.prices"].Add(i, r["region"], of(r["engine"], false), origin, price)
	}
	for _, deployment := range []string{"zonal", "ha-regional"} {
		vcpu, memory := rates[deployment]["enterprise-vcpu"], rates[deployment]["enterprise-memory"]
		each, err1 := decimal.NewFromString(vcpu["price_usd"])
		gib, err2 := decimal.NewFromString(memory["price_usd"])
		if err1 != nil || err2 != nil || vcpu["unit"] != "vcpu-hour" || memory["unit"] != "gib-month" {
			return fmt.Errorf("read %q: no rates of Cloud SQL's vCPUs by the hour and memory by the month", path)
		}
		origin := catalog.Origin{Kind: catalog.Fitted, Source: fmt.Sprintf("%s; vCPUs × %s + GiB × %s / %d; exact", vcpu["source"], each, gib, catalog.HoursPerMonth)}
		origin.Date, _ = time.Parse(time.DateOnly, vcpu["as_of"])
		for _, size := range customSizes {
			for _, ratio := range customMemory {
				total := float64(size) * ratio
				i := catalog.Instance{Type: fmt.Sprintf("db-custom-%d-%d", size, int(total*1024)), Family: "db-custom", CPU: float64(size),
					Memory: int64(total * (1 << 30)), Arch: "-"}
				price := each.Mul(decimal.NewFromInt(int64(size))).Add(gib.Mul(decimal.NewFromFloat(total)).Div(decimal.NewFromInt(catalog.HoursPerMonth))).Round(6)
				for _, engine := range []string{"mysql", "postgres"} {
					files["gcp-cloud-sql.prices"].Add(i, vcpu["region"], of(engine, deployment == "ha-regional"), origin, price)
				}
			}
		}
	}
	for name, f := range files {
		if err := o.prices(name, f); err != nil {
			return err
		}
	}
	return nil
}

func of(engine string, standby bool) string {
	if standby {
		return engine + "+standby:on-demand"
	}
	return engine + ":on-demand"
}

// cloudSQL gives the shape that is in the name of a Cloud SQL tier.
func cloudSQL(tier string) (catalog.Instance, bool) {
	if shape, shared := sharedCore[tier]; shared {
		return catalog.Instance{Type: tier, Family: "db-shared", CPU: shape[0], Memory: int64(shape[1]*1024) << 20, Arch: "-", Burstable: true}, true
	}
	size, is := strings.CutPrefix(tier, "db-n1-standard-")
	cpu, err := strconv.Atoi(size)
	return catalog.Instance{Type: tier, Family: "db-n1-standard", CPU: float64(cpu), Memory: int64(float64(cpu)*3.75*1024) << 20, Arch: "-"}, is && err == nil
}
