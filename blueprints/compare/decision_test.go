package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"surety/blueprints/catalog"
)

// field makes ranked contenders with random scores, as score leaves them.
func field(r *rand.Rand, n int, w Weights) []*contender {
	var all []*contender
	for i := range n {
		s := shop{facts: &catalog.Provider{ID: fmt.Sprint("p", i)}}
		all = append(all, &contender{place: &place{shop: s, region: catalog.Region{ID: "r"}}, cost: 100 + 900*r.Float64(),
			scores: Weights{Availability: r.Float64(), Support: r.Float64(), Residency: 1}})
	}
	rescore(all, w)
	return all
}

func rescore(all []*contender, w Weights) {
	least := math.Inf(1)
	for _, c := range all {
		least = min(least, c.cost)
	}
	for _, c := range all {
		c.scores.Cost = least / c.cost
		c.score = weigh(c.scores, w)
	}
	slices.SortFunc(all, order)
}

// At each turning point the winner changes, as a new ranking on either side of it shows, and nowhere nearer.
func TestTurnsAreWhereTheWinnerChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	seen := map[string]int{}
	for range 2000 {
		w := Weights{Cost: 1 + r.Float64()*5, Availability: 1 + r.Float64()*5, Support: 1 + r.Float64(), Residency: r.Float64()}
		all := field(r, 2+r.IntN(4), w)
		was := all[0].place.name()
		for _, turn := range turns(all, w) {
			kind, of, _ := strings.Cut(turn.What, " of ")
			winner := func(at float64) string {
				again := make([]*contender, len(all))
				for i, c := range all {
					copied := *c
					if kind == "price" && c.place.name() == of {
						copied.cost = at
					}
					again[i] = &copied
				}
				changed := w
				if kind == "weight" {
					for _, c := range criteria {
						if c.name == of { // the share at of the new sum, the others as they are
							*c.of(&changed) = at / (1 - at) * (w.sum() - *c.of(&w))
						}
					}
				}
				rescore(again, changed)
				return again[0].place.name()
			}
			step := 1e-6 * math.Max(turn.At, 1e-3)
			before, after := turn.At-step, turn.At+step
			if !turn.Above {
				before, after = after, before
			}
			if kind == "weight" && (after <= 0 || after >= 1) {
				continue
			}
			seen[kind]++
			// A price that falls below all others lowers their scores for cost alike, by which a third may come before the winner first.
			if got := winner(before); got != was && (turn.Above || kind == "weight" || got == turn.Winner) {
				t.Fatalf("%s: just before %v %s wins, not %s", turn.What, turn.At, got, was)
			}
			if got := winner(after); got != turn.Winner || got == was {
				t.Fatalf("%s: just past %v %s wins, not %s", turn.What, turn.At, got, turn.Winner)
			}
		}
	}
	if seen["weight"] < 500 || seen["price"] < 2000 {
		t.Errorf("turns seen: %v", seen)
	}
}

func TestWeights(t *testing.T) {
	if w, err := ParseWeights("cost=3, support=1"); err != nil || w != (Weights{Cost: 3, Support: 1}) {
		t.Errorf("%+v, %v", w, err)
	}
	for _, bad := range []string{"cost", "speed=1", "cost=-1", "cost=NaN", "cost=0", "cost=x", "cost=Inf"} {
		if _, err := ParseWeights(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
	a, _ := alpha()
	b, _ := beta()
	b.facts.Plans = b.facts.Plans[3:] // gold only: answers within 15 minutes
	text := spec("support: {critical: 1h}")
	if c := compared(t, text, Options{Usage: given, Weights: Weights{Support: 1}}, a, b); c.Winner != "beta/south" {
		t.Errorf("by support alone %s wins", c.Winner)
	}
	if c := compared(t, text, Options{Usage: given, Weights: Weights{Cost: 1}}, a, b); c.Winner != "alpha/north" {
		t.Errorf("by cost alone %s wins", c.Winner)
	}
}

// A budget that cannot be met is in conflict with what weighs most, and the ways out have figures that hold.
func TestBudgetConflict(t *testing.T) {
	a, _ := alpha()
	c := compared(t, spec("budget: {monthly: 300, currency: USD}"), Options{Usage: given}, a)
	if !c.Fails || c.Winner != "" || len(c.Conflicts) == 0 {
		t.Fatalf("fails %v, winner %q, %v", c.Fails, c.Winner, c.Conflicts)
	}
	x := c.Conflicts[0]
	// The standby's 219.00 alone, with one small server, least disks and what the entry costs, come to 301.24.
	if want := []string{"databases.main.highAvailability", idBudget}; !slices.Equal(x.Requirements, want) {
		t.Errorf("conflict %v, want %v", x.Requirements, want)
	}
	all := strings.Join(x.Relax, "\n")
	for _, way := range []string{"objectives.budget to 443.70–449.25 USD", "highAvailability: giving it up is not enough alone"} {
		if !strings.Contains(all, way) {
			t.Errorf("no %q in\n%s", way, all)
		}
	}
	// The budget that is proposed is enough, and a cent less than its lower end is not.
	if c := compared(t, spec("budget: {monthly: 449.25, currency: USD}"), Options{Usage: given}, a); c.Winner == "" {
		t.Error("the proposed budget is not enough")
	}
	if c := compared(t, spec("budget: {monthly: 443.69, currency: USD}"), Options{Usage: given}, a); c.Winner != "" {
		t.Error("less than the proposed budget is enough")
	}
}

// No set that a conflict names can be made smaller: without any one of its requirements something meets the rest of it.
func TestConflictsAreMinimal(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	seen := 0
	for range 60 {
		s := randomShop(r, "x", true)
		doc, arch := designed(t, strings.Replace(randomSpec(r), "monthly: 500", fmt.Sprintf("monthly: %d", 50+r.IntN(400)), 1))
		o := Options{Now: today}.filled(arch.Objectives.Budget)
		search := &search{demand: newDemand(doc, arch, o), o: o, rate: noRate, places: map[string]*place{}, shops: []shop{s}}
		levers := search.demand.levers()
		fails := func(held []lever) bool { return search.excludes(search.demand, without(levers, held)) }
		if !fails(levers) || fails(nil) {
			continue
		}
		seen++
		set := smallest(search.byWeight(search.demand, levers), fails)
		if !fails(set) {
			t.Fatal("the set is no conflict")
		}
		for i := range set {
			if fails(slices.Concat(set[:i], set[i+1:])) {
				t.Fatalf("%s is not needed for the conflict", set[i].id)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d conflicts seen", seen)
	}
}

// An availability that is missed names what to double.
func TestAvailabilityConflict(t *testing.T) {
	a, _ := alpha()
	a.facts.Promises[1].Percent = 99 // a single server
	c := compared(t, spec("availability: 99.5", "highAvailability: true", "highAvailability: false", "count: 2", "count: 1"), Options{Usage: given}, a)
	if !c.Fails || len(c.Conflicts) == 0 || !slices.Contains(c.Conflicts[0].Requirements, idAvailability) {
		t.Fatalf("%+v", c.Conflicts)
	}
	all := strings.Join(c.Conflicts[0].Relax, "\n")
	// 99 % × 99 % × 99.99 % × 99.9 % is 97.9 %; one standby or one server more is not enough.
	if want := "objectives.availability to 97.9 (239.20–243.75 USD a month, alpha/north)\n" +
		"databases.main.highAvailability: true and servers.web.count: 2 (443.70–449.25 USD a month, alpha/north)"; all != want {
		t.Errorf("ways out:\n%s\nwant\n%s", all, want)
	}
}

// A step costs what the changed spec costs more.
func TestStepsAreDifferencesOfBills(t *testing.T) {
	a, _ := alpha()
	c := compared(t, spec(""), Options{Usage: given}, a)
	base := c.Offers[0].Total.Low
	for _, want := range []struct{ id, to, old, new string }{
		{"servers.web.count", "3", "count: 2", "count: 3"},
		{"servers.web.count", "1", "count: 2", "count: 1"},
		{"servers.web.size.cpu", "4", "{cpu: 2, memory: 4GiB, disk: 20GiB}", "{cpu: 4, memory: 4GiB, disk: 20GiB}"},
		{"servers.web.size.disk", "40GiB", "disk: 20GiB", "disk: 40GiB"},
		{"databases.main.highAvailability", "false", "highAvailability: true", "highAvailability: false"},
		{"buckets.media.size", "400GiB", "200GiB", "400GiB"},
	} {
		i := slices.IndexFunc(c.Steps, func(s Step) bool { return s.Requirement == want.id && s.To == want.to })
		if i < 0 || c.Steps[i].Monthly == nil {
			t.Errorf("no step of %s to %s with a figure", want.id, want.to)
			continue
		}
		after := compared(t, spec("", want.old, want.new), Options{Usage: given}, a).Offers[0].Total.Low
		if got := *c.Steps[i].Monthly; !got.Equal(after.Sub(base)) {
			t.Errorf("%s to %s: %s, the bills differ by %s", want.id, want.to, got, after.Sub(base))
		}
	}
}
