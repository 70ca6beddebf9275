package consistency

import (
	"errors"
	"slices"
	"sync"
	"time"

	"surety/benchmarks/consistency/history"
)

// ErrRefused is in the chain of an error after which the operation has certainly not taken effect and never will.
var ErrRefused = errors.New("refused")

// recorder collects what clients did. It is safe for use by several goroutines.
type recorder struct {
	start time.Time

	mu        sync.Mutex
	ops       []history.Operation
	refused   int   // operations that certainly did not happen
	unread    int   // reads without an answer
	lastError error // of an operation that failed
}

func (r *recorder) now() time.Duration { return time.Since(r.start) }

// do runs one operation and records it with the times around it.
func (r *recorder) do(o history.Operation, run func() (saw string, err error)) (string, error) {
	o.Called = r.now()
	saw, err := run()
	o.Returned, o.Saw = r.now(), saw
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.ops = append(r.ops, o)
		return saw, nil
	}
	r.lastError = err
	switch {
	case errors.Is(err, ErrRefused):
		r.refused++
	case o.Kind == history.Read || o.Kind == history.List:
		r.unread++
	default:
		o.Unknown, o.Saw = true, ""
		r.ops = append(r.ops, o)
	}
	return "", err
}

// list records a listing as a read of each key.
func (r *recorder) list(client int, keys []string, run func() (map[string]string, error)) error {
	called := r.now()
	found, err := run()
	returned := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread++
		r.lastError = err
		return err
	}
	for _, k := range keys {
		r.ops = append(r.ops, history.Operation{Client: client, Key: k, Kind: history.List, Saw: found[k], Called: called, Returned: returned})
	}
	return nil
}

// resolve turns what operations saw into the values it stands for and drops those of which nothing is known.
func (r *recorder) resolve(value func(saw string) (string, bool)) {
	r.ops = slices.DeleteFunc(r.ops, func(o history.Operation) bool {
		if o.Kind != history.List || o.Saw == "" {
			return false
		}
		_, ok := value(o.Saw)
		return !ok
	})
	for i, o := range r.ops {
		if o.Kind == history.List && o.Saw != "" {
			r.ops[i].Saw, _ = value(o.Saw)
		}
	}
}
