package benchmarks

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// worker does one operation at a time. It takes the next operation of the schedule, sleeps until that is due, and does it. When all
// workers are busy nobody takes the next one until it is late, and it starts late: the wait is in its latency.
type worker struct {
	*engine
	id    int
	alarm *alarm

	// since is when the operation under way started, as offset + 1, 0 when there is none, and expired when the watch ended it.
	since  atomic.Int64
	mu     sync.Mutex      // held while the context is ended or replaced
	ctx    context.Context // ends with the run at the latest
	cancel context.CancelFunc
}

const expired = -1

func (w *worker) work() {
	defer w.group.Done()
	defer w.alarm.close()
	if w.closed { // all together, at the start
		if err := w.alarm.until(0); err != nil && !w.halted() {
			w.fail(err)
		}
	}
	for !w.halted() {
		n := int(w.next.Add(1) - 1)
		due, ok := w.plan.Schedule.At(n)
		if !ok {
			return
		}
		late := false
		if w.closed {
			if w.now() >= w.length {
				return
			}
			w.offered.Add(1)
		} else if late, ok = w.wait(due); !ok {
			w.leave(due)
			return
		}
		w.do(due, late)
	}
}

// wait sleeps until an operation is due, and sees to it that somebody waits for the next one. It tells whether the operation was
// late already because all workers that the plan allows were busy, and false when the run ended meanwhile.
func (w *worker) wait(due time.Duration) (late, ok bool) {
	if w.now() > due {
		late = int(w.count.Load()) == w.plan.Workers
	} else {
		w.waiting.Add(1)
		err := w.alarm.until(due)
		w.waiting.Add(-1)
		if err != nil && !w.halted() {
			w.fail(err)
		}
	}
	if w.halted() {
		return late, false
	}
	if w.waiting.Load() == 0 {
		w.hire()
	}
	return late, true
}

func (w *worker) do(due time.Duration, late bool) {
	r := record{late: late}
	r.Started = w.now()
	if r.Intended = due; w.closed {
		r.Intended = r.Started
	}
	w.busy.Add(1)
	w.since.Store(int64(r.Started) + 1)
	bytes, op, err := w.operation(w.ctx, w.id)
	r.Ended = w.now()
	w.busy.Add(-1)
	r.Bytes, r.Op = bytes, op
	timely := w.since.CompareAndSwap(int64(r.Started)+1, 0)
	if err != nil {
		switch {
		case w.base.Err() != nil:
			r.cut = true
		case timely:
			r.Class = Class(err)
		default:
			r.Class = ClassTimeout
		}
	}
	if !timely {
		w.renew()
	}
	w.put(r)
}

// expire ends the operation under way when it has taken too long.
func (w *worker) expire(now time.Duration) {
	since := w.since.Load()
	if since <= 0 || now-time.Duration(since-1) < w.plan.Timeout {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.since.CompareAndSwap(since, expired) {
		w.cancel()
	}
}

// renew gives the worker a new context after its last was ended. Contexts are not made per operation: that costs more than many an
// operation does.
func (w *worker) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since.Store(0)
	w.ctx, w.cancel = context.WithCancel(w.base)
}
