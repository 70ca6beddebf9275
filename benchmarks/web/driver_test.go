package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"surety/benchmarks"
)

func serve(t *testing.T, handler http.HandlerFunc) (url string, connections *atomic.Int64) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	connections = new(atomic.Int64)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, connections
}

func driver(t *testing.T, options Options, requests ...Request) *Driver {
	t.Helper()
	d, err := New(options, requests...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestResponsesAreReadToTheirEnd(t *testing.T) {
	url, connections := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/length":
			fmt.Fprint(w, strings.Repeat("x", 1000))
		case "/chunks":
			w.Header().Set("Trailer", "X-Sum")
			defer w.Header().Set("X-Sum", "12345")
			for range 3 {
				fmt.Fprint(w, strings.Repeat("x", 20000))
				w.(http.Flusher).Flush()
			}
		case "/nothing":
			w.WriteHeader(http.StatusNoContent)
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			fmt.Fprint(w, "after hints")
		case "/post":
			body, _ := io.ReadAll(r.Body)
			if r.Method != "POST" || r.Header.Get("X-Token") != "secret" || string(body) != "question" || r.Host != "other.example" {
				w.WriteHeader(http.StatusBadRequest)
			}
			fmt.Fprint(w, "answer")
		}
	})
	for _, test := range []struct {
		request Request
		bytes   int64
	}{
		{Request{URL: url + "/length"}, 1000},
		{Request{URL: url + "/length", Method: "HEAD"}, 0},
		{Request{URL: url + "/chunks"}, 60000},
		{Request{URL: url + "/nothing"}, 0},
		{Request{URL: url + "/early"}, 11},
		{Request{URL: url + "/post", Method: "POST", Header: http.Header{"X-Token": {"secret"}, "Host": {"other.example"}}, Body: []byte("question")}, 14},
	} {
		before := connections.Load()
		d := driver(t, Options{Workers: 1}, test.request)
		for i := range 3 { // what one leaves unread, the next would stumble over
			if n, _, err := d.Do(t.Context(), 0); err != nil || n != test.bytes {
				t.Errorf("%s, time %d: %d bytes, want %d; %v", test.request.URL, i, n, test.bytes, err)
			}
		}
		if opened := connections.Load() - before; opened != 1 {
			t.Errorf("%s: %d connections, want 1", test.request.URL, opened)
		}
	}
}

func TestStatus(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	_, _, err := driver(t, Options{Workers: 1}, Request{URL: url}).Do(t.Context(), 0)
	if class := benchmarks.Class(err); class != "status 503" {
		t.Errorf("class %q", class)
	}
	if _, _, err := driver(t, Options{Workers: 1}, Request{URL: url, Expect: []int{503}}).Do(t.Context(), 0); err != nil {
		t.Errorf("a 503 that is expected: %v", err)
	}
}

func TestConnections(t *testing.T) {
	url, opened := serve(t, func(w http.ResponseWriter, r *http.Request) { time.Sleep(5 * time.Millisecond) })
	for _, test := range []struct {
		name    string
		options Options
		least   int64
		most    int64
	}{
		{"kept", Options{Workers: 8}, 8, 8},
		{"bounded", Options{Workers: 8, Connections: 2}, 2, 2},
		{"one for each request", Options{Workers: 8, Once: true}, 40, 1000},
	} {
		before, d := opened.Load(), driver(t, test.options, Request{URL: url})
		outcome, err := benchmarks.Run(t.Context(), benchmarks.Plan{Schedule: benchmarks.Closed(300 * time.Millisecond), Workers: 8}, d.Do, func(s benchmarks.Sample) {
			if s.Class != "" {
				t.Errorf("%s: %s", test.name, s.Class)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := opened.Load() - before; n < test.least || n > test.most {
			t.Errorf("%s: %d connections for %d requests, want %d to %d", test.name, n, outcome.Done, test.least, test.most)
		}
	}
}

func TestMixKeepsItsWeights(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	d := driver(t, Options{Workers: 1}, Request{Op: "get", Weight: 3, URL: url + "/a"}, Request{Op: "put", Method: "PUT", URL: url + "/b"})
	var order []string
	for range 8 {
		_, op, err := d.Do(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, op)
	}
	if got := strings.Join(order, " "); got != "get get put get get get put get" {
		t.Errorf("%s", got)
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if n, _, err := driver(t, Options{Workers: 1, TLS: &tls.Config{RootCAs: roots}}, Request{URL: server.URL}).Do(t.Context(), 0); err != nil || n != 8 {
		t.Errorf("%d bytes, %v", n, err)
	}
	_, _, err := driver(t, Options{Workers: 1}, Request{URL: server.URL}).Do(t.Context(), 0)
	if class := benchmarks.Class(err); class != "certificate" {
		t.Errorf("a certificate of nobody known gives class %q: %v", class, err)
	}
}

// raw serves each connection by a function.
func raw(t *testing.T, handle func(n int, conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(n, conn, bufio.NewReader(conn))
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestBrokenConnections(t *testing.T) {
	answer := func(conn net.Conn, in *bufio.Reader, response string) {
		if r, err := http.ReadRequest(in); err == nil {
			io.Copy(io.Discard, r.Body)
			io.WriteString(conn, response)
		}
	}
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	idle := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) { answer(conn, in, whole) }) // closes after each, and does not say so
	for _, test := range []struct {
		method, class string
	}{{"GET", ""}, {"POST", "cut off"}} {
		d := driver(t, Options{Workers: 1}, Request{URL: idle, Method: test.method})
		if _, _, err := d.Do(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		_, _, err := d.Do(t.Context(), 0)
		if class := benchmarks.Class(err); class != test.class && !(test.class != "" && class == "reset") {
			t.Errorf("%s on a connection that the server closed meanwhile: class %q, want %q", test.method, class, test.class)
		}
	}
	for name, response := range map[string]string{
		"body":   "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"header": "HTTP/1.1 200 OK\r\nContent-",
	} {
		url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) { answer(conn, in, response) })
		_, _, err := driver(t, Options{Workers: 1}, Request{URL: url}).Do(t.Context(), 0)
		if class := benchmarks.Class(err); class != "cut off" {
			t.Errorf("%s cut off: class %q (%v)", name, class, err)
		}
	}
	until := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) { answer(conn, in, "HTTP/1.0 200 OK\r\n\r\nall of it") })
	if n, _, err := driver(t, Options{Workers: 1}, Request{URL: until}).Do(t.Context(), 0); err != nil || n != 9 {
		t.Errorf("a body until the end of the connection: %d bytes, %v", n, err)
	}
	if _, _, err := driver(t, Options{Workers: 1}, Request{URL: "http://127.0.0.1:1/"}).Do(t.Context(), 0); benchmarks.Class(err) != "refused" {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestTheContextsEndEndsARequest(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("slow") != "" {
			select {
			case <-r.Context().Done():
			case <-time.After(3 * time.Second):
			}
		}
	})
	d := driver(t, Options{Workers: 1}, Request{Op: "slow", URL: url + "/?slow=1"}, Request{Op: "fast", URL: url + "/"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, _, err := d.Do(ctx, 0); err == nil || time.Since(began) > time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if _, op, err := d.Do(t.Context(), 0); err != nil {
		t.Errorf("the next request, %s: %v", op, err)
	}
}

func TestNothingIsAllocatedPerRequest(t *testing.T) {
	response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok")
	url := raw(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		for {
			for { // a request without a body ends with an empty line
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) == 2 {
					break
				}
			}
			if _, err := conn.Write(response); err != nil {
				return
			}
		}
	})
	d := driver(t, Options{Workers: 1}, Request{URL: url})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	per := testing.AllocsPerRun(1000, func() {
		if _, _, err := d.Do(ctx, 0); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v allocations a request", per)
	if per > 0 { // the server's are counted too
		t.Errorf("%v allocations a request", per)
	}
}

func TestDriversThatCannotBe(t *testing.T) {
	for name, requests := range map[string][]Request{
		"none":      {},
		"no scheme": {{URL: "example.org/"}},
		"two hosts": {{URL: "http://a.example/"}, {URL: "http://b.example/"}},
		"weight":    {{URL: "http://a.example/", Weight: -1}},
	} {
		if _, err := New(Options{Workers: 1}, requests...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := driver(t, Options{Workers: 1}, Request{URL: "http://127.0.0.1:1/"}).Do(t.Context(), 1); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("a second of one workers: %v", err)
	}
}
