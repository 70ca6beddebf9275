package balancer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// payload is a request's body: kept in memory when it is small enough to be sent again, else passed through once.
type payload struct {
	kept []byte
	body io.ReadCloser // nil when there is none or it is kept

	mu    sync.Mutex
	begun bool // some of body was read; it cannot be sent again
	turn  *passing
}

func newPayload(r *http.Request) (*payload, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return &payload{body: nil}, nil
	}
	if r.ContentLength < 0 || r.ContentLength > keepRequest {
		return &payload{body: r.Body}, nil
	}
	kept, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return &payload{kept: kept}, nil
}

// put gives an outgoing request its body.
func (p *payload) put(out *http.Request) {
	switch {
	case p.kept != nil:
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p.kept)), nil }
		out.Body, _ = out.GetBody()
	case p.body != nil:
		p.turn = &passing{payload: p}
		out.Body = p.turn
	default:
		out.Body = http.NoBody
	}
}

// withdraw takes an unread body back from a failed attempt: the transport may still be about to read it when it has already reported
// the failure, and must not take what the next attempt sends.
func (p *payload) withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		p.turn = nil
	}
}

// whole tells whether the body can be sent (again).
func (p *payload) whole() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.begun
}

func (p *payload) close() {
	if p.body != nil && p.whole() {
		_ = p.body.Close() // nobody needs it
	}
}

// passing is a body passed through in one attempt. The transport closes what it was given also when it never sent it; the body itself
// must then stay open for another backend.
type passing struct{ *payload }

func (p *passing) Read(b []byte) (int, error) {
	p.mu.Lock()
	if p.turn != p {
		p.mu.Unlock()
		return 0, errors.New("the request was given to another backend")
	}
	p.begun = true
	p.mu.Unlock()
	return p.body.Read(b)
}

func (p *passing) Close() error {
	if p.whole() {
		return nil
	}
	return p.body.Close()
}

// follow calls ended once, when the body was closed (nil) or broke. A body that can be written, of a tunnel, stays so.
func follow(body io.ReadCloser, ended func(error)) io.ReadCloser {
	f := &followed{ReadCloser: body, ended: ended}
	if w, ok := body.(io.ReadWriteCloser); ok {
		return &tunnel{followed: f, Writer: w}
	}
	return f
}

type followed struct {
	io.ReadCloser
	once  sync.Once
	ended func(error)
}

func (f *followed) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.once.Do(func() { f.ended(err) })
	}
	return n, err
}

func (f *followed) Close() error {
	err := f.ReadCloser.Close()
	f.once.Do(func() { f.ended(nil) })
	return err
}

type tunnel struct {
	*followed
	io.Writer
}

// Read of a tunnel: its end is not the backend's failure, whichever side ended it.
func (t *tunnel) Read(b []byte) (int, error) { return t.ReadCloser.Read(b) }
