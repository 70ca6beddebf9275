package benchmarks

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lead is how long before its start a run has its first workers wait.
const lead = 2 * time.Millisecond

// firstWorkers is how many workers an open loop begins with.
const firstWorkers = 4

// engine is one run.
type engine struct {
	plan      Plan
	operation Operation
	start     time.Time
	length    time.Duration
	closed    bool

	base context.Context // of all operations
	stop context.CancelCauseFunc

	next    atomic.Int64 // operation of the schedule to be taken next
	offered atomic.Int64 // in a closed loop
	waiting atomic.Int64 // workers that sleep until their operation is due
	busy    atomic.Int64 // workers in an operation
	count   atomic.Int64 // workers there are
	end     atomic.Int64 // offset from which nothing is started any more
	group   sync.WaitGroup

	mu      sync.Mutex // of workers and why
	workers []*worker
	why     string // the run ended early
	fault   error  // of the engine itself

	*collector
}

func (e *engine) now() time.Duration { return time.Since(e.start) }

func (e *engine) halted() bool { return e.end.Load() != math.MaxInt64 }

// Run loads a target by the plan and gives each finished operation to sink, from one goroutine and in order of end (but for an
// operation whose worker was kept from the processor for more than 10 ms when it ended). It returns when all operations are over.
//
// An operation still due when the schedule ends is started as soon as a worker is free, for at most Plan.Timeout; what is left then
// is given to sink as failed, with ClassNotStarted and the time that it had waited. When the context ends, operations are cut off,
// and the error is the context's; the outcome tells how far the run came.
func Run(ctx context.Context, plan Plan, operation Operation, sink func(Sample)) (Outcome, error) {
	plan, err := plan.check()
	if err != nil {
		return Outcome{}, err
	}
	e := &engine{plan: plan, operation: operation, length: plan.Schedule.Length(), start: time.Now().Add(lead), collector: newCollector(sink)}
	_, e.closed = plan.Schedule.(closed)
	e.base, e.stop = context.WithCancelCause(ctx)
	defer e.stop(nil)
	e.end.Store(math.MaxInt64)

	before := processorTime()
	first := min(plan.Workers, firstWorkers)
	if e.closed {
		first = plan.Workers
	}
	for range first {
		e.hire()
	}
	over := make(chan struct{})
	go func() {
		e.group.Wait()
		close(over)
	}()
	e.watch(ctx, over)
	e.abandon()
	e.flush()
	return e.outcome(processorTime() - before), e.failure(ctx)
}

// hire adds a worker, if the plan allows another.
func (e *engine) hire() {
	if int(e.count.Load()) >= e.plan.Workers {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	id := len(e.workers)
	if id >= e.plan.Workers || e.halted() {
		return
	}
	bell, err := newAlarm(e.start)
	if err != nil {
		if e.fault == nil {
			e.fault = err
		}
		e.haltLocked(e.now(), "the generator failed")
		return
	}
	w := &worker{engine: e, id: id, alarm: bell}
	w.ctx, w.cancel = context.WithCancel(e.base)
	e.workers = append(e.workers, w)
	e.count.Store(int64(len(e.workers)))
	e.group.Add(1)
	go w.work()
}

// halt lets nothing be started any more, and says why when that is before the schedule's end.
func (e *engine) halt(at time.Duration, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.haltLocked(at, why)
}

func (e *engine) haltLocked(at time.Duration, why string) {
	if !e.end.CompareAndSwap(math.MaxInt64, int64(min(max(at, 0), e.length))) {
		return
	}
	e.why = why
	for _, w := range e.workers {
		w.alarm.stop()
	}
}

func (e *engine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault == nil {
		e.fault = err
	}
	e.haltLocked(e.now(), "the generator failed")
}

func (e *engine) failure(ctx context.Context) error {
	if e.fault != nil {
		return e.fault
	}
	return context.Cause(ctx)
}

// leave accounts for an operation that was taken and will not be started.
func (e *engine) leave(due time.Duration) {
	if int64(due) > e.end.Load() {
		return
	}
	now := e.now()
	e.put(record{Sample: Sample{Intended: due, Started: now, Ended: now, Class: ClassNotStarted}, cut: e.base.Err() != nil})
}

// abandon accounts for the operations that nobody took though they were due.
func (e *engine) abandon() {
	if e.closed {
		return
	}
	for {
		e.drainIfFull()
		due, ok := e.plan.Schedule.At(int(e.next.Add(1) - 1))
		if !ok || int64(due) > e.end.Load() {
			return
		}
		e.leave(due)
	}
}

func (e *engine) outcome(cpu time.Duration) Outcome {
	offered := e.done + e.cut + e.abandoned
	if e.closed {
		offered = int(e.offered.Load())
	}
	return Outcome{
		Started: e.start, Took: e.now(), Stopped: e.why, Closed: e.closed, Offered: offered, Done: e.done, Late: e.late, Cut: e.cut,
		Workers: len(e.workers), Behind: e.behind(100), BehindP99: e.behind(99), Held: time.Duration(e.held.Load()),
		CPU: cpu, CPUs: processors(),
	}
}

// processorTime is what this process used so far, in user and kernel mode.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
