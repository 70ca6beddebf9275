package balancer

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestReloadCutsNoRequest(t *testing.T) {
	a, b := newServer(t, "a"), newServer(t, "b")
	p := start(t, Config{Health: "/health", Backends: []Backend{a.Backend}})
	p.await("a healthy", healthy("a"))
	slow := make(chan string, 1)
	go func() { // not repeatable, and under way on a for all of the exchange
		name, err := get(http.DefaultClient, http.MethodPost, p.url+"/?pause=600ms", "order")
		slow <- fmt.Sprint(name, err)
	}()
	p.await("under way", func(s Status) bool { return s.Backends[0].InFlight == 1 })
	l := p.load(4, http.MethodGet, http.MethodPost)
	for i := range 10 { // all backends exchanged at once, again and again: nobody is refused meanwhile
		p.conf.Backends = []Backend{[]*server{b, a}[i%2].Backend}
		p.reload()
	}
	p.conf.Backends = []Backend{b.Backend}
	p.reload()
	draining := p.await("a draining", func(s Status) bool { return len(s.Backends) > 1 })
	if !draining.Backends[1].Draining || draining.Backends[1].Name != "a" {
		t.Errorf("status %+v", draining)
	}
	if got := <-slow; got != "a<nil>" {
		t.Errorf("the request under way on the removed backend: %s", got)
	}
	p.await("a gone", func(s Status) bool { return len(s.Backends) == 1 })
	l.end(t)

	if err := os.WriteFile(p.file, []byte(`{"listen": ""}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await("the bad file reported", func(s Status) bool { return strings.Contains(s.Failure, "listen is empty") && healthy("b")(s) })
}

func TestListenAddressMoves(t *testing.T) {
	b := serve(t, func(w http.ResponseWriter, _ *http.Request) {})
	p := start(t, Config{Backends: []Backend{b}})
	p.await("healthy", healthy("x"))
	old := p.conf.Listen
	p.conf.Listen = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p.reload()
	answer, err := http.Get("http://" + p.conf.Listen)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", old)
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the old address is still open")
		}
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	http.DefaultClient.CloseIdleConnections()
	before := runtime.NumGoroutine()
	a := newServer(t, "a")
	p := start(t, Config{Health: "/health", Backends: []Backend{a.Backend, {Name: "gone", Address: "127.0.0.1", Port: freePort(t)}}})
	p.await("a healthy", healthy("a"))
	l := p.load(4, http.MethodGet, http.MethodPost)
	time.Sleep(100 * time.Millisecond)
	l.end(t)
	p.conf.Backends = p.conf.Backends[:1]
	p.reload()
	if err := p.end(); err != nil {
		t.Fatal(err)
	}
	a.kill()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			stacks := make([]byte, 64<<10)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}
