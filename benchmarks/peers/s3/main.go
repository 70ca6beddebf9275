// Command s3 compares throughput with a plain loop over minio-go's own client: the same store, sizes and number of clients.
//
//	go run ./benchmarks/peers/s3 -rounds 9 -seconds 3
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	choose "math/rand/v2"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"surety/benchmarks"
	"surety/benchmarks/objects"
	"surety/benchmarks/peers/pairs"
	"surety/benchmarks/peers/servers"
)

const (
	bucket = "load"
	keys   = 16
)

func main() {
	rounds := flag.Int("rounds", 9, "rounds of each comparison")
	seconds := flag.Int("seconds", 3, "length of each run")
	clients := flag.Int("clients", 4, "clients")
	flag.Parse()
	// The store runs in this process. With little in memory Go collects garbage after every few requests, and the side that keeps more
	// alive would seem the faster for it: ours by 13 % at 4 KiB.
	debug.SetGCPercent(1000)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, *rounds, *clients, time.Duration(*seconds)*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare(ctx context.Context, rounds, clients int, each time.Duration) error {
	store, err := servers.ObjectStore(ctx, bucket)
	if err != nil {
		return err
	}
	defer store.Stop()
	var all []pairs.Comparison
	for _, size := range []int64{4 << 10, 1 << 20, 16 << 20} {
		for _, op := range []string{"put", "get", "get through minio.Core"} {
			mix := objects.Mix{Get: 1}
			if op == "put" {
				mix = objects.Mix{Put: 1}
			}
			o := objects.Options{Endpoint: store.Endpoint, AccessKey: store.AccessKey, SecretKey: store.SecretKey, Bucket: bucket, Mix: mix,
				Sizes: []objects.Size{{Bytes: size}}, Keys: keys}
			p, err := newPlain(ctx, store, clients, size)
			if err != nil {
				return err
			}
			loop := map[string]func(context.Context, int, int) error{"put": p.put, "get": p.get, "get through minio.Core": p.getCore}[op]
			c, err := pairs.Run(ctx, os.Stderr, fmt.Sprintf("%s of %d KiB, %d clients", op, size>>10, clients), "MiB/s", rounds,
				pairs.Side{Name: "surety", Run: func(ctx context.Context) (float64, error) { return ours(ctx, o, clients, each) }},
				pairs.Side{Name: "plain loop", Run: func(ctx context.Context) (float64, error) { return p.run(ctx, loop, clients, each) }})
			if err != nil {
				return err
			}
			all = append(all, c)
			if err := p.clear(ctx); err != nil {
				return err
			}
		}
	}
	pairs.Table(os.Stdout, all)
	return nil
}

func ours(ctx context.Context, o objects.Options, clients int, each time.Duration) (float64, error) {
	d, err := objects.Open(ctx, o, clients)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	if o.Mix.Get > 0 {
		if err := d.Fill(ctx); err != nil {
			return 0, err
		}
	}
	report := benchmarks.NewReport(0)
	if _, err := benchmarks.Run(ctx, benchmarks.Plan{Schedule: benchmarks.Closed(each), Workers: clients}, d.Operation, report.Add); err != nil {
		return 0, err
	}
	g := report.Result().Total
	if g.Failed > 0 {
		return 0, fmt.Errorf("%d of %d operations failed: %v", g.Failed, g.Count, g.Errors)
	}
	return g.Throughput / (1 << 20), d.Clear(ctx)
}

// plain is the loop that anybody would write.
type plain struct {
	client *minio.Client
	body   []byte
}

func newPlain(ctx context.Context, s *servers.Store, clients int, size int64) (*plain, error) {
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		return nil, err
	}
	transport.MaxIdleConnsPerHost = clients
	c, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Transport: transport})
	if err != nil {
		return nil, err
	}
	p := &plain{client: c, body: make([]byte, size)}
	_, _ = rand.Read(p.body) // never fails
	return p, nil
}

func (p *plain) put(ctx context.Context, worker, n int) error {
	_, err := p.client.PutObject(ctx, bucket, "plain/"+strconv.Itoa(worker)+"/"+strconv.Itoa(n%256), bytes.NewReader(p.body), int64(len(p.body)),
		minio.PutObjectOptions{DisableMultipart: true})
	return err
}

func (p *plain) get(ctx context.Context, _, _ int) error {
	o, err := p.client.GetObject(ctx, bucket, "plain/0/"+strconv.Itoa(choose.IntN(keys)), minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer o.Close()
	return p.drain(o)
}

// getCore leaves out the goroutine that minio-go puts behind each object so that it can be read from anywhere. Our driver does the same.
func (p *plain) getCore(ctx context.Context, _, _ int) error {
	o, _, _, err := minio.Core{Client: p.client}.GetObject(ctx, bucket, "plain/0/"+strconv.Itoa(choose.IntN(keys)), minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer o.Close()
	return p.drain(o)
}

func (p *plain) drain(o io.Reader) error {
	got, err := io.Copy(io.Discard, o)
	if err == nil && got != int64(len(p.body)) {
		err = fmt.Errorf("read %d bytes of %d", got, len(p.body))
	}
	return err
}

func (p *plain) run(ctx context.Context, loop func(ctx context.Context, worker, n int) error, clients int, each time.Duration) (float64, error) {
	for n := range keys {
		if err := p.put(ctx, 0, n); err != nil {
			return 0, err
		}
	}
	var bytes atomic.Int64
	var wait sync.WaitGroup
	failures := make([]error, clients)
	began := time.Now()
	for i := range clients {
		wait.Go(func() {
			for n := 0; failures[i] == nil && time.Since(began) < each; n++ {
				failures[i] = loop(ctx, i, n)
				bytes.Add(int64(len(p.body)))
			}
		})
	}
	wait.Wait()
	took := time.Since(began)
	if err := errors.Join(failures...); err != nil {
		return 0, err
	}
	return float64(bytes.Load()) / (1 << 20) / took.Seconds(), p.clear(ctx)
}

func (p *plain) clear(ctx context.Context) error {
	for o := range p.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: "plain/", Recursive: true}) {
		if err := errors.Join(o.Err, p.client.RemoveObject(ctx, bucket, o.Key, minio.RemoveObjectOptions{})); err != nil {
			return err
		}
	}
	return nil
}
