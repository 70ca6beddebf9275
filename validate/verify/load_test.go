package verify

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"surety/benchmarks/peers/servers"
	"surety/stacks"
	"surety/stacks/local"
	"surety/validate"
)

// inProcess runs this test's own binary as the program that drives load.
func inProcess(started func(*os.Process)) func(context.Context, stacks.Command) error {
	return func(ctx context.Context, c stacks.Command) error {
		program := []string{os.Args[0]}
		if nice, err := exec.LookPath("nice"); err == nil && os.Getuid() == 0 {
			program = []string{nice, "-n", "-15", os.Args[0]} // other tests run beside this one
		}
		command := exec.CommandContext(ctx, program[0], program[1:]...)
		command.Env = []string{"SURETY_TEST_MEASURE=1"}
		command.Stdout, command.Stderr = c.Stdout, c.Stderr
		stdin, err := command.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(stdin, c.Stdin)
			stdin.Close()
		}()
		if err := command.Start(); err != nil {
			return err
		}
		if started != nil {
			started(command.Process)
		}
		err = command.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return &stacks.ExitError{Code: exit.ExitCode()}
		}
		return err
	}
}

// queued is a server that has one worker, which takes each for as long; it serves 1/each requests a second.
type queued struct {
	mu    sync.Mutex
	free  time.Time
	each  time.Duration
	asked atomic.Int64
}

func (q *queued) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.asked.Add(1)
	q.mu.Lock()
	begins := time.Now()
	if q.free.After(begins) {
		begins = q.free
	}
	ends := begins.Add(q.each)
	q.free = ends
	q.mu.Unlock()
	if r.URL.Path == "/missing" {
		w.WriteHeader(http.StatusNotFound)
	}
	time.Sleep(time.Until(ends))
}

// loaded makes an environment whose balancer is a real server on this machine.
func loaded(t *testing.T, handler http.Handler, expects string) *world {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	port := server.URL[strings.LastIndexByte(server.URL, ':')+1:]
	w := newWorld(t, "testdata/shop.yaml", "public: {port: 80}", "public: {port: "+port+"}\n    expects: "+expects)
	w.of("balancers.web").address = "127.0.0.1"
	w.of("internet").measures = inProcess(nil)
	w.in.Effort.Load = 1500 * time.Millisecond
	return w
}

// judged runs the verification and gives the results of one long check by the last part of their IDs, and all details.
func (w *world) judged(prefix string) (map[string]validate.Result, []Detail) {
	w.t.Helper()
	for range 2 {
		found, details := w.once(prefix)
		disturbed := false
		for _, r := range found {
			disturbed = disturbed || strings.Contains(r.Summary, "what drove the load was the limit") || strings.Contains(r.Summary, "too few to bound it")
		}
		if !disturbed || w.disturbed {
			return found, details
		}
	}
	w.t.Skip("needs a machine that lets a load generator run on time")
	return nil, nil
}

func (w *world) once(prefix string) (map[string]validate.Result, []Detail) {
	w.t.Helper()
	var details []Detail
	w.in.Measured = func(d Detail) { details = append(details, d) }
	results, err := Run(w.t.Context(), w.in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	found := map[string]validate.Result{}
	for _, r := range results {
		if name, ok := strings.CutPrefix(r.Check, prefix); ok {
			found[name] = r
			w.t.Logf("%s %s: %s %v", r.State, r.Check, r.Summary, r.Evidence)
		}
	}
	return found, details
}

func (w *world) expect(found map[string]validate.Result, name string, state validate.State, text string) {
	w.t.Helper()
	if r, ok := found[name]; !ok || r.State != state || !strings.Contains(r.Summary, text) {
		w.t.Errorf("%s is %q (%s), want %s with %q", name, r.State, r.Summary, state, text)
	}
}

// A server that keeps up meets rate and latency; that its share of errors is small enough takes more requests than there were, which is
// said with what to type; each request of the mix is judged.
func TestLoadThatIsBorne(t *testing.T) {
	server := &queued{each: time.Millisecond}
	w := loaded(t, server, "{rps: 100, p95: 300ms, errors: 0.1%, requests: [{path: /, weight: 3}, {path: /search, method: POST, body: cloud}]}")
	found, details := w.judged("load/web/")
	w.expect(found, "rps", validate.Pass, "of 107 offered, required ≥ 100 req/s")
	w.expect(found, "p95", validate.Pass, "required ≤ 300 ms")
	w.expect(found, "errors", validate.Unproven, "surety verify --suite load --load 38s")
	w.expect(found, "requests[0]", validate.Pass, "GET /:")
	w.expect(found, "requests[1]", validate.Pass, "POST /search: ")
	if r := found["requests[1]"]; len(found) != 5 || !slices.Equal(r.Requirements, []string{"servers.web.expects.requests[1]"}) || r.Suite != Load {
		t.Errorf("%d results, %+v", len(found), r)
	}
	if len(details) != 1 || details[0].Load == nil || details[0].Check != "load/web" || details[0].Subject != "servers.web" || details[0].From != "outside" ||
		details[0].Load.Result.ByOp["GET /"].Count < 80 || !slices.Contains(details[0].Requirements, "servers.web.expects.p95") {
		t.Errorf("details: %+v", details)
	}
	// Without load there is no result, and the ledger says why.
	w.in.Effort.Load, server.asked = 0, atomic.Int64{}
	if found, _ := w.judged("load/"); len(found) > 0 || server.asked.Load() > 0 {
		t.Errorf("no load was asked for: %v, %d requests", found, server.asked.Load())
	}
}

// A server that bears half of what is required breaks rate and latency, in two runs; a path that it does not have is named.
func TestLoadThatIsNotBorne(t *testing.T) {
	w := loaded(t, &queued{each: 15 * time.Millisecond}, "{rps: 100, p95: 100ms, requests: [{path: /, weight: 20}, {path: /missing}]}")
	w.in.Effort.Load = time.Second
	found, details := w.judged("load/web/")
	w.expect(found, "rps", validate.Fail, "required ≥ 100 req/s")
	w.expect(found, "p95", validate.Fail, "required ≤ 100 ms")
	w.expect(found, "requests[0]", validate.Pass, "GET /:")
	w.expect(found, "requests[1]", validate.Fail, "status 404")
	if r := found["rps"]; len(r.Places) != 1 || len(details) < 2 || len(r.Evidence) < 2 {
		t.Errorf("%d details, %+v", len(details), r)
	}
}

// In full, the knee of a server with a known limit is found, beside the verdicts, with what each host's resources were at.
func TestKneeOfAServerGroup(t *testing.T) {
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs a quiet machine for minutes: make measure")
	}
	const limit = 200
	w := loaded(t, &queued{each: time.Second / limit}, "{rps: 60, p95: 150ms, errors: 1%}")
	w.named("web-0").measures = inProcess(nil) // to be watched
	w.in.Only, w.in.Effort.Load = []string{Load}, 8*time.Second
	found, details := w.judged("load/web/")
	w.expect(found, "rps", validate.Pass, "required ≥ 60 req/s")
	i := slices.IndexFunc(details, func(d Detail) bool { return d.Knee != nil })
	if i < 0 {
		t.Fatalf("no knee in %d details", len(details))
	}
	k := details[i].Knee
	t.Logf("knee %.4g, not %.4g: %s; %s; %d trials; %s", k.Knee.Rate, k.Knee.Above, k.Knee.Breach, k.Knee.Open, len(k.Knee.Trials), k.Saturated.Evidence)
	if k.Knee.Rate < .9*limit || k.Knee.Rate > 1.1*limit || k.Required.P95 != 150*time.Millisecond || k.Unit != "req/s" {
		t.Errorf("%+v", k)
	}
	e := found["p95"].Evidence
	if j := slices.IndexFunc(e, func(e validate.Evidence) bool { return e.What == "knee" }); j < 0 || !strings.Contains(e[j].Got, "req/s, not ") {
		t.Errorf("evidence %+v", e)
	}
}

// What a run breaks that the generator itself limited says nothing of the target: here it is stopped and let go again and again.
func TestLoadThatTheGeneratorLimits(t *testing.T) {
	w := loaded(t, &queued{}, "{rps: 100, p95: 10ms}")
	w.in.Effort.Load = 600 * time.Millisecond
	w.disturbed = true
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	w.of("internet").measures = inProcess(func(p *os.Process) {
		go func() {
			for ctx.Err() == nil {
				time.Sleep(100 * time.Millisecond)
				if p.Signal(syscall.SIGSTOP) != nil {
					return
				}
				time.Sleep(60 * time.Millisecond)
				_ = p.Signal(syscall.SIGCONT)
			}
		}()
	})
	found, details := w.judged("load/web/")
	w.expect(found, "p95", validate.Unproven, "behind its own schedule") // whereas the rate may be met all the same
	if len(details) != mostLimited {
		t.Errorf("%d runs, want %d", len(details), mostLimited)
	}
}

// A group that only others call is driven from one of them, a public one from outside.
func TestWhereLoadComesFrom(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml", "uses: [databases.main, buckets.media]", "uses: [databases.main, buckets.media, servers.worker]",
		"uses: [buckets.logs]", "uses: [buckets.logs]\n    expects: {rps: 5, p95: 1s}")
	s := w.in.subject(t.Context())
	for group, want := range map[string]string{"servers.worker": "web-0", "servers.web": "outside"} {
		c, _ := s.Component(group)
		entry, from, url := entryOf(s, c)
		if to := s.HostsOf(entry.ID); from == nil || from.Name != want || len(to) == 0 || !strings.HasPrefix(url, "http://"+to[0].Address+":") {
			t.Errorf("%s is driven from %v through %s", group, from, url)
		}
	}
	w.in.Effort.Load = time.Second
	if checks := serverLoad(s, w.in); len(checks) != 1 || checks[0].id != "load/worker" || len(checks[0].parts) != 2 {
		t.Errorf("%+v", checks)
	}
}

// A host that cannot drive, and a stop in the midst: unproven, soon.
func TestLoadThatCannotBeDriven(t *testing.T) {
	w := loaded(t, &queued{}, "{rps: 100, p95: 300ms}")
	w.of("internet").measures = func(context.Context, stacks.Command) error { return errors.New("no way in") }
	found, _ := w.judged("load/web/")
	w.expect(found, "rps", validate.Unproven, "no way in")
	w.of("internet").measures = inProcess(nil)
	w.in.Effort.Load = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	w.in.Progress = func(check, text string) {
		if strings.Contains(text, "of 1m0s") {
			cancel()
		}
	}
	began := time.Now()
	results, err := Run(ctx, w.in, nil)
	i := slices.IndexFunc(results, func(r validate.Result) bool { return r.Check == "load/web/p95" })
	if err != nil || i < 0 || results[i].State != validate.Unproven || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v, %d %+v", time.Since(began), err, i, results)
	}
}

func TestLoadOfARealDatabase(t *testing.T) {
	server, err := servers.Postgres(t.Context())
	var absent servers.Absent
	if errors.As(err, &absent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	for name, c := range map[string]struct {
		expects, script       string
		tps, p95, transaction validate.State
	}{
		"mix":             {"{tps: 150, p95: 900ms}", "", validate.Pass, validate.Pass, ""},
		"own transaction": {"{tps: 150, p95: 5ms, transaction: slow.sql}", "SELECT pg_sleep(0.02);", validate.Pass, validate.Fail, validate.Pass},
	} {
		w := newWorld(t, "testdata/shop.yaml", "highAvailability: true}", "expects: "+c.expects+"}")
		w.in.Document.Dir = t.TempDir()
		if c.script != "" {
			if err := os.WriteFile(w.in.Document.Dir+"/slow.sql", []byte(c.script), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		u, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		w.in.Deployment.Resources["database-main"].Outputs["url"] = u.String()
		w.named("web-0").measures = inProcess(nil)
		w.in.Effort.Load = 1200 * time.Millisecond
		found, details := w.judged("database/main/load/")
		w.expect(found, "tps", c.tps, "offered, required ≥ 150 tx/s")
		w.expect(found, "p95", c.p95, "required ≤")
		if c.transaction != "" {
			w.expect(found, "transaction", c.transaction, "slow.sql")
		}
		if len(details) == 0 || details[0].From != "web-0" || details[0].Load.Unit != "tx/s" || strings.Contains(details[0].How, "password") {
			t.Errorf("%s: %+v", name, details)
		}
	}
}

func TestLoadOfARealStore(t *testing.T) {
	w := newWorld(t, "testdata/shop.yaml", "versioning: true}", "versioning: true, expects: {put: 1MiB/s, get: 100TiB/s}}")
	t.Chdir(".") // the store works in a folder of its own
	store, err := servers.ObjectStore(t.Context(), "shop-media")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Stop() })
	resources := w.in.Deployment.Resources
	resources["object-store"].Outputs["endpoint"] = store.Endpoint
	resources["bucket-media"].Outputs["name"] = "shop-media"
	for name, r := range resources {
		if r.Type == local.TypeGrant && strings.HasSuffix(name, "web-media") {
			r.Outputs["accessKey"], r.Outputs["secretKey"] = store.AccessKey, store.SecretKey
		}
	}
	w.named("web-0").measures = inProcess(nil)
	w.in.Effort.Load = time.Second
	found, details := w.judged("storage/media/")
	w.expect(found, "put throughput", validate.Pass, "required ≥ 1 MiB/s")
	w.expect(found, "get throughput", validate.Fail, "required ≥ ")
	if len(details) != 3 || details[0].Load.RateLow <= 0 || details[0].Load.Rate <= details[0].Load.RateLow || details[0].Load.RateLow >= details[0].Load.RateHigh || !details[0].Load.Outcome.Closed {
		t.Errorf("details: %+v", details)
	}
}
