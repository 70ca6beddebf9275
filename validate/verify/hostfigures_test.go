package verify

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// insider is a double of a host's way in: it runs the probe in this process, and nothing else.
type insider struct{ broken error }

func (insider) Name() string      { return "web-0" }
func (insider) Component() string { return "servers.web" }
func (insider) Address() string   { return "127.0.0.1" }

func (h insider) Run(ctx context.Context, c stacks.Command) error {
	if h.broken != nil {
		return h.broken
	}
	if !slices.Equal(c.Args, ProbeCommand) {
		return &stacks.ExitError{Code: 64}
	}
	return probe.Main(ctx, c.Stdin, c.Stdout)
}

func siteSubject(t *testing.T, way stacks.Host) (*facts.Subject, Input) {
	t.Helper()
	doc, findings, err := blueprints.Load("testdata/site.yaml")
	if err != nil || findings.HasErrors() {
		t.Fatal(err, findings)
	}
	arch, _ := architecture.Design(doc)
	in := Input{Document: doc, Architecture: arch, Hosts: []stacks.Host{way}, Effort: Effort{Full: true}}
	return in.subject(t.Context()), in
}

func TestFiguresAreForThoroughRuns(t *testing.T) {
	s, in := siteSubject(t, insider{})
	if n := len(hostFigures(s, in)); n < 3 {
		t.Errorf("in full there are %d figures", n)
	}
	in.Effort.Full, in.Only = false, []string{Hosts}
	if n := len(hostFigures(s, in)); n < 3 {
		t.Errorf("when the suite is named there are %d figures", n)
	}
	in.Only = nil
	if checks := hostFigures(s, in); checks != nil {
		t.Errorf("else there are %d", len(checks)) // and none is unproven, which would take the place of an earlier one
	}
}

// A figure that could not be had says why and takes nothing away from the size, which other checks judge.
func TestFiguresThatCannotBeHad(t *testing.T) {
	s, in := siteSubject(t, insider{broken: errors.New("no way in")})
	for _, c := range hostFigures(s, in) {
		c.suite = Hosts
		for _, r := range in.one(t.Context(), s, c) {
			if r.State != validate.Unproven || !strings.Contains(r.Summary, "no way in") || len(r.Requirements) != 0 {
				t.Errorf("%s: %s %v: %s", r.Check, r.State, r.Requirements, r.Summary)
			}
		}
	}
	flow, a, b := architecture.Flow{Requirements: []string{"servers.web.public"}}, &facts.Host{Name: "a", Way: insider{}}, &facts.Host{Name: "b", Way: insider{}}
	told := 0
	tell := func(Detail) { told++ }
	if v := in.networkFigure(s, flow, a, b).run(t.Context(), tell); v.state != validate.Unproven || !strings.Contains(v.summary, "only declared ports are open") {
		t.Errorf("without a target that opens: %+v", v)
	}
	in.Open = func(context.Context, stacks.Host, stacks.Host, int, time.Duration) (func() error, error) {
		return nil, errors.New("not today")
	}
	if v := in.networkFigure(s, flow, a, b).run(t.Context(), tell); v.state != validate.Unproven || !strings.Contains(v.summary, "not today") {
		t.Errorf("a target that does not open: %+v", v)
	}
	closed := 0
	in.Open = func(context.Context, stacks.Host, stacks.Host, int, time.Duration) (func() error, error) {
		return func() error { closed++; return errors.New("still open") }, nil
	}
	v := in.networkFigure(s, flow, a, b).run(t.Context(), tell)
	if v.state != validate.Unproven || !strings.Contains(v.summary, "still open") || closed != 1 || told != 0 {
		t.Errorf("what does not close: %+v, closed %d times, %d measurements", v, closed, told)
	}
}

func TestConnectTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := connectTime(t.Context(), insider{}, l.Addr().String())
	if err != nil || m.Value <= 0 || m.Low > m.Value || m.High < m.Value || m.Unit != "ms" || m.Count != connects {
		t.Errorf("%v: %+v", err, m)
	}
	if m.Value > 50 {
		t.Errorf("a handshake on the loopback takes %v ms", m.Value)
	}
	l.Close()
	if m, err := connectTime(t.Context(), insider{}, l.Addr().String()); err == nil || !strings.Contains(err.Error(), string(probe.RefusedByHost)) {
		t.Errorf("nobody listens: %v, %+v", err, m)
	}
}

func TestFigureText(t *testing.T) {
	for want, m := range map[string]benchmarks.Measurement{
		"1.5 GiB/s [1.25, 2]":  {Unit: "B/s", Value: 1.5 * (1 << 30), Low: 1.25 * (1 << 30), High: 2 << 30},
		"2 MiB/s":              {Unit: "B/s", Value: 2 << 20, Low: 2 << 20, High: 2 << 20},
		"3.25 GFLOP/s [3, 4]":  {Unit: "FLOP/s", Value: 3.25e9, Low: 3e9, High: 4e9},
		"0.05 ms [0.04, 0.06]": {Unit: "ms", Value: 0.05, Low: 0.04, High: 0.06},
	} {
		if got := figureText(m); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if v := figuresVerdict("web-0", nil, nil); v.state != validate.Unproven {
		t.Errorf("nothing measured: %+v", v)
	}
	for _, c := range []struct{ disk, want int64 }{{0, 0}, {1 << 30, 128 << 20}, {64 << 30, largestFile}, {1 << 20, 4 << 20}} {
		if got := fileSize(c.disk); got != c.want {
			t.Errorf("a disk of %d is measured with %d bytes, want %d", c.disk, got, c.want)
		}
	}
	if port := freePort([]architecture.Flow{{Port: 5201}, {Port: 5203}, {Port: 5202}}); port != 5204 {
		t.Errorf("free port %d", port)
	}
}
