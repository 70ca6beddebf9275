package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"surety/stacks/local/host"
	"surety/stacks/local/network"
)

// shutdown ends the daemon when nothing is left. The answer is sent before the end.
func (d *daemon) shutdown(*http.Request) (any, error) {
	if !d.making.TryLock() {
		return nil, &Conflict{Message: "something is being made", Mend: "wait for its end"}
	}
	defer d.making.Unlock()
	if d.closing.Load() {
		return nil, nil
	}
	if err := d.empty(); err != nil {
		return nil, err
	}
	d.closing.Store(true)
	d.end()
	return nil, nil
}

// empty refuses while a record stands, or anything in the world that must not lose the folder it lives in.
func (d *daemon) empty() error {
	if left := d.book.all(); len(left) > 0 {
		return &Conflict{Message: fmt.Sprintf("%d resources still stand, the first is %s %q", len(left), left[0].Kind, left[0].Name), Mend: "delete them first"}
	}
	if err := d.removeStrays(); err != nil {
		return err
	}
	ofNetwork, err := network.Leftovers(d.cfg.Dir)
	if err != nil {
		return fmt.Errorf("look for what is left of the network: %w", err)
	}
	ofHosts, err := host.Leftovers(filepath.Join(d.cfg.Dir, "hosts"))
	if err != nil {
		return fmt.Errorf("look for what is left of the hosts: %w", err)
	}
	if left := append(ofNetwork, ofHosts...); len(left) > 0 {
		return &Failed{Message: "not removed because of what was left behind: " + strings.Join(left, "; ")}
	}
	return nil
}

// removeStrays destroys hosts and a router that no record speaks of, and the folder that held the hosts.
func (d *daemon) removeStrays() error {
	if err := d.removeRouter(d.base); err != nil {
		return err
	}
	folder := filepath.Join(d.cfg.Dir, "hosts")
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for hosts that are left: %w", err)
	}
	ctx, cancel := context.WithTimeout(d.base, actTimeout)
	defer cancel()
	for _, entry := range entries {
		if err := host.Remove(ctx, filepath.Join(folder, entry.Name())); err != nil {
			return err
		}
	}
	return os.Remove(folder)
}

// erase removes what the daemon made in its folder, and the folder unless somebody else keeps something there.
func (d *daemon) erase() error {
	var errs []error
	for _, name := range []string{"state", "ssh", "base", "hosts", "netns", "daemon.log", "daemon.log.1", "daemon.lock", "ensure.lock", socketName} {
		errs = append(errs, os.RemoveAll(filepath.Join(d.cfg.Dir, name)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove environment folder: %w", err)
	}
	if entries, err := os.ReadDir(d.cfg.Dir); err != nil || len(entries) > 0 {
		return nil
	}
	if err := os.Remove(d.cfg.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove environment folder: %w", err)
	}
	return nil
}

// shutdown asks the daemon to end and waits until its process has: removing its folder is its last deed.
func (c *Client) shutdown(ctx context.Context) error {
	var daemon struct {
		Pid int `json:"pid"`
	}
	if err := c.do(ctx, http.MethodGet, "/v1/ping", nil, &daemon); err != nil {
		return err
	}
	process, err := unix.PidfdOpen(daemon.Pid, 0) // taken while it answers, so it cannot mean another process
	if err != nil {
		return fmt.Errorf("watch daemon %d: %w", daemon.Pid, err)
	}
	defer unix.Close(process)
	if err := c.do(ctx, http.MethodPost, "/v1/shutdown", nil, nil); err != nil {
		return err
	}
	c.Close()
	return await(ctx, startTimeout, func(context.Context) error {
		fds := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err != nil || n == 0 {
			return fmt.Errorf("daemon %d has not ended: %w", daemon.Pid, cmp.Or(err, errors.New("it still runs")))
		}
		if left, err := os.Stat(filepath.Join(c.dir, "state")); err == nil {
			return fmt.Errorf("daemon %d ended without removing %q: see %q", daemon.Pid, left.Name(), filepath.Join(c.dir, "daemon.log"))
		}
		return nil
	})
}
