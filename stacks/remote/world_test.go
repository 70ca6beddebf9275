package remote

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"surety/stacks"
	"surety/stacks/local/host"
	"surety/stacks/local/network"
)

// TestMain lets the test binary be the first process of a host.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "host-init" {
		os.Exit(host.Init(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// world is a router with hosts that have real sshds.
type world struct {
	t      *testing.T
	router *network.Router
	hosts  map[string]*host.Host
	key    string // file
}

func address(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(10 + i)}) }

func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: namespaces, mounts and cgroups")
	}
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		t.Skip("needs openssh-server")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &world{t: t, hosts: map[string]*host.Host{}, key: filepath.Join(dir, "key")}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.key, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	authorized, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	if w.router, err = network.Create(t.Context(), dir, netip.MustParsePrefix("10.77.0.0/16")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.router.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for i, name := range names {
		spec := host.Spec{Name: name, Dir: filepath.Join(dir, name), Binary: self, CgroupParent: fmt.Sprintf("surety-test/remote-%d", os.Getpid()),
			Limits: host.Limits{CPU: 1, Memory: 512 << 20, Disk: 1 << 30}}
		spec.Network = func(ns string) error { return w.router.Attach(t.Context(), name, ns, address(i)) }
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := host.Remove(ctx, spec.Dir); err != nil {
				t.Error(err)
			}
		})
		h, err := host.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Configure(t.Context(), host.Config{AuthorizedKeys: []string{string(ssh.MarshalAuthorizedKey(authorized))}}); err != nil {
			t.Fatal(err)
		}
		w.hosts[name] = h
		w.eventually("sshd of "+name+" listens", func() bool {
			conn, err := w.router.Dial(t.Context(), "tcp", net.JoinHostPort(address(i).String(), "22"))
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	return w
}

// options are those of the host of that name, reached from the router.
func (w *world) options(name string) Options {
	w.t.Helper()
	key, err := w.hosts[name].HostKey(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	at := map[string]netip.Addr{"app-0": address(0), "jump-0": address(1)}[name]
	return Options{HostName: name, ComponentID: "servers.app", HostAddress: at.String(), KeyFile: w.key, HostKeys: Pinned(key), Dial: w.router.Dial,
		Connect: 5 * time.Second, Alive: 300 * time.Millisecond}
}

func open(t *testing.T, o Options) *Host {
	t.Helper()
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// sh runs a shell command inside a host, by its namespaces and not by SSH.
func (w *world) sh(name, command string) string {
	w.t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := w.hosts[name].Exec(ctx, host.Exec{Args: []string{"sh", "-c", command}, Stdout: &out, Stderr: &out}); err != nil {
		w.t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(out.String())
}

func (w *world) eventually(what string, check func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for time.Since(began) < 10*time.Second {
		if check() {
			return time.Since(began)
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("not within ten seconds: %s", what)
	return 0
}

// gone waits until no process of the host has that number of seconds to sleep.
func (w *world) gone(name, seconds string) time.Duration {
	w.t.Helper()
	return w.eventually("sleep "+seconds+" is gone", func() bool { return w.sleeps(name, seconds) == 0 })
}

func (w *world) sleeps(name, seconds string) int {
	w.t.Helper()
	// By exact argument, so that neither this shell nor pgrep finds itself.
	return len(strings.Fields(w.sh(name, "pgrep -x -f 'sleep "+seconds+"' || true")))
}

// output runs a program over SSH.
func output(t *testing.T, h *Host, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out bytes.Buffer
	err := h.Run(ctx, stacks.Command{Args: args, Stdout: &out, Stderr: &out})
	return strings.TrimSpace(out.String()), err
}

// wires counts connections and lets a test cut them, as a network does that goes away with a reset.
type wires struct {
	mu   sync.Mutex
	all  []net.Conn
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (w *wires) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := w.dial(ctx, network, address)
	if err == nil {
		w.mu.Lock()
		w.all = append(w.all, conn)
		w.mu.Unlock()
	}
	return conn, err
}

func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all {
		c.Close()
	}
}

func (w *wires) dialled() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}
