package objects

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"surety/benchmarks"
)

var _ benchmarks.Operation = (*Driver)(nil).Operation

// Operation is a benchmarks.Operation: one request of the mix. Its class is "s3 NoSuchKey" and such when the store refused it, and "content" when
// a read gave other bytes than were written. Bytes are those of objects written and read; a list counts none.
func (d *Driver) Operation(ctx context.Context, i int) (bytes int64, op string, err error) {
	w := &d.workers[i]
	at := w.random.IntN(d.sum)
	key := d.shared(w.random.IntN(d.o.Keys))
	next := func(weight int) bool { at -= weight; return at < 0 }
	switch m := d.o.Mix; {
	case next(m.Get):
		bytes, err = d.read(ctx, w, key)
		return bytes, "get", class(err)
	case next(m.Stat):
		_, err = d.client.StatObject(ctx, d.o.Bucket, key, minio.StatObjectOptions{})
		return 0, "stat", class(err)
	case next(m.List):
		return 0, "list", class(d.list(ctx))
	case next(m.Delete) && w.deleted < w.written:
		err = d.client.RemoveObject(ctx, d.o.Bucket, d.private(i, w.deleted), minio.RemoveObjectOptions{})
		if err == nil {
			w.deleted++
		}
		return 0, "delete", class(err)
	}
	// Also when there is nothing to delete: the next deletion then finds something.
	n := w.written
	if w.written-w.deleted >= maxOwn {
		n = w.deleted + w.random.IntN(maxOwn)
	}
	key = d.private(i, n)
	if err := d.write(ctx, key); err != nil {
		return 0, "put", class(err)
	}
	w.written = max(w.written, n+1)
	return d.size(key), "put", nil
}

// list asks for the shared objects' names, the first page of them: at most a thousand.
func (d *Driver) list(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // it would go on to the next page
	n := 0
	for o := range d.client.ListObjects(ctx, d.o.Bucket, minio.ListObjectsOptions{Prefix: d.o.Prefix + "shared/", MaxKeys: page}) {
		if o.Err != nil {
			return o.Err
		}
		if n++; n == page {
			break
		}
	}
	return nil
}

const page = 1000

// errContent is a read that gave other bytes than were written.
var errContent = errors.New("the store gave back something else than was written")

func (d *Driver) read(ctx context.Context, w *worker, key string) (int64, error) {
	body, _, _, err := minio.Core{Client: d.client}.GetObject(ctx, d.o.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	return d.content.verify(body, w.hash, w.buffer, key, d.size(key))
}

// write puts an object. In one request up to 64 MiB, in parts beyond, which the client sends one after the other.
func (d *Driver) write(ctx context.Context, key string) error {
	size := d.size(key)
	client, o := d.client, minio.PutObjectOptions{PartSize: onePart, NumThreads: 1}
	if size <= onePart {
		o = minio.PutObjectOptions{DisableMultipart: true}
		if d.checksum.IsSet() {
			h := d.checksum.Hasher()
			if _, err := io.Copy(h, d.content.reader(key, size)); err != nil {
				return err
			}
			client, o.UserMetadata = d.summing, map[string]string{d.checksum.Key(): base64.StdEncoding.EncodeToString(h.Sum(nil))}
		}
	}
	_, err := client.PutObject(ctx, d.o.Bucket, key, d.content.reader(key, size), size, o)
	return err
}

const onePart = 64 << 20

// class names what the store answered, for counting.
func class(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, errContent) {
		return &benchmarks.Failure{Class: "content", Err: err}
	}
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok && answer.Code != "" {
		return &benchmarks.Failure{Class: "s3 " + answer.Code, Err: err}
	}
	return err
}

// Clear removes every object below the prefix.
func (d *Driver) Clear(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the listing ends with it when a removal fails
	var failures []error
	names := d.client.ListObjects(ctx, d.o.Bucket, minio.ListObjectsOptions{Prefix: d.o.Prefix, Recursive: true})
	for failure := range d.client.RemoveObjects(ctx, d.o.Bucket, names, minio.RemoveObjectsOptions{}) {
		failures = append(failures, failure.Err)
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("clear bucket %s: %w", d.o.Bucket, err)
	}
	return nil
}

// Close gives idle connections back. No operation may be under way.
func (d *Driver) Close() {
	if d.own != nil {
		d.own.CloseIdleConnections()
	}
}
