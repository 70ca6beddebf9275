package terminal

import (
	"sync"
	"time"
)

// pipeEvery is how far apart lines of progress are where nothing can move.
const pipeEvery = 5 * time.Second

// Measuring shows how long measurements go on: on a terminal as the moving line, on a pipe as a plain line every five seconds at most.
// It is safe for use by several goroutines.
type Measuring struct {
	screen *Screen
	now    func() time.Time

	mu    sync.Mutex
	last  time.Time
	check string
	text  string
}

// Measuring begins to show long measurements.
func (s *Screen) Measuring() *Measuring { return &Measuring{screen: s, now: time.Now} }

// Tell shows what a check is doing, as "load/servers.web/p95" with "12 of 30 s, 200/s, p50 1.2 ms, p99 8 ms".
func (m *Measuring) Tell(check, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.check, m.text = check, text
	if m.screen.live {
		m.screen.Doing("%s  %s", check, text)
		return
	}
	if now := m.now(); m.last.IsZero() || now.Sub(m.last) >= pipeEvery {
		m.last = now
		m.screen.Line("  … %s  %s", check, text)
	}
}

// Last gives what was told last, for saying where a measurement was interrupted.
func (m *Measuring) Last() (check, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.check, m.text
}
