package postgres

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPrimaryServesItsOwnerOnly(t *testing.T) {
	p := newProcess(t)
	began := time.Now()
	p.start()
	s := p.up()
	t.Logf("primary up %v after start from an empty directory", time.Since(began).Round(time.Millisecond))
	if s.Role != Primary || s.Timeline != 1 || s.Version != Installed()[0] || s.SystemID == "" {
		t.Errorf("status %+v", s)
	}
	p.want("42", "CREATE TABLE t (n int); INSERT INTO t VALUES (42); SELECT n FROM t")
	for name, value := range map[string]string{"server_version": s.Version, "shared_buffers": "16MB", "fsync": "on", "data_checksums": "on",
		"server_encoding": "UTF8", "lc_collate": "C.UTF-8", "password_encryption": "scram-sha-256"} {
		if got, err := p.exec("SHOW " + name); err != nil || !strings.HasPrefix(got, value) {
			t.Errorf("%s is %q, %v; want %q", name, got, err, value)
		}
	}
	right := p.conf
	for what, change := range map[string]func(){
		"a wrong password": func() { p.conf.Password = "wrong" },
		"the superuser":    func() { p.conf.User, p.conf.Database = "postgres", "postgres" },
		"another database": func() { p.conf.Database = "postgres" },
		"the replication role on a database": func() {
			p.conf.User, p.conf.Password = replicationRole, right.ReplicationPassword
		},
	} {
		change()
		if _, err := p.exec("SELECT 1"); err == nil {
			t.Errorf("%s was let in", what)
		}
		p.conf = right
	}
	if _, err := p.exec("CREATE ROLE other"); err == nil {
		t.Error("the owner may make roles")
	}
	if err := p.kill(syscall.SIGTERM); err != nil {
		t.Errorf("ended by SIGTERM: %v", err)
	}
	if raw, err := os.ReadFile(filepath.Join(p.conf.DataDir, "postmaster.pid")); err == nil {
		t.Errorf("the server was not shut down: %s", raw)
	}
}

// postmaster gives the process id of the running server.
func (p *process) postmaster() int {
	p.t.Helper()
	raw, err := os.ReadFile(filepath.Join(p.conf.DataDir, "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(raw), &pid); err != nil {
		p.t.Fatal(err)
	}
	return pid
}

func TestKilledAgentLosesNothing(t *testing.T) {
	p := newProcess(t)
	p.start()
	p.up()
	p.want("0", "CREATE TABLE t (n int); SELECT count(*) FROM t")
	for i := range 3 {
		p.want(fmt.Sprint(i+1), "INSERT INTO t VALUES (1); SELECT count(*) FROM t")
		stray := p.postmaster()
		if err := p.kill(syscall.SIGKILL); err == nil {
			t.Error("the agent was not killed")
		}
		p.start() // at once, while the server of the killed agent may still be ending
		p.up()
		if now := p.postmaster(); now == stray {
			t.Error("the server is still the old one")
		}
		if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", stray)); err == nil { // a zombie has none
			t.Errorf("the server of the killed agent is still there, in %s", cwd)
		}
	}
	p.want("3", "SELECT count(*) FROM t")
}

func TestAgentEndsWithItsServer(t *testing.T) {
	p := newProcess(t)
	p.start()
	p.up()
	p.want("", "CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
	if err := syscall.Kill(p.postmaster(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.ended(p.done); err == nil {
		t.Error("the agent ended with code 0; the supervisor would not notice")
	}
	p.cmd = nil
	p.start()
	p.up()
	p.want("7", "SELECT n FROM t")
}

// Whenever the agent is killed while it makes the cluster, the next one ends with a whole cluster.
func TestKilledWhileMakingTheCluster(t *testing.T) {
	p := newProcess(t)
	began := time.Now()
	p.start()
	p.up()
	took := time.Since(began)
	if err := p.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	const points = 8
	for i := range points {
		if err := os.RemoveAll(filepath.Dir(p.conf.DataDir)); err != nil {
			t.Fatal(err)
		}
		p.start()
		time.Sleep(took * time.Duration(i+1) / (points + 1)) // the point of the kill, not a wait for something
		_ = p.kill(syscall.SIGKILL)
		p.start()
		if s := p.up(); s.Role != Primary || s.Timeline != 1 {
			t.Errorf("killed at point %d: %+v", i, s)
		}
		p.want("1", "CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t")
		if err := p.kill(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if left, err := filepath.Glob(p.conf.DataDir + ".*"); err != nil || len(left) != 1 { // .agent
			t.Errorf("killed at point %d: left %v, %v", i, left, err)
		}
	}
}

func (p *process) reload() {
	p.t.Helper()
	p.write()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.t.Fatal(err)
	}
}

func TestReloadChangesInPlace(t *testing.T) {
	p := newProcess(t)
	p.start()
	p.up()
	server := p.postmaster()
	right := p.conf

	p.conf.Password, p.conf.Parameters = "changed:2", map[string]string{"shared_buffers": "16MB", "work_mem": "6MB"}
	p.reload()
	p.up()
	p.want("6MB", "SHOW work_mem")
	if p.postmaster() != server {
		t.Error("a password and work_mem needed a restart")
	}
	old := right
	old.Port = p.conf.Port
	if _, err := (&process{t: t, conf: old}).exec("SELECT 1"); err == nil {
		t.Error("the old password still works")
	}

	p.conf.Parameters["shared_buffers"], p.conf.Parameters["max_connections"] = "24MB", "37"
	p.reload()
	p.up()
	p.want("24MB", "SHOW shared_buffers")
	p.want("37", "SHOW max_connections")
	if p.postmaster() == server {
		t.Error("shared_buffers changed without a restart")
	}
	server = p.postmaster()

	for what, change := range map[string]func(){
		"work_mem":       func() { p.conf.Parameters["work_mem"] = "much" },
		"no_such_thing":  func() { p.conf.Parameters["no_such_thing"] = "1" },
		"max_connection": func() { p.conf.Parameters["max_connections"] = "-3" },
		"dataDir":        func() { p.conf.DataDir += "x" },
		"password":       func() { p.conf.Password = "" },
	} {
		good := p.conf
		good.Parameters = map[string]string{"shared_buffers": "24MB", "max_connections": "37", "work_mem": "6MB"}
		change()
		p.reload()
		p.await("the refusal of "+what, func(s Status) bool { return s.Running && strings.Contains(s.Failure, what) })
		p.conf = good
		p.want("6MB", "SHOW work_mem")
	}
	p.conf.Parameters["fsync"], p.conf.Parameters["port"] = "off", "1" // what the agent needs cannot be overridden
	p.reload()
	p.up()
	p.want("on", "SHOW fsync")
	if p.postmaster() != server {
		t.Error("refused settings restarted the server")
	}
	p.conf.Database, p.conf.User = "other", "owner"
	p.reload()
	p.up()
	p.want("owner", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'other'")
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	p := newProcess(t)
	p.conf.Parameters["log_statement"] = "all"
	var log bytes.Buffer
	p.output = &log
	p.start()
	p.up()
	p.conf.Password = "changed-2"
	p.reload()
	p.up()
	if err := p.kill(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "ROLE") {
		t.Error("the log does not show the statement that sets the password; the test proves nothing")
	}
	for _, secret := range []string{"secret-1", "changed-2", p.conf.ReplicationPassword} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// The agent also mends what was changed by hand.
func TestRoleIsMended(t *testing.T) {
	p := newProcess(t)
	p.start()
	p.up()
	a := &agent{conf: p.conf}
	conn, err := a.connect(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), `ALTER ROLE reader NOLOGIN SUPERUSER PASSWORD 'other'`); err != nil {
		t.Fatal(err)
	}
	if _, err := p.exec("SELECT 1"); err == nil {
		t.Fatal("the change by hand had no effect")
	}
	p.reload()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := p.exec("SELECT rolsuper FROM pg_roles WHERE rolname = 'reader'")
		if err == nil && got == "f" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("superuser %q, %v", got, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
