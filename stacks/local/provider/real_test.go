package provider_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"surety/stacks"
	"surety/stacks/engine"
	"surety/stacks/local"
	"surety/stacks/local/cloud"
	"surety/stacks/local/host"
	"surety/stacks/local/postgres"
	"surety/stacks/local/provider"
	"surety/stacks/stacktest"
)

// spec uses every kind of thing there is. GREETING, BROKEN and DISK are filled in.
const spec = `
surety: v1
name: real
owner: {team: platform, contact: platform@example.org}
secrets: {key: {length: 20}}
servers:
  web:
    count: 2
    size: {cpu: 0.333, memory: 130MB, disk: %[3]s} # none of them is round for the kernel
    runs: {program: bin/serve-test, command: [serve-test], port: 8080, health: /health}
    env:
      GREETING: "%[1]s"
      BROKEN: "%[2]s"
      DATABASE_URL: "${databases.main.url}"
      BUCKET: "${buckets.media.endpoint}/${buckets.media.name}?${buckets.media.accessKey}:${buckets.media.secretKey}"
      KEY: "${secrets.key}"
    files: {/etc/greeting: "from ${self.name} with ${secrets.key}"}
    uses: [databases.main, buckets.media]
    public: {port: 80}
databases:
  main: {engine: postgres, size: {cpu: 0.5, memory: 256MiB, disk: 512MiB}, highAvailability: true}
buckets:
  media: {size: 64MiB, versioning: true}
`

// real is an environment on this machine with the engine that drives it.
type real struct {
	t      *testing.T
	dir    string // the environment's
	target *local.Target
	engine *engine.Engine
}

func newReal(t *testing.T) *real {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: hosts are made of namespaces, mounts and control groups")
	}
	if len(postgres.Installed()) == 0 {
		t.Skip("needs PostgreSQL: apt-get install postgresql")
	}
	if testing.Short() {
		t.Skip("needs some 30 seconds: run without -short")
	}
	base := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(base, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(base, "bin", "serve-test")); err != nil {
		t.Fatal(err)
	}
	r := &real{t: t, dir: filepath.Join(base, "cloud")}
	r.target = local.New(local.Options{Dir: r.dir, SpecDir: base})
	r.engine, err = engine.Open(engine.Config{
		Dir: filepath.Join(base, "state"), Project: "real", Stack: local.Name,
		Passphrase: func() (string, error) { return "a passphrase of the test", nil },
		Providers:  map[string]engine.ProviderFactory{"surety": provider.New(provider.Options{Dir: r.dir, Binary: self})},
	})
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := r.engine.Lock(engine.Holder{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Purge(context.Background(), cloud.Config{Dir: r.dir, Binary: self}); err != nil {
			t.Errorf("clean up: %v", err)
		}
		if err := unlock(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *real) graph(greeting, broken, disk string) stacks.Graph {
	r.t.Helper()
	arch, _ := stacktest.Design(r.t, fmt.Sprintf(spec, greeting, broken, disk))
	g, diagnostics := r.target.Graph(arch)
	if diagnostics.HasErrors() {
		r.t.Fatal(diagnostics)
	}
	for i := range g.Resources { // so that a release that is never healthy is not waited for long
		if g.Resources[i].Type == local.TypeServer {
			g.Resources[i].Inputs["deadline"] = 3
		}
	}
	return g
}

// changes lists what a plan with a look at the world would do, as "update server-web-0: running".
func (r *real) changes(g stacks.Graph) []string {
	r.t.Helper()
	began := time.Now()
	plan, err := r.engine.Preview(r.t.Context(), g, engine.Options{Refresh: true}, nil)
	r.t.Logf("plan in %s", time.Since(began).Round(time.Millisecond))
	if err != nil {
		r.t.Fatalf("plan: %v", err)
	}
	var out []string
	for _, s := range plan.Steps {
		if s.Op == engine.OpSame {
			continue
		}
		line := string(s.Op) + " " + s.Name
		if s.Op == engine.OpUpdate || s.Op == engine.OpReplace {
			var paths []string
			for _, d := range s.Diff {
				paths = append(paths, d.Path)
			}
			slices.Sort(paths)
			line += ": " + strings.Join(slices.Compact(paths), ", ")
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func (r *real) up(g stacks.Graph) {
	r.t.Helper()
	began := time.Now()
	if _, err := r.engine.Up(r.t.Context(), g, engine.Options{Refresh: true}, nil); err != nil {
		log, _ := os.ReadFile(filepath.Join(r.dir, "daemon.log"))
		r.t.Fatalf("up: %v\n%s", err, log)
	}
	r.t.Logf("up in %s", time.Since(began).Round(time.Millisecond))
}

// settles wants nothing to be left to do.
func (r *real) settles(g stacks.Graph, when string) {
	r.t.Helper()
	if left := r.changes(g); len(left) > 0 {
		r.t.Errorf("%s a plan would still do %v", when, left)
	}
}

func (r *real) deployment() stacks.Deployment {
	r.t.Helper()
	d, err := r.engine.Deployment(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// greeted asks the entry on the loopback and gives what it says.
func (r *real) greeted() string {
	r.t.Helper()
	entry, _ := r.deployment().Resources["balancer-web"].Outputs["entry"].(string)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(entry)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, _ := io.ReadAll(answer.Body)
	greeting, _, _ := strings.Cut(string(raw), " ")
	return greeting
}

func (r *real) host(name string) *host.Host {
	r.t.Helper()
	h, err := host.Adopt(filepath.Join(r.dir, "hosts", name))
	if err != nil {
		r.t.Fatal(err)
	}
	return h
}

func (r *real) inside(name string, args ...string) {
	r.t.Helper()
	if code, err := r.host(name).Exec(r.t.Context(), host.Exec{Args: args}); err != nil || code != 0 {
		r.t.Fatalf("%v on %s ended with %d, %v", args, name, code, err)
	}
}

func (r *real) killDaemon() {
	s, err := cloud.Dial(r.dir).Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := syscall.Kill(s.Pid, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if cloud.Dial(r.dir).Ping(r.t.Context()) != nil {
			return
		}
	}
	r.t.Fatal("the daemon did not die")
}
