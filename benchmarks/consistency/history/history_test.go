package history

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestALinearizableHistoryHolds(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		ops := simulate(r, 4, 15, float64(seed%3)*.1, true)
		if v := Linearizable(ops, 20*time.Second); v != Holds {
			t.Fatalf("seed %d: %s", seed, v)
		}
		if a, ok := ReadAfterWrite(ops); !ok {
			t.Fatalf("seed %d:\n%s", seed, a.Text())
		}
		if a, ok := Phantom(ops); !ok {
			t.Fatalf("seed %d:\n%s", seed, a.Text())
		}
	}
}

// The verdict agrees with trying every order, on histories that hold and on such that do not.
func TestVerdictAgreesWithTryingEveryOrder(t *testing.T) {
	found := map[Verdict]int{}
	for seed := range uint64(1200) {
		r := rand.New(rand.NewPCG(seed, 2))
		ops := simulate(r, 3, 4, .25, true)
		if seed%2 == 0 {
			disturb(r, ops)
		}
		got, want := Linearizable(ops, 0), Violated
		if exhaustive(ops) {
			want = Holds
		}
		if got != want {
			t.Fatalf("seed %d: %s, want %s: %v", seed, got, want, ops)
		}
		found[got]++
	}
	if found[Holds] < 200 || found[Violated] < 200 {
		t.Fatalf("one-sided: %v", found)
	}
}

// What Explain may do to a history keeps a linearizable one linearizable: else it would show anomalies that are none.
func TestReductionsAreSound(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		ops := simulate(r, 4, 7, .1, true)
		all := items(ops)
		for i, o := range ops {
			if kept := without(all, o.leaves()); linearizable(kept, state{}, 0) != Holds {
				t.Fatalf("seed %d: dropping %s makes an anomaly", seed, o)
			}
			if kept := slices.Delete(slices.Clone(all), i, i+1); o.Kind == Delete && !absenceSeen(all) && linearizable(kept, state{}, 0) != Holds {
				t.Fatalf("seed %d: dropping delete %d makes an anomaly", seed, i)
			}
			if kept := until(all, o.Returned); linearizable(kept, state{}, 0) != Holds {
				t.Fatalf("seed %d: the end at %s makes an anomaly", seed, o.Returned)
			}
		}
		s := shrinker{deadline: time.Now().Add(time.Minute), each: time.Minute}
		if kept := s.cutBegin(all); len(kept) < len(all) {
			t.Fatalf("seed %d: a late begin makes an anomaly: %v", seed, kept)
		}
		if a := Explain(ops, time.Minute); a != nil {
			t.Fatalf("seed %d: %s", seed, a.Text())
		}
	}
}

func TestExplainIsSmallAndStillAnAnomaly(t *testing.T) {
	var sizes, found int
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		ops := simulate(r, 5, 20, .03, seed%2 == 0)
		disturb(r, ops)
		if Linearizable(ops, 0) == Holds {
			continue
		}
		a := Explain(ops, 5*time.Second)
		if a == nil {
			t.Fatalf("seed %d: not explained", seed)
		}
		found++
		sizes += len(a.Operations)
		if len(a.Operations) > 8 {
			t.Errorf("seed %d: %d operations\n%s", seed, len(a.Operations), a.Text())
		}
		if linearizable(items(a.Operations), state{any: a.Open}, 0) != Violated {
			t.Errorf("seed %d: what is shown is no anomaly\n%s", seed, a.Text())
		}
	}
	if found < 100 {
		t.Fatalf("only %d anomalies", found)
	}
	t.Logf("%d anomalies of 100 operations, %.1f operations shown on average", found, float64(sizes)/float64(found))
}

// A search that would take too long ends undecided, not as if it held.
func TestOutOfTimeIsUndecided(t *testing.T) {
	var ops []Operation
	for c := range 40 { // forty concurrent deletes and writes, and reads that no order explains
		ops = append(ops, Operation{Client: c, Kind: Write, Value: string(rune('A' + c)), Called: 0, Returned: 100})
		ops = append(ops, Operation{Client: c, Kind: Read, Saw: string(rune('A' + c)), Called: 200 + time.Duration(c), Returned: 300})
	}
	ops = append(ops, Operation{Client: 41, Kind: Read, Saw: "A", Called: 400, Returned: 500},
		Operation{Client: 41, Kind: Read, Saw: "B", Called: 501, Returned: 600})
	began := time.Now()
	if v := Linearizable(ops, 50*time.Millisecond); v != Undecided {
		t.Error(v)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Error("took", took)
	}
}
