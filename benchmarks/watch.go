package benchmarks

import (
	"context"
	"math"
	"sort"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// watch hands samples on, ends operations that take too long, and ends the run, until all workers have left.
func (e *engine) watch(ctx context.Context, over <-chan struct{}) {
	drain := time.NewTicker(drainEvery)
	defer drain.Stop()
	cancelled := ctx.Done()
	nextLive := liveEvery
	for {
		select {
		case <-over:
			return
		case <-cancelled:
			cancelled = nil
			e.halt(e.now(), "cancelled")
		case <-drain.C:
			now := e.now()
			e.drain(now - drainEvery)
			e.expire(now)
			if now >= nextLive {
				nextLive = now + liveEvery
				e.tell(now)
			}
			if now > e.length+e.plan.Timeout {
				e.halt(e.length, "")
			}
		}
	}
}

func (e *engine) expire(now time.Duration) {
	e.mu.Lock()
	workers := e.workers
	e.mu.Unlock()
	for _, w := range workers {
		w.expire(now)
	}
}

// tell reports the run to those who asked for it.
func (e *engine) tell(now time.Duration) {
	if e.plan.Progress == nil && e.plan.Stop == nil {
		return
	}
	live := e.live(now)
	if e.plan.Progress != nil {
		e.plan.Progress(live)
	}
	if e.plan.Stop != nil && !e.halted() {
		if reason, stop := e.plan.Stop(live); stop {
			e.halt(now, reason)
		}
	}
}

func (e *engine) live(now time.Duration) Live {
	live := Live{
		Elapsed: now, Length: e.length, Done: e.done, Failed: e.failed, Busy: int(e.busy.Load()), Workers: int(e.count.Load()),
		Behind: e.behind(100), Offered: int(e.offered.Load()),
	}
	if !e.closed {
		live.Offered = e.dueBy(now)
	}
	live.Rate, live.Failures, live.P50, live.P99 = e.recent.read(now)
	return live
}

// dueBy counts the operations of the schedule whose intended start has come.
func (e *engine) dueBy(now time.Duration) int {
	return sort.Search(math.MaxInt32, func(n int) bool {
		due, ok := e.plan.Schedule.At(n)
		return !ok || due > now
	})
}

// window is what happened in the second before, and in this one so far.
type window struct {
	began, turned time.Duration // of the older half, of the newer one
	older, newer  half
	merged        *hdrhistogram.Histogram
}

type half struct {
	latency      *hdrhistogram.Histogram
	done, failed int
}

func newWindow() window {
	return window{older: half{latency: newHistogram(2)}, newer: half{latency: newHistogram(2)}, merged: newHistogram(2)}
}

func (w *window) add(s Sample) {
	if s.Ended-w.turned >= time.Second {
		w.older, w.newer = w.newer, w.older
		w.began, w.turned = w.turned, s.Ended
		w.newer.latency.Reset()
		w.newer.done, w.newer.failed = 0, 0
	}
	_ = w.newer.latency.RecordValue(clip(s.Latency()))
	w.newer.done++
	if s.Class != "" {
		w.newer.failed++
	}
}

func (w *window) read(now time.Duration) (rate, failures float64, p50, p99 time.Duration) {
	done, failed := w.older.done+w.newer.done, w.older.failed+w.newer.failed
	if done == 0 || now <= w.began {
		return 0, 0, 0, 0
	}
	w.merged.Reset()
	w.merged.Merge(w.older.latency)
	w.merged.Merge(w.newer.latency)
	return float64(done) / (now - w.began).Seconds(), float64(failed) / float64(done),
		time.Duration(w.merged.ValueAtPercentile(50)), time.Duration(w.merged.ValueAtPercentile(99))
}
