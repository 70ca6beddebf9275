package measure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"surety/stacks"
)

// How long the caller waits for a host.
const (
	parting = removal + 10*time.Second // for its end, once it was asked for: it removes what it made meanwhile
	halting = 15 * time.Second         // for the end of a run that was told to stop
)

// link is the caller's end of the stream: a program under way on a host.
type link struct {
	host    stacks.Host
	orders  *lines
	stdin   *feed
	replies chan reply
	heard   atomic.Int64  // when it last said something, in nanoseconds of Unix time
	kill    func()        // ends the way in, and with it the program
	ended   chan struct{} // closed when the way in has ended:
	failure error         // why, when it was not in order
	once    sync.Once
}

// dial starts the program on a host. It outlives ctx: when that ends, the program is asked to end and has a while to remove what it
// made, where the end of the way in would kill it.
func dial(ctx context.Context, host stacks.Host, q request) (*link, error) {
	stdin := newFeed()
	way, kill := context.WithCancel(context.WithoutCancel(ctx))
	l := &link{host: host, stdin: stdin, orders: &lines{w: stdin}, replies: make(chan reply, 16), kill: kill, ended: make(chan struct{})}
	l.heard.Store(time.Now().UnixNano())
	complaint := &complaint{}
	go func() {
		defer close(l.ended)
		defer stdin.Close() // whoever still writes learns of it
		defer kill()
		err := host.Run(way, stacks.Command{Args: Command, Stdin: stdin, Stdout: &splitter{take: l.take}, Stderr: complaint})
		if said := complaint.String(); err != nil && said != "" {
			err = fmt.Errorf("%w: %s", err, said)
		}
		l.failure = err
	}()
	go l.guard(ctx)
	if err := l.orders.write(q); err != nil {
		return nil, errors.Join(fmt.Errorf("start measuring on %s: %w", host.Name(), err), l.close())
	}
	return l, nil
}

// guard ends the stream when ctx does, and the way in when nothing is heard any more: some ways in wait for the end of what we send
// even when the program is long gone.
func (l *link) guard(ctx context.Context) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	done := ctx.Done()
	for {
		select {
		case <-l.ended:
			return
		case <-done:
			done = nil
			l.stdin.Close()
		case now := <-tick.C:
			if now.Sub(time.Unix(0, l.heard.Load())) > silence {
				l.stdin.Close()
				l.kill()
				return
			}
		}
	}
}

// take gets a line of the program. A reply waits here until it is asked for, and the program with it.
func (l *link) take(line []byte) error {
	var r reply
	if json.Unmarshal(line, &r) != nil {
		return fmt.Errorf("%s answered something else than the expected JSON (%d bytes)", l.host.Name(), len(line))
	}
	l.heard.Store(time.Now().UnixNano())
	if r.End {
		l.stdin.Close() // nothing is to be said any more
	}
	if r.Alive {
		return nil
	}
	for {
		select {
		case l.replies <- r:
			return nil
		case <-time.After(silence / 2): // the reader takes its time; the program's signs of life are behind this line
			l.heard.Store(time.Now().UnixNano())
			select {
			case <-l.ended:
				return io.ErrClosedPipe
			default:
			}
		}
	}
}

// next waits for a reply. The program's own error comes as one, and so does its end.
func (l *link) next(ctx context.Context) (reply, error) {
	for {
		var r reply
		select {
		case r = <-l.replies:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-l.ended:
			select {
			case r = <-l.replies:
			default:
				return r, l.lost()
			}
		}
		if r.End {
			if r.Error == "" {
				r.Error = "it ended before it was done"
			}
			return r, fmt.Errorf("measure on %s: %s", l.host.Name(), r.Error)
		}
		if r.Error != "" {
			return r, fmt.Errorf("measure on %s: %s", l.host.Name(), r.Error)
		}
		return r, nil
	}
}

// lost says why the program is gone.
func (l *link) lost() error {
	if l.failure != nil {
		return fmt.Errorf("measure on %s: %w", l.host.Name(), l.failure)
	}
	return fmt.Errorf("measure on %s: the program there ended without a word", l.host.Name())
}

// close ends the stream and waits, for a bounded time, until the program has removed what it made. It may be called again.
func (l *link) close() (err error) {
	l.once.Do(func() {
		l.stdin.Close()
		timeout := time.NewTimer(parting)
		defer timeout.Stop()
		for {
			select {
			case r := <-l.replies:
				if r.End && r.Error != "" {
					err = fmt.Errorf("end measuring on %s: %s", l.host.Name(), r.Error)
				}
				continue
			case <-l.ended:
				for len(l.replies) > 0 {
					if r := <-l.replies; r.End && r.Error != "" {
						err = fmt.Errorf("end measuring on %s: %s", l.host.Name(), r.Error)
					}
				}
				if err == nil && l.failure != nil {
					err = l.lost()
				}
			case <-timeout.C:
				l.kill()
				err = fmt.Errorf("end measuring on %s: it did not end within %v and was killed; what it made may be left there", l.host.Name(), parting)
			}
			return
		}
	})
	return err
}

// feed is a stream whose writer never waits: a way in that does not get anywhere must not hold up whoever gives orders. What is written is
// little: a request and now and then an order.
type feed struct {
	mu     sync.Mutex
	more   *sync.Cond
	text   []byte
	closed bool
}

func newFeed() *feed {
	f := &feed{}
	f.more = sync.NewCond(&f.mu)
	return f
}

func (f *feed) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, io.ErrClosedPipe
	}
	f.text = append(f.text, p...)
	f.more.Signal()
	return len(p), nil
}

func (f *feed) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.text) == 0 && !f.closed {
		f.more.Wait()
	}
	if len(f.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}

// Close lets the reader have what is there and then the end.
func (f *feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.more.Broadcast()
}

// splitter cuts a stream into lines.
type splitter struct {
	line []byte
	take func(line []byte) error
}

func (s *splitter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			if s.line = append(s.line, rest...); len(s.line) > maxLine {
				return 0, fmt.Errorf("a line of more than %d bytes", maxLine)
			}
			break
		}
		line := rest[:i]
		if len(s.line) > 0 {
			line = append(s.line, line...)
			s.line = s.line[:0]
		}
		if err := s.take(line); err != nil {
			return 0, err
		}
		rest = rest[i+1:]
	}
	return len(p), nil
}

// complaint keeps the beginning of what a program says of its failure.
type complaint struct {
	mu   sync.Mutex
	text []byte
}

func (c *complaint) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p[:max(0, min(len(p), maxComplaint-len(c.text)))]...)
	return len(p), nil
}

func (c *complaint) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(strings.Fields(string(c.text)), " ")
}
