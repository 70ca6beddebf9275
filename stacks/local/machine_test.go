package local

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"surety/blueprints"
	"surety/blueprints/architecture"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMachineOS(t *testing.T) {
	for content, want := range map[string]string{
		"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n": "debian-12",
		"ID='ubuntu'\nVERSION_ID='24.04'\n":                                              "ubuntu-24.04",
		"ID=arch\n":                                                                      "arch",
		"VERSION_ID=12\n":                                                                "",
	} {
		if got := machineOS(write(t, filepath.Join(t.TempDir(), "os-release"), content)); got != want {
			t.Errorf("%q is %q, want %q", content, got, want)
		}
	}
	if got := machineOS(filepath.Join(t.TempDir(), "none")); got != "" {
		t.Errorf("a machine without the file is %q, want unknown", got)
	}
}

func TestTotalMemory(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "meminfo"), "MemTotal:       24689232 kB\nMemFree:  1 kB\n")
	if got := totalMemory(path); got != 24689232<<10 {
		t.Errorf("got %d", got)
	}
}

func TestEnforcedLimits(t *testing.T) {
	none := map[string]bool{"cpu": false, "memory": false, "disk": false, "pids": false}
	unified := t.TempDir()
	write(t, filepath.Join(unified, "cgroup.controllers"), "cpuset cpu io memory pids\n")
	legacy := t.TempDir()
	self := write(t, filepath.Join(legacy, "self"), "8:pids:/\n4:memory:/a\n2:cpu,cpuacct:/\n1:name=systemd:/\n0::/\n")
	for _, controller := range []string{"cpu", "memory"} {
		write(t, filepath.Join(legacy, controller, "tasks"), "")
	}
	cases := []struct {
		name, self, mount string
		uid               int
		want              map[string]bool
	}{
		{"version 2", self, unified, 0, map[string]bool{"cpu": true, "memory": true, "disk": true, "pids": true}},
		{"version 1, pids not mounted", self, legacy, 0, map[string]bool{"cpu": true, "memory": true, "disk": true, "pids": false}},
		{"not root", self, unified, 1000, none},
	}
	for _, c := range cases {
		if got := enforced(c.self, c.mount, c.uid); !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFileDigest(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "f"), "abc") // the SHA-256 of "abc" is the example of FIPS 180-2
	if got, err := fileDigest(path); err != nil || got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestLacksWhatDpkgDoesNotList(t *testing.T) {
	info := t.TempDir()
	for _, name := range []string{"nginx.list", "libc6:" + runtime.GOARCH + ".list", "half.conffiles"} {
		if err := os.WriteFile(filepath.Join(info, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	missing := lacks(info)
	for pkg, want := range map[string]bool{"nginx": false, "libc6": false, "half": true, "redis-server": true} {
		if missing(pkg) != want {
			t.Errorf("lacks %s: %v", pkg, !want)
		}
	}
	if lacks(filepath.Join(info, "nowhere")) != nil {
		t.Error("a machine without dpkg lacks nothing that we know of")
	}
}

func TestPackageThatIsNotInstalledIsAFinding(t *testing.T) {
	m := Machine{OS: "debian-12", CPUs: 2, Memory: 8 << 30, Lacks: func(pkg string) bool { return pkg == "nginx" }}
	doc, found := blueprints.Parse("surety.yaml", []byte("surety: v1\nname: site\nservers:\n  web: {runs: {package: nginx, command: [nginx], port: 80}, size: {cpu: 1, memory: 128MiB, disk: 1GiB}}\n"))
	if found.HasErrors() {
		t.Fatal(found)
	}
	arch, _ := architecture.Design(doc)
	_, found = New(Options{Dir: t.TempDir(), SpecDir: t.TempDir(), Machine: &m}).Graph(arch)
	if len(found) != 1 || found[0].Requirement != "servers.web.runs.package" || found[0].Mend != "apt-get install nginx" {
		t.Errorf("findings: %v", found)
	}
}

func TestWhatTheKernelCannotGiveIsAFinding(t *testing.T) {
	for name, c := range map[string]struct{ server, requirement string }{
		"IPv6 callers":   {`runs: {package: nginx, command: [nginx], port: 80}, public: {port: 80, from: "::/0"}`, "servers.web.public"},
		"port of sshd":   {`runs: {package: nginx, command: [nginx], port: 22}`, "servers.web.runs.port"},
		"entry of sshd":  {`runs: {package: nginx, command: [nginx], port: 80}, public: {port: 22}`, "servers.web.public"},
		"too little cpu": {`runs: {package: nginx, command: [nginx], port: 80}, size: {cpu: 0.001}`, "servers.web.size.cpu"},
		"too much disk":  {`runs: {package: nginx, command: [nginx], port: 80}, size: {disk: 20TiB}`, "servers.web.size.disk"},
	} {
		t.Run(name, func(t *testing.T) {
			doc, found := blueprints.Parse("surety.yaml", []byte("surety: v1\nname: site\nservers:\n  web: {"+c.server+"}\n"))
			if found.HasErrors() {
				t.Fatal(found)
			}
			arch, _ := architecture.Design(doc)
			_, found = New(Options{Dir: t.TempDir(), SpecDir: t.TempDir(), Machine: &Machine{OS: "debian-12", CPUs: 2, Memory: 8 << 30}}).Graph(arch)
			if len(found) != 1 || found[0].Requirement != c.requirement || found[0].Severity != blueprints.Error || found[0].Mend == "" {
				t.Errorf("findings: %v", found)
			}
		})
	}
}
