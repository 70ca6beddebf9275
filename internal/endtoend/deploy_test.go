package endtoend

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"surety/stacks/releases"
)

const rolling = `surety: v1
name: rolling
owner: {team: platform}
servers:
  web:
    count: 3
    size: {cpu: 1, memory: 128MiB, disk: 1GiB}
    runs: {program: app, command: [app], port: 8080, health: /health}
    env: {GREETING: hello}
    files: {/etc/app.conf: "colour: red"}
    public: {port: 80}
`

// build makes a version of testdata/app, as a user builds a program anew.
func (b *bench) build(settings string) {
	b.t.Helper()
	c := exec.Command("go", "build", "-trimpath", "-ldflags", settings, "-o", filepath.Join(b.dir, "app"), "./testdata/app")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		b.t.Fatalf("build the program: %v\n%s", err, out)
	}
}

// newRollingBench gives a folder for three hosts behind a balancer that run the first version of the program.
func newRollingBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t, "registry") // for the folder; the spec is replaced
	b.write(rolling)
	b.build("-X main.version=1")
	return b
}

// everywhere asks each host itself what it serves, and fails where that is not wanted.
func (b *bench) everywhere(want string) {
	b.t.Helper()
	for _, host := range []string{"web-0", "web-1", "web-2"} {
		got := b.must(0, "exec", host, "--", "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3`).stdout
		if !strings.Contains(got, host+" "+want) {
			b.t.Errorf("%s does not serve %q but %s", host, want, got)
		}
	}
}

// deployed runs a deploy to its end and gives its record, in which no request may have failed.
func (b *bench) deployed(code int, args ...string) releases.Record {
	b.t.Helper()
	var r releases.Record
	out := b.surety(append([]string{"deploy", "servers.web", "--yes", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil || out.code != code {
		b.t.Fatalf("deploy ended with %d, want %d: %v\n%s%s", out.code, code, err, tail(out.stdout, 3000), out.stderr)
	}
	if r.Service == nil || r.Service.Sent == 0 || r.Service.Failed > 0 {
		b.t.Errorf("callers saw %+v", r.Service)
	}
	return r
}

// column gives each host's digest of one thing.
func column(r releases.Record, kind string, of func(releases.HoldingDigest) string) map[string]string {
	sums := map[string]string{}
	for _, h := range r.Rollout.Hosts {
		for _, d := range h.Digests {
			if d.Kind == kind {
				sums[h.Host] = of(d)
			}
		}
	}
	return sums
}

func before(d releases.HoldingDigest) string { return d.Before }
func after(d releases.HoldingDigest) string  { return d.After }
func back(d releases.HoldingDigest) string   { return d.Back }

// TestDeploy puts a new program, then a new configuration, then a program that does not come up on the second host, and last tries what
// a deploy may not bring about.
func TestDeploy(t *testing.T) {
	b := newRollingBench(t)
	if r := b.must(1, "deploy", "servers.web", "--yes"); !strings.Contains(r.stderr, "surety up") {
		t.Errorf("before the first release, deploy says %q", r.stderr)
	}
	b.must(0, "up", "--yes", "--load", "0s")
	b.must(64, "deploy", "servers.api")
	if r := b.must(0, "deploy", "servers.web", "--yes"); !strings.Contains(r.stdout, "nothing to deploy") {
		t.Errorf("unchanged, deploy says %q", r.stdout)
	}

	b.build("-X main.version=2")
	b.must(2, "deploy", "servers.web", "--dry-run")
	b.everywhere("version=1 greeting=hello colour: red")
	r := b.deployed(0)
	b.everywhere("version=2 greeting=hello colour: red")
	for _, kind := range []string{"program", "running program"} {
		was, is := column(r, kind, before), column(r, kind, after)
		if len(is) != 3 || was["web-0"] == "" || is["web-0"] == "" || was["web-0"] == is["web-0"] || is["web-0"] != is["web-1"] || is["web-0"] != is["web-2"] {
			t.Errorf("%s before %v, after %v", kind, was, is)
		}
	}
	if r.Changes.Counts["update"] != 3 || len(r.Changes.Counts) != 2 {
		t.Errorf("the record counts %v", r.Changes.Counts)
	}

	b.edit("colour: red", "colour: blue")
	b.edit("GREETING: hello", "GREETING: ahoy")
	r = b.deployed(0, "--batch", "2")
	b.everywhere("version=2 greeting=ahoy colour: blue")
	if hosts := r.Rollout.Hosts; hosts[0].Step != 1 || hosts[1].Step != 1 || hosts[2].Step != 2 {
		t.Errorf("two at a time was %+v", hosts)
	}
	if was, is := column(r, "environment", before), column(r, "environment", after); was["web-2"] == is["web-2"] || is["web-2"] == "" {
		t.Errorf("the environment was %v and is %v", was, is)
	}

	b.build("-X main.version=3 -X main.broken=web-1")
	r = b.deployed(4)
	b.everywhere("version=2 greeting=ahoy colour: blue")
	was, tried, is := column(r, "program", before), column(r, "program", after), column(r, "program", back)
	for _, host := range []string{"web-0", "web-1"} {
		if was[host] == tried[host] || is[host] != was[host] {
			t.Errorf("%s held %s, then %s, and holds %s", host, was[host], tried[host], is[host])
		}
	}
	if tried["web-2"] != "" || is["web-2"] != "" || !r.Rollout.Hosts[0].Good || r.Rollout.Hosts[1].Good {
		t.Errorf("after the second host failed: %+v", r.Rollout.Hosts)
	}
	b.build("-X main.version=2")
	b.must(0, "plan")
	b.must(0, "rollback", "2", "--yes")
	b.everywhere("version=2 greeting=hello colour: red")

	b.edit("count: 3", "count: 4")
	refused := b.must(1, "deploy", "servers.web", "--yes")
	if !strings.Contains(refused.stderr, "server-web-3 (create)") || !strings.Contains(refused.stderr, "balancer-web (update)") || !strings.Contains(refused.stderr, "surety up") {
		t.Errorf("deploy says %q", refused.stderr)
	}
	b.everywhere("version=2 greeting=hello colour: red")
}

// TestKilledDeploy kills a deploy after its first host. The next one, or an up, must bring about the rest.
func TestKilledDeploy(t *testing.T) {
	b := newRollingBench(t)
	b.must(0, "up", "--yes", "--load", "0s")
	for i, next := range [][]string{{"deploy", "servers.web", "--yes"}, {"up", "--yes", "--load", "0s"}} {
		version := string(rune('2' + i))
		b.build("-X main.slow=300ms -X main.version=" + version)
		c := b.command(context.Background(), "deploy", "servers.web", "--yes")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		first := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "web-0 is healthy") {
				first = true
				time.Sleep(150 * time.Millisecond) // into the next host's change
				killHard(t, c.Process.Pid)
			}
		}
		if c.Wait(); !first || c.ProcessState.ExitCode() != -1 {
			t.Fatalf("the deploy was not killed after its first host: %v", c.ProcessState)
		}
		b.must(0, next...)
		b.everywhere("version=" + version)
		b.must(0, "plan")
	}
}
