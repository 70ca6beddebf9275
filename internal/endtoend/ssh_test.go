package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/engine"
	"surety/stacks/local"
	"surety/stacks/local/network"
	"surety/stacks/remote"
	"surety/stacks/remote/badlink"
	"surety/validate/verify"
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
	t.Run("over a bad network", func(t *testing.T) { (&bench{t, b.dir}).overABadNetwork(straight) })
	// unknown tells that nothing is claimed of web-1 from inside, while the others' own figures are there.
	unknown := func(what, reason string) {
		t.Helper()
		started := time.Now()
		got := b.verified("--over", "ssh")
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
		if os.Getenv("SURETY_MEASURE") == "" {
			t.Skip("needs SURETY_MEASURE=1: a probe is waited for for 8 s; stacks/remote tests a peer that stands still each time")
		}
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

// overABadNetwork runs the quick suites over sshd and a link with a round trip of 50 ms that loses one packet in a hundred. They are run
// in this process, because no command makes such a link.
func (b *bench) overABadNetwork(straight map[string]found) {
	t := b.t
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs SURETY_MEASURE=1: it takes several seconds more; stacks/remote tests a single host over such a link each time")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skip("needs /dev/net/tun")
	}
	doc, findings, err := blueprints.Load(filepath.Join(b.dir, "surety.yaml"))
	if err != nil || findings.HasErrors() {
		t.Fatal(err, findings)
	}
	arch, _ := architecture.Design(doc)
	dir := filepath.Join(b.state(), "cloud")
	target := local.New(local.Options{Dir: dir, SpecDir: b.dir})
	graph, _ := target.Graph(arch)
	e, err := engine.Open(engine.Config{Dir: filepath.Join(b.state(), "state"), Project: doc.Spec.Name, Stack: local.Name,
		Passphrase: func() (string, error) {
			text, err := os.ReadFile(filepath.Join(b.state(), "passphrase"))
			return strings.TrimSpace(string(text)), err
		}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.Deployment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := target.Hosts(d)
	if err != nil {
		t.Fatal(err)
	}
	router, err := network.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	link, err := badlink.New(25*time.Millisecond, 0.01, router.Dial)
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	for i, h := range hosts {
		way, err := remote.New(remote.Options{HostName: h.Name(), ComponentID: h.Component(), HostAddress: h.Address(), KeyFile: filepath.Join(dir, "ssh", "id_ed25519"),
			Dial: link.Dial, HostKeys: func(ctx context.Context) ([]string, error) {
				var key bytes.Buffer
				err := h.Run(ctx, stacks.Command{Args: []string{"cat", "/etc/ssh/ssh_host_ed25519_key.pub"}, Stdout: &key})
				return []string{key.String()}, err
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer way.Close()
		hosts[i] = way
	}
	live := func(ctx context.Context) (verify.Live, error) {
		seen, err := target.Observe(ctx, d)
		live := verify.Live{Resources: map[string]verify.LiveResource{}, Unread: seen.Unread}
		for name, r := range seen.Resources {
			live.Resources[name] = verify.LiveResource{Type: r.Type, Properties: r.Outputs}
		}
		return live, err
	}
	began := time.Now()
	results, err := verify.Run(t.Context(), verify.Input{Document: doc, Architecture: arch, Graph: graph, Deployment: d, Hosts: hosts, Live: live,
		Capabilities: target.Capabilities(t.Context())}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d checks in %v; %d packets carried, %d lost", len(results), time.Since(began), link.Packets.Load(), link.Dropped.Load())
	if len(results) != len(straight) || link.Dropped.Load() == 0 {
		t.Errorf("%d checks, %d packets lost", len(results), link.Dropped.Load())
	}
	for _, r := range results {
		if want := straight[r.Check]; string(r.State) != want.State {
			t.Errorf("%s: %s by namespace (%s), %s over a bad network (%s)", r.Check, want.State, want.Summary, r.State, r.Summary)
		}
	}
}
