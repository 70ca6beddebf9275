package engine

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkRuns measures each kind of run on trivial, independent resources: the plan of all new ones, up, plan without changes, up without changes, destroy.
func BenchmarkRuns(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 10000} {
		g := chainless(n)
		ctx := context.Background()
		fresh := func(b *testing.B) (*Engine, *world) {
			w := newWorld()
			e := open(b, b.TempDir(), w)
			lock(b, e)
			return e, w
		}
		b.Run(fmt.Sprintf("plan/%d", n), func(b *testing.B) {
			e, _ := fresh(b)
			for b.Loop() {
				if _, err := e.Preview(ctx, g, Options{}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("up/%d", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				e, _ := fresh(b)
				b.StartTimer()
				up(b, e, g)
			}
		})
		standing := func(b *testing.B) *Engine {
			e, _ := fresh(b)
			up(b, e, g)
			return e
		}
		b.Run(fmt.Sprintf("plan-same/%d", n), func(b *testing.B) {
			e := standing(b)
			for b.Loop() {
				if _, err := e.Preview(ctx, g, Options{}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("up-same/%d", n), func(b *testing.B) {
			e := standing(b)
			for b.Loop() {
				up(b, e, g)
			}
		})
		b.Run(fmt.Sprintf("destroy/%d", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				e := standing(b)
				b.StartTimer()
				if _, err := e.Destroy(ctx, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLayered measures up of resources of which each needs another, ten in a row at once: the flushes of the journal cannot be shared as widely.
func BenchmarkLayered(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		e := open(b, b.TempDir(), newWorld())
		lock(b, e)
		b.StartTimer()
		up(b, e, layered(1000))
	}
}
