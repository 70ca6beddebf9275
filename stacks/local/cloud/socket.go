package cloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is the control socket inside the environment's folder.
const socketName = "cloud.sock"

// errNoFolder says that the environment's folder cannot be opened.
var errNoFolder = errors.New("no environment folder")

// listenSocket binds DIR/cloud.sock with mode 0600. A socket's path may hold 108 bytes only, so it is bound by way of the folder's
// descriptor, whatever the folder's own length. A socket left behind by a killed daemon is replaced; the caller holds the daemon lock.
func listenSocket(dir string) (net.Listener, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open environment folder: %w", err)
	}
	defer folder.Close()
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	ln, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), socketName))
	if err != nil {
		return nil, fmt.Errorf("listen on control socket in %q: %w", dir, err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // its path ends with the descriptor above
	if err := os.Chmod(filepath.Join(dir, socketName), 0o600); err != nil {
		ln.Close()
		return nil, fmt.Errorf("protect control socket: %w", err)
	}
	return ln, nil
}

// dialSocket connects to DIR/cloud.sock, however long DIR is.
func dialSocket(ctx context.Context, dir string) (net.Conn, error) {
	folder, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoFolder, err)
	}
	defer folder.Close()
	var d net.Dialer
	return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), socketName))
}

// lockFile takes an exclusive lock on a file, making it if needed, and waits for it until ctx ends.
// The kernel gives the lock back when the process dies. The file may be removed together with its folder while somebody waits for it,
// so after locking it is checked that the name still means the locked file.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("make environment folder: %w", err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err == nil {
			err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			if err == nil && sameFile(f, path) {
				return f, nil
			}
			f.Close()
			if err != nil && !errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("lock %q: %w", path, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %q: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}

// sameFile reports whether path names the open file.
func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
