package history

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Explain reduces the history of one key that is not linearizable to the few operations that show it, in about limit. It gives nil
// when the history is linearizable or that could not be decided.
//
// It drops operations while what is left stays not linearizable, and only in ways under which a linearizable history would have
// stayed linearizable, so that what is shown is an anomaly of the whole: everything after the first moment at which the history cannot be
// explained; single reads; a write together with all that saw its value; and everything before a moment that no write spans,
// whereupon nothing is assumed of the value there.
func Explain(key []Operation, limit time.Duration) *Anomaly {
	s := shrinker{deadline: time.Now().Add(limit), each: max(limit/20, 10*time.Millisecond)}
	items := items(key)
	if !s.illegal(items) {
		return nil
	}
	items = s.cutEnd(items)
	for size := -1; size != len(items); {
		size = len(items)
		items = s.dropReads(items)
		items = s.cutBegin(items)
		items = s.dropWrites(items)
		items = s.cutEnd(items)
	}
	a := s.anomaly(bound(items), key)
	a.Of = len(key)
	return a
}

type shrinker struct {
	begin    state
	deadline time.Time
	each     time.Duration // limit of one check
}

func (s *shrinker) illegal(items []item) bool {
	left := time.Until(s.deadline)
	if left <= 0 {
		return false
	}
	return linearizable(items, s.begin, min(left, s.each)) == Violated
}

// cutEnd finds the first return at which the history is not linearizable; what is under way then may or may not have happened.
func (s *shrinker) cutEnd(items []item) []item {
	var ends []time.Duration
	for _, it := range items {
		if it.Observes() && it.Returned < forever {
			ends = append(ends, it.Returned)
		}
	}
	slices.Sort(ends)
	i := sort.Search(len(ends), func(i int) bool { return s.illegal(until(items, ends[i])) })
	if i == len(ends) {
		return items
	}
	return until(items, ends[i])
}

// until is the history as it was known at a moment.
func until(items []item, at time.Duration) []item {
	var kept []item
	for _, it := range items {
		switch {
		case it.Called > at:
			continue
		case it.Unknown:
			it.by = forever
		case it.Returned > at && !it.writes():
			continue
		case it.Returned > at && it.Kind == Swap:
			it.Saw, it.Unknown, it.by = "", true, forever
		case it.Returned > at:
			it.by = forever
		}
		kept = append(kept, it)
	}
	return kept
}

// cutBegin drops all that was called before the latest moment at which it can.
func (s *shrinker) cutBegin(items []item) []item {
	byCall := slices.Clone(items)
	slices.SortFunc(byCall, func(a, b item) int { return -cmp.Compare(a.Called, b.Called) })
	tight, before := bound(items), s.begin
	for _, first := range byCall {
		spanned := slices.ContainsFunc(tight, func(it item) bool {
			return it.Called < first.Called && it.writes() && it.by >= first.Called
		})
		kept := slices.DeleteFunc(slices.Clone(items), func(it item) bool { return it.Called < first.Called })
		if spanned || len(kept) == len(items) {
			continue
		}
		s.begin = state{any: true}
		if s.illegal(kept) {
			return kept
		}
		s.begin = before
	}
	return items
}

// dropReads drops reads, and swaps that found another value, in ever smaller groups.
func (s *shrinker) dropReads(items []item) []item {
	for size := len(items); size > 0; size /= 2 {
		for at := 0; at < len(items); {
			i := -1
			kept := slices.DeleteFunc(slices.Clone(items), func(it item) bool {
				i++
				return i >= at && i < at+size && !it.writes()
			})
			if len(kept) < len(items) && s.illegal(kept) {
				items = kept
			} else {
				at += size
			}
		}
	}
	return items
}

// dropWrites drops each write it can, with all that saw its value.
func (s *shrinker) dropWrites(items []item) []item {
	for i := len(items) - 1; i >= 0; i-- {
		if i >= len(items) || !items[i].writes() {
			continue
		}
		kept := without(items, items[i].leaves())
		if items[i].Kind == Delete && !absenceSeen(items) {
			kept = slices.Delete(slices.Clone(items), i, i+1)
		}
		if s.illegal(kept) {
			items = kept
		}
	}
	return items
}

// without leaves out what wrote a value and what depends on it: what saw it, and the swaps that expected it with their values in turn.
// Deletes all leave the same value, so they go together.
func without(items []item, value string) []item {
	gone := map[string]bool{value: true}
	for again := true; again; {
		again = false
		for _, it := range items {
			if it.Kind == Swap && it.writes() && gone[it.Expected] && !gone[it.Value] {
				gone[it.Value], again = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(items), func(it item) bool {
		return it.writes() && gone[it.leaves()] || it.Observes() && gone[it.Saw]
	})
}

// absenceSeen reports whether an operation saw the value that deletes leave. When none did, each delete can go alone.
func absenceSeen(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool {
		return it.Observes() && it.Saw == "" || it.Kind == Swap && it.Expected == ""
	})
}

// anomaly says which operation cannot be explained, the last to return, and what it could have seen.
// The write of what it saw is shown with it, also where it was left out.
func (s *shrinker) anomaly(items []item, key []Operation) *Anomaly {
	wrong := -1
	for i, it := range items {
		if it.Observes() && (wrong < 0 || it.Returned > items[wrong].Returned) {
			wrong = i
		}
	}
	shown := make([]Operation, len(items))
	for i, it := range items {
		shown[i] = it.recorded
	}
	culprit := shown[wrong]
	if source, _ := origin(key, culprit); source != nil && !slices.Contains(shown, *source) {
		shown = append(shown, *source)
	}
	return newAnomaly("linearizable", shown, culprit, s.possible(items, wrong), s.begin.any,
		fmt.Sprintf("no order of these operations explains that client %d read %s", culprit.Client, named(culprit.Saw)))
}

// possible tries every value of the history as what the operation could have seen.
func (s *shrinker) possible(items []item, wrong int) []string {
	s.deadline = time.Now().Add(20 * s.each)
	tried := map[string]bool{items[wrong].Saw: true}
	var values []string
	try := func(value string) {
		if tried[value] {
			return
		}
		tried[value] = true
		other := slices.Clone(items)
		other[wrong].Saw = value
		if linearizable(other, s.begin, s.each) == Holds {
			values = append(values, value)
		}
	}
	for _, it := range items {
		if it.writes() {
			try(it.leaves())
		}
		if it.Kind == Swap {
			try(it.Expected)
		}
	}
	try("")
	return values
}
