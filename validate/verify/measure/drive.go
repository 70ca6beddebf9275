package measure

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/web"
)

// Bounds of a session. They keep a faulty request from exhausting the host it runs on.
const (
	defaultWorkers = 64
	maxWorkers     = 4096
	maxFor         = time.Hour
	maxRate        = 1e6
	maxSteps       = 1000
	maxSamples     = maxLine / 2 // bytes; they are half as long again in JSON
	defaultTimeout = 10 * time.Second
	removal        = 25 * time.Second // for removing what a session made, also after its end was asked for
)

// target is what a session drives, ready to be driven.
type target struct {
	operation benchmarks.Operation
	refresh   func(ctx context.Context) error // before each run; may be nil
	close     func()                          // connections
	remove    func(ctx context.Context) error // what was made; may be nil
}

// session opens what the setup names, does one run for each order, and removes what it made.
func (in *inside) session(ctx context.Context, setup Setup) (err error) {
	workers := cmp.Or(setup.Workers, defaultWorkers)
	if workers < 1 || workers > maxWorkers {
		return fmt.Errorf("a session has 1 to %d workers, not %d", maxWorkers, workers)
	}
	t, err := open(ctx, setup, workers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.end(ctx)) }()
	in.tell(reply{Ready: true})
	for {
		select {
		case <-ctx.Done():
			return nil
		case o, ok := <-in.orders:
			if !ok {
				return nil
			}
			if o.Run != nil {
				in.run(ctx, t, *o.Run, workers, setup.secrets())
			}
		}
	}
}

// open makes the target; after an error nothing of it is left.
func open(ctx context.Context, setup Setup, workers int) (*target, error) {
	switch {
	case setup.Web != nil:
		return openWeb(ctx, *setup.Web, workers)
	case setup.SQL != nil:
		return openSQL(ctx, *setup.SQL, workers)
	case setup.Redis != nil:
		return openRedis(ctx, *setup.Redis, workers)
	case setup.Objects != nil:
		return openObjects(ctx, *setup.Objects, workers)
	}
	return nil, errors.New("the session's setup names nothing to drive")
}

// end closes and removes, within a time of its own: the context is usually over by then.
func (t *target) end(ctx context.Context) error {
	t.close()
	if t.remove == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removal)
	defer cancel()
	return t.remove(ctx)
}

// run does one run and tells how it went. Orders to stop are heard meanwhile.
func (in *inside) run(ctx context.Context, t *target, r Run, workers int, s secrets) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type finding struct {
		result Result
		err    error
	}
	live, done := make(chan benchmarks.Live, 1), make(chan finding, 1)
	go func() {
		result, err := t.run(ctx, r, workers, func(l benchmarks.Live) {
			select {
			case live <- l:
			default: // the stream does not keep up: the load must not wait for it
			}
		})
		done <- finding{result, err}
	}()
	orders := in.orders
	for {
		select {
		case l := <-live:
			in.tell(reply{Live: &l})
		case o, ok := <-orders:
			if !ok {
				orders = nil // ctx ends with it
			} else if o.Stop {
				cancel()
			}
		case f := <-done:
			in.tell(reply{Result: &f.result, Error: s.clean(f.err)})
			return
		}
	}
}

func (t *target) run(ctx context.Context, r Run, workers int, progress func(benchmarks.Live)) (Result, error) {
	schedule, err := r.schedule()
	if err != nil {
		return Result{}, err
	}
	if r.Workers < 0 || r.Workers > workers {
		return Result{}, fmt.Errorf("a run of this session has up to %d workers, not %d", workers, r.Workers)
	}
	if t.refresh != nil {
		if err := t.refresh(ctx); err != nil {
			return Result{}, err
		}
	}
	report := benchmarks.NewReport(r.WarmUp).Until(schedule.Length())
	folds := []benchmarks.Fold{report}
	var samples bounded
	var raw *benchmarks.RawWriter
	if r.Raw {
		raw = benchmarks.WriteSamples(&samples)
		folds = append(folds, raw)
	}
	plan := benchmarks.Plan{Schedule: schedule, Workers: cmp.Or(r.Workers, workers), WarmUp: r.WarmUp, Timeout: cmp.Or(r.Timeout, defaultTimeout), Progress: progress}
	outcome, err := benchmarks.Run(ctx, plan, t.operation, benchmarks.Pour(folds...))
	result := Result{Outcome: outcome, Result: report.Result(), Fingerprint: benchmarks.ThisMachine()}
	if raw != nil {
		if failed := raw.Close(); failed != nil {
			err = errors.Join(err, failed)
		} else {
			result.Samples = samples.Bytes()
		}
	}
	return result, err
}

func (r Run) schedule() (benchmarks.Schedule, error) {
	if r.For <= 0 || r.For > maxFor || r.Rate < 0 || r.Rate > maxRate || len(r.Ramp) > maxSteps || r.Timeout < 0 || r.Timeout > maxFor {
		return nil, fmt.Errorf("a run lasts up to %v, at up to %g/s in up to %d steps", maxFor, float64(maxRate), maxSteps)
	}
	for _, rate := range r.Ramp {
		if rate < 0 || rate > maxRate {
			return nil, fmt.Errorf("a step of %g/s is not between 0 and %g", rate, float64(maxRate))
		}
	}
	switch {
	case len(r.Ramp) > 0:
		return benchmarks.Steps(r.Ramp, r.For/time.Duration(len(r.Ramp))), nil
	case r.Rate > 0:
		return benchmarks.Constant(r.Rate, r.For), nil
	}
	return benchmarks.Closed(r.For), nil
}

// bounded keeps what is written up to a bound, and refuses more.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxSamples {
		return 0, fmt.Errorf("there are more than %d MiB of samples: ask for a shorter run, or for none", maxSamples>>20)
	}
	return b.Buffer.Write(p)
}

// openWeb makes the driver and sends one request, so that a server that cannot be reached is told as such. A status that is not
// expected is no reason to stop: it is what the run counts.
func openWeb(ctx context.Context, w Web, workers int) (*target, error) {
	d, err := web.New(web.Options{Workers: workers, Connections: w.Connections}, w.Requests...)
	if err != nil {
		return nil, err
	}
	t := &target{operation: d.Do, close: func() { _ = d.Close() }}
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	if _, _, err := d.Do(ctx, 0); err != nil && !isStatus(err) {
		t.close()
		return nil, fmt.Errorf("the first request failed: %w", err)
	}
	return t, nil
}

func isStatus(err error) bool {
	failure, ok := errors.AsType[*benchmarks.Failure](err)
	return ok && failure.Err == nil // web's own failures for statuses have no cause
}
