package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// needsLimit skips when this machine does not let us limit something, which Limits must have said.
func needsLimit(t *testing.T, h *Host, what string) Limits {
	t.Helper()
	l, enforced, err := h.Limits()
	if err != nil {
		t.Fatal(err)
	}
	if !enforced[what] {
		t.Skipf("needs a machine where %s can be limited", what)
	}
	return l
}

func TestLimitsAreReadBack(t *testing.T) {
	spec := testSpec(t, "lim")
	spec.Limits = Limits{CPU: 0.5, Memory: 200 << 20, Disk: 1 << 30}
	h := started(t, spec)
	_, enforced, err := h.Limits()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("enforced here: %v", enforced)
	check := func(step string, want Limits) {
		t.Helper()
		got, _, err := h.Limits()
		if err != nil {
			t.Fatal(err)
		}
		if enforced["cpu"] && got.CPU != want.CPU || enforced["memory"] && got.Memory != want.Memory || enforced["disk"] && got.Disk != want.Disk {
			t.Errorf("%s: %+v, want %+v", step, got, want)
		}
	}
	check("started", spec.Limits)
	for _, next := range []Limits{{CPU: 1.25, Memory: 400 << 20, Disk: 3 << 30}, {CPU: 0.75, Memory: 300 << 20, Disk: 3 << 30}} {
		err := h.SetLimits(t.Context(), next)
		if errors.Is(err, ErrGrowsAtStart) {
			t.Log(err)
			if err := h.Kill(t.Context()); err != nil {
				t.Fatal(err)
			}
			spec.Limits = next
			if h, err = Start(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		check("set", next)
	}
	if enforced["disk"] {
		if out := sh(t, h, "df -B1 --output=size / | tail -1"); out != fmt.Sprint(3<<30) {
			t.Errorf("the host sees a disk of %s", out)
		}
		if err := h.SetLimits(t.Context(), Limits{Disk: 1 << 30}); err == nil {
			t.Error("a disk shrank")
		}
		if err := h.SetLimits(t.Context(), Limits{CPU: 0.75, Memory: 300 << 20, Disk: 3 << 30}); err != nil {
			t.Fatal(err)
		}
	}
	// By hand, as somebody with an interest in a false result would.
	g, err := h.group()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(controller, v1, v2, value1, value2 string) {
		t.Helper()
		file, value := v2, value2
		if g.v1[controller] != "" {
			file, value = v1, value1
		}
		if err := os.WriteFile(filepath.Join(g.path(controller), file), []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	if enforced["cpu"] {
		edit("cpu", "cpu.cfs_quota_us", "cpu.max", "200000", "200000 100000")
		check("cpu changed by hand", Limits{CPU: 2, Memory: 300 << 20, Disk: 3 << 30})
		edit("cpu", "cpu.cfs_quota_us", "cpu.max", "-1", "max 100000")
		if l, now, _ := h.Limits(); l.CPU != 0 || now["cpu"] {
			t.Errorf("cpu unlimited by hand: %v, %v", l, now)
		}
	}
	if enforced["memory"] {
		edit("memory", "memory.limit_in_bytes", "memory.max", "104857600", "104857600")
		if l, _, _ := h.Limits(); l.Memory != 100<<20 {
			t.Errorf("memory changed by hand: %v", l)
		}
	}
	if enforced["pids"] {
		edit("pids", "pids.max", "pids.max", "max", "max")
		if _, now, _ := h.Limits(); now["pids"] {
			t.Error("pids unlimited by hand, and still enforced")
		}
	}
	// Start mends it.
	spec.Limits = Limits{CPU: 0.75, Memory: 300 << 20, Disk: 3 << 30}
	if _, err := Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	check("mended", spec.Limits)
	// A process moved out of its cgroup by hand is not limited, whatever the cgroup says.
	if enforced["cpu"] {
		if err := os.WriteFile(filepath.Join(g.v1["cpu"]+g.v2, "cgroup.procs"), []byte(strconv.Itoa(h.Pid())), 0); err == nil {
			if _, now, _ := h.Limits(); now["cpu"] {
				t.Error("moved out of its cgroup, and still enforced")
			}
		}
	}
}

func TestMemoryHogIsKilledAndTheHostLives(t *testing.T) {
	spec := testSpec(t, "hog")
	spec.Limits.Memory = 150 << 20
	h := started(t, spec)
	needsLimit(t, h, "memory")
	if _, code := try(t, h, "command -v python3 >/dev/null"); code != 0 {
		t.Skip("needs python3")
	}
	if _, code := try(t, h, "python3 -c 'x = bytearray(60 << 20)'"); code != 0 {
		t.Errorf("within the limit: exit %d", code)
	}
	if _, code := try(t, h, "exec python3 -c 'x = bytearray(400 << 20)'"); code != 137 {
		t.Errorf("beyond the limit: exit %d, want 137", code)
	}
	configure(t, h, Config{Services: []Service{{Name: "hog", Command: []string{"python3", "-c", "x = bytearray(400 << 20)"}}}})
	eventually(t, "the hog was killed", func() bool { return serviceOf(t, h, "hog").LastExit == "signal killed" })
	// A hog in /dev/shm and /run, which are memory too, does not get beyond either.
	if _, code := try(t, h, "head -c 400M /dev/zero > /dev/shm/x"); code == 0 {
		t.Error("wrote 400 MB into memory of 150 MB")
	}
}

func TestProcessorQuota(t *testing.T) {
	spec := testSpec(t, "quota")
	spec.Limits.CPU = 0.25
	h := started(t, spec)
	needsLimit(t, h, "cpu")
	// Two busy loops for a second and a half: what they used, by the kernel's account.
	out := sh(t, h, `timeout 1.5 sh -c 'while :; do :; done' & timeout 1.5 sh -c 'while :; do :; done' & wait; awk '{print $16+$17}' /proc/$$/stat`)
	ticks, err := strconv.ParseFloat(out, 64) // of 10 ms (getconf CLK_TCK is 100 on all Linux machines)
	if err != nil {
		t.Fatal(err)
	}
	if used := ticks / 100 / 1.5; used > 0.25*1.4 || used < 0.02 {
		t.Errorf("used %.2f processors of 0.25", used)
	} else {
		t.Logf("used %.2f processors of 0.25", used)
	}
}

func TestDiskIsFullAtItsSize(t *testing.T) {
	spec := testSpec(t, "disk")
	spec.Limits.Disk = 64 << 20
	h := started(t, spec)
	needsLimit(t, h, "disk")
	out, code := try(t, h, "head -c 100M /dev/zero > /var/lib/fill")
	if code == 0 || !strings.Contains(out, "No space left") {
		t.Errorf("wrote 100 MB to a disk of 64: %d, %s", code, out)
	}
	size, _ := strconv.Atoi(sh(t, h, "stat -c %s /var/lib/fill"))
	if size > 64<<20 || size < 40<<20 {
		t.Errorf("%d bytes fitted on a disk of %d", size, 64<<20)
	}
	if _, code := try(t, h, "head -c 5M /dev/zero > /usr/x || head -c 5M /dev/zero > /etc/x"); code == 0 {
		t.Error("/usr and /etc are not on the disk")
	}
	// A larger disk keeps what is on it.
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	spec.Limits.Disk = 200 << 20
	h, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if now := sh(t, h, "stat -c %s /var/lib/fill"); now != strconv.Itoa(size) {
		t.Errorf("the file has %s bytes, had %d", now, size)
	}
	sh(t, h, "head -c 100M /dev/zero > /var/lib/fill")
}

func TestProcessesAreLimited(t *testing.T) {
	h := started(t, testSpec(t, "pids"))
	needsLimit(t, h, "pids")
	g, err := h.group()
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(g.path("pids"), "pids.max")); strings.TrimSpace(string(data)) != strconv.Itoa(MaxProcesses) {
		t.Errorf("%s, %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(g.path("pids"), "pids.max"), []byte("60"), 0); err != nil {
		t.Fatal(err)
	}
	out, _ := try(t, h, "for i in $(seq 80); do sleep 1 & done 2>&1; wait")
	if !strings.Contains(out, "fork") {
		t.Errorf("80 processes within a limit of 60: %s", out)
	}
}

func TestPlainFolderWhenThereAreNoLoopDevices(t *testing.T) {
	spec := testSpec(t, "folder")
	needsRoot(t)
	if err := os.MkdirAll(folderPath(spec.Dir), 0o700); err != nil { // as prepareDisk would have left it
		t.Fatal(err)
	}
	h := started(t, spec)
	l, enforced, err := h.Limits()
	if err != nil || enforced["disk"] || l.Disk != 0 {
		t.Errorf("limits %+v, %v, %v", l, enforced, err)
	}
	sh(t, h, "echo kept > /var/lib/data; echo y > /etc/y")
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h, err = Start(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if out := sh(t, h, "cat /var/lib/data /etc/y"); out != "kept\ny" {
		t.Error(out)
	}
}

func TestUnifiedHierarchyFormats(t *testing.T) {
	// The version 2 files, in a folder that stands for the mount: what is written and how it is read.
	root := t.TempDir()
	g := group{cgroups: cgroups{v1: map[string]string{}, v2: root}, parent: "surety", name: "h"}
	path := filepath.Join(root, "surety", "h")
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"cgroup.controllers": "cpu memory pids", "cpu.max": "max 100000", "memory.max": "max", "memory.swap.max": "max",
		"pids.max": "max", "cgroup.procs": "42\n"} {
		if err := os.WriteFile(filepath.Join(path, file), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if l, enforced := g.get(42); l != (Limits{}) || enforced["cpu"] || enforced["memory"] || enforced["pids"] {
		t.Errorf("unlimited: %+v, %v", l, enforced)
	}
	want := Limits{CPU: 1.5, Memory: 1 << 30}
	if err := g.set(want); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"cpu.max": "150000 100000", "memory.max": "1073741824", "memory.swap.max": "0", "pids.max": "4096"} {
		if data, _ := os.ReadFile(filepath.Join(path, file)); string(data) != content {
			t.Errorf("%s: %q, want %q", file, data, content)
		}
	}
	if l, enforced := g.get(42); l != want || !enforced["cpu"] || !enforced["memory"] || !enforced["pids"] {
		t.Errorf("limited: %+v, %v", l, enforced)
	}
	if _, enforced := g.get(43); enforced["cpu"] {
		t.Error("a process that is not in the group counts as limited")
	}
}

// groupTrial is run in a process namespace of its own, with a version 2 cgroup: it starts a service's program there as
// init does, lets it leave a process in another session behind, and kills them by the cgroup.
func groupTrial() int {
	p := newProcesses(bootMessage{Group: true, Unified: true})
	prog := program{args: []string{"sh", "-c", "cat /proc/self/cgroup >&2; setsid sleep 1000 & exit 4"}, dir: "/", env: []string{"PATH=" + defaultPath},
		files: []uintptr{0, 1, 2}, group: "service-x"}
	_, done, err := p.start(prog)
	if err != nil {
		fmt.Println("start:", err)
		return 1
	}
	status := <-done
	left, _ := readAt(fdGroup, "service-x/cgroup.procs")
	p.killGroup("service-x")
	after, _ := readAt(fdGroup, "service-x/cgroup.procs")
	fmt.Printf("exit %d, left %d, after %d\n", status.ExitStatus(), len(strings.Fields(left)), len(strings.Fields(after)))
	return 0
}

func TestServicesInAUnifiedHierarchy(t *testing.T) {
	needsRoot(t)
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	root := ""
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			root = fields[1]
		}
	}
	if root == "" {
		t.Skip("needs a cgroup version 2 hierarchy")
	}
	path := filepath.Join(root, fmt.Sprintf("surety-trial-%d", os.Getpid()))
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Skipf("needs to make cgroups: %v", err)
	}
	t.Cleanup(func() {
		g := group{cgroups: cgroups{v2: root}, parent: ".", name: filepath.Base(path)}
		if err := g.remove(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		eventually(t, "the cgroup is gone", func() bool {
			_, err := os.Stat(path)
			return removeBelow(path) == nil || errors.Is(err, fs.ErrNotExist)
		})
	})
	folder, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "group-trial")
	cmd.ExtraFiles = []*os.File{null, null, folder}
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Setsid: true}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), filepath.Base(path)+"/service-x\n") || !strings.HasSuffix(string(out), "exit 4, left 1, after 0\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
