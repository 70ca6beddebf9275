package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// What is kept in memory so that it can be sent again: a request's body, and the answer to a request that may be repeated (which is
// read whole before its first byte passes on, so that a backend's death in its middle can still be mended elsewhere).
const (
	keepRequest = 1 << 20
	keepAnswer  = 256 << 10
)

// patience is how long a request waits for a backend that is healthy, when there is none.
const patience = time.Second

// noBackend says that no backend could be given the request.
type noBackend struct{ configured int }

func (e *noBackend) Error() string {
	return fmt.Sprintf("none of %d backends is healthy", e.configured)
}

// carrier is the http.RoundTripper that takes a request to a backend and, where that is safe, to another when the first fails.
// Safe is: the request was never sent (the connection could not be made), or its method is idempotent (RFC 9110, 9.2.2) and its body
// is still whole.
type carrier struct{ pool *pool }

func (c *carrier) RoundTrip(in *http.Request) (*http.Response, error) {
	load, err := newPayload(in)
	if err != nil {
		return nil, err
	}
	defer load.close()
	repeatable := idempotent(in)
	var tried []*backend
	var last error
	patience, stop := context.WithTimeout(in.Context(), patience)
	defer stop()
	for {
		b, term := c.pool.pick(tried)
		if b == nil {
			// While servers are exchanged one after the other there may be none for a moment: the next is down already, and the one
			// before it was not found healthy again yet. A short wait spares the caller an error.
			if tried = nil; patience.Err() == nil && c.pool.awaitHealthy(patience) {
				continue
			}
			if last == nil {
				last = &noBackend{configured: len(c.pool.status())}
			}
			return nil, last
		}
		tried = append(tried, b)
		answer, err := c.attempt(in, load, b, term, tried, repeatable)
		if err == nil {
			return answer, nil
		}
		last = fmt.Errorf("%s: %w", b.Name, err)
		if in.Context().Err() != nil || !load.whole() || !repeatable && !neverSent(err) {
			return nil, last
		}
	}
}

// attempt sends the request to one backend. A repeatable one is given up as soon as the backend turns unhealthy while another is not.
func (c *carrier) attempt(in *http.Request, load *payload, b *backend, term context.Context, tried []*backend, repeatable bool) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(in.Context())
	stopLife := context.AfterFunc(b.life, func() { cancel(errCut) })
	stopTerm := context.AfterFunc(term, func() {
		if repeatable && c.pool.anotherHealthy(tried) {
			cancel(errLeft)
		}
	})
	finish := sync.OnceFunc(func() {
		stopTerm()
		stopLife()
		cancel(nil)
		b.leave()
	})
	out := in.Clone(ctx)
	out.URL.Scheme, out.URL.Host = "http", b.hostPort()
	load.put(out)
	answer, err := b.transport.RoundTrip(out)
	if err != nil {
		load.withdraw()
	}
	if err == nil && repeatable && answer.StatusCode != http.StatusSwitchingProtocols && answer.ContentLength >= 0 && answer.ContentLength <= keepAnswer {
		var whole []byte
		whole, err = io.ReadAll(answer.Body)
		err = errors.Join(err, answer.Body.Close())
		answer.Body = io.NopCloser(bytes.NewReader(whole))
		if err == nil {
			finish()
			return answer, nil
		}
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && in.Context().Err() == nil {
			err = cause
		}
		finish()
		failed(in, b, err)
		return nil, err
	}
	stopTerm() // an answer that has begun is not taken back
	if answer.StatusCode == http.StatusSwitchingProtocols {
		body := answer.Body
		context.AfterFunc(ctx, func() { _ = body.Close() }) // the transport no longer minds the context of a tunnel
	}
	answer.Body = follow(answer.Body, func(err error) {
		if err != nil {
			if cause := context.Cause(ctx); cause != nil && in.Context().Err() == nil {
				err = cause
			}
			failed(in, b, err)
		}
		finish()
	})
	return answer, nil
}

// failed counts a failed request against its backend, unless the caller or the balancer itself ended it.
func failed(in *http.Request, b *backend, err error) {
	if in.Context().Err() != nil {
		return
	}
	b.failures.Add(1)
	if !errors.Is(err, errLeft) && !errors.Is(err, errCut) {
		b.observe(err, neverSent(err))
	}
}

// neverSent tells whether the failure was that no connection could be made.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// idempotent tells whether sending the request twice is the same as sending it once. One that opens a tunnel never is.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return r.Header.Get("Upgrade") == ""
	}
	return false
}
