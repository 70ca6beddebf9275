package compare

import (
	"fmt"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

const secondsPerMonth = catalog.HoursPerMonth * 3600

// quantity is a figure of usage, to a millionth.
func quantity(f float64) decimal.Decimal { return decimal.NewFromFloat(f).Round(6) }

// publicTraffic is what is known of the public entries together.
type publicTraffic struct {
	entries  int
	rps      float64
	bounded  bool // every one requires a rate
	requests float64
}

func (d *demand) countPublic(u Usage) {
	t := publicTraffic{bounded: true}
	for i := range d.needs {
		if n := &d.needs[i]; n.public {
			t.entries++
			t.rps += n.rps
			t.bounded = t.bounded && n.rps > 0
		}
	}
	t.bounded = t.bounded && t.entries > 0
	t.requests = t.rps * secondsPerMonth * dutyHigh
	if u.Requests > 0 {
		t.requests, t.bounded = u.Requests, true
	}
	d.public = t
}

// share is the part of the environment's traffic that goes through a public balancer: by the rates required, or equal parts.
func (d *demand) share(n *need) float64 {
	if t := d.public; t.rps == 0 || n.rps == 0 {
		return 1 / float64(max(t.entries, 1))
	}
	return n.rps / d.public.rps
}

// egress gives what goes through a balancer in a month, in GiB: as given, or from the required rate and the size of an answer.
func (d *demand) egress(n *need, u Usage) item {
	if n.public && u.Egress > 0 {
		return item{low: gib(int64(u.Egress)).Mul(decimal.NewFromFloat(d.share(n))).Round(6), assumption: "as given: " + u.Egress.String() + " a month in all"}
	}
	low, high := n.rps*secondsPerMonth*dutyLow, n.rps*secondsPerMonth*dutyHigh
	says := fmt.Sprintf("a mean rate of %g to %g %% of the %s requests/s required", dutyLow*100, dutyHigh*100, figure(n.rps))
	if n.public && u.Requests > 0 {
		low = u.Requests * d.share(n)
		high, says = low, fmt.Sprintf("%s requests a month in all, as given", figure(u.Requests))
	}
	if !n.public {
		return item{} // see inside
	}
	if high == 0 {
		return item{endless: true, assumption: "no rate is required, so that nothing bounds it: give expects.rps, --egress or --requests"}
	}
	least, most := blueprints.Bytes(responseLow), blueprints.Bytes(responseHigh)
	if u.Response > 0 {
		least, most = u.Response, u.Response
		says += fmt.Sprintf(", answers of %s as given", u.Response)
	} else {
		says += fmt.Sprintf(", answers of %s to %s: give --egress, or --response", least, most)
	}
	const bytesPerGiB = 1 << 30
	it := item{low: quantity(low * float64(least) / bytesPerGiB), high: quantity(high * float64(most) / bytesPerGiB), assumption: says}
	it.ranged = !it.low.Equal(it.high)
	return it
}

// spread tells whether something runs in more than one zone.
func (d *demand) spread() bool {
	for i := range d.needs {
		n := &d.needs[i]
		if n.standby || (n.kind == architecture.KindServer && n.instances > 1) {
			return true
		}
	}
	return false
}

// inside gives what goes through a balancer that only groups of the environment call: nobody says how often they do.
func (d *demand) inside() item {
	it := item{ranged: true, assumption: "between nothing and as much as goes to the internet"}
	for i := range d.needs {
		if out := &d.out[i]; d.needs[i].public {
			it.high = it.high.Add(out.most())
			it.endless = it.endless || out.endless
		}
	}
	if it.endless || it.high.IsZero() {
		return item{endless: true, assumption: "how often the groups inside call it is not known, and nothing bounds it: give --egress"}
	}
	return it
}
