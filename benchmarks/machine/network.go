package machine

import (
	"bufio"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// The two ends of a network measurement speak a line first, "surety-network TOKEN MODE SIZE", and then bytes. In mode sink the
// receiver counts what comes until the sender closes its half, and answers with what it saw; in mode echo it sends back every SIZE bytes.
const (
	greeting  = "surety-network"
	modeSink  = "sink"
	modeEcho  = "echo"
	maxStream = 64 // connections at once
	// piece is what one read or write moves, as in iperf3.
	piece = 128 << 10
)

// received is what a receiver saw of one stream. Times are in nanoseconds since the receiver started.
type received struct {
	First, Last int64
	Bytes       int64
	Slices      []int64 // bytes by slice since the receiver started
}

// Receive is the receiving end: it serves every connection that knows the token until ctx ends, which is no error. A connection that
// moves nothing for ten seconds is ended, and more than 64 at once are refused, so that a forgotten receiver holds little.
func Receive(ctx context.Context, l net.Listener, token string) error {
	if token == "" {
		return errors.New("a receiver needs a token: without one, anybody could send to it")
	}
	began := time.Now()
	var connections sync.WaitGroup
	defer connections.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	places := make(chan struct{}, maxStream)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		select {
		case places <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		connections.Go(func() {
			defer func() { <-places }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			if serve(conn, token, began) != nil { // the sender learns of it: the connection ends without an answer
				drain(conn)
			}
		})
	}
}

// drain reads what a refused sender had already sent, within bounds: a socket closed with bytes unread is reset, and the sender would
// see that instead of the end.
func drain(conn net.Conn) {
	if half, ok := conn.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, conn, 1<<20)
}

// serve answers one sender.
func serve(conn net.Conn, token string, began time.Time) error {
	in := bufio.NewReaderSize(conn, 4096)
	_ = conn.SetDeadline(time.Now().Add(idle))
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	var mode string
	var size int
	fields := strings.Fields(line)
	if len(fields) != 4 || fields[0] != greeting || subtle.ConstantTimeCompare([]byte(fields[1]), []byte(token)) != 1 {
		return errors.New("not a sender of ours")
	}
	mode = fields[2]
	if _, err := fmt.Sscan(fields[3], &size); err != nil || size < 1 || size > piece {
		return fmt.Errorf("size %q", fields[3])
	}
	if mode == modeEcho {
		return echo(conn, in, size)
	}
	if mode != modeSink {
		return fmt.Errorf("mode %q", mode)
	}
	return sink(conn, in, began)
}

// idle is how long an end waits for the other to do anything.
const idle = 10 * time.Second

func echo(conn net.Conn, in io.Reader, size int) error {
	message := make([]byte, size)
	for {
		_ = conn.SetDeadline(time.Now().Add(idle))
		if _, err := io.ReadFull(in, message); err != nil {
			return err
		}
		if _, err := conn.Write(message); err != nil {
			return err
		}
	}
}

// sink counts until the sender has closed its half, and answers.
func sink(conn net.Conn, in *bufio.Reader, began time.Time) error {
	var seen received
	buffer := make([]byte, piece)
	extended := time.Now()
	from := io.Reader(in)
	for {
		n, err := from.Read(buffer)
		now := time.Now()
		if n > 0 {
			at := now.Sub(began)
			if seen.Bytes == 0 {
				seen.First = int64(at)
			}
			seen.Last, seen.Bytes = int64(at), seen.Bytes+int64(n)
			for s := int(at / slice); len(seen.Slices) <= s; {
				seen.Slices = append(seen.Slices, 0)
			}
			seen.Slices[at/slice] += int64(n)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if in.Buffered() == 0 {
			from = conn // what came with the line is read: large reads go straight to the socket
		}
		if now.Sub(extended) > time.Second { // not at each read: setting a timer costs as much as one
			extended = now
			_ = conn.SetDeadline(now.Add(idle))
		}
	}
	return json.NewEncoder(conn).Encode(seen)
}

// greet opens one stream to a receiver.
func greet(ctx context.Context, dial Dialer, address, token, mode string, size int) (net.Conn, error) {
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "%s %s %s %d\n", greeting, token, mode, size); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Dialer is net.Dialer's DialContext, or one that dials from elsewhere.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)
