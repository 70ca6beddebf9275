package host

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func script(name, body string) Service {
	return Service{Name: name, Command: []string{"sh", "-c", body}}
}

func serviceOf(t *testing.T, h *Host, name string) ServiceStatus {
	t.Helper()
	s, err := h.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Services[name]
}

func configure(t *testing.T, h *Host, c Config) {
	t.Helper()
	if err := h.Configure(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func TestServicesAreKeptRunning(t *testing.T) {
	h := started(t, testSpec(t, "svc"))
	// "spawn" leaves a process in a session of its own behind, as database servers do.
	configure(t, h, Config{Services: []Service{
		script("steady", "echo up; exec sleep 1000"),
		script("failing", "exit 3"),
		{Name: "missing", Command: []string{"/no/such/program"}},
		script("spawn", "setsid sleep 4321 & exec sleep 1000"),
		script("last", "setsid sleep 5432 & sleep 0.3"),
	}})
	eventually(t, "the failing ones were started again", func() bool {
		f, m := serviceOf(t, h, "failing"), serviceOf(t, h, "missing")
		return f.Restarts >= 2 && f.LastExit == "exit 3" && m.Restarts >= 1 && strings.Contains(m.LastExit, "no such file")
	})
	if f := serviceOf(t, h, "failing"); f.Restarts > 10 {
		t.Errorf("no backoff: %d restarts", f.Restarts)
	}
	first := serviceOf(t, h, "steady")
	if !first.Running || first.Restarts != 0 {
		t.Errorf("steady: %+v", first)
	}
	sh(t, h, "kill -9 "+strconv.Itoa(first.Pid))
	eventually(t, "the killed one runs again", func() bool {
		s := serviceOf(t, h, "steady")
		return s.Running && s.Pid != first.Pid && s.Restarts == 1 && s.LastExit == "signal killed"
	})
	eventually(t, "the log has both runs", func() bool {
		data, _ := os.ReadFile(h.Log("steady"))
		return strings.Count(string(data), "\nup\n") == 2
	})
	// With its main process everything goes that a service started, sessions or not; never two generations of it.
	count := func(what string) int {
		n, _ := strconv.Atoi(sh(t, h, "pgrep -fc '^sleep "+what+"' || true"))
		return n
	}
	sh(t, h, "kill -9 "+strconv.Itoa(serviceOf(t, h, "spawn").Pid))
	eventually(t, "spawn runs again", func() bool { s := serviceOf(t, h, "spawn"); return s.Running && s.Restarts == 1 && count("4321") > 0 })
	if n := count("4321"); n != 1 {
		t.Errorf("%d processes of two generations", n)
	}
	eventually(t, "last ended", func() bool { return serviceOf(t, h, "last").Restarts > 2 })
	if n := count("5432"); n > 1 {
		t.Errorf("%d processes of several generations", n)
	}
}

func TestServicesOnRequest(t *testing.T) {
	h := started(t, testSpec(t, "req"))
	stubborn := script("stubborn", "trap '' TERM; while :; do sleep 1; done")
	stubborn.StopTimeout = 300 * time.Millisecond
	polite := script("polite", "trap 'echo bye; exit 0' INT; trap 'echo reload' HUP; echo ready; while :; do sleep 0.05; done")
	polite.StopSignal = "INT"
	configure(t, h, Config{Services: []Service{stubborn, polite}})
	said := func(what string) bool {
		data, _ := os.ReadFile(h.Log("polite"))
		return strings.Contains("\n"+string(data), "\n"+what+"\n")
	}
	eventually(t, "polite is ready", func() bool { return said("ready") })
	if err := h.Signal(t.Context(), "polite", "HUP"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "signal arrives", func() bool { return said("reload") })
	for range 2 {
		if err := h.Stop(t.Context(), "polite"); err != nil {
			t.Fatal(err)
		}
	}
	if s := serviceOf(t, h, "polite"); s.Running || !s.Stopped || s.LastExit != "exit 0" || !said("bye") {
		t.Errorf("stopped: %+v", s)
	}
	begun := time.Now()
	if err := h.Stop(t.Context(), "stubborn"); err != nil {
		t.Fatal(err)
	}
	if s := serviceOf(t, h, "stubborn"); s.Running || s.LastExit != "signal killed" || time.Since(begun) > 3*time.Second {
		t.Errorf("stubborn: %+v after %s", s, time.Since(begun))
	}
	for range 2 {
		if err := h.StartService(t.Context(), "polite"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "polite runs", func() bool { return serviceOf(t, h, "polite").Running })
	pid := serviceOf(t, h, "polite").Pid
	if err := h.RestartService(t.Context(), "polite"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "polite runs anew", func() bool { s := serviceOf(t, h, "polite"); return s.Running && s.Pid != pid })
	if err := h.Signal(t.Context(), "nobody", "HUP"); err == nil {
		t.Error("signalled a service that is not there")
	}
	if err := h.Signal(t.Context(), "polite", "NONSENSE"); err == nil {
		t.Error("sent a signal that is none")
	}
}

func TestConfigureRestartsOnlyWhatChanged(t *testing.T) {
	h := started(t, testSpec(t, "conf"))
	source := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := func() Config {
		return Config{
			Files: map[string]File{
				"/opt/bin/program": {Source: source, Mode: 0o755},
				"/etc/b/b.conf":    {Content: []byte("b"), Owner: "mail:adm", Mode: 0o640},
				"/etc/c.conf":      {Content: []byte("c")},
				"/etc/shared.conf": {Content: []byte("s")},
			},
			Services: []Service{
				{Name: "a", Command: []string{"/opt/bin/program"}},
				{Name: "b", Command: []string{"sleep", "1000"}, Env: map[string]string{"CONF": "/etc/b/b.conf"}},
				{Name: "c", Command: []string{"sleep", "1000"}, Files: []string{"/etc/c.conf"}, Reload: "WINCH"},
			},
			Tags: map[string]string{"owner": "platform"},
		}
	}
	pids := func() (got [3]int) {
		t.Helper()
		eventually(t, "services run", func() bool {
			s, _ := h.Status(t.Context())
			for i, name := range []string{"a", "b", "c"} {
				got[i] = s.Services[name].Pid
			}
			return got[0] != 0 && got[1] != 0 && got[2] != 0
		})
		return got
	}
	configure(t, h, config())
	if out := sh(t, h, "stat -c '%U %G %a' /etc/b/b.conf /opt/bin/program; cat /etc/surety/tags.json"); out != "mail adm 640\nroot root 755\n{\"owner\":\"platform\"}" {
		t.Errorf("files: %s", out)
	}
	now := pids()
	step := func(name string, change func(*Config), restarted ...bool) {
		t.Helper()
		c := config()
		change(&c)
		configure(t, h, c)
		next := pids()
		for i := range restarted {
			if (next[i] != now[i]) != restarted[i] {
				t.Errorf("%s: service %c: process %d, then %d", name, 'a'+i, now[i], next[i])
			}
		}
		now = next
	}
	step("nothing", func(*Config) {}, false, false, false)
	step("hosts and tags", func(c *Config) { c.Tags = nil; c.AuthorizedKeys = []string{"x"} }, false, false, false)
	step("nothing again", func(*Config) {}, false, false, false)
	if err := os.WriteFile(source, []byte("#!/bin/sh\nexec sleep 1001\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	step("program", func(*Config) {}, true, false, false)
	sh(t, h, "echo changed by hand > /etc/b/b.conf")
	step("file changed by hand", func(*Config) {}, false, true, false)
	sh(t, h, "chmod 777 /etc/b/b.conf")
	step("mode changed by hand", func(*Config) {}, false, true, false)
	step("file with reload", func(c *Config) { c.Files["/etc/c.conf"] = File{Content: []byte("c2")} }, false, false, false)
	step("and back", func(c *Config) {}, false, false, false)
	step("definition", func(c *Config) { c.Services[1].Env["X"] = "y" }, false, true, false)
	step("back", func(*Config) {}, false, true, false)
	step("file that no service names", func(c *Config) { c.Files["/etc/shared.conf"] = File{Content: []byte("s2")} }, true, true, false)
	c := config()
	c.Services = c.Services[:1]
	delete(c.Files, "/etc/b/b.conf")
	configure(t, h, c)
	if s, _ := h.Status(t.Context()); len(s.Services) != 2 || s.Services["a"].Pid == 0 {
		t.Errorf("services left: %+v", s.Services)
	}
	if out := sh(t, h, "ls /etc/b; pgrep -c sleep"); out != "1" {
		t.Errorf("left behind: %s", out)
	}
	for name, bad := range map[string]Config{
		"name":   {Services: []Service{{Name: "../x", Command: []string{"true"}}}},
		"sshd":   {Services: []Service{{Name: "sshd", Command: []string{"true"}}}},
		"twice":  {Services: []Service{script("x", ""), script("x", "")}},
		"path":   {Files: map[string]File{"etc/x": {}}},
		"owner":  {Files: map[string]File{"/etc/x": {Owner: "nosuch"}}},
		"source": {Files: map[string]File{"/etc/x": {Source: "/no/such"}}},
	} {
		if err := h.Configure(t.Context(), bad); err == nil {
			t.Errorf("bad %s was taken", name)
		}
	}
}

func TestManyFilesAndLargeOnes(t *testing.T) {
	h := started(t, testSpec(t, "many"))
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, make([]byte, 30<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Config{Files: map[string]File{"/srv/inline": {Content: make([]byte, 5<<20)}}}
	for i := range 450 { // more descriptors than one message takes
		c.Files["/srv/"+strconv.Itoa(i)] = File{Source: "/etc/hostname"}
	}
	c.Files["/srv/large"] = File{Source: source}
	configure(t, h, c)
	if out := sh(t, h, "ls /srv | wc -l; stat -c %s /srv/large /srv/inline"); out != "452\n31457280\n5242880" {
		t.Error(out)
	}
}

func TestLogIsBounded(t *testing.T) {
	h := started(t, testSpec(t, "log"))
	configure(t, h, Config{Services: []Service{script("loud", "yes 0123456789012345678901234567890123456789 | head -c 30000000; echo end; exec sleep 1000")}})
	eventually(t, "all is written", func() bool {
		data, _ := os.ReadFile(h.Log("loud"))
		return strings.HasSuffix(string(data), "end\n")
	})
	var total int64
	files, _ := filepath.Glob(h.Log("loud") + "*")
	for _, file := range files {
		if st, err := os.Stat(file); err == nil {
			total += st.Size()
		}
	}
	if total > 2*logSize || total < logSize {
		t.Errorf("%d bytes of log in %v", total, files)
	}
}

func TestRebootKeepsTheDisk(t *testing.T) {
	spec := testSpec(t, "reboot")
	spec.Config = Config{Services: []Service{script("one", "exec sleep 1000")}, Files: map[string]File{"/etc/one": {Content: []byte("1")}}}
	h := started(t, spec)
	sh(t, h, "echo kept > /var/lib/data; echo edited >> /etc/login.defs; touch /usr/local/bin/mine; touch /run/gone")
	for range 2 {
		if err := h.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h.Running() || h.Pid() != 0 {
		t.Error("killed and still running")
	}
	if s, err := h.Status(t.Context()); err != nil || s.Running {
		t.Errorf("status of a dead host: %+v, %v", s, err)
	}
	if _, err := h.Exec(t.Context(), Exec{Args: []string{"true"}}); err == nil {
		t.Error("ran a command on a dead host")
	}
	dead, err := Adopt(spec.Dir)
	if err != nil || dead.Running() {
		t.Errorf("adopted a dead host: %v", err)
	}
	again, err := Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if out := sh(t, again, "cat /var/lib/data; tail -1 /etc/login.defs; ls /usr/local/bin/mine; ls /run/gone 2>/dev/null || true"); out != "kept\nedited\n/usr/local/bin/mine" {
		t.Error(out)
	}
	if !h.Running() || h.Pid() != again.Pid() { // an older handle finds the new processes
		t.Error("the old handle does not know the host is up again")
	}
	eventually(t, "service runs", func() bool { return serviceOf(t, h, "one").Running })
	// Starting a running host changes nothing but what differs.
	same, err := Start(t.Context(), spec)
	if err != nil || same.Pid() != again.Pid() || serviceOf(t, same, "one").Restarts != 0 {
		t.Errorf("start of a running host: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, spec); err == nil {
		t.Error("started with an ended context")
	}
	if !again.Running() {
		t.Error("an ended context killed a running host")
	}
}
