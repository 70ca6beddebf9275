package balancer

import (
	"context"
	"fmt"
	"net/http"

	"surety/stacks/local/service"
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

// serveStatus opens the status socket.
func (b *balancer) serveStatus(socket string) (stop func() error, err error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { service.Answer(w, b.status()) })
	return service.Serve(socket, mux)
}

// Query asks the balancer behind a status socket for its status. A nil dial connects directly.
func Query(ctx context.Context, dial service.Dialer, socket string) (Status, error) {
	s, err := service.Ask[Status](ctx, dial, socket, http.MethodGet, "/status")
	if err != nil {
		return s, fmt.Errorf("ask the balancer: %w", err)
	}
	return s, nil
}
