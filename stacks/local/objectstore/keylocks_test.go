package objectstore

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many hold some of few names in any order, twice the same too: nobody waits for ever, who holds alone is alone, and nothing is left.
func TestKeyLocks(t *testing.T) {
	var l keyLocks
	var readers, writers [5]atomic.Int32
	var met atomic.Int32
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 2000 {
				alone := map[int]bool{}
				var claims []claim
				for range 1 + r.IntN(3) {
					i, a := r.IntN(len(readers)), r.IntN(3) == 0
					claims = append(claims, claim{fmt.Sprint(i), a})
					alone[i] = alone[i] || a
				}
				release := l.hold(claims...)
				for i, a := range alone {
					switch {
					case a && (writers[i].Add(1) > 1 || readers[i].Load() > 0):
						t.Error("not alone")
					case !a && readers[i].Add(1) > 1:
						met.Add(1)
					}
					if !a && writers[i].Load() > 0 {
						t.Error("read beside a writer")
					}
				}
				if r.IntN(20) == 0 {
					time.Sleep(time.Microsecond)
				}
				for i, a := range alone {
					if a {
						writers[i].Add(-1)
					} else {
						readers[i].Add(-1)
					}
				}
				release()
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("somebody waits for ever")
	}
	if met.Load() == 0 || len(l.keys) > 0 {
		t.Errorf("%d readers met, %d locks are left", met.Load(), len(l.keys))
	}
}

func BenchmarkKeyLocks(b *testing.B) {
	var l keyLocks
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			l.hold(claim{"bucket/key", false})()
		}
	})
}
