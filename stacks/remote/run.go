package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"surety/stacks"
)

const (
	// outputGrace is how long output may be silent after a program's end before something it left behind is taken to hold it open.
	outputGrace = 500 * time.Millisecond
	// killGrace is how long a killed program's end is waited for.
	killGrace = 2 * time.Second
)

// Run implements stacks.Host. The program runs in the folder / under the account's login environment and c.Env; a signal that ends it
// gives 128 plus its number. A connection that turns out to be dead before the program was started is made anew, once; when it breaks
// while the program runs, that is an error, the program is killed, and nothing is run again. A missing program is fs.ErrNotExist.
func (h *Host) Run(ctx context.Context, c stacks.Command) error {
	code, err := h.run(ctx, c)
	if err != nil {
		return fmt.Errorf("run on host %q over SSH: %w", h.Name(), err)
	}
	if code != 0 {
		return &stacks.ExitError{Code: code}
	}
	return nil
}

func (h *Host) run(ctx context.Context, c stacks.Command) (int, error) {
	mark := "surety-" + rand.Text()
	text, err := script(c, mark)
	if err != nil {
		return 0, err
	}
	again := true
	for refusals := 0; ; {
		conn, err := h.acquire(ctx)
		if err != nil {
			return 0, err
		}
		p, err := conn.begin(ctx, mark, text)
		if err == nil {
			defer conn.release()
			return p.finish(ctx, c, mark)
		}
		alone := conn.refused(err)
		conn.release()
		switch {
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case errors.As(err, new(refusal)) && !alone && refusals < 16: // its sshd allows fewer sessions on a connection
			refusals++
		case again && conn.diedJustNow():
			again = false
		case conn.isDead():
			return 0, fmt.Errorf("%s: %w", h.options.Endpoint, conn.err())
		default:
			return 0, fmt.Errorf("%s: %w", h.options.Endpoint, err)
		}
	}
}

// finish runs a begun program to its end.
func (p *process) finish(ctx context.Context, c stacks.Command, mark string) (int, error) {
	out, complaint := newSink(c.Stdout), newSink(c.Stderr)
	defer out.shut()
	defer complaint.shut()
	defer func() { go p.channel.Close() }() // may wait for a peer that reads nothing
	missing := false
	var copies sync.WaitGroup
	copies.Go(func() { out.copy(p.stdout) })
	copies.Go(func() {
		line, err := p.stderr.Peek(len(mark) + len(" missing\n"))
		if missing = err == nil && string(line) == mark+" missing\n"; missing {
			_, _ = p.stderr.Discard(len(line))
		}
		complaint.copy(p.stderr)
	})
	copied := make(chan struct{})
	go func() { copies.Wait(); close(copied) }()
	go p.feed(c.Stdin)

	conn := p.connection
	select {
	case <-p.ended:
	case <-ctx.Done():
		p.kill()
		return 0, context.Cause(ctx)
	}
	drained := p.drain(ctx, copied, out, complaint)
	switch {
	case ctx.Err() != nil && !drained:
		p.kill()
		return 0, context.Cause(ctx)
	case !drained, conn.isDead(), !p.alive(ctx):
		// The end of a connection and the end of a program's output look the same; a sign of life afterwards tells them apart.
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		conn.diedJustNow()
		cause := conn.err()
		if cause == nil {
			cause = errors.New("the connection was lost")
		}
		return 0, fmt.Errorf("%s: while the program ran: %w", conn.host.options.Endpoint, cause)
	}
	go conn.tell("- " + p.group)
	switch {
	case missing:
		return 0, fmt.Errorf("%q: %w", c.Args[0], fs.ErrNotExist)
	case !p.told:
		return 0, fmt.Errorf("%s: sshd closed the session without saying how the program ended", conn.host.options.Endpoint)
	}
	return p.code, nil
}

// kill kills the program and waits a moment for its end.
func (p *process) kill() {
	go p.connection.tell("k " + p.group)
	select {
	case <-p.ended:
		go p.connection.tell("- " + p.group)
	case <-p.connection.dead: // then the lifeline kills it
	case <-time.After(killGrace):
	}
}

// feed gives the program its input. It ends with the caller's input, or with the channel.
func (p *process) feed(stdin io.Reader) {
	if stdin != nil {
		_, _ = io.Copy(p.channel, stdin) // a program need not read all of its input
	}
	_ = p.channel.CloseWrite()
}

// drain waits for the rest of the output after the program's end: until its streams end, or nothing comes for a while though the
// connection works, because something it left behind holds them open.
func (p *process) drain(ctx context.Context, copied <-chan struct{}, sinks ...*sink) bool {
	moved := func() (n int64) {
		for _, s := range sinks {
			n += s.moved.Load()
		}
		return n
	}
	for {
		before := moved()
		select {
		case <-copied:
			return true
		case <-ctx.Done():
			return false
		case <-p.connection.dead:
			return false
		case <-time.After(outputGrace):
		}
		if moved() == before && p.alive(ctx) && moved() == before && !sinks[0].busy() && !sinks[1].busy() {
			return true
		}
		if p.connection.isDead() {
			return false
		}
	}
}

// alive makes a round trip over the connection, within the time after which it counts as dead.
func (p *process) alive(ctx context.Context) bool {
	answer := make(chan error, 1)
	go func() { answer <- p.connection.ping() }()
	select {
	case err := <-answer:
		return err == nil
	case <-ctx.Done():
		return false
	case <-p.connection.dead:
		return false
	}
}

// sink writes to a caller's stream until it is shut; then the stream is the caller's again.
type sink struct {
	to io.Writer
	mu sync.Mutex // held while writing
	closed,
	writing atomic.Bool
	moved atomic.Int64
}

func newSink(to io.Writer) *sink {
	if to == nil {
		to = io.Discard
	}
	return &sink{to: to}
}

// copy takes everything. What the caller's stream does not take is dropped, so that the program does not wait for ever.
func (s *sink) copy(from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			s.write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

func (s *sink) write(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return
	}
	s.writing.Store(true)
	if _, err := s.to.Write(p); err != nil {
		s.closed.Store(true)
	}
	s.writing.Store(false)
	s.moved.Add(int64(len(p)))
}

func (s *sink) busy() bool { return s.writing.Load() }

// shut waits a moment for a write under way.
func (s *sink) shut() {
	s.closed.Store(true)
	for end := time.Now().Add(outputGrace); s.writing.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}
