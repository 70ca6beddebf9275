package compare

import (
	"fmt"

	"github.com/shopspring/decimal"

	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

// item is a line before it is put into words.
type item struct {
	need       int // place in the demand's needs; -1: the whole
	part       Part
	name       string // of what is bought, when it is not told by the need's pick
	low, high  decimal.Decimal
	ranged     bool // high differs from low
	endless    bool // nothing bounds the quantity from above
	unit       string
	price      *catalog.Price
	rate       *catalog.Rate
	assumption string
	unknown    string // why there is no price

	from, to int64 // hundredths of the currency a month
	open     bool
}

// position is what an item is to the comparison of offers.
type position struct {
	need     int32
	part     Part
	from, to int64
	open     bool
}

// bid is what a place would charge for a demand.
type bid struct {
	place      *place
	items      []item
	picks      []*pick   // by need, nil where no machine is picked
	volumes    []*volume // by need, nil where no disk is bought or its price is not known
	low, high  int64
	open       bool
	infeasible string
}

var (
	month = decimal.NewFromInt(catalog.HoursPerMonth)
	one   = decimal.NewFromInt(1)
)

// bid prices a demand, but for support, which depends on the sum.
func (p *place) bid(d *demand) *bid {
	b := &bid{place: p, picks: make([]*pick, len(d.needs)), volumes: make([]*volume, len(d.needs)), items: p.buffer}
	if b.items == nil {
		b.items = make([]item, 0, 4*len(d.needs)+2)
	}
	for i := range d.needs {
		b.component(d, &d.needs[i], i)
		if b.infeasible != "" {
			return b
		}
	}
	b.traffic(d)
	return b
}

// component prices one need.
func (b *bid) component(d *demand, n *need, i int) {
	switch n.kind {
	case architecture.KindServer:
		b.server(n, i)
	case architecture.KindDatabase:
		b.database(n, i)
	case architecture.KindBucket:
		b.bucket(d, n, i)
	case architecture.KindBalancer:
		b.balancer(d, n, i)
	}
}

func (b *bid) server(n *need, i int) {
	got := b.place.machine(n)
	if b.picks[i] = got; got.none != "" {
		b.infeasible = n.id + ": " + got.none
		return
	}
	count := decimal.NewFromInt(int64(n.instances))
	b.add(item{need: i, part: PartMachine, low: count.Mul(month), unit: "hour", price: got.price, unknown: got.unknown})
	v := b.place.disk(n.disk)
	b.volumes[i] = v
	switch {
	case v == nil:
		unknown := "no price is known"
		if b.place.options.IOPS > 0 {
			unknown = fmt.Sprintf("no price of a volume type is known whose published limits give %s IOPS", figure(b.place.options.IOPS))
		}
		b.add(item{need: i, part: PartDisk, low: count.Mul(gib(n.disk)), unit: "GiB-month", unknown: unknown})
	case v.perDisk:
		b.add(item{need: i, part: PartDisk, low: count, unit: v.rate.Unit, rate: v.rate})
	default:
		b.add(item{need: i, part: PartDisk, low: count.Mul(gib(n.disk)), unit: "GiB-month", rate: v.rate})
	}
	if v != nil && v.iops != nil {
		b.add(item{need: i, part: PartIOPS, name: "IOPS above those that come with the disk", low: count.Mul(v.bought), unit: "IOPS-month", rate: v.iops})
	}
	if family := licensed(n.os); family != "" {
		quantity := count.Mul(month).Mul(decimal.NewFromFloat(got.cpu))
		b.add(item{need: i, part: PartLicence, name: "licence for " + n.os, low: quantity, unit: "vCPU-hour",
			rate: b.place.ofClass(catalog.Licence, quantity, n.os, family), unknown: "no price is known"})
	}
	if n.copies > 0 {
		all := gib(n.disk).Mul(count).Mul(decimal.NewFromInt(int64(n.copies)))
		b.add(item{need: i, part: PartBackup, name: "snapshots", high: all, ranged: true, unit: "GiB-month",
			rate: b.place.cheapestRate(catalog.Snapshot, all, "archive"), unknown: "no price is known", assumption: keptCopies(n.copies)})
	}
}

// licensed gives the family of an operating system that is sold; nothing for those that are free.
func licensed(os string) string {
	for _, family := range []string{"windows", "rhel", "sles", "suse"} {
		if len(os) > len(family) && os[:len(family)] == family {
			return family
		}
	}
	return ""
}

func keptCopies(n int) string {
	return fmt.Sprintf("%d copies are kept: between none of the disk's size, when nothing is written, and all of it each time", n)
}

func (b *bid) database(n *need, i int) {
	p, got := b.place, b.place.database(n)
	if b.picks[i] = got; got.none != "" {
		b.infeasible = n.id + ": " + got.none
		return
	}
	b.add(item{need: i, part: PartDatabase, low: month, unit: "hour", price: got.price, unknown: got.unknown})
	what := catalog.DatabaseStorage
	if n.standby {
		what = catalog.DatabaseStorageHA
	}
	disk := gib(n.disk)
	b.add(item{need: i, part: PartDatabaseStorage, low: disk, unit: "GiB-month", rate: p.ofClass(what, disk, n.engine, got.service, "ssd", "gp3", "gp2"),
		unknown: "no price is known"})
	if n.copies > 0 {
		all := disk.Mul(decimal.NewFromInt(int64(n.copies)))
		b.add(item{need: i, part: PartBackup, name: "database backups", high: all, ranged: true, unit: "GiB-month",
			rate: p.ofClass(catalog.DatabaseBackup, all, n.engine, got.service), unknown: "no price is known", assumption: keptCopies(n.copies)})
	}
}

func (b *bid) bucket(d *demand, n *need, i int) {
	p := b.place
	stored := item{need: i, part: PartObjects, low: gib(n.disk), unit: "GiB-month", unknown: "no price is known"}
	most := stored.low
	switch {
	case n.disk == 0:
		stored.endless, stored.assumption = true, "the spec does not say how much is stored: give "+n.id+".size"
	case n.versioned:
		most = stored.low.Mul(decimal.NewFromInt(2))
		stored.high, stored.ranged = most, true
		stored.assumption = "previous versions take between nothing and as much again"
	}
	rate, _ := p.objects(most)
	stored.rate = rate
	b.add(stored)
	class := ""
	if rate != nil {
		class = rate.Class
	}
	for _, r := range []struct {
		part  Part
		what  catalog.What
		share float64
		says  string
	}{
		{PartWrites, catalog.ObjectPut, 0.1, "between none and one for every ten requests to the public entries"},
		{PartReads, catalog.ObjectGet, 1, "between none and one for each request to the public entries"},
	} {
		high := quantity(d.public.requests * r.share / 1000)
		it := item{need: i, part: r.part, high: high, ranged: true, unit: "1,000 requests", assumption: r.says, unknown: "no price is known",
			rate: p.ofClass(r.what, high, class)}
		if !d.public.bounded {
			it.ranged, it.endless, it.assumption = false, true, "how often it is used is not known: give --requests"
		}
		b.add(it)
	}
	if n.copies > 0 {
		it := item{need: i, part: PartBackup, name: "copies of the bucket", low: gib(n.disk), high: gib(n.disk).Mul(decimal.NewFromInt(int64(n.copies))),
			ranged: true, unit: "GiB-month", rate: rate, unknown: "no price is known",
			assumption: fmt.Sprintf("%d copies are kept: between one whole copy, when nothing changes, and all of it each time", n.copies)}
		if n.disk == 0 {
			it.endless, it.ranged = true, false
		}
		b.add(it)
	}
}

func (b *bid) balancer(d *demand, n *need, i int) {
	p := b.place
	b.add(item{need: i, part: PartBalancer, name: "balancer", low: month, unit: "hour", rate: p.cheapestRate(catalog.BalancerHour, month), unknown: "no price is known"})
	passed := d.out[i]
	passed.need, passed.part, passed.name, passed.unit = i, PartBalancerTraffic, "traffic through the balancer", "GiB"
	passed.rate, passed.unknown = p.cheapestRate(catalog.BalancerTraffic, passed.most()), "no price is known"
	if passed.rate != nil && passed.rate.Unit != "" && passed.rate.Unit != "GiB" {
		passed.unit, passed.ranged, passed.endless = passed.rate.Unit, false, true
		passed.low, passed.high = decimal.Decimal{}, decimal.Decimal{}
		passed.assumption = "how many are used depends on connections and rules, which are not known"
	}
	b.add(passed)
	if n.public {
		b.add(item{need: i, part: PartAddress, name: "public address", low: month, high: month.Mul(decimal.NewFromInt(2)), ranged: true, unit: "hour",
			rate: p.cheapestRate(catalog.PublicAddress, month, "unused", "idle"), unknown: "no price is known",
			assumption: "one address, or one in each of two zones"})
		if d.public.entries == 1 {
			b.egress(i, d.out[i])
		}
	}
}

// egress prices what goes to the internet. Tiers count what the whole environment sends, so that several entries are one position.
func (b *bid) egress(i int, traffic item) {
	traffic.need, traffic.part, traffic.name, traffic.unit = i, PartEgress, "traffic to the internet", "GiB"
	traffic.rate, traffic.unknown = b.place.cheapestRate(catalog.Egress, traffic.most()), "no price is known"
	b.add(traffic)
}

// traffic prices what the components cause together: what goes to the internet from several entries, and what passes between the zones
// of the region, where what answers carry may cross once on its way.
func (b *bid) traffic(d *demand) {
	sum := item{}
	for i := range d.needs {
		if d.needs[i].public {
			out := &d.out[i]
			sum.low, sum.high = sum.low.Add(out.low), sum.high.Add(out.most())
			sum.endless, sum.assumption = sum.endless || out.endless, out.assumption
		}
	}
	sum.ranged = !sum.endless && !sum.low.Equal(sum.high)
	if d.public.entries > 1 {
		if sum.ranged {
			sum.assumption = "of all public entries, each counted as its balancer's traffic is"
		}
		b.egress(-1, sum)
	}
	if b.place.region.Zones == 1 || !d.spread() {
		return
	}
	total := item{need: -1, part: PartInterZone, name: "traffic between zones", unit: "GiB", unknown: "no price is known",
		high: sum.high, ranged: true, assumption: "between nothing and as much as goes to the internet"}
	if sum.endless || sum.high.IsZero() {
		total.ranged, total.endless, total.high = false, true, decimal.Decimal{}
		total.assumption = "how much passes is not known: give --egress"
	}
	total.rate = b.place.cheapestRate(catalog.InterZone, total.high)
	b.add(total)
}

// add works out an item's money and counts it.
func (b *bid) add(it item) {
	p := b.place
	from, known := p.charge(&it, it.low)
	it.from, it.to, it.open = from, from, !known || it.endless
	if known && it.ranged {
		if it.to, known = p.charge(&it, it.high); !known {
			it.open = true
		}
	}
	if known {
		it.unknown = ""
	}
	if it.open {
		it.to = 0
	}
	b.low += it.from
	b.high += it.to
	b.open = b.open || it.open
	b.items = append(b.items, it)
}

// charge gives what a quantity of an item costs, in hundredths.
func (p *place) charge(it *item, quantity decimal.Decimal) (int64, bool) {
	switch {
	case it.rate != nil:
		amount, known := p.tiered(it.rate, quantity)
		if !known {
			return 0, false
		}
		return cents(amount), true
	case it.price != nil:
		amount, known := p.amount(it.price)
		if !known {
			return 0, false
		}
		return cents(amount.Mul(quantity)), true
	}
	return 0, false
}

// most is the largest quantity that is bounded.
func (it *item) most() decimal.Decimal {
	if it.ranged {
		return it.high
	}
	return it.low
}

// bounds gives a bid's sum.
func (b *bid) bounds() Bounds { return boundsOf(b.low, b.high, b.open) }

func boundsOf(low, high int64, open bool) Bounds {
	if open {
		return Bounds{Low: money(low), Open: true}
	}
	return Bounds{Low: money(low), High: money(high)}
}

// priced tells whether as many of a bid's machines have prices, in a currency, as a level asks for.
func (b *bid) priced(l level, currency string) bool {
	with, without := 0, 0
	for i := range b.items {
		switch it := &b.items[i]; {
		case it.part != PartMachine && it.part != PartDatabase:
		case it.open:
			without++
		default:
			with++
		}
	}
	return l == whatever || b.place.currency == currency && with > 0 && (l == partly || without == 0)
}
