// Package remote reaches hosts by SSH: it implements stacks.Host over golang.org/x/crypto/ssh, for targets whose hosts have no other way in.
//
// A host's connection is made at the first Run, kept, and shared between Runs. Nothing that was started on a host outlives its reason:
// a program is killed when its context ends, when the connection breaks, and when this process dies, because a shell on the host waits
// for the connection's end (see lifeline). That needs a POSIX shell, dd and kill there, nothing of ours.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"surety/stacks"
)

// Options say which host it is and how it is reached.
type Options struct {
	// HostName, ComponentID and HostAddress are what stacks.Host's Name, Component and Address give.
	HostName, ComponentID, HostAddress string
	// Endpoint is where sshd listens, as host:port; HostAddress at port 22 when empty.
	Endpoint string
	// User logs in; "root" when empty.
	User string
	// KeyFile is an unencrypted private key in a form that ssh-keygen writes.
	KeyFile string
	// HostKeys gives the host's pinned public keys as lines of authorized_keys form ("ssh-ed25519 AAAA…"). It is asked at the first
	// dial, until it succeeds. A host with another key is refused.
	HostKeys func(ctx context.Context) ([]string, error)
	// Via is a bastion: the connection is tunnelled through it. It stays the caller's, who closes it.
	Via *Host
	// Dial makes the connection instead of the machine's own network; not with Via.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Connect bounds making a connection, handshake included; 10 s when 0.
	Connect time.Duration
	// Alive is how often a kept connection is asked for a sign of life, 5 s when 0; after three times that without one it counts as
	// dead and whatever uses it ends with an error. The host kills what we started after six times that without a sign of ours.
	Alive time.Duration
}

// Pinned makes HostKeys of keys that are known already.
func Pinned(lines ...string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) { return lines, nil }
}

// Host is one host reached by SSH. It is safe for use by several goroutines.
type Host struct {
	options Options
	life    context.Context // ends with Close
	end     context.CancelFunc

	mu     sync.Mutex
	kept   []*connection
	pinned *pins
}

var _ stacks.Host = (*Host)(nil)

// New makes a host. It opens no connection and reads no file; Run does.
func New(o Options) (*Host, error) {
	if o.HostName == "" {
		return nil, errors.New("reach a host by SSH: it has no name")
	}
	if o.Endpoint == "" {
		if o.HostAddress == "" {
			return nil, fmt.Errorf("reach %s by SSH: there is no address", o.HostName)
		}
		o.Endpoint = net.JoinHostPort(o.HostAddress, "22")
	}
	if o.HostKeys == nil {
		return nil, fmt.Errorf("reach %s by SSH: no host key is pinned, so that anybody could answer for it", o.HostName)
	}
	if o.Via != nil && o.Dial != nil {
		return nil, fmt.Errorf("reach %s by SSH: either through a bastion or by a dialer of one's own", o.HostName)
	}
	if o.User == "" {
		o.User = "root"
	}
	if o.Connect <= 0 {
		o.Connect = 10 * time.Second
	}
	if o.Alive <= 0 {
		o.Alive = 5 * time.Second
	}
	h := &Host{options: o}
	h.life, h.end = context.WithCancel(context.Background())
	return h, nil
}

// Name implements stacks.Host.
func (h *Host) Name() string { return h.options.HostName }

// Component implements stacks.Host.
func (h *Host) Component() string { return h.options.ComponentID }

// Address implements stacks.Host.
func (h *Host) Address() string { return h.options.HostAddress }

// Close closes the connections; programs that still run there are killed. A later Run fails.
func (h *Host) Close() error {
	h.end()
	h.mu.Lock()
	kept := h.kept
	h.kept = nil
	h.mu.Unlock()
	for _, c := range kept {
		c.fail(errors.New("it was closed"))
	}
	return nil
}

// where names the host and its endpoint in errors.
func (h *Host) where() string { return fmt.Sprintf("%s (%s)", h.options.HostName, h.options.Endpoint) }
