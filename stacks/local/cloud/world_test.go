package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"surety/stacks/local/host"
	"surety/stacks/local/network"
	"surety/stacks/local/postgres"
)

// world is a real environment for a test: a daemon in a process of its own, and real hosts.
type world struct {
	t   *testing.T
	cfg Config
	*Client
	program Program
}

// newWorld prepares an environment's folder. At the test's end everything is deleted and it is checked that nothing is left.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: hosts are made of namespaces, mounts and control groups")
	}
	if _, err := postgres.Find(mainDB.Version); err != nil {
		t.Skipf("needs PostgreSQL %s: %v", mainDB.Version, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, cfg: Config{Dir: filepath.Join(t.TempDir(), "env"), Binary: self}}
	w.program = Program{Source: self, SHA256: digestOf(t, self)}
	t.Cleanup(w.destroy)
	w.start()
	return w
}

func digestOf(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func (w *world) start() {
	w.t.Helper()
	c, err := Ensure(w.t.Context(), w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Client = c
}

// destroy is what every test ends with: nothing may be left, whatever happened.
func (w *world) destroy() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	log, _ := os.ReadFile(filepath.Join(w.cfg.Dir, "daemon.log"))
	begun := time.Now()
	if err := Purge(ctx, w.cfg); err != nil {
		w.t.Errorf("purge: %v", err)
		defer w.sweep(ctx)
	}
	w.t.Logf("destroyed in %s", time.Since(begun).Round(time.Millisecond))
	if left := w.leftovers(); len(left) > 0 {
		w.t.Errorf("left behind: %s", strings.Join(left, "\n"))
	}
	if w.t.Failed() {
		w.t.Logf("daemon.log:\n%s", log[max(0, len(log)-8000):])
	}
}

// sweep takes away by force what a failed test would leave on the machine.
func (w *world) sweep(ctx context.Context) {
	if s, err := Dial(w.cfg.Dir).Status(ctx); err == nil {
		syscall.Kill(s.Pid, syscall.SIGKILL)
	}
	for _, name := range []string{outsideHost, "web-0", "web-1", "web", "main-0", "main-1", "store"} {
		host.Remove(ctx, hostDir(w.cfg.Dir, name))
	}
	if router, err := network.Open(w.cfg.Dir); err == nil {
		router.Destroy(ctx)
	}
}

// leftovers lists what still belongs to the environment: of the network, of each host, the folder, and any process that names it.
func (w *world) leftovers() []string {
	left, err := network.Leftovers(w.cfg.Dir)
	if err != nil {
		w.t.Error(err)
	}
	for _, name := range []string{outsideHost, "web-0", "web-1", "web", "main-0", "main-1", "store"} {
		of, err := host.Leftovers(hostDir(w.cfg.Dir, name))
		if err != nil {
			w.t.Error(err)
		}
		left = append(left, of...)
	}
	if _, err := os.Stat(w.cfg.Dir); !errors.Is(err, os.ErrNotExist) {
		left = append(left, "folder "+w.cfg.Dir)
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		w.t.Error(err)
	}
	for _, p := range processes {
		command, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(p, "environ"))
		if bytes.Contains(append(command, environment...), []byte(w.cfg.Dir)) {
			left = append(left, "process "+filepath.Base(p)+": "+string(command))
		}
	}
	return left
}

// The parts of the tests' environment.
var (
	smallHost = Limits{CPU: 1, Memory: 256 << 20, Disk: 256 << 20}
	webGroup  = SecurityGroup{Name: "servers.web", Ingress: []Rule{{FromGroup: "balancers.web", Port: 8080, Reason: "servers.web.public"}}}
	lbGroup   = SecurityGroup{Name: "balancers.web", Ingress: []Rule{{CIDR: "0.0.0.0/0", Port: 80, Reason: "servers.web.public"}}}
	mainGroup = SecurityGroup{Name: "databases.main", Ingress: []Rule{{FromGroup: "servers.web", Port: 5432, Reason: "servers.web.uses[0]"}}}
	s3Group   = SecurityGroup{Name: "buckets", Ingress: []Rule{{FromGroup: "servers.web", Port: storePort, Reason: "servers.web.uses[1]"}}}
	theStore  = ObjectStore{Name: "store", Group: "buckets", Limits: smallHost}
	media     = Bucket{Name: "test-media", Store: "store", Versioning: true, Tags: map[string]string{"owner": "platform"}}
	webGrant  = Grant{Name: "web-media", Store: "store", Bucket: "test-media", AccessKey: "web-media", SecretKey: "0123456789abcdef0123"}
	mainDB    = Database{Name: "main", Group: "databases.main", Engine: "postgres", Version: "15", Limits: Limits{CPU: 1, Memory: 512 << 20, Disk: 1 << 30}, Standby: true, Password: "open-sesame", Parameters: map[string]string{"work_mem": "5MB"}}
)

func (w *world) server(name string) Server {
	return Server{Name: name, Group: "servers.web", Limits: smallHost, Program: &w.program, Command: []string{filepath.Base(w.program.Source), "serve-test"},
		Env: map[string]string{"GREETING": "hello"}, Files: map[string]string{"/etc/greeting": "from a file"}, Port: 8080, Health: "/health", Deadline: 10}
}

func put[T Resource](w *world, name string, v T) T {
	w.t.Helper()
	out, err := Put(w.t.Context(), w.Client, name, v)
	if err != nil {
		w.t.Fatalf("put %s %s: %v", KindOf[T](), name, err)
	}
	return out
}

func get[T Resource](w *world, name string) T {
	w.t.Helper()
	out, err := Get[T](w.t.Context(), w.Client, name)
	if err != nil {
		w.t.Fatalf("get %s %s: %v", KindOf[T](), name, err)
	}
	return out
}

// build makes the whole environment as the engine does: what does not depend on one another at the same time. It stops at the first
// failure and returns it.
func (w *world) build(ctx context.Context) (Balancer, error) {
	if _, err := Put(ctx, w.Client, "test", Network{Name: "test", CIDR: "10.77.0.0/16"}); err != nil {
		return Balancer{}, err
	}
	err := together(
		func() error { _, err := Put(ctx, w.Client, webGroup.Name, webGroup); return err },
		func() error { _, err := Put(ctx, w.Client, lbGroup.Name, lbGroup); return err },
		func() error { _, err := Put(ctx, w.Client, mainGroup.Name, mainGroup); return err },
		func() error { _, err := Put(ctx, w.Client, s3Group.Name, s3Group); return err },
	)
	if err != nil {
		return Balancer{}, err
	}
	servers := make([]Server, 2)
	err = together(
		func() error {
			if _, err := Put(ctx, w.Client, "store", theStore); err != nil {
				return err
			}
			if _, err := Put(ctx, w.Client, media.Name, media); err != nil {
				return err
			}
			_, err := Put(ctx, w.Client, webGrant.Name, webGrant)
			return err
		},
		func() error { _, err := Put(ctx, w.Client, "main", mainDB); return err },
		func() (err error) { servers[0], err = Put(ctx, w.Client, "web-0", w.server("web-0")); return err },
		func() (err error) { servers[1], err = Put(ctx, w.Client, "web-1", w.server("web-1")); return err },
	)
	if err != nil {
		return Balancer{}, err
	}
	return Put(ctx, w.Client, "web", balancerFor(servers...))
}

func balancerFor(servers ...Server) Balancer {
	b := Balancer{Name: "web", Group: "balancers.web", Limits: smallHost, Port: 80, Health: "/health"}
	for _, s := range servers {
		b.Backends = append(b.Backends, Backend{Name: s.Name, Address: s.Address, Port: 8080})
	}
	return b
}

func together(jobs ...func() error) error {
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	for i, job := range jobs {
		wg.Go(func() { errs[i] = job() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fetch gets a page.
func fetch(url string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(raw), err
}

// run runs a program on a host and returns what it wrote.
func (w *world) run(hostName string, args ...string) (string, int) {
	w.t.Helper()
	var out bytes.Buffer
	code, err := w.Exec(w.t.Context(), hostName, host.Exec{Args: args, Stdout: &out, Stderr: &out})
	if err != nil {
		w.t.Fatalf("exec %v on %s: %v", args, hostName, err)
	}
	return out.String(), code
}

// pids lists the hosts' init processes by host.
func (w *world) pids() map[string]int {
	w.t.Helper()
	hosts, err := w.Hosts(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]int{}
	for _, h := range hosts {
		out[h.Name] = h.Pid
	}
	return out
}
