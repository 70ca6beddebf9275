package verify

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"surety/benchmarks/baseline"
	driven "surety/benchmarks/web"
	"surety/stacks"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

func TestBaselinePlanFollowsTheSpec(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml", "public: {port: 80}", "public: {port: 80}\n    expects: {rps: 80, p95: 100ms}", "size: 20GiB", "size: 1GiB")
	p, err := PlanBaseline(context.Background(), w.in)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, q := range p.Quantities {
		names = append(names, q.Name)
	}
	want := []string{"buckets.logs put", "buckets.logs get", "buckets.media put", "buckets.media get", "databases.main most transactions", "databases.main p95 of 4 clients",
		"servers.web p50 at 80/s", "servers.web p95 at 80/s", "servers.web most requests", "control: computing"}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("measures %q\n    want %q", names, want)
	}
	if why := p.NotMeasured["servers.worker"]; len(p.NotMeasured) != 1 || !strings.Contains(why, "nobody") {
		t.Errorf("not measured: %v", p.NotMeasured)
	}
	for _, s := range p.sources {
		for _, f := range s.figures {
			switch {
			case f.Name == "servers.web p95 at 80/s" && (s.host.Name != "outside" || s.run.Rate != 80 || !slices.Equal(f.Requirements, []string{"servers.web.expects.p95"}) ||
				!strings.HasSuffix(s.setup.Web.Requests[0].URL, ":80/healthz")):
				t.Errorf("%s is measured from %s by %+v of %+v for %v", f.Name, s.host.Name, s.run, s.setup.Web, f.Requirements)
			case f.Control != (s.host.Outside && s.control) || s.control && f.Better != baseline.Higher:
				t.Errorf("%s on %s: control %v", f.Name, s.host.Name, f.Control)
			case f.Name == "buckets.media put" && (!s.anew || s.run.For > 300*time.Millisecond): // an eighth of 1 GiB
				t.Errorf("%s fills the bucket: for %v, in one session %v", f.Name, s.run.For, !s.anew)
			}
		}
	}
	w = newWorld(t, "testdata/shop.yaml", "public: {port: 80}", "# nothing")
	if p, _ := PlanBaseline(context.Background(), w.in); p.NotMeasured["servers.web"] == "" {
		t.Error("a server that nobody may call is measured")
	}
}

// here is a host whose programs run in this process.
type here struct{ sessions atomic.Int32 }

func (*here) Name() string      { return "here" }
func (*here) Component() string { return "servers.here" }
func (*here) Address() string   { return "127.0.0.1" }
func (h *here) Run(ctx context.Context, c stacks.Command) error {
	h.sessions.Add(1)
	return measure.Main(ctx, c.Stdin, c.Stdout)
}

// planOf measures a web server in short runs.
func planOf(h *here, url string) *BaselinePlan {
	host := &facts.Host{Name: "here", Way: h}
	setup := measure.Setup{Web: &measure.Web{Requests: []driven.Request{{URL: url}}}, Workers: 4}
	paced := baselineFigure{baseline.Quantity{Name: "p50", Unit: "ms", Better: baseline.Lower}, p50Of}
	p := &BaselinePlan{hide: func(s string) string { return strings.ReplaceAll(s, "hunter2", "[secret]") }, NotMeasured: map[string]string{"databases.cache": "no driver"}, sources: []*baselineSource{
		{host: host, setup: setup, run: measure.Run{Rate: 200, For: 60 * time.Millisecond}, figures: []baselineFigure{paced, {baseline.Quantity{Name: "p95", Unit: "ms", Better: baseline.Lower}, p95Of}}},
		{host: host, setup: setup, run: measure.Run{For: 60 * time.Millisecond, Workers: 2}, anew: true, figures: []baselineFigure{{baseline.Quantity{Name: "most", Unit: "1/s", Better: baseline.Higher}, rateOf}}},
	}}
	for _, s := range p.sources {
		for _, f := range s.figures {
			p.Quantities = append(p.Quantities, f.Quantity)
		}
	}
	return p
}

func TestBaselineIsTakenInTurn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(2 * time.Millisecond) }))
	defer server.Close()
	h := &here{}
	var told []BaselineProgress
	r, err := planOf(h, server.URL).Take(t.Context(), "first", 6, func(p BaselineProgress) { told = append(told, p) })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Series {
		if len(s.Runs) != 6 || s.Missing != "" {
			t.Errorf("%s: %d runs, missing %q", s.Name, len(s.Runs), s.Missing)
		}
		if m := s.Median(); s.Unit == "ms" && (m.Center < 2 || m.Center > 1000) || s.Unit == "1/s" && (m.Center < 2 || m.Center > 1000) {
			t.Errorf("%s is %v %s where an answer takes 2 ms", s.Name, m.Center, s.Unit)
		}
	}
	// p50 and p95 come of the same runs: at the same times, and in one session; puts and the like have one each time.
	for i, run := range r.Series[0].Runs {
		if !run.At.Equal(r.Series[1].Runs[i].At) || run.At.Equal(r.Series[2].Runs[i].At) {
			t.Errorf("run %d: p50 at %v, p95 at %v, most at %v", i, run.At, r.Series[1].Runs[i].At, r.Series[2].Runs[i].At)
		}
	}
	if got := h.sessions.Load(); got < 1+7 || got > 1+2*7 { // a run that the machine's other work spoilt is repeated
		t.Errorf("%d sessions", got)
	}
	if last := told[len(told)-1]; last.Total != 14 || last.Done != 13 || last.Left <= 0 {
		t.Errorf("the last run was announced as %+v", last)
	}
	if r.Notes["not measured: databases.cache"] != "no driver" || r.Fingerprint["kernel"] == "" {
		t.Errorf("notes %v, fingerprint %v", r.Notes, r.Fingerprint)
	}
}

func TestBaselineOfWhatFails(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }))
	defer server.Close()
	p := planOf(&here{}, server.URL)
	p.hide = func(s string) string { return strings.ReplaceAll(s, "500", "[secret]") }
	r, err := p.Take(t.Context(), "failing", 6, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Series {
		if !strings.Contains(s.Missing, "operations failed") || strings.Contains(s.Missing, "500") {
			t.Errorf("%s is missing because %q", s.Name, s.Missing)
		}
	}
}

// A target that refuses a part of what is too much for it is measured by what it answers; one that refuses what it must carry is not.
func TestBaselineOfOverload(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%4 == 0 {
			http.Error(w, "too much", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	p := planOf(&here{}, server.URL)
	p.sources[1].overload = true
	r, err := p.Take(t.Context(), "overloaded", 6, nil)
	if err != nil {
		t.Fatal(err)
	}
	if paced, most := r.Series[0], r.Series[2]; !strings.Contains(paced.Missing, "operations failed") || most.Missing != "" || len(most.Runs) != 6 {
		t.Errorf("paced: %q; most: %d runs, %q", paced.Missing, len(most.Runs), most.Missing)
	}
}

// An interruption leaves nothing: neither half a record nor a session.
func TestInterruptedBaseline(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := planOf(&here{}, server.URL).Take(ctx, "half", 6, func(p BaselineProgress) {
		if p.Done == 5 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(r.Series) > 0 {
		t.Errorf("error %v, record of %d figures", err, len(r.Series))
	}
}

func TestBaselineSuite(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml")
	w.in.Baselines = t.TempDir()
	subject := w.in.subject(t.Context())
	if w.in.Effort.Full = true; len(w.in.long(subject)) > 0 && slices.ContainsFunc(w.in.long(subject), func(c longCheck) bool { return c.suite == Baseline }) {
		t.Error("there is a check although nothing was saved")
	}
	w.in.Only = []string{Baseline}
	results, err := Run(t.Context(), w.in, nil)
	if err != nil || len(results) != 1 || results[0].State != validate.Unproven || len(results[0].Requirements) > 0 || !strings.Contains(results[0].Summary, "surety baseline save") {
		t.Errorf("asked for by name, with nothing saved: %+v, %v", results, err)
	}
}

func TestComparisonAsAResult(t *testing.T) {
	series := func(value float64) baseline.Record {
		r := baseline.Record{Name: "release 1", Taken: time.Now(), Series: []baseline.Series{{Quantity: baseline.Quantity{Name: "p95", Unit: "ms", Better: baseline.Lower}}}}
		for i := range 12 {
			r.Series[0].Runs = append(r.Series[0].Runs, baseline.Run{Value: value * (1 + 0.001*float64(i%5))})
		}
		return r
	}
	for _, c := range []struct {
		now   float64
		state validate.State
		says  string
	}{{10, validate.Pass, "1 figures no worse"}, {12, validate.Fail, "p95 is worse by more than 5 %"}, {10.5, validate.Unproven, "1 unproven"}} {
		r := BaselineResult(baseline.Compare(series(10), series(c.now), baseline.Options{}))
		if r.State != c.state || !strings.Contains(r.Summary, c.says) || len(r.Requirements) > 0 || len(r.Evidence) != 1 {
			t.Errorf("10 ms to %v ms: %s, %q, %d pieces of evidence", c.now, r.State, r.Summary, len(r.Evidence))
		}
	}
}
