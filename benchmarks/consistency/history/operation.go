// Package history judges what concurrent clients saw of named registers (an object's content, a row's value): it checks recorded
// histories against consistency models and reduces an anomaly to the few operations that show it.
//
// Every written value must be unique in its history, so that a read tells which write it saw. The empty string stands for "absent".
package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind is what an operation does to a register.
type Kind string

// Kinds of operation.
const (
	Read   Kind = "read"
	Write  Kind = "write"
	Delete Kind = "delete"
	Swap   Kind = "swap" // compare-and-set
	List   Kind = "list" // a listing's entry for this key: a read by another way
)

// Operation is one operation of one client on one key. An operation that certainly did not take effect is no part of a history; a
// read without an answer neither.
type Operation struct {
	Client   int    `json:"client"`
	Key      string `json:"key"`
	Kind     Kind   `json:"kind"`
	Value    string `json:"value,omitempty"`    // what a write, or a swap that succeeds, leaves
	Expected string `json:"expected,omitempty"` // what a swap wants to find
	Saw      string `json:"saw,omitempty"`      // what a read, listing or answered swap found; "" is absent
	// Unknown says that no answer came (a timeout, a broken connection): it may have happened, at any time after Called, or not.
	Unknown  bool          `json:"unknown,omitempty"`
	Called   time.Duration `json:"called"`   // nanoseconds since the run's start
	Returned time.Duration `json:"returned"` // nanoseconds since the run's start; of an Unknown: when the client gave up
}

// forever is the end of an operation that may still take effect.
const forever = time.Duration(math.MaxInt64)

// end is when the operation has taken effect at the latest.
func (o Operation) end() time.Duration {
	if o.Unknown {
		return forever
	}
	return o.Returned
}

// Observes reports whether the operation tells what the register held.
func (o Operation) Observes() bool {
	return o.Kind == Read || o.Kind == List || o.Kind == Swap && !o.Unknown
}

// writes reports whether the operation changed the register or may have.
func (o Operation) writes() bool {
	switch o.Kind {
	case Write, Delete:
		return true
	case Swap:
		return o.Unknown || o.Saw == o.Expected
	}
	return false
}

// leaves is the value that a writing operation leaves.
func (o Operation) leaves() string {
	if o.Kind == Delete {
		return ""
	}
	return o.Value
}

// String says the operation without its time.
func (o Operation) String() string {
	text := ""
	switch o.Kind {
	case Read, List:
		return fmt.Sprintf("%s → %s", o.Kind, named(o.Saw))
	case Write:
		text = "write " + o.Value
	case Delete:
		text = "delete"
	case Swap:
		text = fmt.Sprintf("swap %s for %s", named(o.Expected), o.Value)
		if !o.Unknown && o.Saw == o.Expected {
			text += ": done"
		} else if !o.Unknown {
			text += ": found " + named(o.Saw)
		}
	}
	if o.Unknown {
		text += " (no answer)"
	}
	return text
}

func named(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}

// ByKey splits a history into one per key, each in order of Called.
func ByKey(all []Operation) map[string][]Operation {
	keys := map[string][]Operation{}
	for _, o := range all {
		keys[o.Key] = append(keys[o.Key], o)
	}
	for _, ops := range keys {
		byCall(ops)
	}
	return keys
}

func byCall(ops []Operation) {
	slices.SortStableFunc(ops, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(a.Called, b.Called), cmp.Compare(a.end(), b.end()))
	})
}
