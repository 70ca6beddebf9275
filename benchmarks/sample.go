// Package benchmarks generates load and measures what comes of it.
//
// The load is open-loop: a Schedule says when each operation is intended to start, whatever the target does, and latency is counted
// from that instant. An operation that could not start in time, because all workers waited for a slow target, has waited in the
// user's place, and the wait is part of its latency. A generator that counts from the actual start leaves exactly the bad moments out
// ("coordinated omission": G. Tene, How NOT to Measure Latency, 2013).
//
// Results are a stream of Samples; a Report, a raw file and every other view is a fold over that stream.
package benchmarks

import (
	"context"
	"time"
)

// Sample is one finished operation. All times are offsets from the run's start.
type Sample struct {
	Intended time.Duration // when the schedule wanted it to start
	Started  time.Duration // when a worker did start it
	Ended    time.Duration // when it was over, well or not
	Bytes    int64         // payload moved, as the operation counts it
	Class    string        // "" when it went well, else a short error class as "timeout" or "status 503"
	Op       string        // kind of operation in a mix, as "get"; "" when there is one kind
}

// Latency is what a user who arrived at the intended time saw: waiting for a worker, and the operation itself.
func (s Sample) Latency() time.Duration { return s.Ended - s.Intended }

// Service is the operation alone, from its actual start. It leaves the waiting out: use it to tell where time went, never as latency.
func (s Sample) Service() time.Duration { return s.Ended - s.Started }

// Operation does one operation as one of the workers, worker in [0, Plan.Workers), and gives the bytes it moved and its kind.
// A worker does one operation at a time, so state kept per worker needs no lock. The context ends when the operation has taken
// Plan.Timeout or the run is cancelled; it lives on through the worker's next operations, so an operation leaves nothing running.
type Operation func(ctx context.Context, worker int) (bytes int64, op string, err error)

// Fold is anything that samples can be poured into, one after another.
type Fold interface{ Add(Sample) }

// Pour gives a sink for Run that adds each sample to every fold.
func Pour(folds ...Fold) func(Sample) {
	return func(s Sample) {
		for _, fold := range folds {
			fold.Add(s)
		}
	}
}
