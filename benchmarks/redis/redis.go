// Package redis loads a Redis server with a mix of SET and GET.
package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"surety/benchmarks"
)

// Options say what to load and with what.
type Options struct {
	URL string // redis://user:password@host:port/db, rediss://… with TLS, or unix:///path?db=0
	// Reads is the share of GET among all operations, 0 to 1. The others are SET.
	Reads float64
	Keys  int64 // how many keys are used, evenly; 0 is 100,000
	Bytes int   // of each value; 0 is 64
	// Prefix begins every key, so that they are told from the user's own; "" is "surety:".
	Prefix string
	Seed   uint64 // of keys and choices
}

// Driver runs the mix. Make one with Open, give its Operation to benchmarks.Run, and Close it.
type Driver struct {
	o       Options
	workers []worker
	value   []byte
}

type worker struct {
	client *redis.Client // with one connection
	random *rand.Rand
	key    []byte
}

// Errors that are counted apart.
var errWrongSize = errors.New("a value has another size than was written")

// Open connects every worker, which is not measured. Nothing is retried, there or later: a retry would hide a failure in a latency.
func Open(ctx context.Context, o Options, workers int) (*Driver, error) {
	if o.Keys == 0 {
		o.Keys = 100_000
	}
	if o.Bytes == 0 {
		o.Bytes = 64
	}
	if o.Prefix == "" {
		o.Prefix = "surety:"
	}
	if o.Reads < 0 || o.Reads > 1 || o.Keys < 1 || o.Bytes < 1 || workers < 1 {
		return nil, fmt.Errorf("redis: %v reads, %d keys of %d bytes and %d workers make no mix", o.Reads, o.Keys, o.Bytes, workers)
	}
	logging.Disable() // failures come back as errors, and are counted
	d := &Driver{o: o, workers: make([]worker, workers), value: make([]byte, o.Bytes)}
	content := rand.NewChaCha8([32]byte{byte(o.Seed)})
	_, _ = io.ReadFull(content, d.value)
	for i := range d.workers {
		conf, err := redis.ParseURL(o.URL)
		if err != nil {
			return nil, errors.New("the URL of redis cannot be read") // the cause would print the password
		}
		conf.PoolSize, conf.MaxRetries, conf.DialerRetries = 1, -1, 1
		conf.ContextTimeoutEnabled = true
		conf.DisableIdentity = true
		d.workers[i] = worker{client: redis.NewClient(conf), random: rand.New(rand.NewPCG(o.Seed, uint64(i)))}
		if err := d.workers[i].client.Ping(ctx).Err(); err != nil {
			d.Close()
			return nil, fmt.Errorf("connect to redis: %w", err)
		}
	}
	return d, nil
}

// Fill writes every key once, in batches, so that no read misses.
func (d *Driver) Fill(ctx context.Context) error {
	const batch = 1000
	c := d.workers[0].client
	for from := int64(0); from < d.o.Keys; from += batch {
		pipe := c.Pipeline()
		for n := from; n < min(d.o.Keys, from+batch); n++ {
			pipe.Set(ctx, d.o.Prefix+strconv.FormatInt(n, 10), d.value, 0)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("fill redis: %w", err)
		}
	}
	return nil
}

// Operation is a benchmarks.Operation: one GET or SET of a random key. A GET that finds nothing fails with the class "missing", one of another
// size than is written with "wrong size", and an error that the server answers with "answer".
func (d *Driver) Operation(ctx context.Context, i int) (int64, string, error) {
	w := &d.workers[i]
	w.key = strconv.AppendInt(append(w.key[:0], d.o.Prefix...), w.random.Int64N(d.o.Keys), 10)
	if w.random.Float64() >= d.o.Reads {
		if err := w.client.Set(ctx, string(w.key), d.value, 0).Err(); err != nil {
			return 0, "set", class(err)
		}
		return int64(len(d.value)), "set", nil
	}
	value, err := w.client.Get(ctx, string(w.key)).Bytes()
	if err == nil && len(value) != d.o.Bytes {
		err = &benchmarks.Failure{Class: "wrong size", Err: errWrongSize}
	}
	return int64(len(value)), "get", class(err)
}

var _ benchmarks.Operation = (*Driver)(nil).Operation

func class(err error) error {
	if errors.Is(err, redis.Nil) {
		return &benchmarks.Failure{Class: "missing", Err: err}
	}
	if answer, ok := errors.AsType[redis.Error](err); ok {
		return &benchmarks.Failure{Class: "answer", Err: answer}
	}
	return err
}

// Clear removes the keys that Fill and the operations wrote.
func (d *Driver) Clear(ctx context.Context) error {
	const batch = 1000
	c := d.workers[0].client
	for from := int64(0); from < d.o.Keys; from += batch {
		var keys []string
		for n := from; n < min(d.o.Keys, from+batch); n++ {
			keys = append(keys, d.o.Prefix+strconv.FormatInt(n, 10))
		}
		if err := c.Unlink(ctx, keys...).Err(); err != nil {
			return fmt.Errorf("clear redis: %w", err)
		}
	}
	return nil
}

// Close closes all connections. No operation may be under way.
func (d *Driver) Close() {
	for _, w := range d.workers {
		if w.client != nil {
			_ = w.client.Close()
		}
	}
}
