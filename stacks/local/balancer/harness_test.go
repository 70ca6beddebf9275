package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A backend runs in a process of its own, so that a test can kill and freeze it.
func TestMain(m *testing.M) {
	if at := os.Getenv("SURETY_TEST_BACKEND"); at != "" {
		name, addr, _ := strings.Cut(at, "@")
		fmt.Fprintln(os.Stderr, http.ListenAndServe(addr, backendHandler(name)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// backendHandler answers with its name, some kilobytes and, for a request with a body, the body.
func backendHandler(name string) http.Handler {
	mux := http.NewServeMux()
	filler := strings.Repeat("x", 64<<10)
	var late atomic.Int64 // of health checks; set by asking for /late
	mux.HandleFunc("/late", func(_ http.ResponseWriter, r *http.Request) {
		pause, _ := time.ParseDuration(r.URL.Query().Get("by"))
		late.Store(int64(pause))
	})
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(time.Duration(late.Load()))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if pause, err := time.ParseDuration(r.URL.Query().Get("pause")); err == nil {
			time.Sleep(pause)
		}
		answer := name + " " + string(body) + " " + filler
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		for part := answer; part != ""; part = part[min(len(part), 16<<10):] { // in pieces, so that it can die between two
			_, _ = io.WriteString(w, part[:min(len(part), 16<<10)])
			w.(http.Flusher).Flush()
		}
	})
	return mux
}

// server is a backend process.
type server struct {
	Backend
	t   *testing.T
	mu  sync.Mutex // some tests start it from a timer
	cmd *exec.Cmd
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func newServer(t *testing.T, name string) *server {
	t.Helper()
	s := &server{t: t, Backend: Backend{Name: name, Address: "127.0.0.1", Port: freePort(t)}}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = append(os.Environ(), "SURETY_TEST_BACKEND="+s.Name+"@"+s.hostPort())
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// proxy is a balancer under test, in this process.
type proxy struct {
	t    *testing.T
	conf Config
	file string
	url  string
	end  func() error
}

// start runs a balancer from a file until the test ends.
func start(t *testing.T, conf Config) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "lb") // short: a unix socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	conf.Listen, conf.Socket = fmt.Sprintf("127.0.0.1:%d", freePort(t)), filepath.Join(dir, "s.sock")
	if conf.Interval == 0 {
		conf.Interval = 50 * time.Millisecond
	}
	p := &proxy{t: t, conf: conf, file: filepath.Join(dir, "lb.json"), url: "http://" + conf.Listen}
	p.write()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- RunFile(ctx, p.file) }()
	p.end = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := p.end(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *proxy) write() {
	p.t.Helper()
	raw, err := json.Marshal(p.conf)
	if err == nil {
		err = os.WriteFile(p.file, raw, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// reload has the balancer read its changed file. The signal goes to this process, in which it runs.
func (p *proxy) reload() {
	p.t.Helper()
	p.write()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
	p.await("reload", func(s Status) bool { return s.Applied == p.conf.Digest() })
}

func (p *proxy) await(what string, want func(Status) bool) Status {
	p.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		s, err := Query(context.Background(), nil, p.conf.Socket)
		if err == nil && want(s) {
			return s
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: not within 10 s: %+v, %v", what, s, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func healthy(names ...string) func(Status) bool {
	return func(s Status) bool {
		var up []string
		for _, b := range s.Backends {
			if b.Healthy && !b.Draining {
				up = append(up, b.Name)
			}
		}
		return strings.Join(up, " ") == strings.Join(names, " ")
	}
}

// get sends one request and gives the backend's name, with an error for anything but a whole answer with status 200.
func get(client *http.Client, method, url, body string) (string, error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", answer.Status, got)
	}
	name, rest, _ := strings.Cut(string(got), " ")
	if !strings.HasPrefix(rest, body+" ") {
		return "", errors.New("the answer does not hold the body")
	}
	return name, nil
}

// load sends requests from several callers until stop, and counts what each backend answered and what failed.
type load struct {
	stop    chan struct{}
	wait    sync.WaitGroup
	mu      sync.Mutex
	by      map[string]int
	looks   int // calls of counts
	failed  []error
	slowest time.Duration
}

func (p *proxy) load(callers int, methods ...string) *load {
	l := &load{stop: make(chan struct{}), by: map[string]int{}}
	for i := range callers {
		l.wait.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			for n := i; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				method, body := methods[n%len(methods)], ""
				if method == http.MethodPut {
					body = strings.Repeat("b", 5000)
				}
				l.mu.Lock()
				began, looks := time.Now(), l.looks
				l.mu.Unlock()
				name, err := get(client, method, p.url+"/?pause=2ms", body)
				l.mu.Lock()
				if l.slowest = max(l.slowest, time.Since(began)); err != nil {
					l.failed = append(l.failed, err)
				} else if looks == l.looks {
					l.by[name]++
				}
				l.mu.Unlock()
			}
		})
	}
	return l
}

// counts gives the answers of each backend since the last call. A request that was under way then counts in neither.
func (l *load) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.by
	l.by = map[string]int{}
	l.looks++
	return c
}

func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wait.Wait()
	if len(l.failed) > 0 {
		t.Errorf("%d requests failed, the first: %v", len(l.failed), l.failed[0])
	}
}

// serve runs a backend in this process.
func serve(t *testing.T, h http.HandlerFunc) Backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return Backend{Name: "x", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}
