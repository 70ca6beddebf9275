package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Adopt returns the host of a folder, running or not, as after a crash of whoever started it. The error is
// fs.ErrNotExist when no host was ever started there.
func Adopt(dir string) (*Host, error) {
	rec, err := readRecord(dir)
	if err != nil {
		return nil, fmt.Errorf("adopt host in %q: %w", dir, err)
	}
	return &Host{dir: dir, rec: rec}, nil
}

func (h *Host) record() record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rec
}

func (h *Host) setRecord(r record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rec = r
}

func (h *Host) group() (group, error) {
	rec := h.record()
	return hostGroup(rec.Parent, groupName(rec.Name, h.dir))
}

// Name is the host's name.
func (h *Host) Name() string { return h.record().Name }

// Dir is the host's folder.
func (h *Host) Dir() string { return h.dir }

// Running tells whether the host's init runs. Another process may have started it again since: this looks it up.
func (h *Host) Running() bool {
	if h.record().alive() {
		return true
	}
	rec, err := readRecord(h.dir)
	if err != nil || !rec.alive() {
		return false
	}
	h.setRecord(rec)
	return true
}

// Pid is the process number of the host's init as the machine sees it; 0 when the host does not run.
func (h *Host) Pid() int {
	if !h.Running() {
		return 0
	}
	return h.record().Pid
}

// Namespace is the path of the host's network namespace, valid while the host runs.
func (h *Host) Namespace() string { return fmt.Sprintf("/proc/%d/ns/net", h.record().Pid) }

// Log is the path, on the machine, of a service's log. "init" is the log of the host's init.
func (h *Host) Log(service string) string { return filepath.Join(h.dir, "log", service+".log") }

// ErrNotRunning says that the host is not running.
var ErrNotRunning = errors.New("the host is not running")

// connect reaches the host's init; the connection is cut when ctx ends.
func (h *Host) connect(ctx context.Context) (*net.UnixConn, func(), error) {
	if !h.Running() {
		return nil, nil, ErrNotRunning
	}
	conn, err := dialControl(h.dir)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); conn.Close() }, nil
}

// ask puts one question to the host's init.
func (h *Host) ask(ctx context.Context, req request, fds ...int) (response, error) {
	var resp response
	conn, done, err := h.connect(ctx)
	if err != nil {
		return resp, err
	}
	defer done()
	if err = send(conn, req, fds...); err == nil {
		_, err = receive(conn, &resp)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return resp, fmt.Errorf("ask init: %w", err)
	}
	return resp, resp.err()
}

func (r response) err() error {
	switch {
	case r.Error == "":
		return nil
	case r.NotExist:
		return missing(r.Error)
	}
	return errors.New(r.Error)
}

// missing is an error that something is not there, said by the other side.
type missing string

// Error implements error.
func (m missing) Error() string { return string(m) }

// Is makes it one of fs.ErrNotExist.
func (m missing) Is(target error) bool { return target == fs.ErrNotExist }

// answers tells whether the host is up: its init runs and answers. One that runs and does not within ten seconds is
// not; one that had no time to because ctx ended is an error.
func (h *Host) answers(ctx context.Context) (bool, error) {
	if !h.Running() {
		return false, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := h.ask(limited, request{Op: "status"}); err != nil {
		return false, ctx.Err()
	}
	return true, nil
}

// Status tells what runs. A host that does not run is no error.
func (h *Host) Status(ctx context.Context) (Status, error) {
	if !h.Running() {
		return Status{}, nil
	}
	resp, err := h.ask(ctx, request{Op: "status"})
	if err != nil {
		if !h.Running() {
			return Status{}, nil
		}
		return Status{}, fmt.Errorf("status of host %q: %w", h.Name(), err)
	}
	resp.Status.Pid = h.record().Pid
	return *resp.Status, nil
}

// Digest is the SHA-256, in hexadecimal, of a file as the host sees it; fs.ErrNotExist when it is not there.
func (h *Host) Digest(ctx context.Context, path string) (string, error) {
	resp, err := h.ask(ctx, request{Op: "digest", Path: path})
	if err != nil {
		return "", fmt.Errorf("digest of %q on host %q: %w", path, h.Name(), err)
	}
	return resp.Digest, nil
}

// ReadFile reads a file of at most 16 MiB as the host sees it; fs.ErrNotExist when it is not there.
func (h *Host) ReadFile(ctx context.Context, path string) ([]byte, error) {
	resp, err := h.ask(ctx, request{Op: "read", Path: path})
	if err != nil {
		return nil, fmt.Errorf("read %q on host %q: %w", path, h.Name(), err)
	}
	return resp.Data, nil
}

// HostKey is the public key of the host's sshd, in the form of authorized_keys.
func (h *Host) HostKey(ctx context.Context) (string, error) {
	key, err := h.ReadFile(ctx, hostKeyPath+".pub")
	return strings.TrimSpace(string(key)), err
}

// DialUnix connects to a unix socket of the host by its path there, as "/run/surety/postgres.sock".
func (h *Host) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	if !h.Running() {
		return nil, fmt.Errorf("dial %q on host %q: %w", path, h.Name(), ErrNotRunning)
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/%d/root%s", h.record().Pid, filepath.Clean("/"+path)))
}

// Signal sends a signal ("HUP") to the main process of a service.
func (h *Host) Signal(ctx context.Context, service, sig string) error {
	return h.act(ctx, "signal", service, sig)
}

// Stop stops a service until StartService, RestartService or Configure. Repeatable.
func (h *Host) Stop(ctx context.Context, service string) error {
	return h.act(ctx, "stop", service, "")
}

// StartService starts a stopped service; a running one stays as it is.
func (h *Host) StartService(ctx context.Context, service string) error {
	return h.act(ctx, "start", service, "")
}

// RestartService stops a service and starts it again.
func (h *Host) RestartService(ctx context.Context, service string) error {
	return h.act(ctx, "restart", service, "")
}

func (h *Host) act(ctx context.Context, op, service, sig string) error {
	if _, err := h.ask(ctx, request{Op: op, Service: service, Signal: sig}); err != nil {
		return fmt.Errorf("%s service %q of host %q: %w", op, service, h.Name(), err)
	}
	return nil
}

// Configure brings a running host in line with config, in place: it writes the files that differ, restarts the services
// whose definition or files changed, stops those that are no more and starts new ones. Files that an earlier Configure
// placed and this one does not name are removed. It may be repeated, and after being killed must be.
func (h *Host) Configure(ctx context.Context, config Config) error {
	held, err := lock(ctx, h.dir, false)
	if err != nil {
		return fmt.Errorf("configure host %q: %w", h.Name(), err)
	}
	defer held.Close()
	if err := h.configure(ctx, config); err != nil {
		return fmt.Errorf("configure host %q: %w", h.Name(), err)
	}
	return nil
}

func (h *Host) configure(ctx context.Context, config Config) error {
	tags, err := json.Marshal(config.Tags)
	if err != nil {
		return err
	}
	req := configureRequest{Services: config.Services, Hosts: hostsFile(h.Name(), config.Hosts), Tags: string(tags) + "\n"}
	for _, key := range config.AuthorizedKeys {
		req.Keys += strings.TrimSpace(key) + "\n"
	}
	var fds []int
	for _, path := range slices.Sorted(maps.Keys(config.Files)) {
		file := config.Files[path]
		if !filepath.IsAbs(path) || filepath.Clean(path) != path {
			return fmt.Errorf("file path %q must be absolute and clean", path)
		}
		placed := placedFile{Path: path, Content: file.Content, Source: -1, Mode: file.Mode, Owner: file.Owner}
		if placed.Mode == 0 {
			placed.Mode = 0o644
		}
		if file.Source != "" {
			source, err := os.Open(file.Source)
			if err != nil {
				return fmt.Errorf("source of %q: %w", path, err)
			}
			defer source.Close()
			if placed.SHA256, err = digest(source); err != nil {
				return fmt.Errorf("source of %q: %w", path, err)
			}
			placed.Source, placed.Content = len(fds), nil
			fds = append(fds, int(source.Fd()))
		} else if placed.SHA256, err = digest(bytes.NewReader(file.Content)); err != nil {
			return err
		}
		req.Files = append(req.Files, placed)
	}
	// What is placed is recorded before it is, and forgotten only after it was removed.
	rec := h.record()
	for _, path := range rec.Paths {
		if _, ok := config.Files[path]; !ok {
			req.Remove = append(req.Remove, path)
		}
	}
	paths := slices.Sorted(maps.Keys(config.Files))
	if !slices.Equal(rec.Paths, paths) {
		union := slices.Concat(rec.Paths, paths)
		slices.Sort(union)
		rec.Paths = slices.Compact(union)
		if err := rec.write(h.dir); err != nil {
			return err
		}
	}
	if _, err := h.ask(ctx, request{Op: "configure", Config: &req}, fds...); err != nil {
		return err
	}
	if !slices.Equal(rec.Paths, paths) {
		rec.Paths = paths
		if err := rec.write(h.dir); err != nil {
			return err
		}
	}
	h.setRecord(rec)
	return nil
}

// hostsFile is the content of /etc/hosts.
func hostsFile(name string, hosts map[string]netip.Addr) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	if _, ok := hosts[name]; !ok {
		fmt.Fprintf(&b, "127.0.1.1 %s\n", name)
	}
	for _, other := range slices.Sorted(maps.Keys(hosts)) {
		fmt.Fprintf(&b, "%s %s\n", hosts[other], other)
	}
	return b.String()
}

// root is where the machine sees the root of a running host.
func (h *Host) root() string { return fmt.Sprintf("/proc/%d/root", h.record().Pid) }
