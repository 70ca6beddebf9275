package machine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"surety/benchmarks"
)

// CPUOptions say how long each of the four runs lasts: both kernels, on one core and on all.
type CPUOptions struct {
	Each time.Duration `json:"each"` // 0 is 2 s
}

// kernel is a piece of work whose result is known, so that a wrong answer is never counted as speed.
type kernel struct {
	name, unit string
	work       float64 // in units, of one call
	how        string
	start      func() (once func() error)
}

// kernels are scalar code in Go: what software compiled for any machine of this architecture gets, not what vector code could.
var kernels = []kernel{
	{"integer", "1/s", 1, "counts the primes up to 10,000 by trial division (64-bit division and branches; the event of sysbench's cpu test)", func() func() error {
		return func() error {
			if n := primes(10_000); n != 1229 {
				return fmt.Errorf("found %d primes below 10,000 instead of 1,229", n)
			}
			return nil
		}
	}},
	{"float", "FLOP/s", 2 * order * order * order, "multiplies two matrices of order 128 in float64 (scalar multiply and add, from the second-level cache)", newProduct},
}

// CPU measures each kernel on one core and on all that this process may use (Go's GOMAXPROCS, which heeds affinity and cgroup quotas).
// How says which share of the time the kernel really ran: less than all means that others, or a quota, took the rest.
func CPU(ctx context.Context, o CPUOptions) ([]benchmarks.Measurement, error) {
	if o.Each == 0 {
		o.Each = 2 * time.Second
	}
	if o.Each < shortest {
		return nil, fmt.Errorf("cpu: each run takes at least %v", shortest)
	}
	r := newReport()
	cores := runtime.GOMAXPROCS(0)
	for _, k := range kernels {
		for _, on := range []struct {
			name    string
			threads int
		}{{"one", 1}, {"all", cores}} {
			if err := r.cpu(ctx, k, on.name, on.threads, o.Each); err != nil {
				return r.all, fmt.Errorf("cpu %s on %d cores: %w", k.name, on.threads, err)
			}
		}
	}
	return r.all, nil
}

// cpu runs one kernel on some threads at once and adds its rate.
func (r *report) cpu(ctx context.Context, k kernel, name string, threads int, each time.Duration) error {
	parts := make([][]float64, threads)
	shares := make([]float64, threads)
	failures := make([]error, threads)
	begin := make(chan time.Time)
	var ready, done sync.WaitGroup
	for t := range threads {
		ready.Add(1)
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			once := k.start()
			failures[t] = once() // caches filled, code paged in
			parts[t] = make([]float64, each/slice)
			ready.Done()
			began := <-begin
			cpu := threadTime()
			for failures[t] == nil {
				if failures[t] = errors.Join(once(), ctx.Err()); failures[t] != nil {
					return
				}
				now := time.Since(began)
				s := int(now / slice)
				if s >= len(parts[t]) {
					shares[t] = min(1, float64(threadTime()-cpu)/float64(now))
					return
				}
				parts[t][s] += k.work
			}
		})
	}
	ready.Wait()
	began := time.Now()
	for range threads {
		begin <- began
	}
	done.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	sum, total := make([]float64, each/slice), 0.0
	for _, p := range parts {
		for s, v := range p {
			sum[s] += v
			total += v
		}
	}
	how := fmt.Sprintf("%s; %d of %d cores for %v, running %.0f %% of it", k.how, threads, runtime.NumCPU(), each, 100*slices.Min(shares))
	r.rate("cpu/"+k.name+"/"+name, k.unit, sum, total, time.Duration(len(sum))*slice, int64(total/k.work), how)
	return nil
}

// threadTime is the processor time that the calling thread has used.
func threadTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// primes counts the primes up to and including limit, by trying every divisor up to the root.
func primes(limit uint64) (count int) {
	for n := uint64(2); n <= limit; n++ {
		prime := true
		for d := uint64(2); d*d <= n; d++ {
			if n%d == 0 {
				prime = false
				break
			}
		}
		if prime {
			count++
		}
	}
	return count
}

const order = 128

// newProduct gives a matrix product whose entries are whole numbers, so that the sum of all must be exact: it is the sum over k of
// the k-th column's sum of a times the k-th row's sum of b.
func newProduct() func() error {
	a, b, c := make([]float64, order*order), make([]float64, order*order), make([]float64, order*order)
	columns, rows := make([]float64, order), make([]float64, order)
	for i := range order {
		for k := range order {
			a[i*order+k], b[i*order+k] = float64((i+2*k)%7), float64((3*i+k)%5)
			columns[k] += a[i*order+k]
			rows[i] += b[i*order+k]
		}
	}
	want := 0.0
	for k := range order {
		want += columns[k] * rows[k]
	}
	return func() error {
		clear(c)
		for i := range order {
			row := c[i*order : (i+1)*order]
			for k := range order {
				f, from := a[i*order+k], b[k*order:(k+1)*order]
				for j := range row {
					row[j] += f * from[j]
				}
			}
		}
		got := 0.0
		for _, v := range c {
			got += v
		}
		if got != want {
			return fmt.Errorf("the product's entries add up to %v instead of %v", got, want)
		}
		return nil
	}
}
