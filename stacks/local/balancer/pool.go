package balancer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool holds the backends in use and those that are being drained.
type pool struct {
	ctx  context.Context // of the balancer: ends the health checks
	next atomic.Uint64

	judging  sync.Mutex
	mu       sync.RWMutex
	active   []*backend
	draining []*backend
}

// set makes the configured backends the active ones. A backend that stays keeps its connections and its health when the checks stay
// the same too; one that goes gets no new request and is given up when its last one has ended.
func (p *pool) set(c Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.active
	p.active = nil
	for _, want := range c.Backends {
		at := slices.IndexFunc(before, func(b *backend) bool {
			return b.Backend == want && b.conf.Health == c.Health && b.conf.Interval == c.Interval && b.conf.Timeout == c.Timeout
		})
		if at >= 0 {
			p.active = append(p.active, before[at])
			before = slices.Delete(slices.Clone(before), at, at+1)
			continue
		}
		known := slices.ContainsFunc(before, func(b *backend) bool { return b.Backend == want && b.isHealthy() })
		p.active = append(p.active, newBackend(p.ctx, want, c, known, p.judge))
	}
	for _, gone := range before {
		gone.stop()
		p.draining = append(p.draining, gone)
		go p.drain(gone, c.Drain)
	}
}

// drain waits for a removed backend's last request, at most as long as the configuration says, then closes its connections.
func (p *pool) drain(b *backend, limit time.Duration) {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done && b.inFlight.Load() > 0; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			done = true
		}
	}
	b.giveUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draining = slices.DeleteFunc(p.draining, func(d *backend) bool { return d == b })
}

// pick gives the next healthy backend in turn that is not among the tried ones, with the request begun on it; nil when there is none.
func (p *pool) pick(tried []*backend) (*backend, context.Context) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	n := uint64(len(p.active))
	if n == 0 {
		return nil, nil
	}
	first := p.next.Add(1)
	for i := range n {
		b := p.active[(first+i)%n]
		if slices.Contains(tried, b) {
			continue
		}
		if term, ok := b.enter(); ok {
			return b, term
		}
	}
	return nil, nil
}

// anotherHealthy tells whether a request could go elsewhere.
func (p *pool) anotherHealthy(tried []*backend) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.ContainsFunc(p.active, func(b *backend) bool { return !slices.Contains(tried, b) && b.isHealthy() })
}

// judge takes note of a check. One backend at a time is judged, so that not each of two late ones sees the other as the one that stays.
func (p *pool) judge(b *backend, err error) {
	p.judging.Lock()
	defer p.judging.Unlock()
	most := failsToLeave
	if errors.Is(err, context.DeadlineExceeded) && !p.anotherHealthy([]*backend{b}) {
		most = failsToLeaveLast
	}
	b.note(err, most)
}

// awaitHealthy waits until any backend is healthy, and tells whether one became so before ctx ended. It gives up at once where
// there is no backend at all.
func (p *pool) awaitHealthy(ctx context.Context) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		p.mu.RLock()
		configured := len(p.active)
		p.mu.RUnlock()
		switch {
		case configured == 0:
			return false
		case p.anotherHealthy(nil):
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// close gives up all backends.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range slices.Concat(p.active, p.draining) {
		b.giveUp()
	}
}

// BackendStatus is one backend as the balancer sees it.
type BackendStatus struct {
	Backend
	Healthy  bool      `json:"healthy"`
	Draining bool      `json:"draining,omitempty"` // removed; its last requests are ending
	Since    time.Time `json:"since"`              // of being healthy or not
	Failure  string    `json:"failure,omitempty"`  // the last one, of an unhealthy backend; empty while it was not yet checked
	InFlight int64     `json:"inFlight"`           // requests under way
	Requests int64     `json:"requests"`           // begun, retries included
	Failures int64     `json:"failures"`           // requests that ended without an answer
}

func (p *pool) status() []BackendStatus {
	p.mu.RLock()
	defer p.mu.RUnlock()
	list := []BackendStatus{}
	for i, b := range slices.Concat(p.active, p.draining) {
		b.mu.Lock()
		s := BackendStatus{Backend: b.Backend, Healthy: b.healthy, Draining: i >= len(p.active), Since: b.since,
			InFlight: b.inFlight.Load(), Requests: b.requests.Load(), Failures: b.failures.Load()}
		if !b.healthy {
			s.Failure = b.last
		}
		b.mu.Unlock()
		list = append(list, s)
	}
	return list
}
