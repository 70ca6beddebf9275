package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"surety/stacks"
	"surety/validate"
)

// Nothing can be measured on hosts that do not stand: no check of a plan may pass.
func TestNothingPassesOnHostsThatDoNotStand(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	for i, h := range w.in.Hosts {
		w.in.Hosts[i] = future{h.Name(), h.Component(), h.Address()}
	}
	w.live = Live{Unread: map[string]string{"*": "not built yet"}}
	w.in.Deployment = stacks.Deployment{}
	for _, r := range w.run(t) {
		if r.State == validate.Pass {
			t.Errorf("%s passes: %s", r.Check, r.Summary)
		}
		if r.State == validate.Fail {
			t.Errorf("%s fails: %s", r.Check, r.Summary)
		}
	}
}

// future is a host that does not stand yet.
type future struct{ name, component, address string }

func (f future) Name() string      { return f.name }
func (f future) Component() string { return f.component }
func (f future) Address() string   { return f.address }
func (f future) Run(context.Context, stacks.Command) error {
	return errors.New(f.name + " is not built yet")
}

func TestHeadlines(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	w.entry(200)
	for i, want := range [][]string{
		{"9 flows open as declared, 56 undeclared pairs refused, 12 rule checks as declared", "main: round trip 0.4 ms p50 of 20 from web-0"},
		{"8 of 9 flows", "55 of 56 undeclared pairs refused"},
	} {
		if i == 1 {
			w.of("balancers.web").listens[80] = false
			w.rules[0].Port = 22
		}
		var lines []string
		for _, s := range validate.Suites(w.run(t)) {
			lines = append(lines, s.Name+": "+Headline(s))
		}
		for _, part := range want {
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, part) }) {
				t.Errorf("no line says %q:\n%s", part, strings.Join(lines, "\n"))
			}
		}
	}
}

func TestHeadlineOfLoad(t *testing.T) {
	s := validate.Suite{Name: Load, Results: []validate.Result{
		{Check: "load/web/rps", State: validate.Pass, Summary: "web: 204 req/s"}, {Check: "load/web/p95", State: validate.Pass, Summary: "web: p95 12 ms"},
		{Check: "load/api/errors", State: validate.Pass, Summary: "api: 0 %"}}}
	if got := Headline(s); got != "web: p95 12 ms; api: 0 %; and 1 other check passed" {
		t.Error(got)
	}
	s.Results[2].State = validate.Unproven
	if got := Headline(s); got != "2 of 3 expectations met" {
		t.Error(got)
	}
}
