package usage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"surety/benchmarks/knee"
	"surety/benchmarks/peers/servers"
	"surety/stacks/local/host"
)

// TestMain lets the test binary be a host's first process, and sample inside it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "host-init":
			os.Exit(host.Init(os.Args[2:]))
		case "sample":
			s := New("web-0")
			_, err1 := s.Sample(context.Background())
			time.Sleep(time.Second)
			sample, err2 := s.Sample(context.Background())
			if err := errors.Join(err1, err2, json.NewEncoder(os.Stdout).Encode(sample)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "deaf": // listens and accepts nothing, and holds memory
			held := bytes.Repeat([]byte{1}, 300<<20)
			defer runtime.KeepAlive(held)
			lo, err := netlink.LinkByName("lo")
			if err = errors.Join(err, netlink.LinkSetUp(lo)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err = errors.Join(err, unix.Bind(fd, &unix.SockaddrInet4{Port: 8080, Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 4)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			for range 5 {
				if _, err := net.DialTimeout("tcp", "127.0.0.1:8080", time.Second); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
			time.Sleep(time.Minute)
		}
	}
	os.Exit(m.Run())
}

func of(t *testing.T, uses []knee.Use, resource string) knee.Use {
	t.Helper()
	for _, u := range uses {
		if u.Resource == resource {
			return u
		}
	}
	t.Errorf("%s is not sampled", resource)
	return knee.Use{}
}

// A host of the local cloud sees its own quota, limit, disk and queue, calm and loaded.
func TestInAHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: namespaces, mounts and cgroups")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "web-0")
	h, err := host.Start(t.Context(), host.Spec{Name: "web-0", Dir: dir, Binary: self, CgroupParent: fmt.Sprintf("surety-test/%d", os.Getpid()),
		Limits: host.Limits{CPU: 0.25, Memory: 400 << 20, Disk: 1 << 30}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := host.Remove(ctx, dir); err != nil {
			t.Error(err)
		}
	})
	_, enforced, err := h.Limits()
	if err != nil {
		t.Fatal(err)
	}
	if !enforced["cpu"] || !enforced["memory"] {
		t.Skipf("needs a machine where processor and memory can be limited")
	}
	sample := func() Sample {
		t.Helper()
		var out, problem bytes.Buffer
		if code, err := h.Exec(t.Context(), host.Exec{Args: []string{"/run/surety/surety", "sample"}, Stdout: &out, Stderr: &problem}); err != nil || code != 0 {
			t.Fatalf("%d, %v: %s", code, err, problem.String())
		}
		var s Sample
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	calm := sample()
	for _, u := range calm.Uses {
		if u.Host != "web-0" || u.Resource != knee.Connections && u.Share > 0.5 {
			t.Errorf("calm: %+v", u)
		}
	}
	if u := of(t, calm.Uses, knee.Network); u.Share != 0 || !strings.HasPrefix(u.Figure, "share not known") {
		t.Errorf("a network without links: %+v", u)
	}
	of(t, calm.OfMachine, knee.CPU)
	of(t, calm.OfMachine, knee.Memory)

	busy, stop := context.WithCancel(t.Context())
	defer stop()
	run := func(command string) {
		go h.Exec(busy, host.Exec{Args: []string{"sh", "-c", command}}) //nolint:errcheck // ends with the test
	}
	run("exec /run/surety/surety deaf")
	var loaded Sample
	for range 10 {
		if loaded = sample(); of(t, loaded.Uses, knee.Memory).Share > 0.7 && of(t, loaded.Uses, knee.Connections).Share > 0.9 {
			break
		}
	}
	run("while :; do :; done")
	run("while :; do dd if=/dev/zero of=/var/tmp/x bs=64k count=64 oflag=direct conv=fsync; done")
	loaded = sample()
	t.Logf("%+v", loaded)
	if u := of(t, loaded.Uses, knee.CPU); u.Share < 0.6 || !strings.Contains(u.Figure, "of 0.25 processors, throttled in") {
		t.Errorf("%+v", u)
	}
	if u := of(t, loaded.Uses, knee.Memory); u.Share < 0.7 || u.Share > 0.98 || !strings.Contains(u.Figure, "of 400 MiB") {
		t.Errorf("%+v", u)
	}
	if u := of(t, loaded.Uses, knee.Disk); u.Share <= of(t, calm.Uses, knee.Disk).Share || !strings.Contains(u.Figure, "busy") || strings.Contains(u.Figure, "0 B/s written") {
		t.Errorf("%+v", u)
	}
	if u := of(t, loaded.Uses, knee.Connections); u.Share < 0.9 || !strings.Contains(u.Figure, "wait to be accepted at port 8080") {
		t.Errorf("%+v", u)
	}
	if loaded.Machine == "" || loaded.Machine != calm.Machine {
		t.Errorf("machine %q and %q", loaded.Machine, calm.Machine)
	}
}

func TestPostgresConnections(t *testing.T) {
	server, err := servers.Postgres(t.Context())
	if _, ok := errors.AsType[servers.Absent](err); ok {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	s := newSampler("main-0", "/")
	uses := func() []knee.Use {
		t.Helper()
		all, err := s.processes()
		if err != nil {
			t.Fatal(err)
		}
		var ours processes
		for _, p := range all {
			if p.pid == server.Process() || p.parent == server.Process() {
				ours = append(ours, p)
			}
		}
		got, err := s.databases(t.Context(), ours)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, want := range []int{0, 20} {
		for range want {
			c, err := pgconn.Connect(t.Context(), server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(context.Background())
		}
		var got []knee.Use
		for range 20 { // a process takes its title a moment after it is there, and an ended one a moment to be gone
			if got = uses(); len(got) == 1 && got[0].Figure == fmt.Sprintf("%d of PostgreSQL's 200 connections, 3 of which are kept for superusers", want) {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if len(got) != 1 || got[0].Share != float64(want)/197 || !strings.HasPrefix(got[0].Figure, fmt.Sprintf("%d of PostgreSQL's 200", want)) {
			t.Errorf("with %d connections: %+v", want, got)
		}
	}
}

// tree makes files of a pretended host.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Version 2, of which this machine has no controllers: a container with a namespace of its own, and a group far below the limit.
func TestUnifiedGroups(t *testing.T) {
	const stat = "cpu  100 0 0 1000 0 0 0 0 0 0\ncpu0 50 0 0 500 0 0 0 0 0 0\ncpu1 50 0 0 500 0 0 0 0 0 0\n"
	for name, group := range map[string]struct{ own, root, at, self string }{
		"namespace": {own: "/", root: "/", at: "sys/fs/cgroup", self: "sys/fs/cgroup"},
		"below":     {own: "/pod/service", root: "/", at: "sys/fs/cgroup/pod", self: "sys/fs/cgroup/pod/service"},
		"bound":     {own: "/surety/x", root: "/surety/x", at: "sys/fs/cgroup", self: "sys/fs/cgroup"},
		"service":   {own: "/surety/x/service-a", root: "/surety/x", at: "sys/fs/cgroup", self: "sys/fs/cgroup/service-a"},
	} {
		files := map[string]string{
			"proc/self/cgroup":             "0::" + group.own + "\n",
			"proc/self/mountinfo":          "30 20 0:26 " + group.root + " /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw\n20 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
			"proc/stat":                    stat,
			"proc/meminfo":                 "MemTotal: 1000 kB\nMemAvailable: 250 kB\n",
			"proc/net/dev":                 "h\nh\n lo: 5 0 0 0 0 0 0 0 5 0\n eth0: 1000 0 0 0 0 0 0 0 2000 0\n",
			"proc/diskstats":               "   8       0 sda 1 0 16 0 1 0 32 0 0 1000 0\n   8       1 sda1 1 0 16 0 1 0 32 0 0 900 0\n",
			"sys/dev/block/8:1/partition":  "1\n",
			"sys/dev/block/dev":            "8:0\n",
			"sys/class/net/eth0/device/id": "", "sys/class/net/eth0/speed": "100\n",
		}
		files[group.self+"/cpu.max"] = "max 100000\n"
		files[group.at+"/cpu.max"] = "150000 100000\n"
		files[group.at+"/cpu.stat"] = "usage_usec 1000000\nnr_periods 10\nnr_throttled 0\nthrottled_usec 0\n"
		files[group.at+"/memory.max"] = "1048576\n"
		files[group.at+"/memory.current"] = "900000\n"
		files[group.at+"/memory.stat"] = "anon 1\nactive_file 100000\ninactive_file 275712\n"
		root := tree(t, files)
		s := newSampler("web-0", root)
		clock := time.Unix(0, 0)
		s.now = func() time.Time { return clock }
		if _, err := s.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(2 * time.Second)
		for path, text := range map[string]string{
			group.at + "/cpu.stat": "usage_usec 2500000\nnr_periods 30\nnr_throttled 5\nthrottled_usec 700000\n",
			"proc/net/dev":         "h\nh\n lo: 5 0 0 0 0 0 0 0 5 0\n eth0: 1001000 0 0 0 0 0 0 0 12502000 0\n",
			"proc/diskstats":       "   8       0 sda 1 0 16 0 1 0 4128 0 0 2500 0\n   8       1 sda1 1 0 16 0 1 0 32 0 0 900 0\n",
			"proc/stat":            strings.ReplaceAll(strings.Replace(stat, "100 0 0 1000 0", "250 0 0 1150 0", 1), "500 0 0 0", "575 0 0 0"),
		} {
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Sample(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for resource, want := range map[string]knee.Use{
			knee.CPU:     {Share: 0.5, Figure: "0.75 of 1.5 processors, throttled in 25 % of the periods for 0.7 s"},
			knee.Memory:  {Share: 0.5, Figure: "512 KiB of 1 MiB without page cache"},
			knee.Disk:    {Share: 0.75, Figure: "sda busy 75 % of the time, 0 B/s read, 1 MiB/s written"},
			knee.Network: {Share: 0.5, Figure: "488 KiB/s in and 5.96 MiB/s out over eth0 of 100 Mbit/s"},
		} {
			if u := of(t, got.Uses, resource); u.Figure != want.Figure || u.Share < want.Share-1e-3 || u.Share > want.Share+1e-3 {
				t.Errorf("%s: %s is %+v, not %+v", name, resource, u, want)
			}
		}
		if u := of(t, got.OfMachine, knee.CPU); u.Share != 0.5 {
			t.Errorf("%s: the machine: %+v", name, u)
		}
		if u := of(t, got.OfMachine, knee.Memory); u.Share != 0.75 {
			t.Errorf("%s: the machine: %+v", name, u)
		}
	}
}

// What cannot be known is said, and never made up.
func TestUnknown(t *testing.T) {
	root := tree(t, map[string]string{"proc/self/mountinfo": "20 1 0:30 / / rw - overlay overlay rw,upperdir=/x\n", "proc/stat": "cpu  1 0 0 1 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n",
		"proc/net/dev": "h\nh\n veth0: 10 0 0 0 0 0 0 0 20 0\n", "sys/class/net/veth0/speed": "10000\n",
		"proc/7/stat": "7 (a) (b) S 1 7 7 0 -1 4194560 1 2 3 4 0 0 0 0 20 0 1 0 5 6 7\n"})
	s := newSampler("web-0", root)
	clock := time.Unix(0, 0)
	s.now = func() time.Time { clock = clock.Add(time.Second); return clock }
	var got Sample
	for range 2 {
		var err error
		if got, err = s.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A quarter of a processor in the second that passes: its own time and that of children that ended, for user and kernel.
		if err := os.WriteFile(filepath.Join(root, "proc/7/stat"), []byte("7 (a) (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 7 20 0 1 0 5 6 7\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, resource := range []string{knee.Memory, knee.Disk, knee.Network} {
		if u := of(t, got.Uses, resource); u.Share != 0 || !strings.HasPrefix(u.Figure, "share not known: ") {
			t.Errorf("%+v", u)
		}
	}
	if u := of(t, got.Uses, knee.CPU); u.Share != 0.25 || u.Figure != "0.25 of the machine's 1 processors, without a quota" {
		t.Errorf("%+v", u)
	}
	if _, err := newSampler("web-0", t.TempDir()).Sample(t.Context()); err == nil {
		t.Error("nothing at all can be read, and no error")
	}
}
