package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func streaming(s Status) bool {
	return s.Role == Standby && s.Running && s.Streaming && s.LagBytes == 0
}

// pair starts a primary with one row and a standby that streams from it.
func pair(t *testing.T) (primary, standby *process) {
	t.Helper()
	primary = newProcess(t)
	primary.start()
	primary.up()
	primary.want("1", "CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t")
	standby = primary.newStandby()
	began := time.Now()
	standby.start()
	s := standby.up()
	t.Logf("standby up %v after start, streaming %v", time.Since(began).Round(time.Millisecond), s.Streaming)
	standby.await("streaming", streaming)
	return primary, standby
}

func (p *process) promote() Status {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := Promote(ctx, nil, p.conf.Socket)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func TestStandbyFollowsAndIsPromoted(t *testing.T) {
	primary, standby := pair(t)
	standby.want("1", "SELECT n FROM t")
	primary.want("2", "INSERT INTO t VALUES (2); SELECT max(n) FROM t")
	s := primary.await("the standby connected", func(s Status) bool { return len(s.Standbys) == 1 && s.LagBytes == 0 })
	if s.Standbys[0].Name != "main_1" || s.Standbys[0].State != "streaming" || s.Standbys[0].Address != "127.0.0.1" {
		t.Errorf("standby as its primary sees it: %+v", s.Standbys[0])
	}
	standby.awaitCount(2)
	if _, err := standby.exec("INSERT INTO t VALUES (3)"); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write on the standby: %v", err)
	}

	if err := primary.kill(syscall.SIGKILL); err == nil {
		t.Error("the primary's agent was not killed")
	}
	began := time.Now()
	s = standby.promote()
	t.Logf("promoted in %v", time.Since(began).Round(time.Millisecond))
	if s.Role != Primary || s.Timeline != 2 {
		t.Errorf("status after promotion %+v", s)
	}
	standby.want("3", "INSERT INTO t VALUES (3); SELECT max(n) FROM t")
	if again := standby.promote(); again.Timeline != 2 {
		t.Errorf("a second promotion changed something: %+v", again)
	}

	// Its declaration still says standby; a restart must not undo the promotion.
	if err := standby.kill(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	standby.start()
	if s := standby.up(); s.Role != Primary || s.Timeline != 2 {
		t.Errorf("after a restart: %+v", s)
	}
	standby.want("3", "SELECT count(*) FROM t")
}

// awaitCount waits until the table holds as many rows.
func (p *process) awaitCount(want int) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got, err := p.exec("SELECT count(*) FROM t")
		if err == nil && got == fmt.Sprint(want) {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s rows, %v; want %d", got, err, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// After a failover the old primary comes back as a standby of the new one, and roles can be exchanged again.
func TestOldPrimaryComesBackAsStandby(t *testing.T) {
	first, second := pair(t)
	if err := first.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	second.promote()
	second.want("", "INSERT INTO t VALUES (2)")
	second.conf.Role, second.conf.Primary = Primary, ""
	second.reload()
	second.up()

	// The old primary wrote something that the new one never had; it must not survive.
	first.start()
	first.up()
	first.want("", "INSERT INTO t VALUES (100)")
	first.conf.Role, first.conf.Primary = Standby, fmt.Sprintf("127.0.0.1:%d", second.conf.Port)
	first.reload()
	first.await("following the new primary", func(s Status) bool { return streaming(s) && s.Timeline == 2 })
	first.want("2", "SELECT max(n) FROM t")
	if left, err := filepath.Glob(first.conf.DataDir + ".*"); err != nil || len(left) != 1 { // .agent
		t.Errorf("left beside the data: %v, %v", left, err)
	}

	// And back: promote the first, declare the second standby.
	first.promote()
	first.conf.Role, first.conf.Primary = Primary, ""
	first.reload()
	first.up()
	second.conf.Role, second.conf.Primary = Standby, fmt.Sprintf("127.0.0.1:%d", first.conf.Port)
	second.reload()
	second.await("following again", func(s Status) bool { return streaming(s) && s.Timeline == 3 })
	first.want("", "INSERT INTO t VALUES (3)")
	second.awaitCount(3)
}

func TestStandbyWaitsForItsPrimary(t *testing.T) {
	primary := newProcess(t)
	standby := primary.newStandby()
	standby.start()
	standby.await("waiting", func(s Status) bool {
		return strings.Contains(s.Phase, "waiting") && strings.Contains(s.Failure, "refused") && !s.Running
	})
	primary.start()
	standby.await("streaming", streaming)

	late := primary.newStandby()
	late.conf.Primary, late.conf.JoinTimeout = fmt.Sprintf("127.0.0.1:%d", freePort(t)), 300*time.Millisecond
	late.start()
	if err := late.ended(late.done); err == nil {
		t.Error("the agent whose primary never came ended with code 0")
	}
	late.cmd = nil

	// A new configuration mends a start that cannot succeed.
	late.conf.JoinTimeout, late.conf.ReplicationPassword, late.conf.Slot = 0, "wrong", "main_2"
	right := primary.conf.ReplicationPassword
	late.conf.Primary = standby.conf.Primary
	late.start()
	late.await("refused", func(s Status) bool { return strings.Contains(s.Failure, "authentication") })
	late.conf.ReplicationPassword = right
	late.reload()
	late.await("streaming", streaming)
	primary.await("both standbys", func(s Status) bool { return len(s.Standbys) == 2 })
}

func TestStandbyCatchesUpAfterAnAbsence(t *testing.T) {
	primary, standby := pair(t)
	if err := standby.kill(syscall.SIGKILL); err == nil {
		t.Error("not killed")
	}
	primary.want("", "INSERT INTO t SELECT generate_series(2, 20000)")
	if err := primary.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	standby.start() // its primary is away
	if s := standby.up(); s.Role != Standby || s.Streaming {
		t.Errorf("without a primary: %+v", s)
	}
	primary.start()
	primary.up()
	standby.awaitCount(20000)
	standby.await("caught up", streaming)
}

// superuser runs SQL as the agent does.
func (p *process) superuser(sql string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := (&agent{conf: p.conf}).connect(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		p.t.Fatal(err)
	}
}

// When the standby that had received less is promoted, one that had received more is not left hanging.
func TestStandbyThatIsAheadClonesAgain(t *testing.T) {
	primary, behind := pair(t)
	ahead := primary.newStandby()
	ahead.conf.Slot = "main_2"
	ahead.start()
	ahead.await("streaming", streaming)
	if err := behind.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	primary.want("", "INSERT INTO t VALUES (2)")
	ahead.awaitCount(2)
	if err := primary.kill(syscall.SIGKILL); err == nil {
		t.Error("not killed")
	}
	behind.conf.Role, behind.conf.Primary = Primary, ""
	behind.start()
	behind.up()
	ahead.conf.Primary = fmt.Sprintf("127.0.0.1:%d", behind.conf.Port)
	ahead.reload()
	ahead.await("following the new primary", func(s Status) bool { return streaming(s) && s.Timeline == 2 && s.Failure == "" })
	behind.want("", "INSERT INTO t VALUES (10), (11)")
	ahead.awaitCount(3)
	ahead.want("0", "SELECT count(*) FROM t WHERE n = 2")
}

// A standby that was away so long that its primary gave up its slot clones again.
func TestStandbyTooFarBehindClonesAgain(t *testing.T) {
	primary := newProcess(t)
	primary.conf.Parameters["max_slot_wal_keep_size"], primary.conf.Parameters["min_wal_size"], primary.conf.Parameters["max_wal_size"] = "16MB", "32MB", "32MB"
	primary.start()
	primary.up()
	primary.want("1", "CREATE TABLE t (n int); INSERT INTO t VALUES (1); SELECT n FROM t")
	standby := primary.newStandby()
	standby.start()
	standby.await("streaming", streaming)
	if err := standby.kill(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range 6 {
		primary.want("", "INSERT INTO t VALUES (1)")
		primary.superuser("SELECT pg_switch_wal()")
	}
	primary.superuser("CHECKPOINT")
	primary.superuser("SELECT 1 / (SELECT count(*) FROM pg_replication_slots WHERE wal_status = 'lost')") // else the test proves nothing
	standby.start()
	standby.await("following again", streaming)
	standby.awaitCount(7)
}

// A primary that is another cluster, or one that this server has overtaken, never replaces the data here.
func TestForeignPrimaryIsNotCopied(t *testing.T) {
	primary, standby := pair(t)
	other := newProcess(t)
	other.start()
	other.up()
	otherAddr := fmt.Sprintf("127.0.0.1:%d", other.conf.Port)

	standby.conf.Primary = otherAddr
	standby.reload()
	standby.await("refusal by the standby", func(s Status) bool { return s.Running && strings.Contains(s.Failure, "belongs to cluster") })
	standby.want("1", "SELECT count(*) FROM t")
	standby.conf.Primary = fmt.Sprintf("127.0.0.1:%d", primary.conf.Port)
	standby.reload()
	standby.await("streaming again", func(s Status) bool { return streaming(s) && s.Failure == "" })

	standby.promote()
	standby.conf.Role, standby.conf.Primary = Primary, ""
	standby.reload()
	standby.up()
	standby.want("2", "INSERT INTO t VALUES (2); SELECT count(*) FROM t")
	standby.conf.Role, standby.conf.Primary = Standby, fmt.Sprintf("127.0.0.1:%d", primary.conf.Port) // the overtaken one
	standby.reload()
	standby.await("refusal by the new primary", func(s Status) bool { return strings.Contains(s.Failure, "already on 2") })
	standby.conf.Role, standby.conf.Primary = Primary, ""
	standby.reload()
	standby.up()
	standby.want("2", "SELECT count(*) FROM t")
}

// A declaration of primary makes a standby one, in place and at a start.
func TestDeclaredPrimaryIsPromoted(t *testing.T) {
	primary, standby := pair(t)
	second := primary.newStandby()
	second.conf.Slot = "main_2"
	second.start()
	second.await("streaming", streaming)
	if err := primary.kill(syscall.SIGKILL); err == nil {
		t.Error("not killed")
	}
	standby.conf.Role, standby.conf.Primary = Primary, ""
	standby.reload()
	if s := standby.up(); s.Role != Primary || s.Timeline != 2 {
		t.Errorf("by reload: %+v", s)
	}
	// The other standby is pointed to the new primary. Whether it goes on or must clone depends on which of the two had received more.
	second.conf.Primary = fmt.Sprintf("127.0.0.1:%d", standby.conf.Port)
	second.reload()
	second.await("following the new primary", func(s Status) bool { return streaming(s) && s.Timeline == 2 })
	standby.want("", "INSERT INTO t VALUES (2)")
	second.awaitCount(2)

	if err := second.kill(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	second.conf.Role, second.conf.Primary = Primary, ""
	second.start()
	if s := second.up(); s.Role != Primary || s.Timeline != 3 {
		t.Errorf("at a start: %+v", s)
	}
}

// Whenever agent and standby are killed around a promotion, the next start ends as primary if the promotion had been noted, and as
// standby if not; never as something in between.
func TestKilledWhilePromoting(t *testing.T) {
	primary, standby := pair(t)
	for i := range 6 {
		note := filepath.Join(standby.conf.DataDir+".agent", promotionFile)
		ctx, cancel := context.WithCancel(context.Background())
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			_, _ = Promote(ctx, nil, standby.conf.Socket)
		}()
		time.Sleep(time.Duration(i*12) * time.Millisecond) // the point of the kill, not a wait for something
		_ = standby.kill(syscall.SIGKILL)
		cancel()
		<-asked
		want := Standby
		if exists(note) {
			want = Primary
		}
		standby.start()
		s := standby.up()
		if s.Role != want {
			t.Errorf("killed at point %d: %s, want %s", i, s.Role, want)
		}
		t.Logf("point %d: %s", i, s.Role)
		if s.Role == Primary { // start over
			_ = standby.kill(syscall.SIGTERM)
			if err := os.RemoveAll(standby.conf.DataDir); err != nil {
				t.Fatal(err)
			}
			standby.start()
			standby.await("streaming", streaming)
		}
	}
	primary.want("1", "SELECT count(*) FROM t")
}
