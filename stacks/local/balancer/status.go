package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Status is what the balancer says of itself.
type Status struct {
	Listen   string          `json:"listen"`
	Backends []BackendStatus `json:"backends"`
	Applied  string          `json:"applied"`           // Config.Digest of the configuration in force
	Failure  string          `json:"failure,omitempty"` // why the last reload was refused
}

func (b *balancer) status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Status{Listen: b.conf.Listen, Backends: b.pool.status(), Applied: b.conf.Digest(), Failure: b.failure}
}

// serveStatus opens the status socket, for root and the balancer's own user only.
func (b *balancer) serveStatus(socket string) (closeStatus func(), err error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("status socket of an earlier balancer: %w", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(b.status()); err != nil {
			log.Printf("answer a status request: %v", err)
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("status socket: %v", err)
		}
	}()
	return func() { _ = srv.Close() }, nil
}

// Query asks the balancer behind a status socket for its status. A nil dial connects directly.
func Query(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error), socket string) (Status, error) {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", socket) }}}
	var s Status
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://balancer/status", nil)
	if err != nil {
		return s, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return s, fmt.Errorf("ask the balancer: %w", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return s, fmt.Errorf("ask the balancer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the balancer answered %s: %s", answer.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("answer of the balancer: %w", err)
	}
	return s, nil
}
