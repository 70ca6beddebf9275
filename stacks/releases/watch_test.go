package releases

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// A server that refuses for a known span: the time without service must be that span, to the resolution of the watch.
func TestWatchMeasuresTheOutage(t *testing.T) {
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	stop := Watch(context.Background(), []string{server.URL})
	time.Sleep(200 * time.Millisecond)
	down.Store(true)
	const outage = 400 * time.Millisecond
	time.Sleep(outage)
	down.Store(false)
	time.Sleep(200 * time.Millisecond)
	seen := stop()
	if diff := (seen.Without - outage).Abs(); diff > 100*time.Millisecond || seen.Failed == 0 || seen.Sent <= seen.Failed {
		t.Errorf("saw %+v for an outage of %v", seen, outage)
	}
}

func TestWatchSeesNoOutageOfAHealthyServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	stop := Watch(context.Background(), []string{server.URL})
	time.Sleep(200 * time.Millisecond)
	if seen := stop(); seen.Failed != 0 || seen.Without != 0 || seen.Down || seen.Sent < 3 {
		t.Errorf("saw %+v", seen)
	}
}

// A server that never comes back is without service until the watch ends.
func TestWatchCountsAnOpenOutage(t *testing.T) {
	w := &watcher{}
	at := time.Unix(0, 0)
	for i, good := range []bool{true, false, false, false} {
		w.note(at.Add(time.Duration(i)*time.Second), good)
	}
	if got := w.without(); got != 3*time.Second || !w.down() {
		t.Errorf("got %v, down %v, want 3s and down", got, w.down())
	}
}
