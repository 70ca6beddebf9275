package balancer

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestLosingABackendLosesNoRequest(t *testing.T) {
	a, b := newServer(t, "a"), newServer(t, "b")
	p := start(t, Config{Health: "/health", Backends: []Backend{a.Backend, b.Backend}})
	p.await("both healthy", healthy("a", "b"))
	l := p.load(8, http.MethodGet, http.MethodPut)
	total, rounds := map[string]int{}, 5
	l.counts()
	for range rounds {
		time.Sleep(200 * time.Millisecond)
		both := l.counts()
		b.kill()
		p.await("b out", healthy("a"))
		l.counts()
		time.Sleep(100 * time.Millisecond)
		one := l.counts()
		b.start()
		p.await("b in", healthy("a", "b"))
		l.counts()
		if both["a"] == 0 || both["b"] == 0 || one["a"] == 0 || one["b"] != 0 {
			t.Errorf("answered with both up: %v; with b gone: %v", both, one)
		}
		for name, n := range both {
			total[name] += n
		}
	}
	l.end(t)
	s := p.await("status", func(Status) bool { return true })
	t.Logf("%d kills under load; with both up %v; slowest request %v; lost on b and repeated: %d", rounds, total, l.slowest.Round(time.Millisecond), s.Backends[1].Failures)
	if s.Backends[1].Failures == 0 {
		t.Error("no request was under way on b when it was killed; the test proved nothing")
	}
	if ratio := float64(total["a"]) / float64(total["b"]); ratio < 0.7 || ratio > 1.4 {
		t.Errorf("not spread evenly: %v", total)
	}
}

func TestFrozenBackendIsLeft(t *testing.T) {
	a, b := newServer(t, "a"), newServer(t, "b")
	p := start(t, Config{Health: "/health", Timeout: 200 * time.Millisecond, Backends: []Backend{a.Backend, b.Backend}})
	p.await("both healthy", healthy("a", "b"))
	l := p.load(4, http.MethodGet)
	time.Sleep(100 * time.Millisecond)
	if err := b.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.await("b out", healthy("a"))
	time.Sleep(100 * time.Millisecond)
	l.end(t)
	if l.slowest > 3*time.Second {
		t.Errorf("a request hung on the frozen backend for %v", l.slowest)
	}
	t.Logf("slowest request %v", l.slowest.Round(time.Millisecond))
}

// A group that is asked for more than it can give is late with its checks, too. It must go on answering.
func TestTheLastLateBackendStays(t *testing.T) {
	a, b := newServer(t, "a"), newServer(t, "b")
	p := start(t, Config{Health: "/health", Timeout: 50 * time.Millisecond, Backends: []Backend{a.Backend, b.Backend}})
	p.await("both healthy", healthy("a", "b"))
	late := func(by string) {
		for _, s := range []*server{a, b} {
			answer, err := http.Get("http://" + s.hostPort() + "/late?by=" + by)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
		}
	}
	late("200ms")
	p.await("one out", func(s Status) bool { return s.Backends[0].Healthy != s.Backends[1].Healthy })
	for range 4 { // some checks long
		time.Sleep(50 * time.Millisecond)
		answer, err := http.Get(p.url)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("the last backend was late with its checks, and a request was answered %s", answer.Status)
		}
	}
	p.await("none left, as the last one is late again and again", healthy())
	late("0s")
	p.await("both back", healthy("a", "b"))
}

func TestNothingHealthyIsSaid(t *testing.T) {
	p := start(t, Config{Health: "/health", Backends: []Backend{{Name: "a", Address: "127.0.0.1", Port: freePort(t)}}})
	p.await("checked", func(s Status) bool { return len(s.Backends) == 1 && strings.Contains(s.Backends[0].Failure, "refused") })
	answer, err := http.Get(p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != 503 || answer.Header.Get("Retry-After") == "" || !strings.Contains(string(body), "none of 1 backends is healthy") {
		t.Errorf("%s %v: %s, %v", answer.Status, answer.Header, body, err)
	}
}

func TestUnhealthyByAnswer(t *testing.T) {
	var mu sync.Mutex
	code := 200
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(code)
	})
	set := func(c int) { mu.Lock(); code = c; mu.Unlock() }
	p := start(t, Config{Health: "/ready", Backends: []Backend{addr}})
	for _, c := range []int{200, 500, 204, 302, 200, 404} {
		set(c)
		want := healthy()
		if c < 300 {
			want = healthy("x")
		}
		p.await(fmt.Sprint("after ", c), want)
	}
}

// While servers are restarted one after the other there may be none healthy for a moment. A caller must not notice.
func TestAMomentWithoutBackendsIsWaitedOut(t *testing.T) {
	a := newServer(t, "a")
	p := start(t, Config{Health: "/health", Backends: []Backend{a.Backend}})
	p.await("healthy", healthy("a"))
	a.kill()
	p.await("gone", healthy())
	back := time.AfterFunc(400*time.Millisecond, a.start)
	defer back.Stop()
	began := time.Now()
	answer, err := http.Get(p.url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if took := time.Since(began); answer.StatusCode != 200 || took < 300*time.Millisecond {
		t.Errorf("%s after %v", answer.Status, took)
	}
}
