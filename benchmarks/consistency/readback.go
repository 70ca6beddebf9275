package consistency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// object is one that was written for reading back.
type object struct {
	key      string
	size     int
	version  uint64 // of its content; some objects are written twice
	written  error
	unread   error
	mismatch string
}

// content makes an object's bytes again from what identifies them, so that they need not be kept.
func (o object) content(seed uint64) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], o.version)
	copy(key[16:], o.key)
	raw := make([]byte, o.size)
	_, _ = rand.NewChaCha8(key).Read(raw) // never fails
	return raw
}

// readBack writes objects of many sizes, overwrites every fourth with other bytes of another size, and compares the SHA-256 of what
// another client reads; the listing must hold exactly these objects.
func readBack(ctx context.Context, c Config, prefix string) (Part, error) {
	buckets, err := openBuckets(c, prefix+"objects/", nil)
	if err != nil {
		return Part{}, err
	}
	for _, b := range buckets {
		defer b.Close()
	}
	r := rand.New(rand.NewPCG(c.Seed, math.MaxUint64))
	size := func() int { return int(math.Exp(r.Float64() * math.Log(float64(c.Store.MaxSize)))) } // as many small as large ones
	objects := make([]object, c.Store.Objects)
	for i := range objects {
		objects[i] = object{key: fmt.Sprintf("o%05d", i), size: size(), version: 1}
	}
	start := time.Now()
	each := func(run func(ctx context.Context, b *bucket, o *object), shift int) {
		var all sync.WaitGroup
		for w := range buckets {
			all.Go(func() {
				for i := w; i < len(objects) && ctx.Err() == nil && time.Since(start) < c.Limit; i += len(buckets) {
					ctx, cancel := context.WithTimeout(ctx, c.Timeout)
					run(ctx, buckets[(w+shift)%len(buckets)], &objects[i])
					cancel()
				}
			})
		}
		all.Wait()
	}
	write := func(ctx context.Context, b *bucket, o *object) { _, o.written = b.put(ctx, o.key, o.content(c.Seed)) }
	for i := range objects {
		objects[i].written, objects[i].unread = context.DeadlineExceeded, context.DeadlineExceeded
	}
	each(write, 0)
	for i := 0; i < len(objects); i += 4 {
		objects[i].size, objects[i].version = size(), 2
	}
	each(func(ctx context.Context, b *bucket, o *object) {
		if o.version == 2 && o.written == nil {
			write(ctx, b, o)
		}
	}, 0)
	settle := time.Duration(0)
	if c.Model != Linearizable {
		settle = c.Settle
	}
	each(func(ctx context.Context, b *bucket, o *object) {
		if o.written == nil {
			o.compare(ctx, b, c.Seed, settle)
		}
	}, 1)
	listCtx, cancel := context.WithTimeout(ctx, c.Timeout)
	found, listError := buckets[0].List(listCtx)
	cancel()
	left := buckets[0].remove()
	if err := ctx.Err(); err != nil {
		return Part{}, err
	}
	return withLeft(judgeReadBack(c, objects, found, listError), left), nil
}

// compare reads an object until it is as written or settle has passed.
func (o *object) compare(ctx context.Context, b *bucket, seed uint64, settle time.Duration) {
	want, began := o.content(seed), time.Now()
	for {
		got, err := b.get(ctx, o.key)
		o.unread, o.mismatch = err, ""
		switch {
		case isAbsent(err):
			o.unread, o.mismatch = nil, "is not there"
		case err == nil && !bytes.Equal(got, want):
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			o.mismatch = fmt.Sprintf("differs from byte %d on: wrote %d bytes with SHA-256 %x…, read %d bytes with %x…",
				at, len(want), short(want), len(got), short(got))
		}
		if o.mismatch == "" || time.Since(began) > settle || ctx.Err() != nil {
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}

func short(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:8]
}

func judgeReadBack(c Config, objects []object, found map[string]string, listError error) Part {
	p := Part{Name: "read-back"}
	var same, bad, unread, size int
	var lastError error
	fault := func(o object, what string) {
		if bad++; len(p.Anomalies) < maxAnomalies {
			p.Anomalies = append(p.Anomalies, Anomaly{Text: fmt.Sprintf("object %s %s (written and acknowledged %d×)\n", o.key, what, o.version)})
		}
	}
	for _, o := range objects {
		switch {
		case o.written != nil:
			unread, lastError = unread+1, o.written
		case o.unread != nil:
			unread, lastError = unread+1, o.unread
		case o.mismatch != "":
			fault(o, o.mismatch)
		default:
			same, size = same+1, size+o.size
		}
		if _, ok := found[o.key]; !ok && listError == nil && o.written == nil && c.Model != Eventual {
			fault(o, "is not in the listing")
		}
	}
	p.Figures = []Figure{{"objects the same", float64(same), ""}, {"objects that differ", float64(bad), ""},
		{"objects without an answer", float64(unread), ""}, {"read and compared", float64(size), "bytes"}}
	switch {
	case bad > 0:
		p.Verdict, p.Says = Breached, fmt.Sprintf("%d of %d objects are not as written", bad, len(objects))
	case listError != nil:
		p.Verdict, p.Says = Unproven, fmt.Sprintf("the listing failed: %v", listError)
	case unread > same:
		p.Verdict, p.Says = Unproven, fmt.Sprintf("%d objects were compared and %d were not; the last error: %v", same, unread, lastError)
	default:
		p.Verdict, p.Says = Met, fmt.Sprintf("%d objects, %d bytes, read back with the checksums they were written with", same, size)
	}
	return p
}
