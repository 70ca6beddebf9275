package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"surety/benchmarks"
)

// Options say how requests are sent.
type Options struct {
	// Workers is that of the plan. At least 1.
	Workers int
	// Connections bounds the open connections; 0 means one for each worker. With fewer, waiting for one is part of the latency.
	Connections int
	// Once opens a connection for each request instead of keeping them.
	Once bool
	// TLS is for https; nil verifies the server by the system's roots. Sessions are resumed, as browsers do, unless it has
	// SessionTicketsDisabled.
	TLS *tls.Config
	// Dial opens connections; nil uses the machine's network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Driver sends requests over bounded connections.
type Driver struct {
	requests []*prepared
	order    []int
	turn     atomic.Uint64
	links    []*link
	free     chan *link // nil when each worker has its own
}

// New makes a driver for a mix of requests. It connects to nothing yet.
func New(options Options, requests ...Request) (*Driver, error) {
	if options.Workers < 1 || options.Connections < 0 || len(requests) == 0 {
		return nil, fmt.Errorf("make a web driver: %d workers, %d connections, %d requests", options.Workers, options.Connections, len(requests))
	}
	order, err := mix(requests)
	if err != nil {
		return nil, fmt.Errorf("make a web driver: %w", err)
	}
	d := &Driver{order: order}
	var to target
	for i, r := range requests {
		p, its, err := prepare(r, options.Once)
		if err != nil {
			return nil, err
		}
		if i > 0 && its != to {
			return nil, fmt.Errorf("make a web driver: requests go to %s and to %s", to.address, its.address)
		}
		to = its
		d.requests = append(d.requests, p)
	}
	dialer := options.Dial
	if dialer == nil {
		dialer = (&net.Dialer{}).DialContext
	}
	var secure *tls.Config
	if to.secure {
		secure = secured(options.TLS, to)
	}
	count := options.Workers
	if options.Connections > 0 && options.Connections < count {
		count = options.Connections
		d.free = make(chan *link, count)
	}
	for range count {
		l := newLink(dialer, to.address, secure, options.Once)
		d.links = append(d.links, l)
		if d.free != nil {
			d.free <- l
		}
	}
	return d, nil
}

// Do sends the next request of the mix, reads its response to the end and checks the status. It counts the bytes of both bodies.
func (d *Driver) Do(ctx context.Context, worker int) (int64, string, error) {
	request := d.requests[0]
	if len(d.order) > 1 {
		request = d.requests[d.order[(d.turn.Add(1)-1)%uint64(len(d.order))]]
	}
	l, err := d.take(ctx, worker)
	if err != nil {
		return 0, request.op, err
	}
	n, err := l.exchange(ctx, request)
	if d.free != nil {
		d.free <- l
	}
	return n, request.op, err
}

func (d *Driver) take(ctx context.Context, worker int) (*link, error) {
	if d.free == nil {
		if worker < 0 || worker >= len(d.links) {
			return nil, &benchmarks.Failure{Class: "too many workers", Err: fmt.Errorf("worker %d of %d", worker, len(d.links))}
		}
		return d.links[worker], nil
	}
	select {
	case l := <-d.free:
		return l, nil
	case <-ctx.Done():
		return nil, &benchmarks.Failure{Class: "no connection free", Err: context.Cause(ctx)}
	}
}

// Open counts the connections that are open now.
func (d *Driver) Open() int {
	n := 0
	for _, l := range d.links {
		if l.open.Load() {
			n++
		}
	}
	return n
}

// Close closes all connections. No request may be under way.
func (d *Driver) Close() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}
