package knee

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/web"
)

// queue is a server that has some backend connections, each of which serves one request at a time for a fixed time: it serves
// limit requests per second, and queues what comes above. Nothing else of it is scarce.
type queue struct {
	mu   sync.Mutex
	free []time.Time // when each backend connection becomes free
	each time.Duration
}

func newQueue(limit float64, connections int) *queue {
	return &queue{free: make([]time.Time, connections), each: time.Duration(float64(connections) / limit * float64(time.Second))}
}

func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	next := 0
	for i := range q.free {
		if q.free[i].Before(q.free[next]) {
			next = i
		}
	}
	now := time.Now()
	start := now
	if q.free[next].After(now) {
		start = q.free[next]
	}
	end := start.Add(q.each)
	q.free[next] = end
	q.mu.Unlock()
	time.Sleep(time.Until(end))
}

// busy is the share of the backend connections in use at this moment.
func (q *queue) busy() (share float64, figure string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	n := 0
	for _, until := range q.free {
		if until.After(now) {
			n++
		}
	}
	return float64(n) / float64(len(q.free)), fmt.Sprintf("%d of %d backend connections", n, len(q.free))
}

// sampler measures what of this process, which is server and client in one, is in use.
func (q *queue) sampler() Sampler {
	var at time.Time
	var used time.Duration
	return func(context.Context) ([]Use, error) {
		now := time.Now()
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return nil, err
		}
		spent := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		processors := float64(spent-used) / float64(now.Sub(at))
		at, used = now, spent
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		share, figure := q.busy()
		return []Use{
			{Host: "queue", Resource: CPU, Share: processors / float64(runtime.NumCPU()), Figure: fmt.Sprintf("%.2f processors", processors)},
			{Host: "queue", Resource: Memory, Share: float64(memory.HeapInuse) / (1 << 30), Figure: fmt.Sprintf("%d MiB of 1 GiB", memory.HeapInuse>>20)},
			{Host: "queue", Resource: Connections, Share: share, Figure: figure},
		}, nil
	}
}

// needsQuiet skips what loads a real server for half a minute, whose knee another load on the machine would move.
func needsQuiet(t *testing.T) {
	t.Helper()
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs a quiet machine for minutes: make measure")
	}
}

func TestKneeOfAQueueWithAKnownLimit(t *testing.T) {
	needsQuiet(t)
	const limit = 300
	server := newQueue(limit, 10)
	listening := httptest.NewServer(server)
	defer listening.Close()
	const workers, length, warmUp = 500, 1800 * time.Millisecond, 300 * time.Millisecond
	usages := map[float64]Usage{}
	trial := func(ctx context.Context, rate float64) (Trial, error) {
		driver, err := web.New(web.Options{Workers: workers}, web.Request{URL: listening.URL})
		if err != nil {
			return Trial{}, err
		}
		defer driver.Close()
		report := benchmarks.NewReport(warmUp).Until(length)
		stop := Watch(ctx, rate, 50*time.Millisecond, server.sampler())
		outcome, err := benchmarks.Run(ctx, benchmarks.Plan{Schedule: benchmarks.Constant(rate, length), Workers: workers, WarmUp: warmUp, Timeout: 5 * time.Second}, driver.Do, report.Add)
		usages[rate] = stop()
		return Judge(rate, outcome, report.Result()), err
	}
	knee, err := Find(t.Context(), Search{
		Limits: Limits{P95: 100 * time.Millisecond, Errors: 0.001}, Start: 70, Most: 10000, Tolerance: 0.04,
		Progress: func(trial Trial, breach string) {
			t.Logf("%6.1f/s: p95 %7v, %.1f/s went well  %s", trial.Rate, round(trial.P95), trial.Achieved, breach)
		},
	}, trial)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("knee %.4g/s, not at %.4g/s: %s %s", knee.Rate, knee.Above, knee.Breach, knee.Open)
	if knee.Rate < 0.9*limit || knee.Rate > 1.1*limit {
		t.Errorf("the knee of a server with a limit of %d/s is found at %.4g/s", limit, knee.Rate)
	}
	rates := make([]float64, 0, len(usages))
	for rate := range usages {
		rates = append(rates, rate)
	}
	slices.Sort(rates)
	found := Saturated(usages[knee.Above], usages[rates[0]])
	t.Logf("%s", found.Evidence)
	if found.Resource != Connections || found.Host != "queue" || len(found.Also) > 0 {
		t.Errorf("its %d backend connections are what it lacks, and this is named: %+v", len(server.free), found)
	}
	if calm := Saturated(usages[rates[0]], Usage{}); calm.Found() {
		t.Errorf("at a quarter of the limit nothing is saturated, and this is named: %+v", calm)
	}
}
