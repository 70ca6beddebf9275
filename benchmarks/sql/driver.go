package sql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"surety/benchmarks"
)

// Target is a database to load.
type Target struct {
	// URL is postgres://user:password@host:port/database?… as libpq reads it, or mysql://user:password@host:port/database. A socket is
	// written ?host=/folder for PostgreSQL and ?socket=/path for MySQL.
	URL string
}

// conn is one connection on which statements are prepared. It belongs to one worker.
type conn interface {
	// run runs a prepared statement by its index and gives the bytes of the rows it returned.
	run(ctx context.Context, statement int, s *statement, values []int64) (int64, error)
	// settle ends a transaction that a failure left open. An error means that the connection is of no use any more.
	settle(ctx context.Context) error
	close()
}

// Driver runs a mix. Make one with Open, give its Operation to benchmarks.Run, and Close it.
type Driver struct {
	target  Target
	mix     []compiled
	workers []worker
}

type worker struct {
	conn   conn
	random *rand.Rand
	values []int64
}

// Open checks the mix, connects every worker and prepares every statement, so that neither is measured. The same seed and number of
// workers draw the same values. Nothing is retried; when one connection fails, all are closed.
func Open(ctx context.Context, t Target, m Mix, workers int, seed uint64) (*Driver, error) {
	kind, err := t.dialect()
	if err != nil {
		return nil, err
	}
	d := &Driver{target: t, workers: make([]worker, workers)}
	if d.mix, err = m.compile(kind); err != nil {
		return nil, err
	}
	failures := make([]error, workers)
	var all sync.WaitGroup
	for i := range d.workers {
		d.workers[i].random = rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() { d.workers[i].conn, failures[i] = d.connect(ctx) })
	}
	all.Wait()
	for _, err := range failures {
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("open %d connections: %w", workers, err)
		}
	}
	return d, nil
}

func (d *Driver) connect(ctx context.Context) (conn, error) {
	var all []statement
	for _, c := range d.mix {
		all = append(all, c.statements...)
	}
	kind, err := d.target.dialect()
	if err != nil {
		return nil, err
	}
	if kind == mysql {
		return connectMySQL(ctx, d.target.URL, all)
	}
	return connectPostgres(ctx, d.target.URL, all)
}

// Operation is a benchmarks.Operation: one transaction of the mix. Its class on failure is "sqlstate 40P01" or "mysql 1213" when the
// server refused it; finding or changing no row is no failure. A worker whose connection broke
// connects again in its next operation, and that time is the operation's, as it is a user's.
func (d *Driver) Operation(ctx context.Context, i int) (int64, string, error) {
	w := &d.workers[i]
	var at int
	at, w.values = draw(w.random, d.mix, w.values)
	chosen := &d.mix[at]
	if w.conn == nil {
		c, err := d.connect(ctx)
		if err != nil {
			return 0, chosen.name, err
		}
		w.conn = c
	}
	var bytes int64
	for n := range chosen.statements {
		read, err := w.conn.run(ctx, chosen.first+n, &chosen.statements[n], w.values)
		bytes += read
		if err != nil {
			if w.conn.settle(ctx) != nil {
				w.conn.close()
				w.conn = nil
			}
			return bytes, chosen.name, err
		}
	}
	return bytes, chosen.name, nil
}

var _ benchmarks.Operation = (*Driver)(nil).Operation

// Close closes all connections. No operation may be under way.
func (d *Driver) Close() {
	for i := range d.workers {
		if d.workers[i].conn != nil {
			d.workers[i].conn.close()
			d.workers[i].conn = nil
		}
	}
}

// refused makes a server's answer an error whose class counts it apart.
func refused(class string, err error) error {
	return &benchmarks.Failure{Class: class, Err: err}
}

var errClosed = errors.New("the connection is closed")
