package releases

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"surety/stacks"
)

func keep(t *testing.T, s *Store, states ...State) {
	t.Helper()
	for i, state := range states {
		r := &Record{Made: time.Unix(int64(i), 0).UTC(), Cause: "up", State: state, Spec: "surety: v1\n",
			Graph: stacks.Graph{Project: "p", Resources: []stacks.Resource{{Name: "a", Type: "surety:local:Data", Inputs: map[string]any{
				"value": stacks.Join{"x", stacks.Ref{Resource: "b", Property: "value"}}}}}}}
		if err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsComeBackAsWritten(t *testing.T) {
	s := NewStore(t.TempDir())
	keep(t, s, Kept, RolledBack, Kept)
	records, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 3 || records[2].Number != 3 || records[2].Previous != records[1].Hash {
		t.Errorf("got %d records, the last %+v", len(records), records[len(records)-1])
	}
}

func TestCurrent(t *testing.T) {
	for _, c := range []struct {
		states []State
		want   int
	}{
		{nil, 0}, {[]State{Kept}, 1}, {[]State{Kept, RolledBack}, 1}, {[]State{Kept, Failed}, 1},
		{[]State{Kept, Kept}, 2}, {[]State{Kept, Destroyed}, 0}, {[]State{Kept, Destroyed, Failed}, 0}, {[]State{Kept, Destroyed, Kept}, 3},
	} {
		s := NewStore(t.TempDir())
		keep(t, s, c.states...)
		records, err := s.All()
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if r := Current(records); r != nil {
			got = r.Number
		}
		if got != c.want {
			t.Errorf("after %v the current release is %d, want %d", c.states, got, c.want)
		}
	}
}

// Every single byte of a record matters: changing any one of them must be noticed and the file named.
func TestTamperingIsNoticed(t *testing.T) {
	dir := t.TempDir()
	s := NewStore(dir)
	keep(t, s, Kept, Kept)
	path := filepath.Join(dir, "0001.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.All(); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "0001.json") {
			t.Fatalf("byte %d (%q → %q): got error %v", i, text[i], changed[i], err)
		}
	}
}

func TestDroppedRecordIsNoticed(t *testing.T) {
	dir := t.TempDir()
	s := NewStore(dir)
	keep(t, s, Kept, Kept, Kept)
	if err := os.Remove(filepath.Join(dir, "0002.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.All(); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "release 2 is missing") {
		t.Errorf("got error %v", err)
	}
}

// Writers that race may be refused, but no record is overwritten and the chain stays whole.
func TestConcurrentAppend(t *testing.T) {
	s := NewStore(t.TempDir())
	var wg sync.WaitGroup
	var mu sync.Mutex
	written := 0
	for i := range 8 {
		wg.Go(func() {
			if s.Append(&Record{Cause: fmt.Sprint(i), State: Kept}) == nil {
				mu.Lock()
				written++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	records, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != written || written == 0 {
		t.Errorf("%d records after %d successful writes", len(records), written)
	}
}
