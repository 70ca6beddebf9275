package architecture

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
)

func TestAvailabilityOfReader(t *testing.T) {
	doc := reader()
	web := doc.Spec.Servers["web"]
	web.Uses = []string{"databases.main"}
	doc.Spec.Servers["web"] = web
	doc.Spec.Objectives.Availability = 99.9
	av := mustDesign(t, doc).Availability
	// balancer 99.99, web 1 of 2 at 99.5, main 99.95 as a pair
	want := 0.9999 * (1 - 0.005*0.005) * 0.9995
	if math.Abs(av.Percent-100*want) > 1e-9 || av.Entry != "servers.web" || av.Required != 99.9 {
		t.Errorf("availability %+v, want %v", av, 100*want)
	}
	if av.Formula != "balancer × web(1 of 2) × main(1 of 2)" {
		t.Errorf("formula %q", av.Formula)
	}
	if month := 30 * 24 * time.Hour; av.DownPerMonth != time.Duration(math.Round((1-want)*month.Seconds()))*time.Second {
		t.Errorf("down %v a month", av.DownPerMonth)
	}
	product := 1.0
	for _, term := range av.Terms {
		product *= term.Percent / 100
		if !strings.Contains(term.Source, "http") {
			t.Errorf("%s: the source of %v is not named: %q", term.Component, term.Each, term.Source)
		}
	}
	if math.Abs(100*product-av.Percent) > 1e-9 {
		t.Errorf("the terms give %v, the figure says %v", 100*product, av.Percent)
	}
	if !strings.Contains(av.Terms[0].Source, "managed") || !strings.Contains(av.Terms[1].Source, "independent") {
		t.Errorf("assumptions are not stated: %q, %q", av.Terms[0].Source, av.Terms[1].Source)
	}
}

func TestAvailabilityIsOfTheWorstEntry(t *testing.T) {
	doc := reader()
	api := doc.Spec.Servers["api"]
	api.Public, api.Uses = &blueprints.Public{Port: 81}, nil
	doc.Spec.Servers["api"] = api
	if av := mustDesign(t, doc).Availability; av.Entry != "servers.web" { // it needs api and more
		t.Errorf("worst entry %q", av.Entry)
	}
	for _, name := range []string{"web", "api"} {
		s := doc.Spec.Servers[name]
		s.Public = nil
		doc.Spec.Servers[name] = s
	}
	av := mustDesign(t, doc).Availability
	if av.Entry != "" || len(av.Terms) != 5 {
		t.Errorf("without a public entry all five components count: %+v", av)
	}
	if empty := mustDesign(t, document(blueprints.Spec{})).Availability; empty.Percent != 100 || len(empty.Terms) != 0 {
		t.Errorf("nothing built: %+v", empty)
	}
}

// Adding a server or a standby never lowers the figure; adding a use never raises it.
func TestRedundancyNeverLowersAvailability(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for round := range 300 {
		doc := wide(4 * (1 + r.IntN(12)))
		for name, s := range doc.Spec.Servers {
			s.Count = 1 + r.IntN(4)
			doc.Spec.Servers[name] = s
		}
		for name, db := range doc.Spec.Databases {
			db.HighAvailability = r.IntN(2) == 0
			doc.Spec.Databases[name] = db
		}
		before := mustDesign(t, doc)
		name := fmt.Sprint("c", r.IntN(len(doc.Spec.Servers)))
		s, db := doc.Spec.Servers[name], doc.Spec.Databases[name]
		s.Count++
		db.HighAvailability = true
		doc.Spec.Servers[name], doc.Spec.Databases[name] = s, db
		after := mustDesign(t, doc)
		if after.Availability.Percent < before.Availability.Percent-tolerance {
			t.Fatalf("round %d: more redundancy in %s: %v becomes %v", round, name, before.Availability.Percent, after.Availability.Percent)
		}
		if len(after.SinglePoints) > len(before.SinglePoints) {
			t.Fatalf("round %d: more redundancy gives more single points: %v, %v", round, before.SinglePoints, after.SinglePoints)
		}
		s.Uses = append(slices.Clone(s.Uses), "buckets.extra")
		doc.Spec.Servers[name] = s
		doc.Spec.Buckets["extra"] = blueprints.Bucket{}
		if more := mustDesign(t, doc); more.Availability.Percent > after.Availability.Percent+tolerance {
			t.Fatalf("round %d: one more use: %v becomes %v", round, after.Availability.Percent, more.Availability.Percent)
		}
		worst := 100.0
		for _, term := range after.Availability.Terms {
			worst = min(worst, term.Percent)
		}
		if after.Availability.Percent > worst+tolerance {
			t.Fatalf("round %d: %v is better than its worst part %v", round, after.Availability.Percent, worst)
		}
	}
}

func TestSinglePoints(t *testing.T) {
	doc := reader()
	if got := mustDesign(t, doc).SinglePoints; len(got) != 1 || got[0] != (SinglePoint{"servers.api", "servers.web", "servers.api.count: 2"}) {
		t.Errorf("single points %+v", got)
	}
	db := doc.Spec.Databases["main"]
	db.HighAvailability = false
	doc.Spec.Databases["main"] = db
	web := doc.Spec.Servers["web"]
	web.Public = nil // then web, which nothing needs, is what ends
	doc.Spec.Servers["web"] = web
	got := mustDesign(t, doc).SinglePoints
	want := []SinglePoint{
		{"databases.main", "servers.web", "databases.main.highAvailability: true"},
		{"servers.api", "servers.web", "servers.api.count: 2"},
	}
	slices.SortFunc(got, func(a, b SinglePoint) int { return strings.Compare(a.Component, b.Component) })
	if !slices.Equal(got, want) {
		t.Errorf("single points %+v, want %+v", got, want)
	}
}

func TestPercentNeverPromisesMore(t *testing.T) {
	for p, want := range map[float64]string{100: "100", 99.5: "99.5", 99.4876: "99.48", 99.9375: "99.937", 99.99999: "99.99999", 50: "50", 99.999999999: "99.999999", 0: "0"} {
		if got := percent(p); got != want {
			t.Errorf("percent(%v) = %s, want %s", p, got, want)
		}
	}
}
