// Package endtoend holds the tests that run whole commands on the local cloud, as a user would, with real software.
// They need root, and say so when they are skipped.
package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"surety/internal/commands"
	"surety/stacks/local/host"
)

// inside are the verbs that surety runs of itself. The test binary stands in for surety, so it must answer to them.
var inside = []string{"cloud", "host-init", "postgres", "objectstore", "balancer", "probe", "tunnel", "measure", "backup-agent"}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch verb := os.Args[1]; {
		case verb == "as-surety": // a command line of a user
			os.Exit(commands.Main(interruptible(), os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		case slices.Contains(inside, verb):
			os.Exit(commands.Main(interruptible(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		case verb == "serve-feed":
			os.Exit(serveFeed(os.Args[2]))
		case verb == "serve-web":
			os.Exit(serveWeb())
		case verb == "keep-object":
			os.Exit(keepObject(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// run is one finished command.
type run struct {
	code           int
	stdout, stderr string
	took           time.Duration
}

// bench is a folder with a spec, and the surety command to use on it.
type bench struct {
	t   *testing.T
	dir string
}

// newBench copies an example into a folder of its own and removes what was built there when the test ends.
func newBench(t *testing.T, example string) *bench {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the local cloud makes namespaces")
	}
	if testing.Short() {
		t.Skip("needs the long run: it builds a whole environment")
	}
	dir := t.TempDir()
	source, err := filepath.Abs(filepath.Join("../../examples", example))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(source, "surety.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: dir}
	b.write(string(text))
	if programs, err := os.ReadDir(filepath.Join(source, "bin")); err == nil {
		if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, p := range programs {
			if err := os.Link(filepath.Join(source, "bin", p.Name()), filepath.Join(dir, "bin", p.Name())); err != nil {
				content, err := os.ReadFile(filepath.Join(source, "bin", p.Name())) // another file system
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "bin", p.Name()), content, 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"cloud/daemon.log"} {
				if log, err := os.ReadFile(filepath.Join(b.state(), name)); err == nil {
					t.Logf("%s:\n%s", name, tail(string(log), 4000))
				}
			}
		}
		if r := b.surety("destroy", "--yes", "--purge"); r.code != 0 {
			t.Errorf("destroy ended with %d: %s%s", r.code, r.stdout, r.stderr)
		}
		b.noTrace()
	})
	return b
}

// write replaces the spec.
func (b *bench) write(spec string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "surety.yaml"), []byte(spec), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// edit replaces text in the spec, which must be there.
func (b *bench) edit(old, new string) {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "surety.yaml"))
	if err != nil {
		b.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		b.t.Fatalf("the spec has no %q", old)
	}
	b.write(strings.Replace(string(text), old, new, 1))
}

// state is the environment's folder. There is one environment in a bench.
func (b *bench) state() string {
	found, _ := filepath.Glob(filepath.Join(b.dir, ".surety", "*"))
	if len(found) == 0 {
		return filepath.Join(b.dir, ".surety", "none")
	}
	return found[0]
}

// command gives a command that has not been started.
func (b *bench) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, self, append([]string{"as-surety"}, args...)...)
	c.Dir = b.dir
	// No load where load is not the point: each run of it is seconds. A test that wants some says --load.
	c.Env = append(os.Environ(), "HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir, "SURETY_LOAD=0s")
	return c
}

// surety runs one command line to its end.
func (b *bench) surety(args ...string) run {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := b.command(ctx, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	started := time.Now()
	err := c.Run()
	r := run{code: c.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String(), took: time.Since(started)}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		b.t.Fatalf("surety %v: %v", args, err)
	}
	return r
}

// must runs a command line that has to end with a code.
func (b *bench) must(code int, args ...string) run {
	b.t.Helper()
	r := b.surety(args...)
	if r.code != code {
		said := r.stdout
		if slices.Contains(args, "--json") { // a person reads the same in text
			again := b.surety(slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--json" })...)
			said = again.stdout + again.stderr
		}
		b.t.Fatalf("surety %s ended with %d after %v, want %d\n%s%s", strings.Join(args, " "), r.code, r.took, code, tail(said, 6000), tail(r.stderr, 3000))
	}
	return r
}

// read runs a command line with --json and decodes what it prints.
func (b *bench) read(into any, code int, args ...string) {
	b.t.Helper()
	r := b.must(code, append(args, "--json")...)
	if err := json.Unmarshal([]byte(r.stdout), into); err != nil {
		b.t.Fatalf("surety %v printed no JSON: %v\n%s", args, err, tail(r.stdout, 2000))
	}
}

// noTrace checks that nothing of the environment is left: process, namespace, rule, cgroup, mount, loop device or file.
func (b *bench) noTrace() {
	b.t.Helper()
	left, err := host.Leftovers(filepath.Join(b.dir, ".surety"))
	if err != nil {
		b.t.Errorf("look for leftovers: %v", err)
	}
	for _, l := range left {
		b.t.Errorf("left over: %s", l)
	}
	if _, err := os.Stat(filepath.Join(b.dir, ".surety")); !errors.Is(err, os.ErrNotExist) {
		b.t.Errorf("left over: %s: %v", filepath.Join(b.dir, ".surety"), err)
	}
}

func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return "…" + text[len(text)-n:]
}

// self is the test binary, which also plays surety.
var self = func() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}()

// killHard ends a process and nothing else, as a power cut of that process alone would.
func killHard(t *testing.T, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("there is no process %d to kill", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("kill %d: %v", pid, err)
	}
}
