package history

import (
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

func op(client int, kind Kind, value string, called, returned time.Duration) Operation {
	o := Operation{Client: client, Key: "k", Kind: kind, Called: called * ms, Returned: returned * ms}
	if o.Observes() {
		o.Saw = value
	} else {
		o.Value = value
	}
	return o
}

// unknown makes an operation one without an answer.
func unknown(o Operation) Operation {
	o.Unknown = true
	return o
}

func TestTextOfAnAnomaly(t *testing.T) {
	a := Explain([]Operation{
		op(0, Write, "a", 0, 10), op(1, Read, "a", 12, 13), op(1, Write, "b", 20, 30), op(0, Read, "b", 31, 33),
		op(2, Read, "a", 51, 55), op(0, Write, "c", 60, 70), op(1, Read, "c", 80, 90),
	}, time.Second)
	const want = `key k: no order of these operations explains that client 2 read a (3 of 7 operations)

client 0 ├write a┤
client 1          ├write b┤
client 2                   ├read → a┤  ✗ expected b

client 0 write a       0.000 …     10.000 ms
client 1 write b      20.000 …     30.000 ms
client 2 read → a     51.000 …     55.000 ms
(operations before these are left out)
`
	if got := a.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextOfConcurrencyAndLostAnswers(t *testing.T) {
	got := (&Anomaly{Key: "k", Why: "why", Wrong: 3, Open: true, Operations: []Operation{
		op(0, Write, "a", 0, 10), unknown(op(1, Write, "b", 5, 6)), op(0, Read, "b", 11, 12), op(1, Read, "", 8, 14)}}).Text()
	const want = `key k: why

client 0 ├write a┤├read → b┤
client 1  ├write b (no answer) ┄
client 1   ├read → nothing──┤  ✗ not possible
`
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "(operations before these are left out)\n") || !strings.Contains(got, "5.000 …   no answer") {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatClientsMaySeeOfTheirOwnWrites(t *testing.T) {
	for name, c := range map[string]struct {
		ops []Operation
		ok  bool
	}{
		"own write":                   {[]Operation{op(0, Write, "a", 0, 1), op(0, Read, "a", 2, 3)}, true},
		"own write missing":           {[]Operation{op(0, Write, "a", 0, 1), op(0, Read, "", 2, 3)}, false},
		"older":                       {[]Operation{op(1, Write, "z", 0, 1), op(0, Write, "a", 2, 3), op(0, Read, "z", 4, 5)}, false},
		"older, seen by another":      {[]Operation{op(1, Write, "z", 0, 1), op(0, Write, "a", 2, 3), op(2, Read, "z", 4, 5)}, true},
		"concurrent with it":          {[]Operation{op(1, Write, "z", 0, 3), op(0, Write, "a", 2, 3), op(0, Read, "z", 4, 5)}, true},
		"older, without an answer":    {[]Operation{unknown(op(1, Write, "z", 0, 1)), op(0, Write, "a", 2, 3), op(0, Read, "z", 4, 5)}, true},
		"deleted by another":          {[]Operation{op(0, Write, "a", 0, 1), op(1, Delete, "", 2, 3), op(0, Read, "", 4, 5)}, true},
		"deleted by another before":   {[]Operation{op(1, Delete, "", 0, 1), op(0, Write, "a", 2, 3), op(0, Read, "", 4, 5)}, false},
		"own delete":                  {[]Operation{op(0, Write, "a", 0, 1), op(0, Delete, "", 2, 3), op(0, Read, "", 4, 5)}, true},
		"own delete not seen":         {[]Operation{op(0, Write, "a", 0, 1), op(0, Delete, "", 2, 3), op(0, List, "a", 4, 5)}, false},
		"written by nobody":           {[]Operation{op(0, Read, "a", 4, 5)}, false},
		"written only later":          {[]Operation{op(0, Read, "a", 4, 5), op(1, Write, "a", 6, 7)}, false},
		"own write without an answer": {[]Operation{op(0, Write, "a", 0, 1), unknown(op(0, Write, "b", 2, 3)), op(0, Read, "a", 4, 5)}, true},
	} {
		a, ok := ReadAfterWrite(c.ops)
		if ok != c.ok {
			t.Errorf("%s: %t, want %t", name, ok, c.ok)
		}
		if !ok && (a.Wrong < 0 || a.Operations[a.Wrong].Kind == Write) {
			t.Errorf("%s: names the wrong operation: %+v", name, a)
		}
	}
}

func TestWhatAKeyMayConvergeTo(t *testing.T) {
	writes := []Operation{op(0, Write, "a", 0, 1), op(1, Write, "b", 2, 5), op(2, Write, "c", 3, 6), unknown(op(3, Write, "d", 0, 1))}
	for name, c := range map[string]struct {
		reads []Operation
		ok    bool
	}{
		"either of two concurrent ones": {[]Operation{op(0, Read, "b", 10, 11), op(1, Read, "b", 12, 13)}, true},
		"one without an answer":         {[]Operation{op(0, Read, "d", 10, 11), op(1, Read, "d", 12, 13)}, true},
		"not the same":                  {[]Operation{op(0, Read, "b", 10, 11), op(1, Read, "c", 12, 13)}, false},
		"the same in the end":           {[]Operation{op(0, Read, "b", 10, 11), op(1, Read, "c", 12, 13), op(0, Read, "c", 14, 15)}, true},
		"overwritten":                   {[]Operation{op(0, Read, "a", 10, 11), op(1, Read, "a", 12, 13)}, false},
		"lost":                          {[]Operation{op(0, Read, "", 10, 11), op(1, Read, "", 12, 13)}, false},
		"written by nobody":             {[]Operation{op(0, Read, "x", 10, 11)}, false},
	} {
		a, ok := Converged(writes, c.reads)
		if ok != c.ok {
			t.Errorf("%s: %t, want %t", name, ok, c.ok)
		}
		if !ok {
			t.Logf("%s\n%s", name, a.Text())
		}
	}
}
