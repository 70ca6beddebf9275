package history

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// simulate runs clients on a register whose operations take effect at one moment between call and return: what it gives is
// linearizable by construction. A share of the answers is lost; of these half have happened.
func simulate(r *rand.Rand, clients, each int, lost float64, swaps bool) []Operation {
	type event struct {
		at   time.Duration
		op   *Operation
		lost bool
	}
	var ops []*Operation
	var events []event
	for c := range clients {
		now := time.Duration(r.IntN(20))
		for n := range each {
			o := &Operation{Client: c, Key: "k", Value: fmt.Sprintf("c%d.%d", c, n), Called: now}
			o.Kind = []Kind{Read, Read, List, Write, Write, Delete, Swap}[r.IntN(6+map[bool]int{true: 1}[swaps])]
			o.Returned = now + 1 + time.Duration(r.IntN(40))
			point := now + time.Duration(r.Int64N(int64(o.Returned-now)+1))
			gone := false
			if r.Float64() < lost {
				if !o.writes() && o.Kind != Swap {
					o.Kind = Write
				}
				o.Unknown, gone = true, r.IntN(2) == 0
				point = now + time.Duration(r.IntN(200)) // also long after the client gave up
			}
			now = o.Returned + 1 + time.Duration(r.IntN(10))
			ops = append(ops, o)
			events = append(events, event{point, o, gone})
		}
	}
	value, written := "", []string{""}
	for len(events) > 0 {
		first := 0
		for i, e := range events {
			if e.at < events[first].at {
				first = i
			}
		}
		e := events[first]
		events = append(events[:first], events[first+1:]...)
		switch {
		case e.op.Kind == Swap:
			if e.op.Expected = value; r.IntN(3) == 0 {
				e.op.Expected = written[r.IntN(len(written))]
			}
			if !e.op.Unknown {
				e.op.Saw = value
			}
			if !e.lost && e.op.Expected == value {
				value = e.op.Value
				written = append(written, value)
			}
		case e.op.Observes():
			e.op.Saw = value
		case !e.lost:
			if value = e.op.leaves(); value != "" {
				written = append(written, value)
			}
		}
	}
	all := make([]Operation, len(ops))
	for i, o := range ops {
		if o.Kind != Write && o.Kind != Swap {
			o.Value = ""
		}
		o.Called, o.Returned = o.Called*time.Millisecond, o.Returned*time.Millisecond
		all[i] = *o
	}
	byCall(all)
	return all
}

// disturb gives one read the value of an earlier write instead of what it saw; false when there is none to disturb.
func disturb(r *rand.Rand, ops []Operation) bool {
	for _, i := range r.Perm(len(ops)) {
		for _, j := range r.Perm(len(ops)) {
			if ops[i].Kind == Read && ops[j].Kind == Write && !ops[j].Unknown && ops[j].Returned < ops[i].Called && ops[i].Saw != ops[j].Value {
				ops[i].Saw = ops[j].Value
				return true
			}
		}
	}
	return false
}

// exhaustive decides linearizability by trying every order, with every subset of the unknown operations: slow, and plainly right.
func exhaustive(ops []Operation) bool {
	var try func(done uint64, value string) bool
	try = func(done uint64, value string) bool {
		ready := forever // operations called after this must wait for one that is not placed
		all := true
		for i, o := range ops {
			if done&(1<<i) == 0 && !o.Unknown {
				ready, all = min(ready, o.Returned), false
			}
		}
		if all {
			return true
		}
		for i, o := range ops {
			if done&(1<<i) != 0 || o.Called > ready {
				continue
			}
			next, fits := value, true
			switch o.Kind {
			case Read, List:
				fits = o.Saw == value
			case Write, Delete:
				next = o.leaves()
			case Swap:
				if fits = o.Unknown || o.Saw == value; o.Expected == value {
					next = o.Value
				}
			}
			if fits && try(done|1<<i, next) {
				return true
			}
		}
		return false
	}
	return try(0, "")
}
