package objects

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"surety/benchmarks"
	"surety/benchmarks/peers/servers"
)

func TestContent(t *testing.T) {
	c, other := newContent(1), newContent(2)
	for _, size := range []int64{0, 1, 1000, period, period + 1, 3*period + 17} {
		one, err := io.ReadAll(c.reader("a", size))
		if err != nil || int64(len(one)) != size {
			t.Fatalf("%d bytes of %d, %v", len(one), size, err)
		}
		again, _ := io.ReadAll(struct{ io.Reader }{c.reader("a", size)})
		if !bytes.Equal(one, again) {
			t.Errorf("%d bytes differ from read to read", size)
		}
		if size < 100 {
			continue
		}
		if b, _ := io.ReadAll(c.reader("b", size)); bytes.Equal(one, b) {
			t.Errorf("%d bytes are the same for two keys", size)
		}
		if b, _ := io.ReadAll(other.reader("a", size)); bytes.Equal(one, b) {
			t.Errorf("%d bytes are the same for two seeds", size)
		}
	}
	long, _ := io.ReadAll(c.reader("long", 2*period))
	if !bytes.Equal(long[:period], long[period:]) {
		t.Error("a period is not repeated")
	}
}

func store(t *testing.T) *servers.Store {
	t.Helper()
	s, err := servers.ObjectStore(context.Background(), "load")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestObjects(t *testing.T) {
	s, ctx, workers := store(t), context.Background(), 4
	o := Options{Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Bucket: "load", Keys: 20, Seed: 1,
		Sizes: []Size{{Bytes: 1000, Weight: 3}, {Bytes: period + 1}}, Mix: Mix{Put: 3, Get: 6, Stat: 1, List: 1, Delete: 2}}
	for _, checksum := range []string{"", "CRC32C", "SHA256"} {
		o.Checksum = checksum
		d, err := Open(ctx, o, workers)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Fill(ctx); err != nil {
			t.Fatal(err)
		}
		report := benchmarks.NewReport(0)
		if _, err := benchmarks.Run(ctx, benchmarks.Plan{Schedule: benchmarks.Closed(time.Second), Workers: workers}, d.Operation, report.Add); err != nil {
			t.Fatal(err)
		}
		r := report.Result()
		if r.Total.Failed > 0 {
			t.Errorf("checksum %q: %v", checksum, r.Total.Errors)
		}
		for _, op := range []string{"put", "get", "stat", "list", "delete"} {
			if r.ByOp[op].Count == 0 {
				t.Errorf("no %s among %d operations", op, r.Total.Count)
			}
		}
		if r.ByOp["get"].Bytes < int64(1000*r.ByOp["get"].Count) {
			t.Errorf("%d reads gave %d bytes", r.ByOp["get"].Count, r.ByOp["get"].Bytes)
		}

		// What the store lost or changed is noticed.
		damaged, gone := d.shared(3), d.shared(4)
		body := make([]byte, d.size(damaged))
		if _, err := d.client.PutObject(ctx, "load", damaged, bytes.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := d.client.RemoveObject(ctx, "load", gone, minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{damaged: "content", gone: "s3 NoSuchKey", d.shared(5): ""} {
			if _, err := d.read(ctx, &d.workers[0], key); benchmarks.Class(class(err)) != want {
				t.Errorf("%s: %v, class %q instead of %q", key, err, benchmarks.Class(class(err)), want)
			}
		}

		if checksum != "" { // the store verifies what is sent: with content that is not what was summed up, it refuses
			key := d.shared(6)
			header := map[string]string{d.checksum.Key(): d.checksum.ChecksumBytes([]byte("other")).Encoded()}
			_, err := d.summing.PutObject(ctx, "load", key, strings.NewReader("some"), 4, minio.PutObjectOptions{DisableMultipart: true, UserMetadata: header})
			if benchmarks.Class(class(err)) != "s3 BadDigest" {
				t.Errorf("a wrong %s: %v", checksum, err)
			}
		}
		if err := d.Clear(ctx); err != nil {
			t.Fatal(err)
		}
		for left := range d.client.ListObjects(ctx, "load", minio.ListObjectsOptions{Recursive: true}) {
			t.Errorf("left behind: %+v", left)
		}
		d.Close()
	}
}

// Objects beyond what goes in one request are sent in parts and read back whole.
func TestLargeObject(t *testing.T) {
	s, ctx := store(t), context.Background()
	d, err := Open(ctx, Options{Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Bucket: "load", Keys: 1,
		Sizes: []Size{{Bytes: onePart + 5<<20}}, Mix: Mix{Get: 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Fill(ctx); err != nil {
		t.Fatal(err)
	}
	if n, _, err := d.Operation(ctx, 0); err != nil || n != onePart+5<<20 {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestRefuses(t *testing.T) {
	s, ctx := store(t), context.Background()
	good := Options{Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey, Bucket: "load", Mix: Mix{Get: 1}}
	for part, change := range map[string]func(*Options){
		"no mix": func(o *Options) { o.Mix = Mix{} }, "must put": func(o *Options) { o.Mix = Mix{Delete: 1} },
		"checksum": func(o *Options) { o.Checksum = "MD4" }, "no URL": func(o *Options) { o.Endpoint = "localhost:1" },
		"no such bucket": func(o *Options) { o.Bucket = "other" }, "size": func(o *Options) { o.Sizes = []Size{{Bytes: -1}} },
		"bucket load": func(o *Options) { o.SecretKey = "wrong" },
	} {
		o := good
		change(&o)
		if _, err := Open(ctx, o, 1); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", part, err)
		}
	}
}
