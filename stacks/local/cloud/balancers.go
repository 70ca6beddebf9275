package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"surety/stacks/local/balancer"
	"surety/stacks/local/host"
	"surety/stacks/local/network"
)

const (
	balancerConfig = "/etc/surety/balancer.json"
	balancerSocket = "/run/surety/balancer.sock"
	// dialTimeout bounds the entry's connection to its balancer.
	dialTimeout = 5 * time.Second
)

func checkBalancer(name string, b *Balancer) error {
	if err := checkHost(name, b.Name, b.Group, b.Limits); err != nil {
		return err
	}
	if err := checkPort("port", b.Port); err != nil {
		return err
	}
	for i, backend := range b.Backends {
		field := fmt.Sprintf("backends[%d]", i)
		if _, err := netip.ParseAddr(backend.Address); err != nil {
			return &Invalid{Field: field + ".address", Message: err.Error()}
		}
		if err := checkPort(field+".port", backend.Port); err != nil {
			return err
		}
	}
	b.Address, b.Entry, b.Running = "", "", false
	return nil
}

func changeBalancer(old, new Balancer) error { return changeLimits(old.Limits, new.Limits) }

func (d *daemon) putBalancer(act, waits context.Context, r *record, b Balancer) error {
	cidr, err := d.cidr()
	if err != nil {
		return err
	}
	if err := d.book.claim(r, cidr, []string{b.Name}, false); err != nil {
		return err
	}
	settings := balancerSettings(b)
	raw, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return fmt.Errorf("encode balancer configuration: %w", err)
	}
	h, err := d.raise(act, *r, b.Name, b.Limits, agentConfig("balancer", balancerConfig, raw, tags(b.Tags, r.Kind, b.Group)), netip.Addr{})
	if err != nil {
		return err
	}
	if err := balancerReady(waits, h, settings); err != nil {
		return err
	}
	if err := d.chooseEntry(r); err != nil {
		return err
	}
	d.faults.step(*r, "entry")
	return d.openEntry(*r)
}

// balancerReady waits until the balancer has its configuration in force and every backend has been checked at least once. A backend that
// is not healthy is its own server's failure, not the balancer's.
func balancerReady(ctx context.Context, h *host.Host, want balancer.Config) error {
	err := await(ctx, defaultDeadline, func(ctx context.Context) error {
		s, err := balancer.Query(ctx, within(h), balancerSocket)
		switch {
		case err != nil:
			return err
		case s.Failure != "":
			return errors.New(s.Failure)
		case s.Applied != want.Digest():
			return errors.New("the configuration is not in force yet")
		}
		for _, b := range s.Backends {
			if !b.Draining && !b.Healthy && b.Failure == "" {
				return fmt.Errorf("backend %s has not been checked yet", b.Name)
			}
		}
		return nil
	})
	if err != nil {
		return &Failed{Message: fmt.Sprintf("%s %v", h.Name(), err), Log: tail(h.Log(mainService), 20)}
	}
	return nil
}

// trafficDeadline bounds the wait for a balancer to send requests to a server again.
const trafficDeadline = 5 * time.Second

// awaitTraffic waits until every balancer that a healthy server stands behind has found it healthy too. Only then may the next server of
// the group be taken down: otherwise there is a moment with none in service. A balancer that cannot be asked is not waited for.
func (d *daemon) awaitTraffic(ctx context.Context, server string) {
	for _, r := range d.book.list(KindBalancer) {
		b, err := specOf[Balancer](r)
		if err != nil || r.Phase != phaseDone || !slices.ContainsFunc(b.Backends, func(b Backend) bool { return b.Name == server }) {
			continue
		}
		h, err := d.find(b.Name)
		if err != nil || !serviceRuns(ctx, h) {
			continue
		}
		err = await(ctx, trafficDeadline, func(ctx context.Context) error {
			s, err := balancer.Query(ctx, within(h), balancerSocket)
			if err != nil {
				return err
			}
			for _, backend := range s.Backends {
				if backend.Name == server && !backend.Draining && !backend.Healthy {
					return fmt.Errorf("%s does not send requests to %s yet", b.Name, server)
				}
			}
			return nil
		})
		if err != nil {
			d.cfg.Log.Warn("a server is healthy, but its balancer does not say so", "server", server, "balancer", b.Name, "error", err)
		}
	}
}

func balancerSettings(b Balancer) balancer.Config {
	c := balancer.Config{Listen: ":" + strconv.Itoa(b.Port), Health: b.Health}
	for _, backend := range b.Backends {
		c.Backends = append(c.Backends, balancer.Backend{Name: backend.Name, Address: backend.Address, Port: backend.Port})
	}
	return c
}

// chooseEntry finds a free port on the machine's loopback once; the record keeps it, so that the address stays when the daemon goes.
func (d *daemon) chooseEntry(r *record) error {
	if r.Entry != 0 {
		return nil
	}
	const first, count = 41000, 2000
	kept := map[int]bool{}
	for _, other := range d.book.list(KindBalancer) {
		kept[other.Entry] = true
	}
	for port := first; port < first+count; port++ {
		if kept[port] || d.entries.open(port) {
			continue
		}
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		r.Entry = port
		d.entries.hold(r.Name, port, ln)
		return d.book.save(*r)
	}
	return &Failed{Message: fmt.Sprintf("no port of 127.0.0.1 from %d on is free", first)}
}

// openEntry listens on the balancer's entry port and passes each connection to the balancer, as if it came from the outside host.
func (d *daemon) openEntry(r record) error {
	b, err := specOf[Balancer](r)
	if err != nil {
		return err
	}
	to := net.JoinHostPort(r.Hosts[b.Name].String(), strconv.Itoa(b.Port))
	return d.entries.serve(r.Name, r.Entry, func(ctx context.Context) (net.Conn, error) {
		outside, err := d.find(outsideHost)
		if err != nil {
			return nil, err
		}
		if !outside.Running() { // its namespace's path could mean another process by now
			return nil, host.ErrNotRunning
		}
		return network.DialIn(ctx, outside.Namespace(), "tcp", to)
	})
}

func (d *daemon) readBalancer(ctx context.Context, r record, b Balancer, _ bool) (Balancer, error) {
	b.Address = addressOf(r, b.Name)
	if d.entries.open(r.Entry) {
		b.Entry = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Entry))
	}
	h, err := d.find(b.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("find host %q: %w", b.Name, err)
	}
	b.Limits, _ = d.limitsOf(h, b.Limits)
	if b.Running = serviceRuns(ctx, h); !b.Running {
		return b, nil
	}
	raw, err := h.ReadFile(ctx, balancerConfig)
	if err != nil {
		return b, fmt.Errorf("read balancer configuration back: %w", err)
	}
	var c balancer.Config
	if err := json.Unmarshal(raw, &c); err != nil {
		return b, fmt.Errorf("read balancer configuration back: %w", err)
	}
	b.Health, b.Backends = c.Health, []Backend{}
	for _, backend := range c.Backends {
		b.Backends = append(b.Backends, Backend{Name: backend.Name, Address: backend.Address, Port: backend.Port})
	}
	return b, nil
}

func (d *daemon) removeBalancer(ctx context.Context, r record) error {
	d.entries.close(r.Name)
	return d.removeHosts(ctx, r)
}

// entries are the open entry points by balancer.
type entries struct {
	mu     sync.Mutex
	byName map[string]*entry
}

type entry struct {
	port int
	ln   net.Listener
	mu   sync.Mutex
	dial func(context.Context) (net.Conn, error) // nil until the balancer serves
}

// open reports whether we listen on a port.
func (e *entries) open(port int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for one := range maps.Values(e.byName) {
		if one.port == port {
			return true
		}
	}
	return false
}

func (e *entries) hold(name string, port int, ln net.Listener) *entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.byName == nil {
		e.byName = map[string]*entry{}
	}
	one := &entry{port: port, ln: ln}
	e.byName[name] = one
	return one
}

// serve makes the entry pass connections to what dial reaches from now on.
func (e *entries) serve(name string, port int, dial func(context.Context) (net.Conn, error)) error {
	e.mu.Lock()
	one := e.byName[name]
	e.mu.Unlock()
	if one == nil {
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if errors.Is(err, syscall.EADDRINUSE) {
			return &Conflict{Message: fmt.Sprintf("port %d of 127.0.0.1, the entry of balancer %q, is taken by another program", port, name), Mend: "end that program, or delete the balancer and make it again"}
		}
		if err != nil {
			return fmt.Errorf("open entry: %w", err)
		}
		one = e.hold(name, port, ln)
	}
	one.mu.Lock()
	begun := one.dial != nil
	one.dial = dial
	one.mu.Unlock()
	if !begun {
		go one.accept()
	}
	return nil
}

func (e *entries) close(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if one := e.byName[name]; one != nil {
		one.ln.Close()
		delete(e.byName, name)
	}
}

func (e *entries) closeAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.byName {
		one.ln.Close()
	}
}

// accept ends when the listener is closed.
func (e *entry) accept() {
	for {
		conn, err := e.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: let some connections end
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go e.splice(conn.(*net.TCPConn))
	}
}

// splice passes one connection on until both sides have ended. A balancer that cannot be reached shows as a reset.
func (e *entry) splice(in *net.TCPConn) {
	defer in.Close()
	e.mu.Lock()
	dial := e.dial
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	conn, err := dial(ctx)
	cancel()
	if err != nil {
		_ = in.SetLinger(0)
		return
	}
	defer conn.Close()
	out, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	var wg sync.WaitGroup
	pass := func(to, from *net.TCPConn) {
		if _, err := io.Copy(to, from); err != nil { // one side broke: so must the other
			_ = to.SetLinger(0)
			to.Close()
			return
		}
		_ = to.CloseWrite()
	}
	wg.Go(func() { pass(out, in) })
	pass(in, out)
	wg.Wait()
}
