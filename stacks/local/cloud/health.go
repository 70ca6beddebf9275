package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"surety/stacks/local/host"
)

// defaultDeadline is how long a service has to become healthy when its spec does not say.
const defaultDeadline = 30 * time.Second

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// target is what has to answer before a PUT is done.
type target struct {
	addr     netip.Addr
	port     int    // 0: the service only has to run
	path     string // empty: an open port is enough
	deadline time.Duration
}

// healthy waits until the target answers when called from the router. After its deadline it fails with the last refusal and the last
// lines of the service's log.
func (d *daemon) healthy(ctx context.Context, h *host.Host, t target) error {
	router, err := d.theRouter()
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: router.Dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	probe := func(ctx context.Context) error {
		address := net.JoinHostPort(t.addr.String(), strconv.Itoa(t.port))
		switch {
		case t.port == 0:
			if !serviceRuns(ctx, h) {
				return fmt.Errorf("its program does not run")
			}
			return nil
		case t.path == "":
			conn, err := router.Dial(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return conn.Close()
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+t.path, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("GET %s answers %s", t.path, resp.Status)
		}
		return nil
	}
	deadline := cmp.Or(t.deadline, defaultDeadline)
	before := restarts(ctx, h)
	gated := func(ctx context.Context) error {
		err := probe(ctx)
		if n := restarts(ctx, h) - before; err != nil && n >= hopelessRestarts {
			return &hopeless{fmt.Errorf("did not become healthy: its program ended %d times (%w)", n+1, err)}
		}
		return err
	}
	if err := await(ctx, deadline, gated); err != nil {
		return &Failed{Message: fmt.Sprintf("%s %v", h.Name(), err), Log: tail(h.Log(mainService), 20)}
	}
	return nil
}

// hopelessRestarts is how often a program may be started again before waiting on is given up. What it depends on was healthy
// before it was started, so that one that ends so often, over some seconds by the supervisor's growing pauses, ends for a reason of its own.
const hopelessRestarts = 5

// hopeless says that waiting on is of no use.
type hopeless struct{ error }

func (h *hopeless) Unwrap() error { return h.error }

// restarts tells how often the host's service was started again. Where that cannot be known it is as if never.
func restarts(ctx context.Context, h *host.Host) int {
	status, err := h.Status(ctx)
	if err != nil {
		return 0
	}
	return status.Services[mainService].Restarts
}

// await calls probe until it succeeds or says that it is hopeless, at first often and then less so. Each call is bounded, and all of
// them by the deadline.
func await(ctx context.Context, deadline time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	last := fmt.Errorf("not tried")
	for pause := 5 * time.Millisecond; ; pause = min(pause*3/2, 200*time.Millisecond) {
		once, done := context.WithTimeout(ctx, 2*time.Second)
		err := probe(once)
		done()
		if err == nil {
			return nil
		}
		if lost := (*hopeless)(nil); errors.As(err, &lost) {
			return lost.error
		}
		if ctx.Err() == nil { // what the deadline cut off says less than the refusal before it
			last = err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("did not become healthy within %s: %w", deadline, last)
		case <-timer.C:
		}
	}
}

// serviceRuns reports whether a host runs and its service with it.
func serviceRuns(ctx context.Context, h *host.Host) bool {
	if h == nil || !h.Running() {
		return false
	}
	status, err := h.Status(ctx)
	if err != nil {
		return false
	}
	return status.Services[mainService].Running
}
