package web

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"surety/benchmarks"
)

// A server that stalls for 500 ms once a second keeps half of its users waiting, for up to 500 ms: the true p99 is about 490 ms. A
// client that waits for each answer before it asks again sends nothing while the server stalls, sees one slow answer in hundreds, and
// reports a p99 without the stall. This test is the reason why the engine is as it is.
func TestAStallIsInThePercentiles(t *testing.T) {
	var stall sync.RWMutex
	stop := make(chan struct{})
	var stalling sync.WaitGroup
	stalling.Go(func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-stop:
				return
			case <-second.C:
				stall.Lock()
				time.Sleep(500 * time.Millisecond)
				stall.Unlock()
			}
		}
	})
	defer stalling.Wait()
	defer close(stop)
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(500 * time.Microsecond)
		stall.RLock()
		defer stall.RUnlock()
	})

	measure := func(schedule benchmarks.Schedule, workers int) benchmarks.Latency {
		report := benchmarks.NewReport(0)
		plan := benchmarks.Plan{Schedule: schedule, Workers: workers, Timeout: 5 * time.Second}
		if _, err := benchmarks.Run(t.Context(), plan, driver(t, Options{Workers: workers}, Request{URL: url}).Do, report.Add); err != nil {
			t.Fatal(err)
		}
		result := report.Result()
		if result.Total.Failed > 0 {
			t.Errorf("failed: %v", result.Total.Errors)
		}
		return result.Total.Latency
	}
	open := measure(benchmarks.Constant(100, 4*time.Second), 100)
	bounded := measure(benchmarks.Constant(250, 4*time.Second), 1) // by service time alone, 1 in 250 would show the stall
	loop := measure(benchmarks.Closed(4*time.Second), 1)
	t.Logf("open loop, 100 workers: p50 %v p99 %v [%v, %v]", open.P50.Value, open.P99.Value, open.P99.Low, open.P99.High)
	t.Logf("open loop, 1 worker:    p50 %v p99 %v [%v, %v]", bounded.P50.Value, bounded.P99.Value, bounded.P99.Low, bounded.P99.High)
	t.Logf("closed loop:            p50 %v p99 %v of %d", loop.P50.Value, loop.P99.Value, loop.Count)
	for name, l := range map[string]benchmarks.Latency{"open loop": open, "open loop with one worker": bounded} {
		if l.P99.Value < 420*time.Millisecond {
			t.Errorf("%s: p99 %v hides a stall of 500 ms in every second", name, l.P99.Value)
		}
	}
	if loop.P99.Value > 250*time.Millisecond {
		t.Errorf("a closed loop has p99 %v: it no longer shows what this engine avoids", loop.P99.Value)
	}
}
