package redis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/peers/servers"
)

func server(t *testing.T) *servers.Server {
	t.Helper()
	s, err := servers.Redis(context.Background())
	if _, ok := errors.AsType[servers.Absent](err); ok {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRedis(t *testing.T) {
	s, ctx, workers := server(t), context.Background(), 4
	stop := s.Stop
	defer func() { _ = stop() }()
	d, err := Open(ctx, Options{URL: s.URL, Reads: .8, Keys: 2500, Bytes: 100}, workers)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, _, err := readOne(ctx, d); benchmarks.Class(err) != "missing" {
		t.Errorf("a read of nothing: %v", err)
	}
	if err := d.Fill(ctx); err != nil {
		t.Fatal(err)
	}
	report := benchmarks.NewReport(0)
	if _, err := benchmarks.Run(ctx, benchmarks.Plan{Schedule: benchmarks.Closed(time.Second), Workers: workers}, d.Operation, report.Add); err != nil {
		t.Fatal(err)
	}
	r := report.Result()
	if share := float64(r.ByOp["get"].Count) / float64(r.Total.Count); r.Total.Failed > 0 || share < .75 || share > .85 {
		t.Errorf("%d operations, %.2f of them reads, %v", r.Total.Count, share, r.Total.Errors)
	}
	if r.Total.Bytes != int64(100*r.Total.Count) {
		t.Errorf("%d operations of 100 bytes moved %d", r.Total.Count, r.Total.Bytes)
	}
	w := d.workers[0].client
	if n, err := w.DBSize(ctx).Result(); err != nil || n != 2500 {
		t.Errorf("%d keys, %v", n, err)
	}

	// A value that somebody changed is noticed.
	for _, key := range w.Keys(ctx, "surety:*").Val() {
		if err := w.Set(ctx, key, "short", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := readOne(ctx, d); benchmarks.Class(err) != "wrong size" {
		t.Errorf("a changed value: %v", err)
	}
	for _, key := range w.Keys(ctx, "surety:*").Val() {
		w.Del(ctx, key)
		w.LPush(ctx, key, "a list")
	}
	if _, _, err := readOne(ctx, d); benchmarks.Class(err) != "answer" {
		t.Errorf("a refusal by the server: %v", err)
	}

	if err := d.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	if n := w.DBSize(ctx).Val(); n != 0 {
		t.Errorf("%d keys left", n)
	}
	stop = func() error { return nil }
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, _, err := readOne(ctx, d); err == nil {
		t.Error("read from a server that is gone")
	}
}

// readOne does operations until one is a read.
func readOne(ctx context.Context, d *Driver) (int64, string, error) {
	d.o.Reads = 1
	defer func() { d.o.Reads = .8 }()
	return d.Operation(ctx, 0)
}

func TestRefuses(t *testing.T) {
	for _, o := range []Options{{URL: "unix:///nowhere", Reads: 1.5}, {URL: "unix:///nowhere"}, {URL: "http://me:secret@x"}} {
		_, err := Open(context.Background(), o, 1)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
