package objectstore

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/versity/versitygw/backend/meta"
)

// Metadata of one object are stored although those of the only other one in its folder are deleted all the time.
func TestStoringBesideADelete(t *testing.T) {
	dir := place(t, way{})
	files, err := meta.NewSideCar(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := sideFiles{files, dir}
	var over atomic.Bool
	var other sync.WaitGroup
	other.Go(func() {
		for !over.Load() {
			_ = s.StoreAttribute(nil, "bucket", "a/b/other", "etag", []byte("x")) // in whose way the first one's deletes are as well
			_ = s.DeleteAttributes("bucket", "a/b/other")
		}
	})
	failed := 0
	for range 1000 {
		if err := s.StoreAttribute(nil, "bucket", "a/b/one", "etag", []byte("x")); err != nil {
			if failed++; failed == 1 {
				t.Error(err)
			}
		}
		if err := s.DeleteAttributes("bucket", "a/b/one"); err != nil {
			t.Error(err)
		}
	}
	over.Store(true)
	other.Wait()
	if failed > 0 {
		t.Errorf("%d of 1000 failed", failed)
	}
}
