package verify

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/knee"
	"surety/blueprints"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// behaviour is how a pretended target answers the n-th operation: after how long, and whether well.
type behaviour func(n int, intended time.Duration) (latency time.Duration, class string)

func steady(latency time.Duration) behaviour {
	random := rand.New(rand.NewPCG(1, 2))
	return func(int, time.Duration) (time.Duration, string) {
		return latency + time.Duration(random.Int64N(int64(latency)/10+1)), ""
	}
}

// serving serves so many operations a second, one after the other.
func serving(perSecond float64) behaviour {
	var free time.Duration
	each := time.Duration(float64(time.Second) / perSecond)
	return func(_ int, intended time.Duration) (time.Duration, string) {
		free = max(free, intended) + each
		return free - intended, ""
	}
}

func failing(share int, inner behaviour) behaviour {
	return func(n int, intended time.Duration) (time.Duration, string) {
		latency, _ := inner(n, intended)
		if n%share == 0 {
			return latency, "status 503"
		}
		return latency, ""
	}
}

// ran makes the run that a driving would have found.
func ran(t *testing.T, d *driving, how behaviour, usage knee.Usage) *loadRun {
	t.Helper()
	var raw bytes.Buffer
	w := benchmarks.WriteSamples(&raw)
	report := benchmarks.NewReport(d.warmUp()).Until(d.length)
	schedule := benchmarks.Constant(d.offered, d.length)
	var last time.Duration
	for n := 0; ; n++ {
		at, ok := schedule.At(n)
		if !ok {
			break
		}
		latency, class := how(n, at)
		s := benchmarks.Sample{Intended: at, Started: at, Ended: at + latency, Class: class, Op: "GET /"}
		last = max(last, s.Ended)
		w.Add(s)
		report.Add(s)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := d.read(measure.Result{Result: report.Result(), Samples: raw.Bytes(), Outcome: benchmarks.Outcome{Took: last, CPUs: 2}}, usage)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRuleOfLoad(t *testing.T) {
	full := knee.Usage{Rate: 204, Series: []knee.Series{
		{Host: "web-1", Resource: knee.CPU, Shares: []float64{1, 1, 1, 1, .98}, Figure: "0.98 of 1 processors"},
		{Host: "web-0", Resource: knee.CPU, Shares: []float64{1, 1, 1, 1, 1}, Figure: "1.00 of 1 processors"},
		{Host: "main-0", Resource: knee.CPU, Shares: []float64{.2, .2, .2, .2, .2}}}}
	for _, c := range []struct {
		name    string
		expects blueprints.ServerExpects
		length  time.Duration
		runs    []behaviour
		limits  []string          // in what way the generator limited each run
		want    map[string]string // leaf → state and a piece of the summary or evidence
	}{
		{"borne", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond), Errors: 1}, 3 * time.Second, []behaviour{steady(5 * time.Millisecond)}, nil,
			map[string]string{"rps": "pass 204 req/s", "p95": "pass at 204 req/s, required ≤ 150 ms", "errors": "pass of 510 failed"}},
		{"too few for so small a share", blueprints.ServerExpects{RPS: 200, Errors: .1}, 3 * time.Second, []behaviour{steady(5 * time.Millisecond)}, nil,
			map[string]string{"rps": "pass ", "errors": "unproven it takes 3688 operations without a failure to show so small a share: surety verify --suite load --load 22s"}},
		{"long enough for it", blueprints.ServerExpects{RPS: 200, Errors: .1}, 22 * time.Second, []behaviour{steady(5 * time.Millisecond)}, nil,
			map[string]string{"errors": "pass 0 % [0, 0.09"}},
		{"slow twice", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{steady(300 * time.Millisecond), steady(290 * time.Millisecond)}, nil,
			map[string]string{"rps": "pass ", "p95": "fail web: p95 32", "p95 ": "fail saturated||web-0, web-1 cpu at 100 % (1.00 of 1 processors)"}},
		{"slow once", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{steady(300 * time.Millisecond), steady(20 * time.Millisecond)}, nil,
			map[string]string{"p95": "unproven a repetition did not say the same: measure longer, with surety verify --suite load --load 6s"}},
		{"slow, and no repetition", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{steady(300 * time.Millisecond), steady(300 * time.Millisecond)}, []string{"", "it was late"},
			map[string]string{"p95": "unproven since what drove the load was the limit: it was late"}},
		{"met although the generator was late", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{steady(5 * time.Millisecond)}, []string{"it was late"},
			map[string]string{"rps": "pass ", "p95": "pass "}},
		{"slow, and the generator late", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{steady(300 * time.Millisecond), steady(300 * time.Millisecond)}, []string{"it was late", "it was late"},
			map[string]string{"rps": "pass ", "p95": "unproven what drove the load was the limit, not what was driven: it was late"}},
		{"at the limit", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(100 * time.Millisecond)}, 3 * time.Second, []behaviour{func(n int, _ time.Duration) (time.Duration, string) {
			return time.Duration(50+(n*37)%53) * time.Millisecond, ""
		}}, nil, map[string]string{"p95": "unproven the limit lies within the 95 % interval: drive it longer, with surety verify --suite load --load 12s"}},
		{"too much", blueprints.ServerExpects{RPS: 200, P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{serving(60), serving(60)}, nil,
			map[string]string{"rps": "fail web: 6", "p95": "fail required ≤ 150 ms"}},
		{"errors", blueprints.ServerExpects{RPS: 200, Errors: 1}, 3 * time.Second, []behaviour{failing(10, steady(time.Millisecond)), failing(10, steady(time.Millisecond))}, nil,
			map[string]string{"errors": "fail 10 % [7", "rps": "fail 183", "errors ": "fail failures||status 503 × 51"}},
		{"errors that may be", blueprints.ServerExpects{RPS: 200, Errors: 20}, 3 * time.Second, []behaviour{failing(10, steady(time.Millisecond))}, nil,
			map[string]string{"errors": "pass 10 % [7", "rps": "pass 183"}},
		{"idle", blueprints.ServerExpects{P95: blueprints.Duration(150 * time.Millisecond)}, 3 * time.Second, []behaviour{steady(5 * time.Millisecond)}, nil,
			map[string]string{"p95": "pass at 48 req/s, required ≤ 150 ms"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "testdata/shop.yaml")
			w.in.Effort.Load = c.length
			s := w.in.subject(t.Context())
			web, _ := s.Component("servers.web")
			d := newDriving(s, w.in, "load/web", web, "req/s", Limits{Rate: c.expects.RPS, P95: time.Duration(c.expects.P95), Errors: float64(c.expects.Errors) / 100}, false, c.length)
			d.from = &facts.Host{Name: "outside"}
			d.serverLeaves(c.expects, nil)
			var runs []*loadRun
			for i, how := range c.runs {
				r := ran(t, d, how, full)
				if c.limits != nil {
					r.limit = c.limits[i]
				}
				runs = append(runs, r)
			}
			if again := d.broken(runs[0]); again != (len(runs) > 1) {
				t.Errorf("repeated: %v", again)
			}
			for name, want := range c.want {
				for _, l := range d.leaves {
					if l.id != "load/web/"+strings.TrimSpace(name) {
						continue
					}
					v := d.decide(l, runs, nil)
					state, text, _ := strings.Cut(want, " ")
					said := v.summary
					for _, e := range v.evidence {
						said += fmt.Sprintf(" %s|%s|%s", e.What, e.Want, e.Got)
					}
					if string(v.state) != state || !strings.Contains(said, text) {
						t.Errorf("%s is %s: %s, want %s", l.id, v.state, said, want)
					}
				}
			}
		})
	}
}

// The intervals agree with published figures.
func TestIntervals(t *testing.T) {
	near := func(got, want float64) bool { return math.Abs(got-want) < 5e-4 }
	for _, c := range []struct {
		k, n      int
		low, high float64 // Clopper and Pearson
	}{{0, 100, 0, .0362}, {5, 100, .0164, .1128}, {100, 100, .9638, 1}, {50, 100, .3983, .6017}, {0, 0, 0, 1}} {
		if i := shareOf(c.k, c.n, 1); !near(i.low, c.low) || !near(i.high, c.high) {
			t.Errorf("%d of %d: %+v", c.k, c.n, i)
		}
	}
	if a, b := shareOf(50, 1000, 1), shareOf(50, 1000, 4); b.high-b.low < 1.8*(a.high-a.low) {
		t.Errorf("four times the variance does not double the interval: %+v %+v", a, b)
	}
	if n := clean(.001); shareOf(0, n, 1).high > .001 || shareOf(0, n-2, 1).high < .001 {
		t.Errorf("%d operations show a share of 0.1 %%: %+v", n, shareOf(0, n, 1))
	}
	// A bout of failures says less than as many spread out.
	series := func(failed ...int) benchmarks.Result {
		r := benchmarks.Result{}
		for i, k := range failed {
			r.Series = append(r.Series, benchmarks.Second{At: i, Count: 100, Failed: k})
			r.Total.Count, r.Total.Failed = r.Total.Count+100, r.Total.Failed+k
		}
		return r
	}
	spread, bout := failures(series(2, 2, 2, 2, 2, 2, 2, 2, 2, 2)), failures(series(0, 0, 0, 20, 0, 0, 0, 0, 0, 0))
	if spread.value != bout.value || bout.high < 1.5*spread.high {
		t.Errorf("spread %+v, in a bout %+v", spread, bout)
	}
	// Batch means of what is noisy: the interval holds the mean, and narrows with the length.
	random := rand.New(rand.NewPCG(3, 4))
	batch := func(length time.Duration) interval {
		var samples []benchmarks.Sample
		for at := time.Duration(0); at < length; at += time.Duration(random.ExpFloat64() * float64(10*time.Millisecond)) {
			samples = append(samples, benchmarks.Sample{Ended: at, Bytes: 1})
		}
		return perSecond(samples, 0, length, func(s benchmarks.Sample) float64 { return float64(s.Bytes) })
	}
	brief, long := batch(2*time.Second), batch(60*time.Second)
	if long.low > 100 || long.high < 100 || long.high-long.low > (brief.high-brief.low)/2 {
		t.Errorf("a rate of 100: %+v in 2 s, %+v in 60 s", brief, long)
	}
	if i := perSecond(nil, 0, 100*time.Millisecond, nil); i.high < 1e300 {
		t.Errorf("of nothing: %+v", i)
	}
}
