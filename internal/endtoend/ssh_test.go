package endtoend

import (
	"context"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// found is what a verification says of one check.
type found struct {
	Check, State, Summary string
	Requirements          []string
}

func (b *bench) verified(args ...string) map[string]found {
	b.t.Helper()
	r := b.surety(append([]string{"verify", "--no-keep", "--json"}, args...)...)
	if r.code != 0 && r.code != 3 {
		b.t.Fatalf("verify %v ended with %d: %s", args, r.code, r.stderr)
	}
	var report struct{ Results []found }
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		b.t.Fatalf("verify %v: %v\n%s", args, err, tail(r.stdout, 2000))
	}
	all := map[string]found{}
	for _, f := range report.Results {
		all[f.Check] = f
	}
	b.t.Logf("verify %s: %d checks in %v", strings.Join(args, " "), len(all), r.took)
	return all
}

// inside runs a shell command in a host by its namespaces. What it looks for must not be in its own command line.
func (b *bench) inside(host, command string) {
	b.t.Helper()
	if r := b.surety("exec", host, "--", "sh", "-c", command); r.code > 1 {
		b.t.Fatalf("%s on %s: %d %s", command, host, r.code, r.stderr)
	}
}

// TestVerifyOverSSH finds the same over each host's own sshd as by its namespaces, and takes a host that cannot be reached, is cut off
// or stands still for what it is: nothing is known of it.
func TestVerifyOverSSH(t *testing.T) {
	b := newBench(t, "reader")
	b.must(0, "up", "--yes")
	straight := b.verified()
	over := b.verified("--over", "ssh")
	if len(straight) < 20 || len(over) != len(straight) {
		t.Errorf("%d checks by namespace, %d over SSH", len(straight), len(over))
	}
	for id, want := range straight {
		if got := over[id]; got.State != want.State || !slices.Equal(got.Requirements, want.Requirements) {
			t.Errorf("%s: %s by namespace (%s), %s over SSH (%s)", id, want.State, want.Summary, got.State, got.Summary)
		}
	}
	// unknown tells that nothing is claimed of web-1 from inside, while the others' own figures are there.
	unknown := func(what, reason string) {
		t.Helper()
		started := time.Now()
		got := b.verified("--over", "ssh", "--suite", "host", "--suite", "connectivity", "--load", "0s")
		if took := time.Since(started); took > 40*time.Second {
			t.Errorf("%s: it took %v", what, took)
		}
		about := 0
		for id, f := range got {
			switch {
			case !strings.HasPrefix(id, "host/"):
			case strings.HasPrefix(id, "host/web-1/"):
				about++
				if f.State != "unproven" || !strings.Contains(f.Summary, reason) {
					t.Errorf("%s: %s is %s: %s", what, id, f.State, f.Summary)
				}
			case straight[id].State != "" && f.State != straight[id].State:
				t.Errorf("%s: %s is %s: %s", what, id, f.State, f.Summary)
			}
			if strings.Contains(f.Check, "web-1 →") && f.State == "pass" {
				t.Errorf("%s: %s passes: %s", what, id, f.Summary)
			}
		}
		if about == 0 {
			t.Errorf("%s: there is no check of web-1", what)
		}
		t.Logf("%s: %s", what, got["host/web-1/memory"].Summary)
	}
	t.Run("a host that stands still", func(t *testing.T) {
		b.inside("web-1", "pkill -STOP -x sshd")
		defer b.inside("web-1", "pkill -CONT -x sshd")
		unknown("frozen", "web-1")
	})
	t.Run("a connection that is cut again and again", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var cutting sync.WaitGroup
		cutting.Add(1)
		cut := b.command(ctx, "exec", "web-1", "--", "sh", "-c", "while true; do pkill -KILL -f 'sshd: [r]oot'; sleep 0.02; done")
		if err := cut.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { defer cutting.Done(); _ = cut.Wait() }()
		time.Sleep(300 * time.Millisecond)
		unknown("cut", "web-1")
		cancel()
		cutting.Wait()
	})
	t.Run("a host with another key", func(t *testing.T) {
		if _, err := exec.LookPath("ssh-keygen"); err != nil {
			t.Skip("needs ssh-keygen")
		}
		// Its sshd shows a new key, while the host still says the old one.
		b.inside("web-1", "ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/other; sed -i 's|^HostKey .*|HostKey /etc/ssh/other|' /etc/ssh/sshd_config; pkill -HUP -o -x sshd; sleep 0.3")
		unknown("another key", "host key")
	})
}
