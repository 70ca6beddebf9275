package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
)

// randomShop makes a provider with random machines, of which some have no price, and random promises.
func randomShop(r *rand.Rand, id string, complete bool) shop {
	s, m := alpha()
	s.facts.ID = id
	s.facts.Regions = []catalog.Region{{ID: "r", Country: "TW", Zones: r.IntN(4)}}
	m.instances, m.classes = nil, nil
	amount := func() string {
		if !complete && r.IntN(6) == 0 {
			return ""
		}
		return fmt.Sprintf("%.4f", 0.001+r.Float64())
	}
	for i := range 40 {
		t := instance(fmt.Sprint("t", i), float64(int(1)<<r.IntN(6)), 1<<r.IntN(8), amount())
		t.Burstable, t.Previous = r.IntN(4) == 0, r.IntN(6) == 0
		if r.IntN(4) == 0 {
			t.Arch = "arm64"
		}
		m.instances = append(m.instances, t)
		c := class(fmt.Sprint("d", i), false, amount())
		c.CPU, c.Memory, c.Burstable = float64(int(1)<<r.IntN(6)), gibibyte<<r.IntN(8), r.IntN(4) == 0
		pair := c
		if pair.Standby = true; c.Hourly != nil {
			more := *c.Hourly
			more.Amount, pair.Hourly = more.Amount.Mul(decimal.NewFromFloat(1+r.Float64())), &more
		}
		m.classes = append(m.classes, c, pair)
	}
	if !complete {
		m.rates = slices.DeleteFunc(m.rates, func(catalog.Rate) bool { return r.IntN(8) == 0 })
	}
	return s
}

// randomSpec writes a spec of some groups, databases and buckets.
func randomSpec(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString("surety: v1\nname: random\nobjectives:\n  availability: 99\n  budget: {monthly: 500, currency: USD}\n  support: {critical: 1h}\nservers:\n")
	for i := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "  s%d:\n    count: %d\n    size: {cpu: %d, memory: %dGiB, disk: %dGiB}\n    runs: {package: nginx, command: [nginx], port: 80}\n    public: {port: 80}\n    expects: {rps: %d}\n    uses: [databases.d]\n",
			i, 1+r.IntN(3), 1<<r.IntN(4), 1<<r.IntN(5), 1+r.IntN(100), 1+r.IntN(300))
	}
	fmt.Fprintf(&b, "databases:\n  d: {engine: postgres, version: \"15\", size: {cpu: %d, memory: %dGiB, disk: %dGiB}, highAvailability: %v}\n",
		1<<r.IntN(4), 1<<r.IntN(5), 1+r.IntN(200), r.IntN(2) == 0)
	fmt.Fprintf(&b, "buckets:\n  b: {size: %dGiB, versioning: %v}\nbackups:\n  nightly: {of: [databases.d, servers.s0], every: 24h, keep: {daily: %d}}\n", 1+r.IntN(500), r.IntN(2) == 0, 1+r.IntN(9))
	return b.String()
}

func randomDemand(t *testing.T, r *rand.Rand) *demand {
	doc, arch := designed(t, randomSpec(r))
	return newDemand(doc, arch, Options{}.filled(nil))
}

func (s shop) place() *place {
	return newPlace(s, s.facts.Regions[0], Options{Now: today}.filled(nil), noRate)
}

// Raising a requirement never lowers the cost, as long as all prices are known and a pair costs no less than one of it.
func TestRaisingNeverLowersTheCost(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	raised := 0
	for range 300 {
		p, d := randomShop(r, "x", true).place(), randomDemand(t, r)
		before := p.answer(d)
		if before.bid.infeasible != "" {
			continue
		}
		for i := range d.needs {
			for _, l := range append(d.componentLevers(i), d.grow()...) {
				harder := d.freed([]lever{l})
				switch {
				case l.set != nil:
					harder = d.with(i, func(n *need) { l.set(n, math.Ceil(l.amount*(1+r.Float64()*2))) })
				case !strings.Contains(l.id, ": "):
					continue // taking a standby away is no raise
				}
				after := p.answer(harder)
				if after.bid.infeasible != "" || after.total.Open {
					continue
				}
				raised++
				if after.total.Low.LessThan(before.total.Low) || after.total.High.LessThan(before.total.High) {
					t.Fatalf("%s raised: %s becomes %s", l.id, before.total, after.total)
				}
			}
		}
	}
	if raised < 1000 {
		t.Errorf("only %d raises were tried", raised)
	}
}

// Adding redundancy never lowers the composed availability.
func TestRedundancyNeverLowersAvailability(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	tried := 0
	for range 300 {
		s := randomShop(r, "x", true)
		s.facts.Promises = slices.DeleteFunc(s.facts.Promises, func(catalog.Promise) bool { return r.IntN(10) == 0 })
		p, d := s.place(), randomDemand(t, r)
		before := p.bid(d).availability(d)
		more := d.grow()
		for i := range d.needs {
			if d.needs[i].kind == architecture.KindServer {
				more = append(more, lever{id: "one more", need: i, ease: func(n *need) { n.instances++ }})
			}
		}
		for _, l := range more {
			bigger := d.freed([]lever{l})
			b := p.bid(bigger)
			if b.infeasible != "" {
				continue
			}
			tried++
			if after := b.availability(bigger); after.percent < before.percent-1e-9 || after.missing == "" && after.atMost < before.atMost-1e-9 && before.missing == "" {
				t.Fatalf("%s: %v becomes %v", l.id, before, after)
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d additions were tried", tried)
	}
}

// The cheapest feasible machine and class are found: against the plainest search there is, which knows the rule by its own words.
func TestCheapestEqualsBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	found := 0
	for range 500 {
		s := randomShop(r, "x", false)
		p, d := s.place(), randomDemand(t, r)
		for i := range d.needs {
			n := &d.needs[i]
			var want decimal.Decimal
			has := false
			take := func(fits bool, hourly *catalog.Price) {
				if fits && hourly != nil && (!has || hourly.Amount.LessThan(want)) {
					want, has = hourly.Amount, true
				}
			}
			var got *pick
			switch n.kind {
			case architecture.KindServer:
				got = p.machine(n)
				for _, c := range s.sells.Instances("r") {
					take(c.CPU >= n.cpu && c.Memory >= n.memory && c.Arch == "amd64" && !c.Previous && !c.Burstable, c.Hourly)
				}
			case architecture.KindDatabase:
				got = p.database(n)
				for _, c := range s.sells.Databases("r", n.engine) {
					take(c.CPU >= n.cpu && c.Memory >= n.memory && c.Standby == n.standby && !c.Burstable, c.Hourly)
				}
			default:
				continue
			}
			if has {
				found++
			}
			if has != (got.price != nil) || (has && !got.price.Amount.Equal(want)) {
				t.Fatalf("%s: %+v, brute force finds %v %s", n.id, got, has, want)
			}
		}
	}
	if found < 500 {
		t.Errorf("only %d choices had a price", found)
	}
}

// A total is the sum of its lines to the cent, an unknown price opens it, and nothing unknown is printed as a figure.
func TestTotalsAreSumsAndUnknownIsOpen(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	open := 0
	for range 200 {
		s := randomShop(r, "x", r.IntN(2) == 0)
		c := compared(t, randomSpec(r), Options{}, s)
		o := &c.Offers[0]
		if o.Infeasible != "" {
			continue
		}
		low, high, unknown := decimal.Decimal{}, decimal.Decimal{}, false
		for _, l := range o.Lines {
			if !l.Monthly.Low.Equal(l.Monthly.Low.Round(2)) || !l.Monthly.High.Equal(l.Monthly.High.Round(2)) {
				t.Fatalf("%s is not in cents", l.Monthly)
			}
			low, high = low.Add(l.Monthly.Low), high.Add(l.Monthly.High)
			unknown = unknown || l.Monthly.Open
			if l.UnitPrice == nil && l.Part != PartSupport {
				if !l.Monthly.Open || l.Monthly.String() != "unknown" {
					t.Fatalf("%s has no price, and says %q", l.What, l.Monthly)
				}
			}
		}
		if o.Total.Open != unknown || !o.Total.Low.Equal(low) || (!unknown && !o.Total.High.Equal(high)) {
			t.Fatalf("total %s, lines %s to %s, unknown %v", o.Total, low, high, unknown)
		}
		if (len(o.Unknown) > 0) != unknown {
			t.Fatalf("open %v, but %d unknown are said", unknown, len(o.Unknown))
		}
		if unknown {
			open++
		}
	}
	if open < 20 || open > 180 {
		t.Errorf("%d of 200 were open: the test does not see both", open)
	}
}
