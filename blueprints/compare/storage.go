package compare

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// volume is the block storage that a server's disk is put on.
type volume struct {
	rate    *catalog.Rate
	perDisk bool            // the rate is for a whole disk
	monthly decimal.Decimal // of one disk
	iops    *catalog.Rate   // for operations that are bought apart; nil: none
	bought  decimal.Decimal // operations a second
	medium  medium
}

// medium is what a volume type is made of, as far as choices and promises depend on it.
type medium string

const (
	solid       medium = "SSD"
	premium     medium = "premium SSD" // of Azure, whose promise depends on it
	rotating    medium = "rotating disk"
	ephemeral   medium = "local disk"         // it goes with the machine
	provisioned medium = "provisioned IOPS"   // a disk is of use only with IOPS bought for it
	doubled     medium = "kept in two places" // more than what is asked
)

// mediumOf reads a volume type's name in its provider's words.
func mediumOf(provider string, r *catalog.Rate) medium {
	text := strings.ToLower(r.Class + " " + r.SKU)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("hdd", "magnetic", "st1", "sc1"), r.Class == "standard": // AWS and Google call their rotating disks so
		return rotating
	case has("local"):
		return ephemeral
	case has("replicated", "regional", "zrs"):
		return doubled
	case has("io1", "io2", "extreme", "ultra"):
		return provisioned
	case provider == "azure" && has("premium"):
		return premium
	}
	return solid
}

// disk picks the cheapest volume type for a disk of a size: SSDs only, since the promises for machines on rotating disks are lower and
// no requirement of the spec would notice the difference before a load does. Where operations a second are asked for, only types whose
// published limits give them. Nil when no price is known of such a one.
func (p *place) disk(size int64) *volume {
	if v, done := p.volumes[size]; done {
		return v
	}
	var best *volume
	consider := func(v volume, known bool) {
		v.medium = mediumOf(p.facts.ID, v.rate)
		if known && p.hasten(&v, size) && (best == nil || v.monthly.LessThan(best.monthly)) {
			best = &v
		}
	}
	perGiB := p.sold(catalog.BlockStorage)
	for i := range perGiB {
		monthly, known := p.tiered(&perGiB[i], gib(size))
		consider(volume{rate: &perGiB[i], monthly: monthly}, known)
	}
	whole := p.sold(catalog.BlockDisk)
	for i := range whole {
		if whole[i].Size >= size {
			monthly, known := p.tiered(&whole[i], decimal.NewFromInt(1))
			consider(volume{rate: &whole[i], perDisk: true, monthly: monthly}, known)
		}
	}
	p.volumes[size] = best
	return best
}

// gib gives bytes in GiB.
func gib(bytes int64) decimal.Decimal {
	if bytes%(1<<30) == 0 {
		return decimal.NewFromInt(bytes >> 30)
	}
	return decimal.NewFromInt(bytes).DivRound(decimal.NewFromInt(1<<30), 6)
}

// objectUse says why a class of object storage is not for data that is read at any time and kept in several zones; nothing when it is.
func objectUse(class string) string {
	text := strings.ToLower(class)
	for _, w := range []struct{ word, why string }{
		{"glacier", "an archive"}, {"archive", "an archive"}, {"coldline", "retrieval is charged for"}, {"nearline", "retrieval is charged for"},
		{"infrequent", "retrieval is charged for"}, {"-ia", "retrieval is charged for"}, {"cool", "retrieval is charged for"}, {"cold", "retrieval is charged for"},
		{"intelligent", "watching each object is charged for"}, {"select", "not storage"}, {"one zone", "kept in one zone"}, {"express", "kept in one zone"},
		{"grs", "kept in a second region"}, {"gzrs", "kept in a second region"},
	} {
		if strings.Contains(text, w.word) {
			return w.why
		}
	}
	return ""
}

// objects picks the class of object storage: the cheapest for data that is read at any time. A class within one zone counts only where
// no other is known, so that providers are held against each other on equal redundancy.
func (p *place) objects(quantity decimal.Decimal) (*catalog.Rate, []Reject) {
	var best *catalog.Rate
	var cost decimal.Decimal
	var rejects []Reject
	rates := p.sold(catalog.ObjectStorage)
	wide := false
	for i := range rates {
		wide = wide || (objectUse(rates[i].Class) == "" && !oneZone(rates[i].Class))
	}
	for i := range rates {
		monthly, known := p.tiered(&rates[i], quantity)
		why := objectUse(rates[i].Class)
		if why == "" && wide && oneZone(rates[i].Class) {
			why = "kept in one zone"
		}
		switch {
		case !known && why == "":
			why = "no price is known"
			fallthrough
		case why != "":
			r := Reject{Type: rates[i].Class, Reason: why}
			if known {
				rounded := monthly.Round(2)
				r.Monthly = &rounded
			}
			rejects = append(rejects, r)
		case best == nil || monthly.LessThan(cost):
			best, cost = &rates[i], monthly
		}
	}
	return best, rejects
}

func oneZone(class string) bool { return strings.Contains(strings.ToLower(class), "lrs") }

// ofClass gives the cheapest rate of a kind for a storage class, an engine or a service, or nil: another class's price is none.
func (p *place) ofClass(what catalog.What, quantity decimal.Decimal, classes ...string) *catalog.Rate {
	var best *catalog.Rate
	var cost decimal.Decimal
	rates := p.sold(what)
	for i := range rates {
		fits := rates[i].Class == ""
		for _, c := range classes {
			fits = fits || (c != "" && strings.EqualFold(rates[i].Class, c))
		}
		if !fits {
			continue
		}
		if monthly, known := p.tiered(&rates[i], quantity); known && (best == nil || monthly.LessThan(cost)) {
			best, cost = &rates[i], monthly
		}
	}
	return best
}

// cheapestRate gives the cheapest rate of a kind whatever its class, but for those whose class or SKU holds one of the words.
func (p *place) cheapestRate(what catalog.What, quantity decimal.Decimal, not ...string) *catalog.Rate {
	var best *catalog.Rate
	var cost decimal.Decimal
	rates := p.sold(what)
next:
	for i := range rates {
		text := strings.ToLower(rates[i].Class + " " + rates[i].SKU)
		for _, w := range not {
			if strings.Contains(text, w) {
				continue next
			}
		}
		if monthly, known := p.tiered(&rates[i], quantity); known && (best == nil || monthly.LessThan(cost)) {
			best, cost = &rates[i], monthly
		}
	}
	return best
}

// diskName describes a group's disks.
func diskName(n *need, v *volume) string {
	if v == nil {
		return fmt.Sprintf("%d × %s GiB of block storage", n.instances, gib(n.disk))
	}
	name := v.rate.Class
	if name == "" {
		name = v.rate.SKU
	}
	if v.perDisk {
		return fmt.Sprintf("%d × %s (%s GiB)", n.instances, name, gib(v.rate.Size))
	}
	return fmt.Sprintf("%d × %s GiB %s", n.instances, gib(n.disk), name)
}
