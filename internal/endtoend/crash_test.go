package endtoend

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// points is how many times each kind of process is killed; the campaign (make crash) sets 30.
var points = flag.Int("points", 3, "how many seeded points to kill at, per kind of process")

// small is a spec with one of each kind, quick to build.
const small = `surety: v1
name: small
owner: {team: platform}
secrets: {word: {length: 24}}
servers:
  web:
    count: 2
    size: {cpu: 1, memory: 128MiB, disk: 1GiB}
    runs: {program: web, command: [web, serve-web], port: 8080, health: /health}
    env: {GREETING: hello, DB: "${databases.main.url}", KEY: "${buckets.media.secretKey}"}
    uses: [databases.main, buckets.media]
    public: {port: 80}
databases:
  main: {engine: postgres, size: {cpu: 1, memory: 256MiB, disk: 2GiB}, highAvailability: true}
buckets:
  media: {size: 1GiB, versioning: true}
`

// newSmallBench gives a bench with the small spec, whose program is the test binary.
func newSmallBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, "registry") // for the folder; the spec is replaced
	b.write(small)
	if err := os.Link(self, filepath.Join(b.dir, "web")); err != nil {
		text, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(b.dir, "web"), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// TestKilledCommand kills "up" at seeded moments. The next one must converge, and destroying must leave no trace.
func TestKilledCommand(t *testing.T) {
	killed(t, func(b *bench, cli int) { killHard(b.t, cli) }, func(code int) bool { return code == -1 || code == 0 })
}

// TestKilledDaemon kills the local cloud's control plane while "up" works with it.
func TestKilledDaemon(t *testing.T) {
	killed(t, func(b *bench, _ int) {
		if pid := b.daemonPID(); pid > 1 {
			killHard(b.t, pid)
		}
	}, func(int) bool { return true })
}

func killed(t *testing.T, kill func(b *bench, cli int), mayEnd func(code int) bool) {
	for seed := range *points {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			b := newSmallBench(t)
			after := time.Duration(rand.New(rand.NewPCG(uint64(seed), 1)).Int64N(int64(4 * time.Second)))
			c := b.command(context.Background(), "up", "--yes")
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to the terminal's group is not meant here
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(after)
			kill(b, c.Process.Pid)
			c.Wait()
			if code := c.ProcessState.ExitCode(); !mayEnd(code) {
				t.Errorf("killed after %v, up ended with %d", after, code)
			}
			if seed%3 == 2 {
				return // removed as it stands, half built: newBench does so and looks for what is left
			}
			b.must(0, "up", "--yes")
			b.must(0, "verify")
			b.must(0, "plan")
		})
	}
}

// daemonPID finds the control plane's process by the folder it was started for.
func (b *bench) daemonPID() int {
	b.t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		args := strings.Split(string(text), "\x00")
		if err == nil && len(args) > 2 && args[1] == "cloud" && strings.Contains(string(text), b.dir) {
			return pid
		}
	}
	return 0
}

// TestTwoAtOnce starts a second "up" while the first runs: it must be told who holds the lock.
func TestTwoAtOnce(t *testing.T) {
	b := newSmallBench(t)
	first := b.command(context.Background(), "up", "--yes")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer first.Wait()
	holder := strconv.Itoa(first.Process.Pid)
	deadline := time.Now().Add(20 * time.Second)
	for { // the lock file names its holder from the moment on that it is held
		locks, _ := filepath.Glob(filepath.Join(b.state(), "state", ".pulumi", "surety", "*", "*.lock"))
		if len(locks) == 1 {
			if text, err := os.ReadFile(locks[0]); err == nil && strings.Contains(string(text), holder) {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the first up takes no lock")
		}
		time.Sleep(10 * time.Millisecond)
	}
	second := b.must(1, "up", "--yes")
	if !strings.Contains(second.stderr, "process "+holder) || !strings.Contains(second.stderr, "surety up") {
		t.Errorf("the second is not told who holds the lock: %s", second.stderr)
	}
	t.Log(strings.TrimSpace(second.stderr))
	if err := first.Wait(); err != nil {
		t.Errorf("the first up: %v", err)
	}
	b.must(0, "plan")
}

// TestDestroyAfterRestart removes an environment of which a restart of the machine left nothing but files.
func TestDestroyAfterRestart(t *testing.T) {
	b := newSmallBench(t)
	b.must(0, "up", "--yes")
	b.restartMachine()
	b.must(0, "destroy", "--yes", "--purge")
	b.noTrace()
}

// TestDataIsNotLostUnasked asks for a smaller disk and then for no database at all: both lose every row, so both need more than --yes.
func TestDataIsNotLostUnasked(t *testing.T) {
	b := newSmallBench(t)
	b.must(0, "up", "--yes")
	b.edit("disk: 2GiB", "disk: 1GiB")
	if r := b.must(2, "plan"); !strings.Contains(r.stdout, "all data in it is lost") {
		t.Errorf("plan does not say what is lost:\n%s", r.stdout)
	}
	r := b.must(1, "up", "--yes")
	if !strings.Contains(r.stderr, "database-main") || !strings.Contains(r.stderr, "--accept-irreversible") {
		t.Errorf("up says %q", r.stderr)
	}
	b.must(0, "up", "--yes", "--accept-irreversible")
	b.must(0, "verify")
}

// TestLostEntryIsOpenedAgain lets another program take the entry's port while the daemon is down: the next up must mend that.
func TestLostEntryIsOpenedAgain(t *testing.T) {
	b := newSmallBench(t)
	b.must(0, "up", "--yes")
	url := strings.TrimSpace(b.must(0, "open").stdout)
	killHard(t, b.daemonPID())
	var thief net.Listener
	for range 100 { // until the killed daemon's socket is gone
		var err error
		if thief, err = net.Listen("tcp", strings.TrimPrefix(url, "http://")); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if thief == nil {
		t.Fatal("the port stays taken")
	}
	b.must(0, "status") // starts a daemon, which finds the port taken
	thief.Close()
	b.must(5, "plan")
	b.must(0, "up", "--yes")
	answer, err := http.Get(strings.TrimSpace(b.must(0, "open").stdout) + "/health")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	b.must(0, "plan")
}

// TestDestroyNeedsNoState removes an environment whose state was cut off, and one whose passphrase is not known.
func TestDestroyNeedsNoState(t *testing.T) {
	b := newSmallBench(t)
	b.must(0, "up", "--yes")
	state := filepath.Join(b.state(), "state", ".pulumi", "stacks", "small", "local.json")
	if err := os.Truncate(state, 100); err != nil {
		t.Fatal(err)
	}
	if r := b.must(1, "plan"); !strings.Contains(r.stderr, ".bak") {
		t.Errorf("plan says %q", r.stderr)
	}
	b.must(0, "destroy", "--yes", "--purge")
	b.noTrace()

	b.must(0, "up", "--yes")
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "another")
	if r := b.must(1, "plan"); !strings.Contains(r.stderr, "PULUMI_CONFIG_PASSPHRASE") {
		t.Errorf("plan says %q", r.stderr)
	}
	b.must(0, "destroy", "--yes", "--purge")
	b.noTrace()
}

// TestMovedFolder moves the folder of what stands: every command must say so and change nothing, and moving it back mends all.
func TestMovedFolder(t *testing.T) {
	b := newSmallBench(t)
	b.must(0, "up", "--yes")
	moved := &bench{t, b.dir + "-moved"}
	if err := os.Rename(b.dir, moved.dir); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"plan"}, {"status"}, {"up", "--yes"}, {"destroy", "--yes"}} {
		if r := moved.must(1, command...); !strings.Contains(r.stdout+r.stderr, "its folder was moved") {
			t.Errorf("%v says %q", command, r.stdout+r.stderr)
		}
	}
	if err := os.Rename(moved.dir, b.dir); err != nil {
		t.Fatal(err)
	}
	b.must(0, "plan")
	b.must(0, "verify")
}
