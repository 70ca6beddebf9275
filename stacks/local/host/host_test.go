package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be what hosts are started from, and what the crash tests kill.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "host-init":
			os.Exit(Init(os.Args[2:]))
		case "group-trial":
			os.Exit(groupTrial())
		case "start-and-hang":
			startAndHang(os.Args[2:])
		}
	}
	code := m.Run()
	found, err := findCgroups()
	for _, root := range found.roots() {
		if _, gone := os.Stat(filepath.Join(root, testParent())); gone == nil || err != nil {
			fmt.Println("left over: cgroup", root, testParent(), err)
			code = 1
		}
	}
	os.Exit(code)
}

// testParent is the cgroup of all hosts of one run.
func testParent() string { return "surety-test/" + fmt.Sprint(os.Getpid()) }

func needsRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: namespaces, mounts and cgroups")
	}
}

func testSpec(t testing.TB, name string) Spec {
	t.Helper()
	needsRoot(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 20), name) // longer than a socket's path may be
	return Spec{Name: name, Dir: dir, Binary: self, CgroupParent: testParent(),
		Limits: Limits{CPU: 1, Memory: 256 << 20, Disk: 1 << 30}}
}

// started starts a host and destroys it at the test's end, which must leave nothing.
func started(t testing.TB, spec Spec) *Host {
	t.Helper()
	h, err := Start(t.Context(), spec)
	t.Cleanup(func() { gone(t, spec.Dir) })
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func gone(t testing.TB, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if data, _ := os.ReadFile((&Host{dir: dir}).Log("init")); strings.Contains(string(data), "DATA RACE") {
		t.Errorf("init, under the race detector: %s", data)
	}
	if err := Remove(ctx, dir); err != nil {
		t.Error(err)
	}
	if left, err := Leftovers(dir); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// sh runs a shell command on the host and returns its output, trimmed.
func sh(t testing.TB, h *Host, command string) string {
	t.Helper()
	out, code := try(t, h, command)
	if code != 0 {
		t.Fatalf("%s: exit %d: %s", command, code, out)
	}
	return out
}

func try(t testing.TB, h *Host, command string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out bytes.Buffer
	code, err := h.Exec(ctx, Exec{Args: []string{"sh", "-c", command}, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return strings.TrimSpace(out.String()), code
}

// eventually waits until check is true, at most ten seconds.
func eventually(t testing.TB, what string, check func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-ticker.C {
		if check() {
			return
		}
	}
	t.Fatalf("not within ten seconds: %s", what)
}

func TestHostIsItsOwnMachine(t *testing.T) {
	spec := testSpec(t, "web-0")
	h := started(t, spec)
	for command, want := range map[string]string{
		"hostname":          "web-0",
		"cat /etc/hostname": "web-0",
		"id -un":            "root",
		"pwd":               "/root",
		"ls /proc/1/root/ 2>/dev/null || echo no":                 "no",
		"ls /root /home | tr -d '\\n'":                            "/home:/root:",
		"cut -d: -f2 /etc/shadow | sort -u":                       "*",
		"ls /etc/ssh/ssh_host*":                                   "/etc/ssh/ssh_host_ed25519_key\n/etc/ssh/ssh_host_ed25519_key.pub",
		"cat /proc/1/comm | head -c 5":                            "host.",
		"touch /usr/new /etc/new && echo ok":                      "ok",
		"df -B1 --output=size / | tail -1":                        fmt.Sprint(1 << 30),
		"ls -A /sys/class/net":                                    "lo",
		"stat -c %a /tmp":                                         "1777",
		"test -x /run/surety/surety; echo $?":                     "0",
		"dpkg-query -W -f '${Status}' bash":                       "install ok installed",
		"mount -t tmpfs x /mnt 2>/dev/null; echo $?":              "32",
		"mknod /tmp/d b 7 0 2>/dev/null; echo $?":                 "1",
		"echo 1 2>/dev/null > /proc/sys/vm/swappiness || echo no": "no",
		"readlink /proc/1/fd/0 >/dev/null 2>&1 || echo no":        "no",
		"echo hi > /dev/null && head -c 4 /dev/urandom | wc -c":   "4",
	} {
		if got, _ := try(t, h, command); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
	if _, err := os.Stat("/usr/new"); err == nil {
		t.Error("the host wrote to the machine's /usr")
	}
	for _, dir := range []string{spec.Dir, filepath.Dir(spec.Dir)} {
		left, err := Leftovers(dir)
		for _, what := range []string{"process ", "loop device ", "cgroup ", "file "} {
			if !strings.Contains(strings.Join(left, "\n"), what) {
				t.Errorf("%sof a running host is not found from %s: %v, %v", what, dir, left, err)
			}
		}
	}
	if mounts, err := mountsBelow(spec.Dir); err != nil || len(mounts) > 0 {
		t.Errorf("mounts of the host in the machine's table: %v, %v", mounts, err)
	}
}

func BenchmarkStartAndDestroy(b *testing.B) {
	spec := testSpec(b, "bench")
	spec.Base = b.TempDir()
	var start, end time.Duration
	for b.Loop() {
		begun := time.Now()
		h, err := Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		start += time.Since(begun)
		begun = time.Now()
		if err := h.Destroy(b.Context()); err != nil {
			b.Fatal(err)
		}
		end += time.Since(begun)
	}
	b.ReportMetric(float64(start.Milliseconds())/float64(b.N), "start-ms")
	b.ReportMetric(float64(end.Milliseconds())/float64(b.N), "destroy-ms")
}
