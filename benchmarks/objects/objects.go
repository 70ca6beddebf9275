// Package objects loads an S3 store with a mix of writes, reads, looks, lists and deletions of objects of given sizes, and checks every
// byte that it reads.
package objects

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// checksums are those that S3 knows.
var checksums = map[string]minio.ChecksumType{"CRC32": minio.ChecksumCRC32, "CRC32C": minio.ChecksumCRC32C, "CRC64NVME": minio.ChecksumCRC64NVME,
	"SHA1": minio.ChecksumSHA1, "SHA256": minio.ChecksumSHA256}

// Size is one size of objects and how many of the objects have it.
type Size struct {
	Bytes  int64 `json:"bytes"`
	Weight int   `json:"weight,omitempty"` // 0 is 1
}

// Mix says how often each operation is chosen. Weights relate to their sum.
type Mix struct {
	Put    int `json:"put,omitempty"`
	Get    int `json:"get,omitempty"`
	Stat   int `json:"stat,omitempty"`
	List   int `json:"list,omitempty"`
	Delete int `json:"delete,omitempty"` // of an object of the worker's own, written again by its next put
}

// Options say what to load and with what.
type Options struct {
	Endpoint, AccessKey, SecretKey, Region string // Endpoint is a URL, http or https
	Bucket                                 string // must exist
	// Prefix begins every key, so that they are told from the user's own; "" is "surety/".
	Prefix string
	Mix    Mix
	Sizes  []Size // none: 64 KiB
	Keys   int    // objects that are read and looked at, the same for all workers; 0 is 256
	// Checksum is one that is sent with each put in one request and that the store verifies, as "CRC32C" or "SHA256"; "" is none. It goes into a
	// header: minio-go's way of sending it behind the body does not get through to every store over plain HTTP.
	Checksum  string
	Transport http.RoundTripper // nil: one with a connection for each worker
	Seed      uint64            // of content and choices
}

// Driver runs the mix. Make one with Open, Fill it when the mix reads, give its Operation to benchmarks.Run, Clear and Close it.
type Driver struct {
	o        Options
	client   *minio.Client
	summing  *minio.Client // for puts with a checksum: it alone lets that header through
	own      *http.Transport
	content  *content
	checksum minio.ChecksumType
	workers  []worker
	sum, all int // of the weights of operations and of sizes
}

// worker is what one worker keeps from operation to operation.
type worker struct {
	random  *rand.Rand
	hash    hash.Hash32
	buffer  []byte
	written int // its own objects, numbers [deleted, written)
	deleted int
}

// maxOwn bounds the objects that a worker keeps of its own: it then writes them again.
const maxOwn = 256

// Open makes a client for so many workers. The store is asked whether the bucket is there. Nothing is retried, there or later: a retry
// would hide a failure in a latency.
func Open(ctx context.Context, o Options, workers int) (*Driver, error) {
	if o.Prefix == "" {
		o.Prefix = "surety/"
	}
	if len(o.Sizes) == 0 {
		o.Sizes = []Size{{Bytes: 64 << 10}}
	}
	if o.Keys == 0 {
		o.Keys = 256
	}
	m := o.Mix
	d := &Driver{o: o, content: newContent(o.Seed), workers: make([]worker, workers), sum: m.Put + m.Get + m.Stat + m.List + m.Delete}
	if min(m.Put, m.Get, m.Stat, m.List, m.Delete) < 0 || d.sum == 0 || o.Keys < 1 || workers < 1 {
		return nil, fmt.Errorf("objects: %+v of %d keys with %d workers make no mix", m, o.Keys, workers)
	}
	if m.Delete > 0 && m.Put == 0 {
		return nil, errors.New("objects: a mix that deletes must put as well")
	}
	if o.Checksum != "" {
		known := false
		if d.checksum, known = checksums[o.Checksum]; !known {
			return nil, fmt.Errorf("objects: the checksum %q is none of CRC32, CRC32C, CRC64NVME, SHA1 and SHA256", o.Checksum)
		}
	}
	for _, s := range o.Sizes {
		if s.Bytes < 0 || s.Weight < 0 {
			return nil, fmt.Errorf("objects: size %+v", s)
		}
		d.all += max(1, s.Weight)
	}
	scheme, host, ok := strings.Cut(strings.TrimSuffix(o.Endpoint, "/"), "://")
	if !ok || scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("objects: the endpoint %q is no URL with http or https", o.Endpoint)
	}
	if o.Transport == nil {
		t, err := minio.DefaultTransport(scheme == "https")
		if err != nil {
			return nil, err
		}
		t.MaxIdleConnsPerHost, t.MaxIdleConns = workers, workers
		d.own, o.Transport = t, t
	}
	conf := minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: scheme == "https", Region: o.Region,
		BucketLookup: minio.BucketLookupPath, Transport: o.Transport, MaxRetries: 1}
	var err1, err2 error
	d.client, err1 = minio.New(host, &conf)
	conf.TrailingHeaders = true
	d.summing, err2 = minio.New(host, &conf)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	found, err := d.client.BucketExists(ctx, o.Bucket)
	if err == nil && !found {
		err = errors.New("there is no such bucket")
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	for i := range d.workers {
		d.workers[i] = worker{random: rand.New(rand.NewPCG(o.Seed, uint64(i))), hash: crc32.New(castagnoli), buffer: make([]byte, 128<<10)}
	}
	return d, nil
}

// size gives an object's size: its key chooses by the weights, so that an object written again is the same.
func (d *Driver) size(key string) int64 {
	at := d.content.place(key, d.all)
	for _, s := range d.o.Sizes {
		if at -= max(1, s.Weight); at < 0 {
			return s.Bytes
		}
	}
	return d.o.Sizes[0].Bytes
}

// shared is a key that every worker reads, private one that only its worker writes and deletes.
func (d *Driver) shared(n int) string { return d.o.Prefix + "shared/" + strconv.Itoa(n) }

func (d *Driver) private(worker, n int) string {
	return d.o.Prefix + "worker" + strconv.Itoa(worker) + "/" + strconv.Itoa(n)
}

// Fill writes the objects that are read, by all workers at once.
func (d *Driver) Fill(ctx context.Context) error {
	failures := make([]error, len(d.workers))
	var all sync.WaitGroup
	for i := range d.workers {
		all.Go(func() {
			for n := i; n < d.o.Keys && failures[i] == nil; n += len(d.workers) {
				failures[i] = d.write(ctx, d.shared(n))
			}
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("fill bucket %s: %w", d.o.Bucket, err)
	}
	return nil
}
