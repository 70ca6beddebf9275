package refresh

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// What Google's descriptions say: the family of a vCPU's or memory's price, and the commitment. "N1 Predefined", "Compute optimized" (C2) and
// "Memory-optimized" (M1) are families without a number; custom machines, sole tenancy and spare capacity have other words before.
var (
	googlePart   = regexp.MustCompile(`^(?:([A-Z][0-9]+[A-Z]?)(?: Predefined)?(?: AMD| Arm)? Instance|Compute optimized(?: Instance)?|Memory-optimized Instance) (Core|Ram) running in `)
	googleCommit = regexp.MustCompile(`^Commitment v1: (?:([A-Z][0-9]+[A-Z]?) )?(?:AMD |Arm )?(Cpu|Ram) in .* for (1|3) Years?$`)
	googleC2     = regexp.MustCompile(`^Commitment: Compute optimized (Core|Ram) running in .* for (1|3) Years?$`)
)

// part says of which family's vCPU ("h") or memory ("GiBy.h") a SKU is the price, and in which series.
func (s *googleSKU) part() (family, unit, series string, ok bool) {
	units := map[string]string{"Core": "h", "Cpu": "h", "Ram": "GiBy.h"}
	if m := googlePart.FindStringSubmatch(s.Description); m != nil && s.Category.Usage == "OnDemand" {
		family = map[byte]string{'C': "c2", 'M': "m1"}[s.Description[0]]
		return strings.ToLower(cmp.Or(m[1], family)), units[m[2]], "on-demand", true
	}
	if m := googleCommit.FindStringSubmatch(s.Description); m != nil && s.Category.Usage == "Commit"+m[3]+"Yr" {
		return strings.ToLower(cmp.Or(m[1], "n1")), units[m[2]], m[3] + "y-committed-use", true
	}
	if m := googleC2.FindStringSubmatch(s.Description); m != nil && s.Category.Usage == "Commit"+m[2]+"Yr" {
		return "c2", units[m[1]], m[2] + "y-committed-use", true
	}
	return "", "", "", false
}

// What is sold by quantity, by the beginning of its description; a region follows some, and "Regional" before them is replicated.
var googleSold = []struct {
	begin string
	rate  catalog.Rate
}{
	{"Storage PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "hdd", Unit: "GiB-month"}},
	{"Balanced PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "balanced", Unit: "GiB-month"}},
	{"SSD backed PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "ssd", Unit: "GiB-month"}},
	{"Extreme PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "extreme", Unit: "GiB-month"}},
	{"Regional Storage PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "hdd-replicated", Unit: "GiB-month"}},
	{"Regional Balanced PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "balanced-replicated", Unit: "GiB-month"}},
	{"Regional SSD backed PD Capacity", catalog.Rate{What: catalog.BlockStorage, Class: "ssd-replicated", Unit: "GiB-month"}},
	{"Storage PD Snapshot", catalog.Rate{What: catalog.Snapshot, Class: "snapshot", Unit: "GiB-month"}},
	{"Standard Storage", catalog.Rate{What: catalog.ObjectStorage, Class: "standard", Unit: "GiB-month"}},
	{"Nearline Storage", catalog.Rate{What: catalog.ObjectStorage, Class: "nearline", Unit: "GiB-month"}},
	{"Coldline Storage", catalog.Rate{What: catalog.ObjectStorage, Class: "coldline", Unit: "GiB-month"}},
	{"Archive Storage", catalog.Rate{What: catalog.ObjectStorage, Class: "archive", Unit: "GiB-month"}},
}

// sold says what is sold by quantity that a SKU is.
func (s *googleSKU) sold() (catalog.Rate, bool) {
	if s.Category.Usage != "OnDemand" || s.Category.Family != "Storage" || len(s.Regions) != 1 { // several: a multi-region is another thing
		return catalog.Rate{}, false
	}
	for _, g := range googleSold {
		rest, ok := strings.CutPrefix(s.Description, g.begin)
		if object := g.rate.What == catalog.ObjectStorage; !ok || strings.Contains(s.Description, "Early") || rest != "" && rest[0] != ' ' ||
			!object && rest != "" && !strings.HasPrefix(rest, " in ") || object && s.Category.Group != "RegionalStorage" && !strings.EqualFold(s.Category.Group, g.rate.Class) {
			continue
		}
		rate := g.rate
		rate.SKU = g.begin
		return rate, true
	}
	return catalog.Rate{}, false
}

// googleRates are the prices of a vCPU and of a GiB by region, series and family.
type googleRates struct {
	prices map[[3]string]map[string]decimal.Decimal // by unit
	twice  map[[3]string]bool
}

func newGoogleRates() *googleRates {
	return &googleRates{map[[3]string]map[string]decimal.Decimal{}, map[[3]string]bool{}}
}

// take takes a SKU's price for a region, when it holds there.
func (s *googleSKU) take(region string, parts *googleRates, g *gathering) {
	if !slices.Contains(s.Regions, region) {
		return
	}
	if len(s.Pricing) == 0 {
		g.leave(s.ID, region, "%s: the list has no price", s.Description)
		return
	}
	now := s.Pricing[len(s.Pricing)-1].Expression // in the order of time, says its documentation
	family, unit, series, machine := s.part()
	if rate, sold := s.sold(); !machine && sold {
		for _, t := range now.Tiers {
			from, err := decimal.NewFromString(cmp.Or(t.Start.String(), "0"))
			if amount, ok := t.Price.amount(); ok && err == nil && now.Unit == "GiBy.mo" {
				g.tier(region, rate, from, amount, "USD")
			} else {
				g.leave(rate.SKU, region, "its price is for %q in %q", now.Unit, t.Price.Currency)
			}
		}
		return
	}
	if len(now.Tiers) != 1 || now.Unit != unit {
		g.leave(family, region, "%s: %d prices for %q, and not one for %q", s.Description, len(now.Tiers), now.Unit, unit)
		return
	}
	amount, ok := now.Tiers[0].Price.amount()
	if !ok {
		g.leave(family, region, "%s: its price is in %q", s.Description, now.Tiers[0].Price.Currency)
		return
	}
	parts.put([3]string{region, series, family}, unit, amount, s, g)
}

func (r *googleRates) put(key [3]string, unit string, amount decimal.Decimal, s *googleSKU, g *gathering) {
	if r.prices[key] == nil {
		r.prices[key] = map[string]decimal.Decimal{}
	}
	if old, has := r.prices[key][unit]; has && !old.Equal(amount) {
		r.twice[key] = true
		g.leave(key[2], key[0], "%s: the list has two prices, %s and %s", s.Description, old, amount)
		return
	}
	r.prices[key][unit] = amount
}

// machines makes prices of machines from those of their parts: vCPUs × rate + GiB × rate, as Google charges them.
// https://cloud.google.com/compute/all-pricing
func (r *googleRates) machines(sizes []catalog.Instance, g *gathering) {
	for key, prices := range r.prices {
		core, hasCore := prices["h"]
		ram, hasRAM := prices["GiBy.h"]
		if !hasCore || !hasRAM || r.twice[key] {
			g.leave(key[2], key[0], "%s: the list has no single price of both a vCPU and memory", key[1])
			continue
		}
		sold := false
		for _, i := range sizes {
			if i.Family != key[2] || i.Burstable || i.Accelerated || i.Disk > 0 {
				continue // a share of a core, accelerators and local disks have prices of their own
			}
			sold = true
			memory := decimal.NewFromInt(i.Memory).DivRound(decimal.NewFromInt(1<<30), 6)
			g.price(key[0], key[1], i, core.Mul(decimal.NewFromFloat(i.CPU)).Add(ram.Mul(memory)))
		}
		if !sold {
			g.leave(key[2], key[0], "%s: the catalogue knows no machine type of this family", key[1])
		}
	}
	slices.SortFunc(g.leftOut, func(a, b catalog.LeftOut) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Reason, b.Reason))
	})
}

// amount joins units and billionths, in USD.
func (m googleMoney) amount() (decimal.Decimal, bool) {
	units, err := decimal.NewFromString(cmp.Or(m.Units.String(), "0"))
	return units.Add(decimal.New(m.Nanos, -9)), err == nil && m.Currency == "USD" && m.Nanos >= 0 && m.Nanos < 1e9
}
