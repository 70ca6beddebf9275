package benchmarks

import (
	"fmt"
	"math"
	"time"
)

// Schedule says when operations are intended to start.
type Schedule interface {
	// Length is how long operations are started for.
	Length() time.Duration
	// At gives when the n-th operation, counted from 0, is intended to start, and false when there is no such operation.
	// It grows with n, is the same each time it is asked, and may be asked from several goroutines at once.
	At(n int) (time.Duration, bool)
}

// phase is a part of a schedule whose rate changes evenly.
type phase struct {
	from, to float64       // operations per second
	length   time.Duration // of the phase
	begins   time.Duration // offset from the run's start
	before   float64       // operations of all earlier phases; need not be whole
}

// phases is a schedule of parts, one after another.
type phases struct {
	parts  []phase
	length time.Duration
	total  int
	name   string
}

func newPhases(name string, parts ...phase) phases {
	s := phases{name: name}
	var sum float64
	for _, part := range parts {
		part.from, part.to = max(part.from, 0), max(part.to, 0)
		part.length = max(part.length, 0)
		part.begins, part.before = s.length, sum
		sum += (part.from + part.to) / 2 * part.length.Seconds()
		s.length += part.length
		s.parts = append(s.parts, part)
	}
	// An operation due at the very end is not started; the tolerance is for rates that binary fractions only approach.
	s.total = int(math.Ceil(sum - 1e-6))
	return s
}

// Length is the sum of the parts.
func (s phases) Length() time.Duration { return s.length }

// String says what the schedule is, in operations per second.
func (s phases) String() string { return s.name }

// At inverts the integral of the rate: the n-th operation is due when n operations' worth of rate has passed.
func (s phases) At(n int) (time.Duration, bool) {
	if n < 0 || n >= s.total {
		return 0, false
	}
	i := len(s.parts) - 1
	for i > 0 && float64(n) < s.parts[i].before {
		i--
	}
	part := s.parts[i]
	seconds := inverse(float64(n)-part.before, part.from, part.to, part.length.Seconds())
	return part.begins + time.Duration(seconds*float64(time.Second)), true
}

// inverse solves from·t + (to-from)·t²/(2·length) = n for t, in the form of the quadratic formula that loses no digits when the
// rate hardly changes (N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §1.8).
func inverse(n, from, to, length float64) float64 {
	if n <= 0 {
		return 0
	}
	slope := (to - from) / length
	return min(length, 2*n/(from+math.Sqrt(max(0, from*from+2*slope*n))))
}

// Constant starts rate operations per second, evenly, for d.
func Constant(rate float64, d time.Duration) Schedule {
	return newPhases(fmt.Sprintf("%g/s for %v", rate, d), phase{from: rate, to: rate, length: d})
}

// Ramp changes the rate evenly from one to another within d. Rates are operations per second.
func Ramp(from, to float64, d time.Duration) Schedule {
	return newPhases(fmt.Sprintf("%g/s to %g/s in %v", from, to, d), phase{from: from, to: to, length: d})
}

// Steps holds each rate, in operations per second, for the same time.
func Steps(rates []float64, each time.Duration) Schedule {
	parts := make([]phase, len(rates))
	for i, rate := range rates {
		parts[i] = phase{from: rate, to: rate, length: each}
	}
	return newPhases(fmt.Sprintf("steps of %v at %v/s", each, rates), parts...)
}

// Spike holds a base rate, a peak and the base rate again. Rates are operations per second.
func Spike(base, peak float64, before, during, after time.Duration) Schedule {
	return newPhases(fmt.Sprintf("%g/s, for %v %g/s, then %g/s", base, during, peak, base),
		phase{from: base, to: base, length: before}, phase{from: peak, to: peak, length: during}, phase{from: base, to: base, length: after})
}

// closed is the schedule of a closed loop.
type closed struct{ length time.Duration }

// Closed lets every worker start its next operation as soon as its last is over, for d: the intended start is the actual one, so
// latencies say nothing of what users at a given rate would see. It is for finding the most that a target does, as pgbench's tps.
func Closed(d time.Duration) Schedule { return closed{length: d} }

func (c closed) Length() time.Duration        { return c.length }
func (c closed) At(int) (time.Duration, bool) { return 0, true }
func (c closed) String() string               { return fmt.Sprintf("closed loop for %v", c.length) }
