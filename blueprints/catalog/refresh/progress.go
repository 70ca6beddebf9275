package refresh

import (
	"sync"
	"time"
)

// Progress is how far a refresh has come with the list it is reading.
type Progress struct {
	Provider string
	Name     string // of the list
	Doing    string // "fetching", "reading", or "waiting 12 s, as the server asks"
	List     int    // the how many-th, from 1
	Lists    int    // of how many; 0 is unknown
	Bytes    int64  // of this list
	Total    int64  // bytes of this list; 0 is unknown
	Items    int64
	Left     time.Duration // until this list is fetched or read, from its speed so far; 0 is unknown
}

// meter counts what passes, and tells of it at most five times a second.
type meter struct {
	mu    sync.Mutex
	tell  func(Progress)
	now   func() time.Time
	told  time.Time
	began time.Time // of this list's fetching or reading
	first int64     // bytes that were there at that time
	state Progress
}

func newMeter(tell func(Progress), provider string, now func() time.Time) *meter {
	return &meter{tell: tell, now: now, state: Progress{Provider: provider}}
}

func (m *meter) lists(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Lists = n
}

// list begins another list.
func (m *meter) list(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = Progress{Provider: m.state.Provider, Name: name, List: m.state.List + 1, Lists: m.state.Lists}
}

// phase begins to fetch or to read, with bytes that are there already.
func (m *meter) phase(doing string, bytes, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.began, m.first = m.now(), bytes
	m.state.Doing, m.state.Bytes, m.state.Total = doing, bytes, total
	m.say(true)
}

// waiting says that we are, and until when.
func (m *meter) waiting(doing string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.state.Doing
	m.state.Doing = doing
	m.say(true)
	m.state.Doing = before
}

func (m *meter) add(bytes, items int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Bytes += bytes
	m.state.Items += items
	m.say(false)
}

func (m *meter) say(always bool) {
	now := m.now()
	if !always && now.Sub(m.told) < 200*time.Millisecond {
		return
	}
	m.told, m.state.Left = now, 0
	if done := m.state.Bytes - m.first; m.state.Total > m.state.Bytes && done > 0 {
		m.state.Left = time.Duration(float64(now.Sub(m.began)) * float64(m.state.Total-m.state.Bytes) / float64(done))
	}
	m.tell(m.state)
}
