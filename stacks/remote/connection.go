package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// programsPerConnection bounds the programs that share a connection: OpenSSH's sshd allows ten sessions on one (sshd_config(5),
// MaxSessions), and the lifeline is one. More programs at once get a further connection.
const programsPerConnection = 8

// connection is one SSH connection, perhaps not made yet.
type connection struct {
	host  *Host
	ready chan struct{} // closed when client or cause is set
	dead  chan struct{} // closed when it can no longer be used
	once  sync.Once
	users int // of Host.mu, as most is
	most  int

	client   *ssh.Client
	causeMu  sync.Mutex
	cause    error // why it is dead
	lifeMu   sync.Mutex
	lifeline ssh.Channel
}

// acquire gives a usable connection, a kept one where there is one. It must be released.
func (h *Host) acquire(ctx context.Context) (*connection, error) {
	if h.life.Err() != nil {
		return nil, fmt.Errorf("connect to %s: it was closed", h.options.Endpoint)
	}
	h.mu.Lock()
	var c *connection
	for _, kept := range h.kept {
		if !kept.isDead() && kept.users < kept.most {
			c = kept
			break
		}
	}
	if c == nil {
		c = &connection{host: h, most: programsPerConnection, ready: make(chan struct{}), dead: make(chan struct{})}
		h.kept = append(h.kept, c)
		go c.make()
	}
	c.users++
	h.mu.Unlock()
	select {
	case <-c.ready:
		if c.client == nil {
			c.release()
			return nil, c.err()
		}
		return c, nil
	case <-ctx.Done():
		c.release()
		return nil, fmt.Errorf("connect to %s: no SSH answer yet: %w", h.options.Endpoint, context.Cause(ctx))
	}
}

// release gives a connection back. A spare one, made because others were full, is closed.
func (c *connection) release() {
	c.host.mu.Lock()
	c.users--
	spare := c.users == 0 && len(c.host.kept) > 1 && c.host.kept[0] != c
	c.host.mu.Unlock()
	if spare {
		c.fail(errors.New("it was closed"))
	}
}

// make connects. Others may wait for it too, so that it does not end with the first one's context.
func (c *connection) make() {
	h := c.host
	ctx, cancel := context.WithTimeout(h.life, h.options.Connect)
	defer cancel()
	client, err := h.connect(ctx)
	if err != nil {
		c.fail(err)
		close(c.ready)
		return
	}
	c.client = client
	close(c.ready)
	if c.isDead() { // closed meanwhile
		client.Close()
		return
	}
	go c.watch()
	err = client.Wait()
	c.fail(fmt.Errorf("the connection was lost: %w", err))
}

// connect dials and shakes hands.
func (h *Host) connect(ctx context.Context) (*ssh.Client, error) {
	fail := func(err error) (*ssh.Client, error) {
		if ctx.Err() != nil && h.life.Err() == nil {
			err = fmt.Errorf("no SSH answer within %s", h.options.Connect)
		}
		return nil, fmt.Errorf("connect to %s: %w", h.options.Endpoint, err)
	}
	known, err := h.pins(ctx)
	if err != nil {
		return fail(err)
	}
	key, err := signer(h.options.KeyFile)
	if err != nil {
		return fail(err)
	}
	conn, err := h.dial(ctx)
	if err != nil {
		return fail(err)
	}
	// A deadline would be simpler, but a connection through a bastion has none.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	config := &ssh.ClientConfig{User: h.options.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: known.check(h.where()), HostKeyAlgorithms: known.algorithms()}
	c, channels, requests, err := ssh.NewClientConn(conn, h.options.Endpoint, config)
	if !stop() && err == nil {
		c.Close()
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		if refused := (*HostKeyError)(nil); errors.As(err, &refused) {
			return nil, refused
		}
		return fail(fmt.Errorf("as %s with %s: %w", h.options.User, h.options.KeyFile, err))
	}
	return ssh.NewClient(c, channels, requests), nil
}

func (h *Host) dial(ctx context.Context) (net.Conn, error) {
	switch {
	case h.options.Dial != nil:
		return h.options.Dial(ctx, "tcp", h.options.Endpoint)
	case h.options.Via == nil:
		return (&net.Dialer{}).DialContext(ctx, "tcp", h.options.Endpoint)
	}
	var last error
	for range 2 { // the bastion's kept connection may turn out to be dead
		c, err := h.options.Via.acquire(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := c.client.DialContext(ctx, "tcp", h.options.Endpoint)
		c.release()
		if err == nil {
			return conn, nil
		}
		last = fmt.Errorf("through %s: %w", h.options.Via.where(), err)
		if ctx.Err() != nil || !c.diedJustNow() {
			break
		}
	}
	return nil, last
}

// watch asks the peer for a sign of life now and then, and gives the connection up when there is none.
func (c *connection) watch() {
	every := c.host.options.Alive
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-c.dead:
			return
		case <-ticker.C:
		}
		answered := make(chan struct{})
		go func() {
			if c.ping() == nil {
				close(answered)
			}
		}()
		go c.tell("b")
		select {
		case <-answered:
		case <-c.dead:
			return
		case <-time.After(3 * every):
			c.fail(fmt.Errorf("no sign of life for %s", 3*every))
			return
		}
	}
}

// ping makes a round trip. Every sshd answers, if only with "unknown request".
func (c *connection) ping() error {
	_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
	return err
}

// fail ends a connection, for the first reason given.
func (c *connection) fail(cause error) {
	c.once.Do(func() {
		c.causeMu.Lock()
		c.cause = cause
		c.causeMu.Unlock()
		h := c.host
		h.mu.Lock()
		h.kept = slices.DeleteFunc(h.kept, func(k *connection) bool { return k == c })
		h.mu.Unlock()
		close(c.dead)
	})
	select {
	case <-c.ready:
		if c.client != nil {
			go c.client.Close() // may wait for a peer that reads nothing
		}
	default:
	}
}

func (c *connection) err() error {
	c.causeMu.Lock()
	defer c.causeMu.Unlock()
	return c.cause
}

func (c *connection) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// diedJustNow tells whether an error came from the connection's end, which shows in its users a moment before it is known here.
func (c *connection) diedJustNow() bool {
	select {
	case <-c.dead:
		return true
	case <-time.After(50 * time.Millisecond):
		return c.client != nil && c.isDead()
	}
}
