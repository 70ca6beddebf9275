package service

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

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// Serve answers on a unix socket, for root and the service's own user only, until stop is called. A socket that an earlier, killed
// service left behind is replaced.
func Serve(socket string, handler http.Handler) (stop func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("status socket of an earlier service: %w", err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("status socket: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("status socket: %w", err), l.Close())
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("status socket: %v", err)
		}
	}()
	return srv.Close, nil
}

// Answer writes a status as the answer to a request.
func Answer(w http.ResponseWriter, status any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(status); err != nil {
		log.Printf("answer a status request: %v", err)
	}
}

// Dialer opens a connection, as net.Dialer.DialContext does. The sockets of a host are reached by one of its own.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Ask puts one request to the service behind a socket and reads its status. A nil dial connects directly.
func Ask[S any](ctx context.Context, dial Dialer, socket, method, path string) (S, error) {
	var status S
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", socket) }}}
	request, err := http.NewRequestWithContext(ctx, method, "http://service"+path, nil)
	if err != nil {
		return status, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return status, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return status, fmt.Errorf("read the answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return status, fmt.Errorf("it answered %s: %s", answer.Status, strings.TrimSpace(string(body)))
	}
	if err := json.Unmarshal(body, &status); err != nil {
		return status, fmt.Errorf("read the answer: %w", err)
	}
	return status, nil
}
