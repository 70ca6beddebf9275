package objectstore

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// alone opens a store with one bucket in this process.
func alone(t testing.TB, w way, of func(*serial) backend.Backend) *player {
	t.Helper()
	here, err := os.Getwd() // versitygw changes it
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(place(t, w))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		if err := os.Chdir(here); err != nil {
			t.Error(err)
		}
	})
	p := &player{Backend: of(s), start: time.Now(), values: map[string]string{}, made: map[string]string{}}
	err = s.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{}}, []byte("{}"))
	if err == nil && w.versions {
		err = s.PutBucketVersioning(context.Background(), bucket, types.BucketVersioningStatusEnabled)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A client that sends slowly, or reads slowly, holds up nobody else at the same key.
func TestASlowClientHoldsUpNobody(t *testing.T) {
	ctx, p, key := context.Background(), alone(t, way{versions: true}, ours), "d/k"
	if err := p.put(ctx, key, "first"); err != nil {
		t.Fatal(err)
	}
	reading, err := p.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Body.Close()
	slow, sender := io.Pipe()
	whole := bytes.Repeat([]byte("slow\n"), 1000)
	size, sent := int64(len(whole)), make(chan error, 1)
	go func() {
		_, err := p.PutObject(ctx, s3response.PutObjectInput{Bucket: &bucket, Key: &key, Body: slow, ContentLength: &size})
		sent <- err
	}()
	if _, err := sender.Write(whole[:100]); err != nil { // taken: the put is under way
		t.Fatal(err)
	}
	others := make(chan error, 1)
	go func() {
		for _, value := range []string{"second", "third"} {
			if err := p.put(ctx, key, value); err != nil {
				others <- err
				return
			}
			if saw, err := p.get(ctx, key); saw != value || err != nil {
				t.Errorf("read %q, %v", saw, err)
			}
		}
		others <- p.remove(ctx, key, false)
	}()
	select {
	case err := <-others:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("others wait for the slow clients")
	}
	if raw, err := io.ReadAll(reading.Body); err != nil || !strings.HasPrefix(string(raw), "first\n") {
		t.Errorf("the slow reader got %.10q, %v", raw, err)
	}
	if _, err := sender.Write(whole[100:]); err != nil {
		t.Fatal(err)
	}
	sender.Close()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if saw, err := p.get(ctx, key); saw != "slow" || err != nil {
		t.Errorf("read %q, %v", saw, err)
	}
}

// A folder that is put as an object stays, though the last object in it is deleted meanwhile.
func TestAFolderOutlivesWhatIsInIt(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, w := range []way{{}, {files: true}} {
		t.Run(w.String(), func(t *testing.T) {
			ctx, p, folder, zero := context.Background(), alone(t, w, ours), "d/", int64(0)
			lost, failed := 0, 0
			for range 1500 {
				if err := p.put(ctx, "d/k", "v"); err != nil {
					t.Fatal(err)
				}
				var made error
				var both sync.WaitGroup
				both.Go(func() {
					if err := p.remove(ctx, "d/k", false); err != nil {
						t.Error(err)
					}
				})
				both.Go(func() {
					_, made = p.PutObject(ctx, s3response.PutObjectInput{Bucket: &bucket, Key: &folder, Body: strings.NewReader(""), ContentLength: &zero})
				})
				both.Wait()
				_, err := p.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &folder})
				if made != nil {
					failed++
				} else if err != nil {
					lost++
				}
				if _, err := p.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &folder}); err != nil {
					t.Fatal(err)
				}
			}
			if lost+failed > 0 {
				t.Errorf("of 1500 folders, %d could not be put and %d that were put are lost", failed, lost)
			}
		})
	}
}

// A put is not refused because the last object beside it is being deleted, and with it their folder: it ends well, or is asked to come again.
func TestAPutBesideTheLastDelete(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, w := range []way{{}, {files: true}} {
		t.Run(w.String(), func(t *testing.T) {
			ctx, p := context.Background(), alone(t, w, ours)
			refused := 0
			for range 1500 {
				if err := p.put(ctx, "d/e/last", "v"); err != nil {
					t.Fatal(err)
				}
				var put error
				var both sync.WaitGroup
				both.Go(func() {
					if err := p.remove(ctx, "d/e/last", false); err != nil {
						t.Error(err)
					}
				})
				both.Go(func() { put = p.put(ctx, "d/e/new", "v") })
				both.Wait()
				if put != nil {
					if refused++; refused == 1 {
						t.Error(put)
					}
				} else if saw, err := p.get(ctx, "d/e/new"); saw != "v" || err != nil {
					t.Fatalf("read %q, %v", saw, err)
				}
				if err := p.remove(ctx, "d/e/new", false); err != nil {
					t.Fatal(err)
				}
			}
			if refused > 0 {
				t.Errorf("%d of 1500 puts were refused", refused)
			}
		})
	}
}
