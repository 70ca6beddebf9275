package postgres

import (
	"context"
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
	standby.await("caught up", streaming)
	standby.want("2", "SELECT max(n) FROM t")
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
