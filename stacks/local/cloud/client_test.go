package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Every error keeps its type and content on its way through the API, also when it was wrapped.
func TestErrorsCrossTheWire(t *testing.T) {
	for _, want := range []error{
		&NotFound{Kind: KindServer, Name: "web-0"},
		&Conflict{Message: "the version is 15", Mend: "replace it", Replace: true},
		&Invalid{Field: "program.sha256", Message: "differs", Mend: "plan again"},
		&Failed{Message: "web-0 did not become healthy", Log: []string{"a", "b"}},
	} {
		status, body := toWire(fmt.Errorf("put: %w", want))
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		got := fromWire(status, raw)
		if reflect.TypeOf(got) != reflect.TypeOf(want) {
			t.Errorf("%T came back as %T", want, got)
		}
		if failed := (*Failed)(nil); errors.As(got, &failed) {
			if failed.Message != "put: web-0 did not become healthy" || len(failed.Log) != 2 {
				t.Errorf("came back as %+v", failed)
			}
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v", want, got)
		}
	}
	if err := fromWire(502, []byte("<html>")); !strings.Contains(err.Error(), "502") {
		t.Errorf("a strange answer became %v", err)
	}
}

// longDir is a folder whose path is longer than a socket's path may be.
func longDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSocketInALongPath(t *testing.T) {
	dir := longDir(t)
	if err := Dial(dir).Ping(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no socket: %v, want ErrNotRunning", err)
	}
	for range 2 { // the second finds the first one's socket left behind
		ln, err := listenSocket(dir)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, socketName))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("socket: %v, %v, want mode 0600", info, err)
		}
		go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
		c := Dial(dir)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("ping through a path of %d bytes: %v", len(dir), err)
		}
		c.Close()
		ln.Close()
		if err := Dial(dir).Ping(t.Context()); !errors.Is(err, ErrNotRunning) {
			t.Errorf("nobody listens: %v, want ErrNotRunning", err)
		}
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "lock")
	first, err := lockFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := lockFile(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a held lock: %v", err)
	}
	// The folder goes while somebody waits: the waiter must not hold a lock that nobody else can see.
	done := make(chan *os.File)
	go func() {
		f, err := lockFile(context.Background(), path)
		if err != nil {
			t.Error(err)
		}
		done <- f
	}()
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := <-done
	defer second.Close()
	if !sameFile(second, path) {
		t.Error("the waiter holds the lock of a removed file")
	}
}

func TestRequestsOnOneResourceWaitForEachOther(t *testing.T) {
	var l locks
	var wg sync.WaitGroup
	inside, most := 0, 0
	var mu sync.Mutex
	for range 20 {
		wg.Go(func() {
			unlock, err := l.lock(t.Context(), "servers/web-0")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
			unlock()
		})
	}
	other, err := l.lock(t.Context(), "servers/web-1")
	if err != nil {
		t.Error(err)
	}
	other()
	wg.Wait()
	if most != 1 {
		t.Errorf("%d requests on one resource ran at once", most)
	}
}

// The entry passes bytes both ways, passes on that one side has ended, and resets a caller when nobody is behind it.
func TestEntry(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(conn, conn); conn.Close() }() // answers the end with the end
		}
	}()
	var e entries
	defer e.closeAll()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	e.hold("web", port, ln)
	var dialer net.Dialer
	if err := e.serve("web", port, func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", echo.Addr().String())
	}); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, strings.Repeat("x", 1<<20))
	conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || len(got) != 1<<20 {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if err := e.serve("web", port, func(context.Context) (net.Conn, error) { return nil, errors.New("dead") }); err != nil {
		t.Fatal(err)
	}
	dead, err := net.Dial("tcp", ln.Addr().String())
	if err == nil { // the reset may also come before connecting has returned
		defer dead.Close()
		dead.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err = dead.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a dead balancer: %v, want a reset", err)
	}
	e.close("web")
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("a closed entry still accepts")
	}
}
