package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

type config struct {
	Name string `json:"name"`
	Port int    `json:"port,omitempty"`
}

func complete(c config) (config, error) {
	if c.Port == 0 {
		c.Port = 80
	}
	if c.Name == "" {
		return c, errors.New("name is empty")
	}
	return c, nil
}

func TestLoad(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"name":"a"}`, ""},
		{`{"name":"a","prot":1}`, `unknown field "prot"`},
		{`{"port":1}`, "name is empty"},
		{`{"name":`, "unexpected EOF"},
	} {
		path := filepath.Join(t.TempDir(), "c.json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Load(path, complete)
		switch {
		case c.want == "" && (err != nil || got != config{"a", 80}):
			t.Errorf("%s: %+v, %v", c.text, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s: error %v must name the file and say %q", c.text, err, c.want)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), complete); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestDigestTellsContentsApart(t *testing.T) {
	one, again, other := Digest(config{"a", 80}), Digest(config{"a", 80}), Digest(config{"a", 81})
	if one != again || one == other {
		t.Error("equal contents must have one digest, others another")
	}
}

func TestSignals(t *testing.T) {
	ctx, hangups, stop := Signals(t.Context())
	defer stop()
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := syscall.Kill(os.Getpid(), sig); err != nil {
			t.Fatal(err)
		}
	}
	for what, came := range map[string]func() bool{
		"SIGHUP": func() bool {
			select {
			case <-hangups:
				return true
			case <-time.After(5 * time.Second):
				return false
			}
		},
		"SIGTERM": func() bool {
			select {
			case <-ctx.Done():
				return true
			case <-time.After(5 * time.Second):
				return false
			}
		},
	} {
		if !came() {
			t.Errorf("%s did not arrive", what)
		}
	}
}

// short is a folder with a short path: that of a unix socket may have 107 bytes only.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ag")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestAskWhatIsServed(t *testing.T) {
	socket := filepath.Join(short(t), "run", "s.sock")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { Answer(w, config{"up", 1}) })
	mux.HandleFunc("POST /act", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusConflict) })
	mux.HandleFunc("GET /text", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	for round := range 2 { // the second time over the socket that the first one left
		if round == 1 {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		}
		stop, err := Serve(socket, mux)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket is open to others: %v, %v", info, err)
		}
		dialed := ""
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed = network + " " + address
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		if s, err := Ask[config](t.Context(), dial, socket, http.MethodGet, "/status"); err != nil || s != (config{"up", 1}) || dialed != "unix "+socket {
			t.Errorf("status %+v, %v, by way of %q", s, err, dialed)
		}
		for path, want := range map[string]string{"/act": "409 Conflict: no", "/text": "read the answer"} {
			method := map[string]string{"/act": http.MethodPost, "/text": http.MethodGet}[path]
			if _, err := Ask[config](t.Context(), nil, socket, method, path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want one that says %q", path, err, want)
			}
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if _, err := Ask[config](t.Context(), nil, socket, http.MethodGet, "/status"); err == nil {
			t.Error("it answers after its end")
		}
	}
}
