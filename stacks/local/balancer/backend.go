package balancer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// failsToLeave is how many failures in a row take a backend out; a refused connection is conclusive and does it at once.
// The last healthy backend is given more of them when it only answers late: a group that is asked for more than it can give fails its
// checks too, and taking all of it out would turn late answers into none.
const (
	failsToLeave     = 2
	failsToLeaveLast = 10
)

var (
	errLeft = errors.New("the backend became unhealthy")
	errCut  = errors.New("the backend was removed and the time to finish is over")
)

// backend is a backend with its connections and its health.
type backend struct {
	Backend
	conf      Config
	transport *http.Transport
	stop      context.CancelFunc // ends the health checks

	inFlight atomic.Int64
	requests atomic.Int64
	failures atomic.Int64 // of requests, not of checks

	life    context.Context // ends, with errCut, when the backend is given up
	endLife context.CancelCauseFunc

	mu      sync.Mutex
	healthy bool
	fails   int
	last    string          // the last failure
	since   time.Time       // of the present state
	term    context.Context // within life; ends, with errLeft, when the backend becomes unhealthy
	endTerm context.CancelCauseFunc
}

// newBackend starts checking a backend. Unless it is known to be healthy it is out until the first check passes.
// judge is asked to take note of each check.
func newBackend(ctx context.Context, b Backend, c Config, healthy bool, judge func(*backend, error)) *backend {
	ctx, stop := context.WithCancel(ctx)
	nb := &backend{Backend: b, conf: c, stop: stop, since: time.Now(), healthy: healthy,
		transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   256,
			IdleConnTimeout:       30 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute,
			ExpectContinueTimeout: time.Second,
			DisableCompression:    true, // what the caller and the backend agreed on passes unchanged
		}}
	nb.life, nb.endLife = context.WithCancelCause(context.Background())
	nb.term, nb.endTerm = context.WithCancelCause(nb.life)
	go nb.check(ctx, judge)
	return nb
}

// giveUp ends what is still under way and closes all connections.
func (b *backend) giveUp() {
	b.stop()
	b.endLife(errCut)
	b.transport.CloseIdleConnections()
}

// check probes until ctx ends.
func (b *backend) check(ctx context.Context, judge func(*backend, error)) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, // a new connection shows that the backend still accepts
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tick := time.NewTicker(b.conf.Interval)
	defer tick.Stop()
	for {
		err := b.probe(ctx, client)
		if ctx.Err() != nil {
			return
		}
		judge(b, err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *backend) probe(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, b.conf.Timeout)
	defer cancel()
	if b.conf.Health == "" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.hostPort())
		if err != nil {
			return err
		}
		return conn.Close()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.hostPort()+b.conf.Health, nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", "surety-balancer")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return errors.New(b.conf.Health + " answered " + answer.Status)
	}
	return err
}

// observe takes note of a check or a request that passed (nil) or failed. A request that passes does not bring a backend back, only a
// check does. A conclusive failure takes it out at once.
func (b *backend) observe(err error, conclusive bool) {
	most := failsToLeave
	if conclusive {
		most = 1
	}
	b.note(err, most)
}

// note is observe with the number of failures in a row that take the backend out.
func (b *backend) note(err error, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		if b.fails = 0; !b.healthy {
			b.healthy, b.last, b.since = true, "", time.Now()
			b.term, b.endTerm = context.WithCancelCause(b.life)
		}
		return
	}
	b.last = err.Error()
	if b.fails++; b.healthy && b.fails >= most {
		b.healthy, b.since = false, time.Now()
		b.endTerm(errLeft)
	}
}

// enter begins a request if the backend is healthy. The context ends when it ceases to be. Each enter needs a leave.
func (b *backend) enter() (term context.Context, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.healthy {
		return nil, false
	}
	b.inFlight.Add(1)
	b.requests.Add(1)
	return b.term, true
}

func (b *backend) leave() { b.inFlight.Add(-1) }

func (b *backend) isHealthy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.healthy
}
