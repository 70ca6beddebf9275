package probe

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestSystem(t *testing.T) {
	got := ask(t, Task{Kind: KindSystem}).System
	if got == nil || got.OS == "" || got.Kernel == "" || got.Cores < 1 || got.Disk <= 0 || got.MachineMemory <= 0 {
		t.Errorf("this machine: %+v", got)
	}
}

func TestSystemOfAnotherHost(t *testing.T) {
	root := fstest.MapFS{
		"etc/os-release":   {Data: []byte("PRETTY_NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n")},
		"proc/meminfo":     {Data: []byte("MemTotal:        2048 kB\nMemFree: 1 kB\n")},
		"proc/self/cgroup": {Data: []byte("0::/host\n")},
	}
	root["sys/fs/cgroup/host/cpu.max"] = &fstest.MapFile{Data: []byte("150000 100000\n")}
	root["sys/fs/cgroup/host/memory.max"] = &fstest.MapFile{Data: []byte("536870912\n")}
	got, err := system(root)
	if err != nil || got.OS != "debian-12" || got.MachineMemory != 2<<20 || got.CPU != 1.5 || got.Memory != 512<<20 {
		t.Errorf("version 2: %+v, %v", got, err)
	}
	root["sys/fs/cgroup/host/cpu.max"] = &fstest.MapFile{Data: []byte("max 100000\n")}
	root["sys/fs/cgroup/host/memory.max"] = &fstest.MapFile{Data: []byte("max\n")}
	if got, _ := system(root); got.CPU != 0 || got.Memory != 0 {
		t.Errorf("no limit must not be a limit: %+v", got)
	}
	root["proc/self/cgroup"] = &fstest.MapFile{Data: []byte("4:memory:/a/b\n3:cpu,cpuacct:/a/b\n")}
	root["sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us"] = &fstest.MapFile{Data: []byte("50000\n")}
	root["sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us"] = &fstest.MapFile{Data: []byte("100000\n")}
	root["sys/fs/cgroup/memory/a/b/memory.limit_in_bytes"] = &fstest.MapFile{Data: []byte("1048576\n")}
	if got, _ := system(root); got.CPU != 0.5 || got.Memory != 1<<20 {
		t.Errorf("version 1: %+v", got)
	}
	root["etc/os-release"] = &fstest.MapFile{Data: []byte("ID=arch\n")}
	if got, _ := system(root); got.OS != "arch" {
		t.Errorf("a rolling distribution: %q", got.OS)
	}
}

func TestFileDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("abc"), 0o640); err != nil {
		t.Fatal(err)
	}
	got := ask(t, Task{Kind: KindFile, File: &File{Path: path}}).File
	// The digest of "abc" is the example of FIPS 180-2.
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got.SHA256 != want || got.Size != 3 || !got.Exists {
		t.Errorf("%+v, want %s", got, want)
	}
	if got := ask(t, Task{Kind: KindFile, File: &File{Path: path + "x"}}); got.Error != "" || got.File == nil || got.File.Exists {
		t.Errorf("a missing file is an observation, not a fault: %+v", got)
	}
	if got := ask(t, Task{Kind: KindFile, File: &File{Path: filepath.Dir(path)}}); got.Error == "" {
		t.Error("a folder has no digest")
	}
}

func TestCommandBounds(t *testing.T) {
	got := ask(t, Task{Kind: KindCommand, Command: &Command{Args: []string{"sh", "-c", "yes | head -c 100000"}}}).Command
	if len(got.Output) != maxOutput {
		t.Errorf("kept %d bytes of output, want %d", len(got.Output), maxOutput)
	}
	started := time.Now()
	o := ask(t, Task{Kind: KindCommand, Timeout: 200 * time.Millisecond, Command: &Command{Args: []string{"sh", "-c", "sleep 30 & sleep 30"}}})
	if took := time.Since(started); o.Error == "" || took > 3*time.Second {
		t.Errorf("a program that hangs: %q after %s", o.Error, took)
	}
	t.Setenv("DATABASE_URL", "postgres://secret")
	if got := ask(t, Task{Kind: KindCommand, Command: &Command{Args: []string{"env"}}}).Command; strings.Contains(got.Output, "DATABASE_URL") {
		t.Error("a program got the probe's own environment")
	}
	if o := ask(t, Task{Kind: KindCommand, Command: &Command{Args: []string{"no-such-program"}}}); o.Error == "" || o.Command != nil {
		t.Errorf("a missing program: %+v", o)
	}
}

func TestSocketsAndProcess(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listening := ask(t, Task{Kind: KindSockets}).Sockets
	if !slices.ContainsFunc(listening, func(s Socket) bool { return s.Port == port && s.Address == "127.0.0.1" }) {
		t.Errorf("127.0.0.1:%d is not in %v", port, listening)
	}
	listener.Close()

	// A child that keeps the socket, started with an environment of its own.
	listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = listener.Addr().(*net.TCPAddr).Port
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles, child.Env = []*os.File{file}, []string{"GOOD=value", "OTHER=changed"}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { child.Process.Kill(); child.Wait() }()
	listener.Close()
	file.Close()

	env := map[string]string{"GOOD": Digest("key", "value"), "OTHER": Digest("key", "declared"), "ABSENT": Digest("key", "x")}
	o := ask(t, Task{Kind: KindProcess, Process: &Process{Port: port, Command: []string{"sleep", "60"}, Key: "key", Env: env}})
	got := o.Process
	if got == nil || !got.Found || !got.Runs || got.Program != filepath.Base(resolved(t, "sleep")) || len(got.SHA256) != 64 {
		t.Fatalf("%+v, error %q", got, o.Error)
	}
	if !slices.Equal(got.Missing, []string{"ABSENT"}) || !slices.Equal(got.Different, []string{"OTHER"}) {
		t.Errorf("missing %v, different %v", got.Missing, got.Different)
	}
	if got.CommandLine != Digest("key", "sleep\x0060") || got.Environment != Digest("key", "GOOD=value\x00OTHER=changed") {
		t.Errorf("digest of the command line %q, of the environment %q", got.CommandLine, got.Environment)
	}
	if got := ask(t, Task{Kind: KindProcess, Process: &Process{Port: port, Command: []string{"sleep", "61"}}}).Process; !got.Found || got.Runs {
		t.Errorf("another command: %+v", got)
	}
	if got := ask(t, Task{Kind: KindProcess, Process: &Process{Command: []string{"sleep", "60"}}}).Process; !got.Found || !got.Runs {
		t.Errorf("without a port, by command: %+v", got)
	}
	if got := ask(t, Task{Kind: KindProcess, Process: &Process{Port: 1, Command: []string{"sleep", "60"}}}).Process; got.Found {
		t.Errorf("a port that nobody has: %+v", got)
	}
}

func resolved(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatal(err)
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSameCommand(t *testing.T) {
	for _, c := range []struct {
		process, command string
		want             bool
	}{
		{"/opt/bin/miniflux", "miniflux", true},
		{"miniflux", "/opt/bin/miniflux", true},
		{"/usr/bin/docker-registry serve /etc/r.yml", "docker-registry serve /etc/r.yml", true},
		{"/bin/sh /opt/bin/start -v", "start -v", true},
		{"/opt/bin/miniflux -debug", "miniflux", false},
		{"other", "miniflux", false},
		{"", "miniflux", false},
		{"miniflux", "", false},
	} {
		if got := sameCommand(strings.Fields(c.process), strings.Fields(c.command)); got != c.want {
			t.Errorf("process %q for command %q: %t", c.process, c.command, got)
		}
	}
}

// A start script that execs its server leaves nothing of its command; the control group that its supervisor keeps it in tells.
func TestGroupOfAProcess(t *testing.T) {
	proc := t.TempDir()
	defer func() {
		for group, want := range map[string]int{"service-main": 42, "service-sshd": 0} {
			if got, err := (&Process{Group: group}).find(proc); got != want || err != nil {
				t.Errorf("%s: process %d, %v", group, got, err)
			}
		}
	}()
	if err := os.Mkdir(filepath.Join(proc, "42"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(proc, "42", "cgroup"), []byte("8:pids:/surety/web-0-1f/service-main\n0::/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]bool{"service-main": true, "main": false, "service-sshd": false} {
		if inGroup(proc, 42, group) != want || inGroup(proc, 43, group) {
			t.Errorf("%s: want %v, and nothing of a process that is not there", group, want)
		}
	}
}
