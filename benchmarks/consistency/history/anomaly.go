package history

import (
	"fmt"
	"slices"
	"strings"
)

// Anomaly is a history that a model does not allow, reduced to what shows it.
type Anomaly struct {
	Model      string      `json:"model"` // the strongest model it breaks is the one named: linearizable, read-after-write, eventual, any
	Key        string      `json:"key"`
	Why        string      `json:"why"` // one sentence
	Operations []Operation `json:"operations"`
	Wrong      int         `json:"wrong"`              // index of the operation that cannot be explained
	Expected   []string    `json:"expected,omitempty"` // what it could have seen; "" is absent
	// Open says that earlier operations were left out, so that nothing is assumed of the value before the first one shown.
	Open bool `json:"open,omitempty"`
	// Of is the number of operations on the key, of which these are left.
	Of int `json:"of,omitempty"`
}

func newAnomaly(model string, shown []Operation, wrong Operation, expected []string, open bool, why string) *Anomaly {
	byCall(shown)
	return &Anomaly{Model: model, Key: wrong.Key, Why: why, Operations: shown, Wrong: slices.Index(shown, wrong), Expected: expected, Open: open}
}

// Text draws the anomaly: what is wrong, a time line per client, and the operations with their times.
func (a *Anomaly) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "key %s: %s", a.Key, a.Why)
	if a.Of > len(a.Operations) {
		fmt.Fprintf(&b, " (%d of %d operations)", len(a.Operations), a.Of)
	}
	b.WriteString("\n\n")
	spans := make([]Span, len(a.Operations))
	for i, o := range a.Operations {
		spans[i] = Span{Row: fmt.Sprintf("client %d", o.Client), Label: o.String(), From: o.Called, To: o.end()}
		if o.Unknown {
			spans[i].To = Pending
		}
		if i == a.Wrong {
			spans[i].Mark = "✗ " + a.expectation()
		}
	}
	b.WriteString(Timeline(spans))
	if a.Open {
		b.WriteString("(operations before these are left out)\n")
	}
	return b.String()
}

func (a *Anomaly) expectation() string {
	if len(a.Expected) == 0 {
		return "not possible"
	}
	names := make([]string, len(a.Expected))
	for i, v := range a.Expected {
		names[i] = named(v)
	}
	return "expected " + strings.Join(names, " or ")
}
