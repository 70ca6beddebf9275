package benchmarks

import (
	"fmt"
	"runtime"
	"time"
)

// Plan says how to load a target.
type Plan struct {
	Schedule Schedule
	// Workers bounds how many operations are under way at once. An open loop starts with a few and adds workers until this as
	// operations come due while all are busy; a closed loop has all of them from the start. At least 1.
	Workers int
	// WarmUp is the first part of the run that reports leave out: caches fill, connections open. Run only checks it.
	WarmUp time.Duration
	// Timeout ends an operation, some 10 ms late at most, and is how long operations still due at the schedule's end may wait for a worker.
	// 0 means 30 s.
	Timeout time.Duration
	// Stop is asked about every 250 ms whether to end early, and why. May be nil.
	Stop func(Live) (reason string, stop bool)
	// Progress is told about every 250 ms how the run goes, from the goroutine that calls the sink. May be nil.
	Progress func(Live)
}

// Live is how a run goes at a moment. Rates and percentiles are of the last second or two.
type Live struct {
	Elapsed  time.Duration
	Length   time.Duration // of the schedule
	Offered  int           // operations whose intended start has come, or in a closed loop that were started
	Done     int           // that are over
	Failed   int           // that are over and failed
	Busy     int           // workers in an operation now
	Workers  int           // workers there are now
	Rate     float64       // operations ended per second
	Failures float64       // share that failed, 0 to 1
	P50, P99 time.Duration // latency
	Behind   time.Duration // worst lag of the generator itself so far
}

// Outcome says how a run went as a run; what it measured is in the samples.
type Outcome struct {
	Started time.Time
	Took    time.Duration // until the last operation was over
	Stopped string        // why it ended early, "" when it did not
	Closed  bool          // a closed loop: its latencies are service times
	Offered int           // operations that the schedule wanted within the run
	Done    int           // that were started and came to an end
	Late    int           // that started late because all Plan.Workers were busy: the target's doing, and in their latency
	Cut     int           // that the end of the run cut off; they are in no sample
	Workers int           // workers that were needed, at most Plan.Workers

	// Behind is the worst lag of the generator itself: from the intended start of an operation for which a worker was, or could
	// have been, there, until it started. BehindP99 is its 99th percentile.
	Behind, BehindP99 time.Duration
	// Held is how long workers waited, in sum, because the sink did not keep up.
	Held time.Duration
	// CPU is the processor time that this whole process used, and CPUs how many it could use.
	CPU  time.Duration
	CPUs int
}

// Limits the generator may not exceed for its figures to be the target's.
const (
	behindLimit = 5 * time.Millisecond // at the 99th percentile of starts
	cpuLimit    = 0.9                  // of the processors this process may use
)

// Bottleneck says in what way the generator itself, rather than the target, limited the run; "" when it did not.
// It cannot see what other processes do with the processors, other than by its own lag.
func (o Outcome) Bottleneck() string {
	switch {
	case o.BehindP99 > behindLimit:
		return fmt.Sprintf("the generator ran behind its own schedule: 1 %% of the starts by %v or more, the worst by %v",
			o.BehindP99.Round(time.Microsecond), o.Behind.Round(time.Microsecond))
	case o.Took > 0 && o.CPU.Seconds() > cpuLimit*float64(o.CPUs)*o.Took.Seconds():
		return fmt.Sprintf("the generator's process used %.2f of %d processors", o.CPU.Seconds()/o.Took.Seconds(), o.CPUs)
	case o.Held > 0:
		return fmt.Sprintf("what takes the samples did not keep up: workers waited %v for it", o.Held.Round(time.Microsecond))
	}
	return ""
}

func (p Plan) check() (Plan, error) {
	switch {
	case p.Schedule == nil:
		return p, fmt.Errorf("plan a run: no schedule")
	case p.Schedule.Length() <= 0:
		return p, fmt.Errorf("plan a run: the schedule has no length")
	case p.Workers < 1:
		return p, fmt.Errorf("plan a run: %d workers, at least 1 is needed", p.Workers)
	case p.WarmUp < 0 || p.WarmUp >= p.Schedule.Length():
		return p, fmt.Errorf("plan a run: a warm-up of %v leaves nothing of %v", p.WarmUp, p.Schedule.Length())
	case p.Timeout < 0:
		return p, fmt.Errorf("plan a run: timeout %v is negative", p.Timeout)
	}
	if _, ok := p.Schedule.At(0); !ok {
		return p, fmt.Errorf("plan a run: the schedule has no operation")
	}
	if p.Timeout == 0 {
		p.Timeout = 30 * time.Second
	}
	return p, nil
}

func processors() int { return runtime.GOMAXPROCS(0) }
