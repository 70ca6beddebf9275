package benchmarks

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	drainEvery = 10 * time.Millisecond
	liveEvery  = 250 * time.Millisecond
	batchLimit = 1 << 17 // samples that may wait for the sink; then workers wait
)

// record is a sample and what the engine knows beside it.
type record struct {
	Sample
	late bool // started late because all workers were busy
	cut  bool // ended with the run
}

// collector takes records from the workers and gives samples to the sink, in order. Workers only append to a slice under a lock that
// is held for some ten nanoseconds; slices change hands and are used again, so that a run allocates nothing per operation.
type collector struct {
	sink func(Sample)

	lock  sync.Mutex
	room  *sync.Cond
	batch []record
	held  atomic.Int64 // nanoseconds that workers waited for room

	spare, sorted []record // of the collecting goroutine, as is all below
	done, failed  int
	late, cut     int
	abandoned     int
	lag           *hdrhistogram.Histogram // of the generator, in nanoseconds
	recent        window
}

func newCollector(sink func(Sample)) *collector {
	c := &collector{sink: sink, batch: make([]record, 0, 1024), spare: make([]record, 0, 1024), lag: newHistogram(2), recent: newWindow()}
	c.room = sync.NewCond(&c.lock)
	return c
}

// put takes a record from a worker.
func (c *collector) put(r record) {
	c.lock.Lock()
	if len(c.batch) >= batchLimit {
		began := time.Now()
		for len(c.batch) >= batchLimit {
			c.room.Wait()
		}
		c.held.Add(int64(time.Since(began)))
	}
	c.batch = append(c.batch, r)
	c.lock.Unlock()
}

// drain gives the sink what ended before an instant, in order of end.
func (c *collector) drain(before time.Duration) {
	c.lock.Lock()
	c.batch, c.spare = c.spare[:0], c.batch
	c.room.Broadcast()
	c.lock.Unlock()

	c.sorted = append(c.sorted, c.spare...)
	slices.SortStableFunc(c.sorted, func(a, b record) int { return cmp.Compare(a.Ended, b.Ended) })
	n := 0
	for n < len(c.sorted) && c.sorted[n].Ended <= before {
		c.take(&c.sorted[n])
		n++
	}
	c.sorted = c.sorted[:copy(c.sorted, c.sorted[n:])]
}

func (c *collector) take(r *record) {
	switch {
	case r.cut:
		c.cut++
		return
	case r.Class == ClassNotStarted:
		c.abandoned++
	default:
		c.done++
		if r.late {
			c.late++
		} else {
			_ = c.lag.RecordValue(clip(r.Started - r.Intended))
		}
	}
	if r.Class != "" {
		c.failed++
	}
	c.recent.add(r.Sample)
	c.sink(r.Sample)
}

// flush gives the sink all that is left, when no worker is any more.
func (c *collector) flush() { c.drain(1<<63 - 1) }

// drainIfFull makes room when no worker is any more.
func (c *collector) drainIfFull() {
	if len(c.batch) >= batchLimit {
		c.flush()
	}
}

func (c *collector) behind(percentile float64) time.Duration {
	return time.Duration(c.lag.ValueAtPercentile(percentile))
}
