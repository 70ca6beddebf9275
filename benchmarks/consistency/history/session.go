package history

import "fmt"

// ReadAfterWrite checks the history of one key, which begins absent, against the weaker promise that each client sees at least its own
// writes: a read gives the client's own latest acknowledged write or one that does not certainly come before it, and never a
// value that nobody wrote (read-your-writes, Terry et al. 1994, "Session Guarantees for Weakly Consistent Replicated Data").
func ReadAfterWrite(key []Operation) (*Anomaly, bool) {
	for _, read := range key {
		if !read.Observes() {
			continue
		}
		source, a := origin(key, read)
		if a != nil {
			return a, false
		}
		own := lastOwn(key, read)
		if own == nil || own.leaves() == read.Saw {
			continue
		}
		if read.Saw == "" {
			if source = latestDelete(key, read); source != nil && !before(*source, *own) {
				continue
			}
		} else if !before(*source, *own) {
			continue
		}
		shown := []Operation{*own, read}
		if source != nil {
			shown = append(shown, *source)
		}
		return newAnomaly("read-after-write", shown, read, []string{own.leaves()}, false,
			fmt.Sprintf("client %d read %s after its own %s had been acknowledged", read.Client, named(read.Saw), *own)), false
	}
	return nil, true
}

// origin is the operation that wrote what a read saw (nil for absence), or an anomaly when there is none that could have.
func origin(key []Operation, read Operation) (*Operation, *Anomaly) {
	if read.Saw == "" {
		return nil, nil
	}
	for i, o := range key {
		if o.writes() && o.Kind != Delete && o.Value == read.Saw {
			if o.Called <= read.Returned {
				return &key[i], nil
			}
			return nil, newAnomaly("any", []Operation{o, read}, read, nil, false,
				fmt.Sprintf("client %d read %s before anybody began to write it", read.Client, read.Saw))
		}
	}
	return nil, newAnomaly("any", []Operation{read}, read, nil, false,
		fmt.Sprintf("client %d read %s, which nobody wrote", read.Client, read.Saw))
}

// lastOwn is the latest acknowledged write of the reading client that had returned when the read was called.
func lastOwn(key []Operation, read Operation) *Operation {
	var last *Operation
	for i, o := range key {
		if o.Client == read.Client && o.writes() && !o.Unknown && o.Returned < read.Called && (last == nil || o.Called > last.Called) {
			last = &key[i]
		}
	}
	return last
}

// latestDelete is the delete that may have taken effect last of those called before the read returned.
func latestDelete(key []Operation, read Operation) *Operation {
	var latest *Operation
	for i, o := range key {
		if o.Kind == Delete && o.Called <= read.Returned && (latest == nil || o.end() > latest.end()) {
			latest = &key[i]
		}
	}
	return latest
}

// before reports whether a certainly took effect before b was called.
func before(a, b Operation) bool { return a.end() < b.Called }
