package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"surety/benchmarks"
	"surety/stacks"
)

// Session drives one target from one host, as often as is wanted. It must be closed, also when its context is over.
type Session struct {
	mu   sync.Mutex // one run at a time
	link *link
	lost error // why no further run is possible
}

// Open starts the program on the host, connects to the target, and makes and fills tables or objects. What it makes is in a place of
// its own and is removed by Close or when ctx ends; a host or caller that dies leaves it to the next session, which removes what is
// older than an hour. The error says what failed, without secrets; then nothing is left to close.
func Open(ctx context.Context, host stacks.Host, setup Setup) (*Session, error) {
	set := 0
	for _, is := range []bool{setup.Web != nil, setup.SQL != nil, setup.Redis != nil, setup.Objects != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return nil, fmt.Errorf("measure from %s: a setup names one thing to drive, not %d", host.Name(), set)
	}
	l, err := dial(ctx, host, request{Session: &setup})
	if err != nil {
		return nil, err
	}
	r, err := l.next(ctx)
	if err == nil && !r.Ready {
		err = fmt.Errorf("measure on %s: it did not say that it is ready", host.Name())
	}
	if err != nil {
		return nil, errors.Join(err, unless(r.End, l.close))
	}
	return &Session{link: l}, nil
}

// unless gives close's error when the program's last word was not heard yet, which is the same error.
func unless(ended bool, end func() error) error {
	if err := end(); !ended {
		return err
	}
	return nil
}

// Run does one run. progress is told at most four times a second how it goes, from this goroutine; it may be nil. When ctx ends, the
// run is stopped, the error is that of ctx, and the result, when there is one, tells how far it came; the session can be used further.
func (s *Session) Run(ctx context.Context, run Run, progress func(benchmarks.Live)) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return Result{}, s.lost
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	if err := s.link.orders.write(order{Run: &run}); err != nil {
		_, err := s.link.next(ctx) // the program is gone: why?
		s.lost = err
		return Result{}, err
	}
	waiting, interrupted := ctx, error(nil)
	for {
		r, err := s.link.next(waiting)
		switch {
		case err != nil && r.Result == nil && interrupted == nil && ctx.Err() != nil && !r.End:
			interrupted = ctx.Err()
			var cancel context.CancelFunc
			waiting, cancel = context.WithTimeout(context.WithoutCancel(ctx), halting)
			defer cancel()
			_ = s.link.orders.write(order{Stop: true})
		case r.Result != nil && interrupted != nil:
			return *r.Result, interrupted
		case r.Result != nil:
			return *r.Result, err
		case err != nil:
			s.lost = err
			return Result{}, errors.Join(interrupted, err)
		case r.Live != nil && progress != nil && interrupted == nil:
			progress(*r.Live)
		}
	}
}

// Close ends the session, and with it a run under way, and waits for at most 35 s until the host has removed what the session made.
// Its error says what may be left. It may be called again.
func (s *Session) Close() error { return s.link.close() }
