package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// link is a place for one connection, used by one worker at a time.
type link struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string
	secure  *tls.Config
	once    bool

	reader *bufio.Reader
	header fasthttp.ResponseHeader

	open    atomic.Bool
	mu      sync.Mutex // of all below
	conn    net.Conn
	ctx     context.Context // whose end closes the connection
	release func() bool
}

func newLink(dial func(context.Context, string, string) (net.Conn, error), address string, secure *tls.Config, once bool) *link {
	return &link{dial: dial, address: address, secure: secure, once: once, reader: bufio.NewReaderSize(nil, 16<<10)}
}

// exchange sends a request and reads the response, over a new connection when there is none.
func (l *link) exchange(ctx context.Context, request *prepared) (int64, error) {
	if l.ctx != ctx { // a worker keeps its context from request to request
		l.follow(ctx)
	}
	kept := l.open.Load()
	n, answered, err := l.attempt(ctx, request)
	if err != nil && kept && !answered && request.idempotent && ctx.Err() == nil {
		// The server may close an idle connection at any time; that it did is seen only now.
		_ = l.close()
		n, _, err = l.attempt(ctx, request)
	}
	return n, err
}

// follow closes the connection when ctx ends, and no longer when another does.
func (l *link) follow(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.release != nil {
		l.release()
	}
	l.ctx = ctx
	l.release = context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ctx == ctx { // it may have ended just as another took its place
			_ = l.closeLocked()
		}
	})
}

// attempt tells beside the bytes whether a part of an answer came.
func (l *link) attempt(ctx context.Context, request *prepared) (n int64, answered bool, err error) {
	conn, err := l.connect(ctx)
	if err != nil {
		return 0, false, err
	}
	if _, err = conn.Write(request.wire); err == nil {
		_, err = l.reader.Peek(1)
	}
	if err != nil {
		_ = l.close()
		return 0, false, err
	}
	n, err = l.receive(request)
	if err != nil || l.once || l.header.ConnectionClose() {
		_ = l.close() // the response is whole, or there is an error already
	}
	if status := l.header.StatusCode(); err == nil && !request.expects(status) {
		err = wrongStatus[min(max(status, 0), len(wrongStatus)-1)]
	}
	return n + request.payload, true, err
}

func (l *link) connect(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	conn, err := l.dial(ctx, "tcp", l.address)
	if err != nil {
		return nil, err
	}
	if l.secure != nil {
		wrapped := tls.Client(conn, l.secure)
		if err := wrapped.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = wrapped
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil { // its end has found nothing to close
		_ = conn.Close()
		return nil, err
	}
	l.conn = conn
	l.open.Store(true)
	l.reader.Reset(conn)
	return conn, nil
}

// close is safe at any time and from anywhere.
func (l *link) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closeLocked()
}

func (l *link) closeLocked() error {
	if l.conn == nil {
		return nil
	}
	err := l.conn.Close()
	l.conn = nil
	l.open.Store(false)
	return err
}

// receive reads one response to its end (RFC 9112 §6.3) and gives the bytes of its body.
func (l *link) receive(request *prepared) (int64, error) {
	for {
		if err := l.header.Read(l.reader); err != nil {
			return 0, early(err)
		}
		if status := l.header.StatusCode(); status >= 200 || status == fasthttp.StatusSwitchingProtocols {
			break
		}
	}
	if status := l.header.StatusCode(); request.noBody || status < 200 || status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified {
		return 0, nil
	}
	switch length := l.header.ContentLength(); {
	case length >= 0:
		n, err := l.reader.Discard(length)
		return int64(n), early(err)
	case length == -1: // in chunks
		n, err := io.Copy(io.Discard, httputil.NewChunkedReader(l.reader))
		if err == nil {
			err = l.header.ReadTrailer(l.reader)
		}
		return n, early(err)
	default: // until the server closes
		n, err := io.Copy(io.Discard, l.reader)
		_ = l.close()
		return n, err
	}
}

// early makes the end of input within a response an unexpected one.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
