package refresh

import (
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// linux says whether a price is one of a machine with Linux that runs until its user stops it: no Windows, no spare capacity that is taken
// away, no dedicated host, no older way to deploy, no meter that belongs to another region or has ended.
func (i *azureItem) linux() bool {
	if i.Kind != "Consumption" && i.Kind != "Reservation" || i.Type == "" || i.Primary != nil && !*i.Primary && i.Kind == "Consumption" {
		return false
	}
	for _, out := range []string{"Windows", "Dedicated Host", "DedicatedHost", "CloudServices", "Cloud Services"} {
		if strings.Contains(i.Product, out) {
			return false
		}
	}
	for _, out := range []string{"Spot", "Low Priority", "Expired"} {
		if strings.Contains(i.SKU, out) || strings.Contains(i.Meter, out) {
			return false
		}
	}
	return true
}

// azureTerms are the reservations that are taken over, with their hours. They cost the same paid at once or by month:
// https://learn.microsoft.com/azure/cost-management-billing/reservations/prepare-buy-reservation
var azureTerms = map[string]struct {
	series string
	hours  int64
}{"1 Year": {"1y-reserved", 8760}, "3 Years": {"3y-reserved", 3 * 8760}}

func (a *azurePrices) machine(i *azureItem, g *gathering) {
	size, known := a.sizes[i.Type]
	if !known {
		g.leave(i.Type, i.Region, "its vCPUs and memory are not known: the price list does not say them, and the catalogue has no such type")
		return
	}
	price, err := decimal.NewFromString(i.Price.String())
	switch {
	case err != nil || i.Currency != "USD":
		g.leave(i.Type, i.Region, "its price is %q %s, and not in USD", i.Price, i.Currency)
	case i.Unit != "1 Hour":
		g.leave(i.Type, i.Region, "its price is for %q, and not for an hour", i.Unit)
	case i.Kind == "Consumption":
		g.price(i.Region, "on-demand", size, price)
	default:
		if term, taken := azureTerms[i.Term]; taken { // the price is that of the whole term, whatever the unit says
			g.price(i.Region, term.series, size, price.DivRound(decimal.NewFromInt(term.hours), 12))
		}
	}
}

// azureDisks are the published sizes of managed disks, by the number in their name, in GiB:
// https://learn.microsoft.com/azure/virtual-machines/disks-types
var azureDisks = map[string]int64{"1": 4, "2": 8, "3": 16, "4": 32, "6": 64, "10": 128, "15": 256, "20": 512, "30": 1024, "40": 2048, "50": 4096,
	"60": 8192, "70": 16384, "80": 32767}

var (
	azureDiskClasses = map[string]string{"Premium SSD Managed Disks": "premium-ssd", "Standard SSD Managed Disks": "standard-ssd",
		"Standard HDD Managed Disks": "standard-hdd"}
	azureDisk = regexp.MustCompile(`^[PES]([0-9]+) LRS Disks?$`)
	azureBlob = regexp.MustCompile(`^(Hot|Cool) (LRS|ZRS|GRS|GZRS|RA-GRS|RA-GZRS) (Data Stored|Write Operations)$`)
	azureRead = regexp.MustCompile(`^(Hot|Cool)(?: (LRS|ZRS|GRS|GZRS|RA-GRS|RA-GZRS))? Read Operations$`)
)

// azureReplicas are the kinds of replication that each product's list is asked for: the two products overlap.
var azureReplicas = map[string][]string{"Blob Storage": {"LRS", "GRS", "RA-GRS"}, "General Block Blob v2": {"ZRS", "GZRS", "RA-GZRS"}}

// known says whether a price is for something that the catalogue has a place for.
func (i *azureItem) known() bool {
	_, ok := i.sold()
	return ok && i.Kind == "Consumption" && (i.Primary == nil || *i.Primary)
}

// quantity is what is sold by quantity: the rate, the list's unit, and by how many of ours that is.
type quantity struct {
	rate  catalog.Rate
	unit  string
	parts int64
}

func (i *azureItem) sold() (quantity, bool) {
	switch {
	case i.Product == "Rtn Preference: MGN" && i.Meter == "Standard Data Transfer Out":
		return quantity{catalog.Rate{What: catalog.Egress, Unit: "GiB", SKU: i.Product + ": " + i.Meter}, "1 GB", 1}, true
	case azureDiskClasses[i.Product] != "":
		if m := azureDisk.FindStringSubmatch(i.Meter); m != nil && azureDisks[m[1]] > 0 {
			return quantity{catalog.Rate{What: catalog.BlockDisk, Class: azureDiskClasses[i.Product], Unit: "disk-month", SKU: i.SKU,
				Size: azureDisks[m[1]] << 30}, "1/Month", 1}, true
		}
	case azureReplicas[i.Product] != nil:
		if m := azureBlob.FindStringSubmatch(i.Meter); m != nil && slices.Contains(azureReplicas[i.Product], m[2]) {
			rate := catalog.Rate{What: catalog.ObjectStorage, Class: azureClass(m[1], m[2]), Unit: "GiB-month", SKU: i.Product + ": " + i.Meter}
			if m[3] == "Data Stored" {
				return quantity{rate, "1 GB/Month", 1}, true
			}
			rate.What, rate.Unit = catalog.ObjectPut, "1,000 requests"
			return quantity{rate, "10K", 10}, true
		}
		replica, _ := strings.CutPrefix(i.SKU, strings.SplitN(i.Meter, " ", 2)[0]+" ") // "Hot Read Operations" says its replication in the SKU
		if m := azureRead.FindStringSubmatch(i.Meter); m != nil && slices.Contains(azureReplicas[i.Product], replica) {
			return quantity{catalog.Rate{What: catalog.ObjectGet, Class: azureClass(m[1], replica), Unit: "1,000 requests",
				SKU: i.Product + ": " + i.SKU + " Read Operations"}, "10K", 10}, true
		}
	}
	return quantity{}, false
}

// azureClass gives "hot-lrs", "cool-ragrs".
func azureClass(tier, replica string) string {
	return strings.ToLower(tier + "-" + strings.ReplaceAll(replica, "-", ""))
}

func (i *azureItem) rate(g *gathering) {
	q, _ := i.sold()
	price, err1 := decimal.NewFromString(i.Price.String())
	from, err2 := decimal.NewFromString(i.From.String())
	switch {
	case err1 != nil || err2 != nil || i.Currency != "USD":
		g.leave(q.rate.SKU, i.Region, "its price is %q %s from %q on, and not in USD", i.Price, i.Currency, i.From)
	case i.Unit != q.unit:
		g.leave(q.rate.SKU, i.Region, "its price is for %q, and not for %q", i.Unit, q.unit)
	default:
		parts := decimal.NewFromInt(q.parts)
		g.tier(i.Region, q.rate, from.Mul(parts), price.DivRound(parts, 12), i.Currency)
	}
}
