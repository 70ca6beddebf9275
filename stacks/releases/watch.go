package releases

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Service is what a caller saw at the entry points over a span of time.
type Service struct {
	Sent    int           `json:"sent"`           // requests
	Failed  int           `json:"failed"`         // no answer within a second, or a 5xx
	Without time.Duration `json:"without"`        // time without service, summed: from the last good answer before a failure to the next good one
	Down    bool          `json:"down,omitempty"` // the last request failed: there is no service still
	Entries []string      `json:"entries"`
}

// watchEvery is the spacing of requests, and so the resolution of the time without service.
const watchEvery = 25 * time.Millisecond

// Watch asks each entry point again and again, as a caller would, until stop is called, which gives what was seen.
// Requests are sent on schedule whether or not earlier ones were answered, so that a stall is counted whole.
func Watch(ctx context.Context, entries []string) (stop func() Service) {
	ctx, cancel := context.WithCancel(ctx)
	client := &http.Client{
		Timeout: time.Second,
		Transport: &http.Transport{
			DialContext:       (&net.Dialer{Timeout: time.Second}).DialContext,
			DisableKeepAlives: true, // each request must find its own way in, as a new caller's does
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var requests sync.WaitGroup
	watchers := make([]*watcher, len(entries))
	var loops sync.WaitGroup
	for i, entry := range entries {
		w := &watcher{}
		watchers[i] = w
		loops.Go(func() {
			tick := time.NewTicker(watchEvery)
			defer tick.Stop()
			for {
				sent := time.Now()
				requests.Go(func() { w.note(sent, ask(client, entry)) })
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	return func() Service {
		cancel()
		loops.Wait()
		requests.Wait()
		total := Service{Entries: entries}
		for _, w := range watchers {
			total.Sent += w.sent
			total.Failed += w.failed
			total.Without += w.without()
			total.Down = total.Down || w.down()
		}
		return total
	}
}

// ask tells whether the entry point gave any answer but a server error.
func ask(client *http.Client, url string) bool {
	answer, err := client.Get(url)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	answer.Body.Close()
	return err == nil && answer.StatusCode < 500
}

// watcher sums up the answers of one entry point, keyed by when the request was sent.
type watcher struct {
	mu           sync.Mutex
	sent, failed int
	answers      []answer
}

type answer struct {
	sent time.Time
	good bool
}

func (w *watcher) note(sent time.Time, good bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	if !good {
		w.failed++
	}
	w.answers = append(w.answers, answer{sent, good})
}

// without sums the spans in which requests failed. Answers may have come out of order, so it sorts by sending first.
func (w *watcher) without() time.Duration {
	sortAnswers(w.answers)
	var sum time.Duration
	var since time.Time // the last good request before the failures now running
	down := false
	for i, a := range w.answers {
		switch {
		case a.good && down:
			sum += a.sent.Sub(since)
			down = false
		case !a.good && !down:
			since, down = a.sent, true
			if i > 0 {
				since = w.answers[i-1].sent
			}
		}
	}
	if n := len(w.answers); down && n > 0 {
		sum += w.answers[n-1].sent.Sub(since)
	}
	return sum
}

// down tells whether the last request failed. It is asked after without, which sorts.
func (w *watcher) down() bool {
	n := len(w.answers)
	return n > 0 && !w.answers[n-1].good
}

func sortAnswers(answers []answer) {
	slices.SortFunc(answers, func(a, b answer) int { return a.sent.Compare(b.sent) })
}
