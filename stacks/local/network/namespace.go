package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// nsfsMagic is the file system type of a namespace handle (include/uapi/linux/magic.h, NSFS_MAGIC).
const nsfsMagic = 0x6e736673

// inside runs fn, which must be repeatable, on an operating-system thread that has entered the network namespace at nsPath. The goroutine ends
// while still locked to that thread, so the runtime ends the thread too: no other goroutine ever runs on it.
func inside(nsPath string, fn func() error) error {
	handle, err := os.Open(nsPath)
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer handle.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, see above
		if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace %q: %w", nsPath, err)
			return
		}
		// A list that the kernel changes while it is read comes back as interrupted. Everything run here may be repeated.
		err := fn()
		for attempt := 0; attempt < 20 && errors.Is(err, netlink.ErrDumpInterrupted); attempt++ {
			err = fn()
		}
		done <- err
	}()
	return <-done
}

// pinNamespace makes a new network namespace and pins it by a bind mount on path, so that it outlives this process.
func pinNamespace(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	file.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("make network namespace: %w", err)
			return
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
			done <- fmt.Errorf("pin network namespace at %q: %w", path, err)
			return
		}
		done <- nil
	}()
	return <-done
}

// pinned tells whether path is a pinned namespace, and not just the file that once carried one.
func pinned(path string) (bool, error) {
	var st unix.Statfs_t
	err := unix.Statfs(path, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && st.Type == nsfsMagic, err
}

// setting writes a kernel setting of the calling thread's network namespace.
func setting(name, value string) error {
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s to %s: %w", name, value, err)
	}
	return nil
}

// Dial connects from the router's namespace: the management plane. The router's own traffic is not filtered.
// addr must hold an IP address, since the namespace has no name service. Safe for concurrent use; not retried.
func (r *Router) Dial(ctx context.Context, netw, addr string) (net.Conn, error) {
	return DialIn(ctx, r.path, netw, addr)
}

// DialIn connects from the network namespace at nsPath; only the socket is there, the caller stays where it is.
// addr must hold an IP address. Errors are those of net.Dialer, so errors.Is(err, unix.EHOSTUNREACH) tells a
// rejection by the router and unix.ECONNREFUSED a closed port.
func DialIn(ctx context.Context, nsPath, netw, addr string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, fmt.Errorf("dial %q from %q: address must be IP:port: %w", addr, nsPath, err)
	}
	var conn net.Conn
	err := inside(nsPath, func() (err error) {
		// A single IP address makes the dialer create its socket on this goroutine, hence on this thread.
		conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, netw, addr)
		return err
	})
	return conn, err
}

// ListenIn listens in the network namespace at nsPath. addr must hold an IP address.
func ListenIn(ctx context.Context, nsPath, netw, addr string) (net.Listener, error) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return nil, fmt.Errorf("listen on %q in %q: address must be IP:port: %w", addr, nsPath, err)
	}
	var listener net.Listener
	err := inside(nsPath, func() (err error) {
		listener, err = (&net.ListenConfig{}).Listen(ctx, netw, addr)
		return err
	})
	return listener, err
}
