package balancer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestPostIsSentOnce(t *testing.T) {
	var mu sync.Mutex
	got := 0
	dying := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			got++
			mu.Unlock()
			panic(http.ErrAbortHandler) // the connection breaks after the request was taken
		}
	}
	a, b := serve(t, dying), serve(t, dying)
	b.Name = "y"
	p := start(t, Config{Backends: []Backend{a, b}})
	p.await("both healthy", healthy("x", "y"))
	answer, err := http.Post(p.url, "text/plain", strings.NewReader("pay once"))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	mu.Lock()
	defer mu.Unlock()
	if answer.StatusCode != 502 || got != 1 {
		t.Errorf("%s after %d deliveries; want 502 after 1", answer.Status, got)
	}
	// A backend that cannot be reached never got it, so another may.
	p.conf.Backends = []Backend{serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }), {Name: "gone", Address: "127.0.0.1", Port: freePort(t)}}
	p.conf.Interval = time.Hour // only the first check: it shall find out by itself
	p.reload()
	for range 4 {
		body := io.MultiReader(strings.NewReader("streamed "), strings.NewReader("body")) // of unknown length: not kept
		answer, err := http.Post(p.url, "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		back, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != 200 || string(back) != "streamed body" {
			t.Errorf("%s: %s", answer.Status, back)
		}
	}
}

// An answer that breaks off is taken from another backend when it is small enough to be held back, and breaks off for the caller when
// its beginning has already passed on: what is short is never made to look whole.
func TestAnswerThatBreaksOff(t *testing.T) {
	size := func(r *http.Request) int {
		n, _ := strconv.Atoi(r.URL.Query().Get("size"))
		return n
	}
	broken := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n := size(r); n > 0 {
			w.Header().Set("Content-Length", strconv.Itoa(n))
			_, _ = w.Write(make([]byte, n/2))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	})
	whole := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(make([]byte, size(r))) })
	whole.Name = "y"
	p := start(t, Config{Interval: time.Hour, Backends: []Backend{broken, whole}})
	p.await("both healthy", healthy("x", "y"))
	short := 0
	for _, n := range []int{keepAnswer, keepAnswer, 4 * keepAnswer, 4 * keepAnswer} {
		answer, err := http.Get(fmt.Sprint(p.url, "/?size=", n))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case err == nil && len(got) != n:
			t.Errorf("%d bytes of %d, and no error", len(got), n)
		case err != nil && n <= keepAnswer:
			t.Errorf("an answer of %d bytes: %v", n, err)
		case err != nil:
			short++
		}
	}
	if short != 1 {
		t.Errorf("%d large answers broke off, want the 1 of the broken backend", short)
	}
}

func TestHeadersSayWhoCalled(t *testing.T) {
	b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s|%s|%s|%s", r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host"))
	})
	p := start(t, Config{Backends: []Backend{b}})
	p.await("healthy", healthy("x"))
	r, err := http.NewRequest(http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "reader.example.org"
	r.Header.Set("X-Forwarded-For", "6.6.6.6") // a lie
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || string(got) != "reader.example.org|127.0.0.1|http|reader.example.org" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestTunnelsPassAndEnd(t *testing.T) {
	b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "echo" {
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = rw.WriteString("echo " + line)
			_ = rw.Flush()
		}
	})
	p := start(t, Config{Backends: []Backend{b}, Drain: 200 * time.Millisecond})
	p.await("healthy", healthy("x"))
	conn, err := net.Dial("tcp", p.conf.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != 101 {
		t.Fatalf("%v, %v", answer, err)
	}
	for i := range 3 {
		_, _ = fmt.Fprintf(conn, "line %d\n", i)
		if got, err := in.ReadString('\n'); err != nil || got != fmt.Sprintf("echo line %d\n", i) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	p.await("counted", func(s Status) bool { return s.Backends[0].InFlight == 1 })
	p.conf.Backends = nil
	p.reload()
	p.await("drained", func(s Status) bool { return len(s.Backends) == 0 })
	if _, err := in.ReadString('\n'); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the tunnel outlived the time to drain: %v", err)
	}
}
