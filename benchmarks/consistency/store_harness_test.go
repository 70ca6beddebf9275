package consistency

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"surety/stacks/local/objectstore"
)

// How often each case is run: by default as often as CI can afford.
var (
	seeds   = flag.Uint64("seeds", 3, "seeds of healthy systems")
	planted = flag.Uint64("planted", 2, "seeds of planted faults")
	slow    = flag.Uint64("slow", 1, "seeds of cases that kill a server")
)

const (
	bucketName    = "registers"
	versionedName = "versions"
)

// The object store is the local cloud's real one, versitygw, in a process of its own.
func TestMain(m *testing.M) {
	if path := os.Getenv("SURETY_TEST_STORE"); path != "" {
		if err := objectstore.RunFile(context.Background(), path); err != nil {
			fmt.Fprintln(os.Stderr, "store:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	code := m.Run()
	sharedStore.stop()
	if template.dir != "" {
		_ = os.RemoveAll(template.dir)
	}
	os.Exit(code)
}

// gateway is the one store that the tests share; each run keeps to a prefix of its own.
type gateway struct {
	once sync.Once
	dir  string
	conf objectstore.Config
	cmd  *exec.Cmd
	err  error
	at   string // the directory that the store's is made in; a tmpfs when empty
}

var (
	sharedStore gateway
	errNoTmpfs  = errors.New("needs a writable tmpfs at /dev/shm")
)

func (g *gateway) start() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	// The store keeps an object's metadata with its data where attributes may be large, as on the local cloud's disks and on tmpfs, and
	// elsewhere in files of their own.
	if g.dir, err = os.MkdirTemp(cmp.Or(g.at, "/dev/shm"), "consistency"); err != nil {
		return errNoTmpfs
	}
	g.conf = objectstore.Config{DataDir: filepath.Join(g.dir, "store"), Listen: l.Addr().String(), AccessKey: "admin", SecretKey: "admin-secret"}
	raw, err := json.Marshal(g.conf)
	if err != nil {
		return err
	}
	file := filepath.Join(g.dir, "store.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return err
	}
	l.Close()
	g.cmd = exec.Command(os.Args[0])
	g.cmd.Env = append(os.Environ(), "SURETY_TEST_STORE="+file)
	if os.Getenv("SURETY_TEST_LOG") != "" {
		g.cmd.Stderr = os.Stderr
	}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return err
	}
	a := &objectstore.Admin{Endpoint: "http://" + g.conf.Listen, AccessKey: g.conf.AccessKey, SecretKey: g.conf.SecretKey}
	defer a.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		return err
	}
	return errors.Join(a.EnsureBucket(ctx, bucketName, false, nil), a.EnsureBucket(ctx, versionedName, true, nil))
}

func (g *gateway) stop() {
	if g.cmd != nil && g.cmd.Process != nil {
		_ = g.cmd.Process.Signal(syscall.SIGTERM)
		_ = g.cmd.Wait()
	}
	if g.dir != "" {
		_ = os.RemoveAll(g.dir)
	}
}

// realStore gives the shared store.
func realStore(t testing.TB) Store {
	t.Helper()
	sharedStore.once.Do(func() { sharedStore.err = sharedStore.start() })
	if errors.Is(sharedStore.err, errNoTmpfs) {
		t.Skip(sharedStore.err)
	}
	if sharedStore.err != nil {
		t.Fatal(sharedStore.err)
	}
	return sharedStore.store()
}

func (g *gateway) store() Store {
	return Store{Endpoints: []string{"http://" + g.conf.Listen}, Bucket: bucketName, AccessKey: g.conf.AccessKey, SecretKey: g.conf.SecretKey,
		Objects: 24, MaxSize: 64 << 10}
}

// show logs what a person would read of a result.
func show(t testing.TB, r Result) {
	t.Helper()
	for _, p := range r.Parts {
		t.Logf("%s: %s: %s %v", p.Name, p.Verdict, p.Says, p.Figures)
		for _, a := range p.Anomalies {
			t.Log("\n" + a.Text)
		}
	}
}

func part(t testing.TB, r Result, name string) Part {
	t.Helper()
	for _, p := range r.Parts {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("the result has no part %q", name)
	return Part{}
}
