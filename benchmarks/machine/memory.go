package machine

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"surety/benchmarks"
)

// MemoryOptions size the measurement of memory bandwidth.
type MemoryOptions struct {
	// ArrayBytes is the size of each of the three arrays; 0 is four times the last-level cache, STREAM's own rule, or what fits in half
	// of the memory that is free for this process when that is less.
	ArrayBytes  int64 `json:"arrayBytes,omitempty"`
	Threads     int   `json:"threads,omitempty"`     // 0: as many as this process has cores
	Repetitions int   `json:"repetitions,omitempty"` // of each kernel; 0 is 10
}

// scalar is the factor of scale and triad.
const scalar = 3.0

// streams are the four kernels that J. D. McCalpin's STREAM defined, with the bytes per element that it counts: what the program reads
// and writes, not the lines that the processor reads before it writes them.
var streams = []struct {
	name  string
	bytes int64
	run   func(a, b, c []float64)
}{
	{"copy", 16, func(a, _, c []float64) {
		c = c[:len(a)]
		for i, v := range a {
			c[i] = v
		}
	}},
	{"scale", 16, func(_, b, c []float64) {
		b = b[:len(c)]
		for i, v := range c {
			b[i] = scalar * v
		}
	}},
	{"add", 24, func(a, b, c []float64) {
		b, c = b[:len(a)], c[:len(a)]
		for i, v := range a {
			c[i] = v + b[i]
		}
	}},
	{"triad", 24, func(a, b, c []float64) {
		b, c = b[:len(a)], c[:len(a)]
		for i := range a {
			a[i] = b[i] + scalar*c[i]
		}
	}},
}

// Memory measures the bandwidth between processor and memory. Value is the median of the repetitions; How has the best, which is what
// STREAM prints, and says when the arrays are too small to be out of the cache's reach. The arrays' content is checked at the end.
func Memory(ctx context.Context, o MemoryOptions) ([]benchmarks.Measurement, error) {
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Repetitions == 0 {
		o.Repetitions = 10
	}
	if o.Threads < 1 || o.Repetitions < 1 || o.Repetitions > 200 { // beyond that the numbers grow past what a float64 holds
		return nil, fmt.Errorf("measure memory: %d threads, %d repetitions: at least 1 thread and 1 to 200 repetitions", o.Threads, o.Repetitions)
	}
	cache, free := lastLevelCache(), freeMemory()
	if o.ArrayBytes == 0 {
		o.ArrayBytes = min(4*max(cache, 16<<20), free/6)
	}
	n := int(o.ArrayBytes/8) / o.Threads * o.Threads
	if n == 0 || o.ArrayBytes*3 > free {
		return nil, fmt.Errorf("measure memory: three arrays of %d bytes do not fit in the %d that are free", o.ArrayBytes, free)
	}
	note := ""
	if o.ArrayBytes < 4*cache {
		note = fmt.Sprintf("; less than four times the last-level cache of %s, which may therefore have answered a part", sizeName(cache))
	}
	defer debug.FreeOSMemory() // the arrays are large: give them back now
	speeds, err := o.pass(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("measure memory: %w", err)
	}
	r := newReport()
	for k, s := range streams {
		values, best := speeds[k][1:], 0.0 // as in STREAM, the first pass does not count
		for _, v := range values {
			best = max(best, v)
		}
		how := fmt.Sprintf("three arrays of %d MiB, %d threads, median of %d passes, best %.3g B/s; scalar code in Go%s",
			int64(n)*8>>20, o.Threads, len(values), best, note)
		r.median("memory/"+s.name, "B/s", values, how)
	}
	return r.all, nil
}

// pass runs the kernels in turn over arrays of n elements, one pass more than asked for, and gives each pass's bandwidth by kernel.
func (o MemoryOptions) pass(ctx context.Context, n int) ([][]float64, error) {
	a, b, c := make([]float64, n), make([]float64, n), make([]float64, n)
	part := func(t int, s []float64) []float64 { return s[t*n/o.Threads : (t+1)*n/o.Threads] }
	all := func(run func(a, b, c []float64)) time.Duration {
		var wait sync.WaitGroup
		began := time.Now()
		for t := range o.Threads {
			wait.Go(func() { run(part(t, a), part(t, b), part(t, c)) })
		}
		wait.Wait()
		return time.Since(began)
	}
	all(func(a, b, c []float64) { // each thread touches its own part first, so that the pages lie near it
		for i := range a {
			a[i], b[i], c[i] = 1, 2, 0
		}
	})
	speeds := make([][]float64, len(streams))
	for range o.Repetitions + 1 {
		for k, s := range streams {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			speeds[k] = append(speeds[k], float64(s.bytes)*float64(n)/all(s.run).Seconds())
		}
	}
	return speeds, checkStreams(a, b, c, o.Repetitions+1)
}

// checkStreams compares all elements with what the passes must make of 1, 2 and 0: copy gives c = a, scale b = 3a, add c = 4a and triad
// a = 15a, each pass anew.
func checkStreams(a, b, c []float64, passes int) error {
	before := math.Pow(15, float64(passes-1))
	near := func(v, want float64) bool { return math.Abs(v-want) <= 1e-9*want }
	for i := range a {
		if !near(a[i], 15*before) || !near(b[i], 3*before) || !near(c[i], 4*before) {
			return fmt.Errorf("element %d is %v, %v and %v after %d passes", i, a[i], b[i], c[i], passes)
		}
	}
	return nil
}
