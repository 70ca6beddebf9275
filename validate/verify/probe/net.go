package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Dial opens a TCP connection and closes it again.
type Dial struct {
	Address string `json:"address"` // host:port
}

// Reach is how far a connection attempt came.
type Reach string

// Outcomes of a connection attempt. A refusal by the host means that the packet passed every filter on its way.
const (
	Open              Reach = "open"
	RefusedByHost     Reach = "refused by the host"       // ECONNREFUSED: nothing listens, but the way is free
	RejectedByNetwork Reach = "rejected by the network"   // ICMP unreachable or administratively prohibited
	NoAnswer          Reach = "no answer"                 // nothing came back before the deadline: dropped on the way, or a dead host
	Unclear           Reach = "failed before it was sent" // a fault of this side; proves nothing
)

// DialSeen is how a connection attempt ended.
type DialSeen struct {
	Reach   Reach         `json:"reach"`
	Error   string        `json:"error,omitempty"`
	Latency time.Duration `json:"latency"` // nanoseconds until open or refused
}

func (d *Dial) do(ctx context.Context) *DialSeen {
	started := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.Address)
	seen := &DialSeen{Latency: time.Since(started), Reach: reach(err)}
	if err != nil {
		seen.Error = err.Error()
		return seen
	}
	conn.Close()
	return seen
}

// reach classifies the error of a connect. ICMP "administratively prohibited" arrives as EHOSTUNREACH on Linux,
// a prohibit route as EACCES, no route as ENETUNREACH.
func reach(err error) Reach {
	var timeout net.Error
	switch {
	case err == nil:
		return Open
	case errors.Is(err, syscall.ECONNREFUSED):
		return RefusedByHost
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return RejectedByNetwork
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &timeout) && timeout.Timeout():
		return NoAnswer
	}
	return Unclear
}

// HTTP sends one GET. Redirects are not followed: what answers is what is asked about.
type HTTP struct {
	URL string `json:"url"`
}

// HTTPSeen is an answer to an HTTP request.
type HTTPSeen struct {
	Status   int           `json:"status"`
	Latency  time.Duration `json:"latency"`            // nanoseconds until the answer's head
	Body     string        `json:"body,omitempty"`     // at most bodyPrefix bytes
	Location string        `json:"location,omitempty"` // of a redirect
}

const bodyPrefix = 200

func (h *HTTP) do(ctx context.Context) (*HTTPSeen, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("User-Agent", "surety-probe")
	transport := &http.Transport{DisableKeepAlives: true} // no proxy from the environment: the way itself is under test
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	started := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	seen := &HTTPSeen{Status: response.StatusCode, Latency: time.Since(started), Location: response.Header.Get("Location")}
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyPrefix))
	seen.Body = string(body)
	if err != nil {
		return seen, fmt.Errorf("read answer: %w", err)
	}
	return seen, nil
}
