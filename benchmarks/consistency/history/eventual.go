package history

import (
	"fmt"
	"slices"
)

// Final gives the values that a key, which began absent, may keep once all writing has ended: those of writes that no acknowledged
// write certainly followed. A write of unknown outcome may always be the last.
func Final(key []Operation) []string {
	var values []string
	add := func(v string) {
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	acknowledged := slices.ContainsFunc(key, func(o Operation) bool { return o.writes() && !o.Unknown })
	if !acknowledged {
		add("")
	}
	for _, o := range key {
		if o.writes() && overwritten(key, o) == nil {
			add(o.leaves())
		}
	}
	return values
}

// overwritten is an acknowledged write that was called after o had certainly taken effect; nil when there is none.
func overwritten(key []Operation, o Operation) *Operation {
	var last *Operation
	for i, w := range key {
		if w.writes() && !w.Unknown && before(o, w) && (last == nil || w.Called > last.Called) {
			last = &key[i]
		}
	}
	return last
}

// Converged checks the last reads of all clients on one key, made after all writing had ended: they must agree on a value of Final.
// reads are in order of their call; it is the last one of each client that counts.
func Converged(key, reads []Operation) (*Anomaly, bool) {
	last := map[int]Operation{}
	for _, r := range reads {
		last[r.Client] = r
	}
	possible := Final(key)
	var agreed *Operation
	for _, r := range reads {
		if last[r.Client] != r {
			continue
		}
		if !slices.Contains(possible, r.Saw) {
			return stranded(key, r, possible), false
		}
		if agreed != nil && agreed.Saw != r.Saw {
			return newAnomaly("eventual", []Operation{*agreed, r}, r, []string{agreed.Saw}, true,
				fmt.Sprintf("after all writing had ended client %d still reads %s and client %d reads %s",
					agreed.Client, named(agreed.Saw), r.Client, named(r.Saw))), false
		}
		agreed = &r
	}
	return nil, true
}

// stranded explains a last read of a value that cannot be the last.
func stranded(key []Operation, read Operation, possible []string) *Anomaly {
	source, a := origin(key, read)
	if a != nil {
		return a
	}
	shown := []Operation{read}
	if source == nil {
		source = latestDelete(key, read)
	}
	var over *Operation
	if source != nil {
		shown = append(shown, *source)
		over = overwritten(key, *source)
	} else {
		over = overwritten(key, Operation{Called: -2, Returned: -1})
	}
	if over != nil {
		shown = append(shown, *over)
	}
	return newAnomaly("eventual", shown, read, possible, false,
		fmt.Sprintf("after all writing had ended client %d still reads %s", read.Client, named(read.Saw)))
}

// Phantom finds a read of a value that nobody wrote, or that was written only afterwards. No model allows it.
func Phantom(key []Operation) (*Anomaly, bool) {
	for _, r := range key {
		if r.Observes() {
			if _, a := origin(key, r); a != nil {
				return a, false
			}
		}
	}
	return nil, true
}
