package postgres

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A commit waits for the standby: while that stands still, nothing is acknowledged that only the primary has. When it has been gone for
// some seconds commits go on without it, and when it is back they wait again, also after a crash of the primary.
func TestACommitWaitsForTheStandby(t *testing.T) {
	primary := newProcess(t)
	primary.conf.Synchronous = true
	primary.start() // the role with which a standby signs in is written although there is none yet
	primary.up()
	primary.want("1", "CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t")
	standby := primary.newStandby()
	standby.conf.Synchronous = true
	standby.start()
	standby.up()
	waits := func(s Status) bool { return len(s.Standbys) == 1 && s.Standbys[0].Synchronous }
	primary.await("commits wait for the standby", waits)
	primary.want("", "INSERT INTO t VALUES (2)")

	pid := standby.receiver()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	began, answered := time.Now(), make(chan error, 1)
	go func() {
		_, err := primary.exec("INSERT INTO t VALUES (3)")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("a commit was answered while the standby stood still: %v", err)
	case <-time.After(700 * time.Millisecond):
	}
	if err := <-answered; err != nil {
		t.Errorf("commits did not go on without the standby: %v", err)
	}
	t.Logf("commits went on without the standby after %v", time.Since(began).Round(time.Millisecond))

	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	primary.await("commits wait again", waits)
	if err := syscall.Kill(primary.postmaster(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = primary.ended(primary.done) // that it failed is what was asked for
	primary.cmd = nil
	if err := standby.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	primary.start()
	primary.up()
	if got, err := primary.exec("SHOW synchronous_standby_names"); err != nil || !strings.Contains(got, `"main_1"`) {
		t.Errorf("after a crash commits wait for %q, %v", got, err)
	}
	standby.start()
	standby.await("streaming", streaming)
	if s := standby.promote(); s.Role != Primary {
		t.Errorf("after promotion: %+v", s)
	}
	standby.want("4", "INSERT INTO t VALUES (4); SELECT max(n) FROM t") // with nobody to wait for
}

// receiver is the process that receives the log on a standby.
func (p *process) receiver() int {
	p.t.Helper()
	conn, err := (&agent{conf: p.conf}).connect(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(p.t.Context())
	var pid int
	if err := conn.QueryRow(p.t.Context(), "SELECT pid FROM pg_stat_wal_receiver").Scan(&pid); err != nil {
		p.t.Fatal(err)
	}
	return pid
}
