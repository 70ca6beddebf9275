package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"surety/stacks/local/host"
)

// Client talks to the daemon of one environment. It is safe for use by several goroutines and opens no connection before its first call.
type Client struct {
	dir  string
	http *http.Client
}

// Dial makes a client for the environment in dir. It does not check that the daemon runs: see Ping and Ensure.
func Dial(dir string) *Client {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &Client{dir: dir, http: &http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dir) },
		MaxIdleConnsPerHost: 16,
	}}}
}

// Close drops idle connections. The client can still be used.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Resource is any of the things the control plane keeps.
type Resource interface {
	Network | SecurityGroup | ObjectStore | Bucket | Grant | Database | Server | Balancer | BackupJob
}

// KindOf is the kind of a resource type.
func KindOf[T Resource]() Kind {
	var zero T
	switch any(zero).(type) {
	case Network:
		return KindNetwork
	case SecurityGroup:
		return KindSecurityGroup
	case ObjectStore:
		return KindObjectStore
	case Bucket:
		return KindBucket
	case Grant:
		return KindGrant
	case Database:
		return KindDatabase
	case Server:
		return KindServer
	case BackupJob:
		return KindBackupJob
	default:
		return KindBalancer
	}
}

// Put creates or updates a resource and returns it as read back from the world, secrets included. It is idempotent: after a failure, or
// when the daemon or the caller died in the middle, the same Put goes on from what is there.
func Put[T Resource](ctx context.Context, c *Client, name string, v T) (T, error) {
	var out T
	err := c.do(ctx, http.MethodPut, resourcePath(KindOf[T](), name)+"?secrets=true", v, &out)
	return out, err
}

// Get reads a resource back from the world. Secrets are left out: see GetWithSecrets.
func Get[T Resource](ctx context.Context, c *Client, name string) (T, error) {
	var out T
	err := c.do(ctx, http.MethodGet, resourcePath(KindOf[T](), name), nil, &out)
	return out, err
}

// GetWithSecrets is Get with passwords and secret keys filled in.
func GetWithSecrets[T Resource](ctx context.Context, c *Client, name string) (T, error) {
	var out T
	err := c.do(ctx, http.MethodGet, resourcePath(KindOf[T](), name)+"?secrets=true", nil, &out)
	return out, err
}

// List reads all resources of a kind back, ordered by name.
func List[T Resource](ctx context.Context, c *Client) ([]T, error) {
	var out []T
	err := c.do(ctx, http.MethodGet, "/v1/"+string(KindOf[T]()), nil, &out)
	return out, err
}

// Delete removes a resource. Deleting what is not there is a success.
func Delete[T Resource](ctx context.Context, c *Client, name string) error {
	return c.Delete(ctx, KindOf[T](), name)
}

// Delete removes a resource by kind and name. Deleting what is not there is a success.
func (c *Client) Delete(ctx context.Context, kind Kind, name string) error {
	return c.do(ctx, http.MethodDelete, resourcePath(kind, name), nil, nil)
}

// destroy is Delete, and takes a store's buckets and grants along with it.
func (c *Client) destroy(ctx context.Context, kind Kind, name string) error {
	return c.do(ctx, http.MethodDelete, resourcePath(kind, name)+"?cascade=true", nil, nil)
}

// Ping asks whether the daemon answers. ErrNotRunning says that it does not.
func (c *Client) Ping(ctx context.Context) error {
	once, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var who whoami
	err := c.do(once, http.MethodGet, "/v1/ping", nil, &who)
	var failed *Failed
	switch {
	case err != nil && ctx.Err() == nil && once.Err() != nil:
		return &Failed{Message: fmt.Sprintf("the daemon in %q does not answer; end its process (surety cloud): the next command starts another, and the hosts go on", c.dir)}
	case errors.As(err, &failed): // it was there and is ending
		return fmt.Errorf("%w in %q: %s", ErrNotRunning, c.dir, failed.Message)
	case err != nil:
		return err
	}
	if who.Dir == "" {
		return nil // a daemon of an earlier version does not say
	}
	built, err := os.Stat(who.Dir)
	if here, hereErr := os.Stat(c.dir); hereErr == nil && (err != nil || !os.SameFile(built, here)) {
		return &Conflict{Message: fmt.Sprintf("this environment was built in %q, and its folder was moved to %q", who.Dir, c.dir), Mend: "move it back to where it was built"}
	}
	return nil
}

// pingTimeout is how long a daemon may take to say that it is there.
const pingTimeout = 10 * time.Second

// whoami is a daemon's answer to a ping.
type whoami struct {
	Pid int    `json:"pid"`
	Dir string `json:"dir"`
}

// Status reads the whole environment back.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out Status
	err := c.do(ctx, http.MethodGet, "/v1/status", nil, &out)
	return out, err
}

// Hosts lists the environment's hosts, ordered by name.
func (c *Client) Hosts(ctx context.Context) ([]Host, error) {
	var out []Host
	err := c.do(ctx, http.MethodGet, "/v1/hosts", nil, &out)
	return out, err
}

// Host finds a host of the environment, running or dead, without the daemon: its init is reached directly. *NotFound when there is none.
func (c *Client) Host(name string) (*host.Host, error) {
	if !hostName.MatchString(name) {
		return nil, &NotFound{Kind: "hosts", Name: name}
	}
	h, err := host.Adopt(hostDir(c.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFound{Kind: "hosts", Name: name}
	}
	if err != nil {
		return nil, fmt.Errorf("find host %q: %w", name, err)
	}
	return h, nil
}

// Exec runs a program on a host and waits for its end. It does not pass through the daemon, so it works while the daemon is down.
func (c *Client) Exec(ctx context.Context, name string, e host.Exec) (int, error) {
	h, err := c.Host(name)
	if err != nil {
		return 0, err
	}
	return h.Exec(ctx, e)
}

func resourcePath(kind Kind, name string) string {
	return "/v1/" + string(kind) + "/" + url.PathEscape(name)
}

// do sends one request. Every error is one of this package's, or the context's.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://cloud"+path, body)
	if err != nil {
		return fmt.Errorf("form request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", method, path, ctx.Err())
		}
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" || errors.Is(err, errNoFolder) {
			return fmt.Errorf("%w in %q: %w", ErrNotRunning, c.dir, err)
		}
		return &Failed{Message: fmt.Sprintf("%s %s: the daemon went away: %v", method, path, err)}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return &Failed{Message: fmt.Sprintf("%s %s: the daemon went away: %v", method, path, err)}
	}
	if resp.StatusCode >= 300 {
		return fromWire(resp.StatusCode, raw)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}
