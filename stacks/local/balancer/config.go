// Package balancer is the L7 proxy of a local-cloud environment: it spreads HTTP requests over the healthy ones of its backends, takes a
// failing backend out without losing a request that may be repeated, and changes its backends without cutting requests under way.
package balancer

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"surety/stacks/local/service"
)

// Config is everything the balancer needs. It is read from a JSON file and read again on SIGHUP.
type Config struct {
	Listen string `json:"listen"` // address:port
	// Health is an HTTP path that answers 2xx when a backend can serve; empty: a backend is healthy when its port is open.
	Health string `json:"health,omitempty"`
	// Interval is the time between two checks of a backend, in nanoseconds in JSON; 200 ms when 0.
	Interval time.Duration `json:"interval,omitempty"`
	// Timeout is how long a check may take; a second when 0.
	Timeout  time.Duration `json:"timeout,omitempty"`
	Backends []Backend     `json:"backends"`
	// Drain is how long requests to a removed backend may take before they are cut; 30 s when 0.
	Drain time.Duration `json:"drain,omitempty"`
	// Socket is the status socket (HTTP); "/run/surety/balancer.sock" when empty.
	Socket string `json:"socket,omitempty"`
}

// Backend is one server behind the balancer. Name is for people; a backend is the same one as long as all three fields are.
type Backend struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Port    int    `json:"port"`
}

func (b Backend) hostPort() string { return net.JoinHostPort(b.Address, strconv.Itoa(b.Port)) }

// Load reads a Config from a JSON file, with defaults applied. Unknown fields are an error.
func Load(path string) (Config, error) { return service.Load(path, Config.complete) }

func (c Config) complete() (Config, error) {
	for _, d := range []struct {
		field     *time.Duration
		otherwise time.Duration
	}{{&c.Interval, 200 * time.Millisecond}, {&c.Timeout, time.Second}, {&c.Drain, 30 * time.Second}} {
		if *d.field < 0 {
			return c, errors.New("interval, timeout and drain must not be negative")
		}
		if *d.field == 0 {
			*d.field = d.otherwise
		}
	}
	if c.Socket == "" {
		c.Socket = "/run/surety/balancer.sock"
	}
	switch {
	case c.Listen == "":
		return c, errors.New("listen is empty")
	case c.Health != "" && !strings.HasPrefix(c.Health, "/"):
		return c, fmt.Errorf("health %q is not a path", c.Health)
	case !filepath.IsAbs(c.Socket):
		return c, fmt.Errorf("socket %q is not an absolute path", c.Socket)
	}
	seen := map[Backend]bool{}
	for _, b := range c.Backends {
		switch {
		case b.Address == "" || b.Port < 1 || b.Port > 65535:
			return c, fmt.Errorf("backend %q has no usable address and port: %q, %d", b.Name, b.Address, b.Port)
		case seen[b]:
			return c, fmt.Errorf("backend %q is listed twice", b.Name)
		}
		seen[b] = true
	}
	return c, nil
}

// Digest names a configuration's content, so that a caller can see in Status.Applied that what it wrote is in force. It is the same
// before and after defaults were applied.
func (c Config) Digest() string {
	if full, err := c.complete(); err == nil {
		c = full
	}
	return service.Digest(c)
}
