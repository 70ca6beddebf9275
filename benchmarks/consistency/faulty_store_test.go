package consistency

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// faultyStore is a test double: a proxy that stands before the real store and plants one fault. Everything else it passes on as it
// is, signatures included.
type faultyStore struct {
	fault string // one of the names below
	share float64
	proxy *httputil.ReverseProxy
	back  *bucket // the proxy's own way to the store
	// planted counts what the fault did.
	planted atomic.Int64

	mu     sync.Mutex
	r      *rand.Rand
	older  map[string][]byte        // by path, the content before the last write
	writes map[string]*http.Request // by path, the last write, to be sent again
	lists  map[string]*oldList      // by query
}

type oldList struct {
	body   []byte
	header http.Header
}

// Faults of a faultyStore.
const (
	staleRead = "serves a stale read"             // a read gives the content before the last write
	lostWrite = "loses an acknowledged write"     // a write is acknowledged and not done
	reordered = "reorders two writes"             // of two writes one after the other the first takes effect last
	lateList  = "lists late"                      // a listing is of some time ago
	flipsBit  = "flips a bit"                     // in what is read of larger objects
	hangsUp   = "hangs up on answered requests"   // no fault of the data: the write is done, the answer is lost
	drops     = "hangs up before doing a request" // no fault of the data: nothing is done
)

// newFaultyStore gives a Store whose endpoint is the proxy.
func newFaultyStore(t testing.TB, seed uint64, fault string, share float64) (Store, *faultyStore) {
	t.Helper()
	s := realStore(t)
	back, err := openBucket(&s, 0, "", &tags{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(s.Endpoints[0])
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyStore{fault: fault, share: share, back: back, r: rand.New(rand.NewPCG(seed, 77)), older: map[string][]byte{},
		writes: map[string]*http.Request{}, lists: map[string]*oldList{}}
	f.proxy = &httputil.ReverseProxy{Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host // it is part of the signature
		}}
	server := httptest.NewServer(f)
	t.Cleanup(func() {
		server.Close()
		back.Close()
	})
	s.Endpoints = []string{server.URL}
	return s, f
}

func (f *faultyStore) chance() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.r.Float64() >= f.share {
		return false
	}
	f.planted.Add(1)
	return true
}

func (f *faultyStore) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := q.URL.Path
	key := strings.TrimPrefix(path, "/"+bucketName+"/")
	object := key != path && key != ""
	switch {
	case f.fault == staleRead && object && q.Method == http.MethodPut:
		before, err := f.back.get(q.Context(), key)
		f.proxy.ServeHTTP(w, q)
		if err == nil {
			f.mu.Lock()
			f.older[path] = before
			f.mu.Unlock()
		}
		return
	case f.fault == staleRead && object && q.Method == http.MethodGet:
		f.mu.Lock()
		before, ok := f.older[path]
		f.mu.Unlock()
		if ok && f.chance() {
			answer(w, before)
			return
		}
	case f.fault == lostWrite && object && q.Method == http.MethodPut && f.chance():
		_, _ = io.Copy(io.Discard, q.Body)
		answer(w, nil)
		return
	case f.fault == reordered && object && q.Method == http.MethodPut:
		f.reorder(w, q)
		return
	case f.fault == lateList && !object && q.Method == http.MethodGet && q.URL.Query().Has("list-type"):
		f.listLate(w, q)
		return
	case f.fault == flipsBit && object && q.Method == http.MethodGet && strings.Contains(key, "/objects/") && f.chance():
		kept := f.keep(q)
		if len(kept.Body.Bytes()) > 0 {
			kept.Body.Bytes()[kept.Body.Len()/2] ^= 1
		}
		give(w, kept)
		return
	case f.fault == hangsUp && q.Method != http.MethodGet && f.chance():
		f.keep(q)
		panic(http.ErrAbortHandler)
	case f.fault == drops && f.chance():
		panic(http.ErrAbortHandler)
	}
	f.proxy.ServeHTTP(w, q)
}

// keep has the real store do a request and keeps its answer.
func (f *faultyStore) keep(q *http.Request) *httptest.ResponseRecorder {
	kept := httptest.NewRecorder()
	f.proxy.ServeHTTP(kept, q)
	return kept
}

func give(w http.ResponseWriter, kept *httptest.ResponseRecorder) {
	for name, values := range kept.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(kept.Code)
	_, _ = w.Write(kept.Body.Bytes())
}

// answer is a success as S3 gives it.
func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("ETag", `"00000000000000000000000000000000"`)
	w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body)
}

// reorder does a write and then, by chance, the one before it once more before it acknowledges: that one has taken effect last.
func (f *faultyStore) reorder(w http.ResponseWriter, q *http.Request) {
	raw, err := io.ReadAll(q.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	again := q.Clone(q.Context())
	q.Body = io.NopCloser(bytes.NewReader(raw))
	kept := f.keep(q)
	f.mu.Lock()
	first := f.writes[q.URL.Path]
	delete(f.writes, q.URL.Path)
	f.mu.Unlock()
	if first != nil && f.chance() {
		f.keep(first.WithContext(q.Context()))
	} else {
		again.Body = io.NopCloser(bytes.NewReader(raw))
		f.mu.Lock()
		f.writes[q.URL.Path] = again
		f.mu.Unlock()
	}
	give(w, kept)
}

// listLate gives by chance the answer that the same listing had the last time.
func (f *faultyStore) listLate(w http.ResponseWriter, q *http.Request) {
	f.mu.Lock()
	old := f.lists[q.URL.RawQuery]
	f.mu.Unlock()
	if old != nil && f.chance() {
		give(w, &httptest.ResponseRecorder{Code: http.StatusOK, HeaderMap: old.header, Body: bytes.NewBuffer(old.body)})
		return
	}
	kept := f.keep(q)
	f.mu.Lock()
	f.lists[q.URL.RawQuery] = &oldList{body: bytes.Clone(kept.Body.Bytes()), header: kept.Header()}
	f.mu.Unlock()
	give(w, kept)
}
