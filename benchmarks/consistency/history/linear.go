package history

import (
	"time"

	"github.com/anishathalye/porcupine"
)

// Verdict is what a check of a history found.
type Verdict string

// Verdicts of a check.
const (
	Holds     Verdict = "holds"
	Violated  Verdict = "violated"
	Undecided Verdict = "undecided" // the check ran out of time
)

// state is what a register holds. With any set nothing is known of it yet: whatever is seen first is right.
type state struct {
	value string
	any   bool
}

// register is the sequential specification of one register with reads, writes, deletes and compare-and-set.
func register(begin state) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return begin },
		Step: func(before, input, _ any) (bool, any) {
			s, o := before.(state), input.(Operation)
			seen := s.any || s.value == o.Saw
			switch o.Kind {
			case Write, Delete:
				return true, state{value: o.leaves()}
			case Swap:
				if o.Unknown {
					if !s.any && s.value == o.Expected {
						return true, state{value: o.Value}
					}
					return true, s
				}
				if o.Saw == o.Expected {
					return seen, state{value: o.Value}
				}
			}
			return seen, state{value: o.Saw}
		},
	}
}

// Linearizable checks the history of one key, which begins absent: there must be one order of all operations, each placed between its
// call and its return, in which every read sees the latest write (Herlihy and Wing 1990, "Linearizability"). It takes at most about
// limit; 0 is no limit.
func Linearizable(key []Operation, limit time.Duration) Verdict {
	return linearizable(items(key), state{}, limit)
}

func linearizable(items []item, begin state, limit time.Duration) Verdict {
	items = bound(items)
	if len(items) == 0 {
		return Holds
	}
	ops := make([]porcupine.Operation, len(items))
	for i, it := range items {
		ops[i] = porcupine.Operation{ClientId: it.Client, Input: it.Operation, Call: int64(it.Called), Return: int64(it.by)}
	}
	switch porcupine.CheckOperationsTimeout(register(begin), ops, limit) {
	case porcupine.Ok:
		return Holds
	case porcupine.Illegal:
		return Violated
	}
	return Undecided
}

// item is an operation as a check takes it, with the latest time at which it can have taken effect.
type item struct {
	Operation
	by       time.Duration
	recorded Operation // as it is shown
}

func items(key []Operation) []item {
	all := make([]item, len(key))
	for i, o := range key {
		all[i] = item{Operation: o, by: o.end(), recorded: o}
	}
	return all
}

// bound bounds the operations of unknown outcome, which would otherwise make the search exponential. A write whose value was never
// seen may have happened last or not at all, which constrains nothing: it is left out. One that was seen took effect before the
// first operation that saw it returned. Both leave the verdict as it was, because values are unique; deletes have no such trace.
func bound(items []item) []item {
	seen := firstSeen(items)
	kept := make([]item, 0, len(items))
	for _, it := range items {
		if it.by == forever && it.Kind != Delete {
			first, ok := seen[it.Value]
			if !ok || it.Observes() {
				continue
			}
			it.by = max(first, it.Called)
		}
		kept = append(kept, it)
	}
	return kept
}

// firstSeen gives for each value the return of the first operation that saw it. A swap without an answer whose own value was seen
// has succeeded, so it saw the value that it expected.
func firstSeen(items []item) map[string]time.Duration {
	seen := map[string]time.Duration{}
	note := func(value string, at time.Duration) bool {
		first, ok := seen[value]
		if ok && first <= at {
			return false
		}
		seen[value] = at
		return true
	}
	for _, it := range items {
		if it.Observes() && it.by != forever {
			note(it.Saw, it.by)
		}
	}
	for again := true; again; {
		again = false
		for _, it := range items {
			if at, ok := seen[it.Value]; ok && it.Kind == Swap && it.Unknown {
				again = note(it.Expected, at) || again
			}
		}
	}
	return seen
}
