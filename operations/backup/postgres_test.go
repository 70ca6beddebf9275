package backup

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"surety/operations/backup/cluster"
)

// A cluster is copied while clients write to it. What its tables held at the copy's restore point is what comes back: not a row more or
// less, which a snapshot that is not tied to the log would show within a few runs.
func TestClusterIsCopiedUnderWrites(t *testing.T) {
	j, _, s := postgresJob(t, false)
	s.sql(t, `DROP TABLE IF EXISTS accounts, moves; CREATE TABLE accounts (id int PRIMARY KEY, balance bigint); CREATE TABLE moves (at timestamptz DEFAULT now(), amount float8);
		INSERT INTO accounts SELECT i, 1000 FROM generate_series(1, 50) i`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			conn, err := s.Connect(ctx, "postgres")
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background())
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := conn.PgConn().Exec(ctx, "BEGIN; UPDATE accounts SET balance = balance - 1 WHERE id = "+strconv.Itoa(1+(i*7+w)%25)+
					"; UPDATE accounts SET balance = balance + 1 WHERE id = "+strconv.Itoa(26+(i*5+w)%25)+"; INSERT INTO moves (amount) VALUES (1.0/3); COMMIT").ReadAll(); err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "deadlock") {
					t.Error(err)
					return
				}
			}
		})
	}
	c := run1(t, j)
	stop()
	writers.Wait()
	if c.Unsettled != "" || c.Tables["postgres.public.accounts"].Rows != 50 || c.Tables["postgres.public.moves"].Rows == 0 || c.Point == nil {
		t.Fatalf("copied %+v", c)
	}
	f := drillOf(t, j)
	if f.Verdict != Met || f.Figures.Tables < 2 || f.Figures.Restore <= 0 {
		t.Errorf("drill: %+v", f)
	}
	t.Log(f.Sentences)
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "surety-backup-*")); len(left) > 0 {
		t.Errorf("sessions left behind %v", left)
	}
}

// A transaction that does not end keeps writers from being held off: the copy says that its rows are not exact, and the drill leaves them unproven.
func TestLongTransactionLeavesRowsUnproven(t *testing.T) {
	j, _, s := postgresJob(t, false)
	s.sql(t, "CREATE TABLE IF NOT EXISTS held (id int)")
	conn, err := s.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(t.Context(), "BEGIN; INSERT INTO held VALUES (1)").ReadAll(); err != nil {
		t.Fatal(err)
	}
	c := run1(t, j)
	if !strings.Contains(c.Unsettled, "lock timeout") {
		t.Errorf("unsettled: %q", c.Unsettled)
	}
	if f := drillOf(t, j); f.Verdict != Unproven || !strings.Contains(f.Sentences[0], "could not be compared exactly") {
		t.Errorf("drill: %+v", f)
	}
}

// While a program makes its tables, a copy's record may be of another moment than its restore point: a table that differs then proves
// nothing. Of a copy that is settled the same is a breach, and a file that differs is one of either.
func TestUnsettledTablesAreUnproven(t *testing.T) {
	t.Parallel()
	record := map[string]Table{"main.public.kept": {Rows: 1, Checksum: "1"}, "main.public.gone": {Rows: 2, Checksum: "2"}, "main.public.other": {Rows: 3, Checksum: "3"}}
	restored := map[string]cluster.Table{"main.public.kept": {Rows: 4, Checksum: "4"}, "main.public.other": {Rows: 3, Checksum: "9"}, "main.public.new": {}}
	hold := func(unsettled string, faults ...string) Finding {
		d := &drill{job: Job{Name: "nightly"}}
		c := Copy{ID: "c1", Kind: Cluster, Tables: record, Unsettled: unsettled}
		d.differs(c, unpacked{faults: faults})
		d.compare(c, restored)
		d.judge()
		return d.finding
	}
	f := hold("a table of main was made meanwhile")
	if said := strings.Join(f.Sentences, "\n"); f.Verdict != Unproven || !strings.Contains(said, "`surety backup run nightly`") || !strings.Contains(said, "`surety backup drill nightly`") {
		t.Errorf("unsettled: %s: %s", f.Verdict, said)
	}
	if f := hold("a table of main was made meanwhile", "base/1 is missing"); f.Verdict != Breached || !strings.Contains(f.Sentences[0], "base/1 is missing") {
		t.Errorf("unsettled, with a file missing: %+v", f)
	}
	f = hold("")
	if f.Verdict != Breached || len(f.Sentences) != 4 || f.Sentences[0] != "table main.public.gone is not in the restored cluster" {
		t.Errorf("settled: %+v", f)
	}
}

// writing holds a transaction open that keeps writers from being held off, until end is called.
func (s *server) writing(t *testing.T) (end func()) {
	t.Helper()
	s.sql(t, "CREATE TABLE IF NOT EXISTS held (id int)")
	conn, err := s.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() { _ = conn.Close(context.Background()) })
	t.Cleanup(end)
	if _, err := conn.PgConn().Exec(t.Context(), "BEGIN; INSERT INTO held VALUES (1)").ReadAll(); err != nil {
		t.Fatal(err)
	}
	return end
}

// The newest copy whose rows can be proven outlives the pruning and is the one that is drilled; the files of a newer one are compared as well.
func TestDrillTakesTheNewestSettledCopy(t *testing.T) {
	j, client, s := postgresJob(t, false)
	j.Keep = Keep{}
	settled := run1(t, j)
	s.writing(t)
	run1(t, j)
	newest := run1(t, j)
	copies, err := List(t.Context(), j)
	if err != nil || len(copies) != 2 || copies[0].ID != newest.ID || copies[1].ID != settled.ID || newest.Unsettled == "" || settled.Unsettled != "" {
		t.Fatalf("%+v, %v", copies, err)
	}
	f := drillOf(t, j)
	said := strings.Join(f.Sentences, "\n")
	if f.Verdict != Met || f.Copy.ID != settled.ID || f.PassedOver == nil || f.PassedOver.ID != newest.ID || !strings.Contains(said, "the newest settled copy, "+settled.ID) {
		t.Errorf("drill: %+v", f)
	}
	t.Log(said)
	j.Every = time.Millisecond
	if f := drillOf(t, j); !strings.Contains(strings.Join(f.Sentences, "\n"), "could be compared row by row") {
		t.Errorf("with a settled copy that is too old: %+v", f)
	}
	j.Every = time.Hour
	for _, o := range keys(t, client, j.Repository.Bucket, "/repository/p") {
		if o.LastModified.After(newest.Taken.Add(-newest.Took)) {
			flip(t, client, j.Repository.Bucket, o.Key)
		}
	}
	if f := drillOf(t, j); f.Verdict != Breached {
		t.Errorf("with the newest copy's content damaged: %+v", f)
	}
}

// After a copy that is not settled the agent soon makes another, until one is; it gives up after a few, and goes on by its schedule.
func TestAgentCopiesAgainUntilSettled(t *testing.T) {
	j, _, s := postgresJob(t, false)
	end := s.writing(t)
	a := newAgent(complete(t, j))
	a.pause = 50 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	eventually(t, "a copy that is not settled", func() bool { n := a.Status().Newest; return n != nil && n.Unsettled != "" })
	end()
	eventually(t, "a copy that is settled", func() bool {
		s := a.Status()
		return s.Phase == Waiting && s.Newest.Unsettled == "" && time.Until(s.Next) > j.Every/2
	})
}

// A transaction that never ends has the agent copy a few times more, not for ever.
func TestAgentGivesUpOnSettling(t *testing.T) {
	j, _, s := postgresJob(t, false)
	s.writing(t)
	a := newAgent(complete(t, j))
	a.pause, a.tries = 50*time.Millisecond, 2
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	seen := map[string]bool{}
	eventually(t, "the agent gives up", func() bool {
		s := a.Status()
		if s.Newest != nil {
			seen[s.Newest.ID] = true
		}
		return s.Phase == Waiting && time.Until(s.Next) > j.Every/2
	})
	if len(seen) != 3 {
		t.Errorf("%d copies, want one and two more", len(seen))
	}
}

func TestUnsettledCopiesAreMadeAgainAFewTimes(t *testing.T) {
	t.Parallel()
	a := newAgent(Job{Every: 24 * time.Hour})
	c := Copy{Taken: time.Now(), Unsettled: "a table of main was made meanwhile"}
	for want := 30 * time.Second; a.again < resettlings; a.again++ {
		if wait := a.until(c, c.Taken); wait > want || wait < want-5*time.Second {
			t.Errorf("attempt %d after %s, want %s", a.again, wait, want)
		}
		want *= 2
	}
	if wait := a.until(c, c.Taken); wait < 22*time.Hour {
		t.Errorf("after the last attempt: %s", wait)
	}
	a = newAgent(Job{Every: 10 * time.Second})
	if wait := a.until(c, c.Taken); wait > 10*time.Second {
		t.Errorf("later than the schedule: %s", wait)
	}
}

// Some changes show in a snapshot at once. Each is noticed, so that what was summed up is not taken for what the restore point holds.
func TestAlteredTablesAreNoticed(t *testing.T) {
	j, _, s := postgresJob(t, false)
	b, err := cluster.Begin(t.Context(), complete(t, j).server(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close(t.Context())
	for change, noticed := range map[string]bool{"TRUNCATE shape; INSERT INTO shape VALUES (9)": true, "ALTER TABLE shape ADD COLUMN more int DEFAULT 7": true,
		"DROP TABLE shape": true, "INSERT INTO shape VALUES (2); DELETE FROM shape WHERE id = 1; VACUUM shape": false} {
		s.sql(t, "DROP TABLE IF EXISTS shape")
		s.sql(t, "CREATE TABLE shape AS SELECT 1 AS id")
		settled, err := b.Settle(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		for statement := range strings.SplitSeq(change, "; ") {
			s.sql(t, statement)
		}
		all, altered, err := settled.Tables(t.Context())
		settled.Close(t.Context())
		if err != nil || (altered != "") != noticed || settled.Unsettled != "" {
			t.Errorf("%s: altered %q, unsettled %q, %v", change, altered, settled.Unsettled, err)
		}
		if !noticed && all["postgres.public.shape"].Rows != 1 {
			t.Errorf("%s: %+v", change, all)
		}
	}
	s.sql(t, "DROP TABLE IF EXISTS shape")
}

// The log is archived as it is written. A restore goes to any moment since the copy; a segment that is missing or damaged is found.
func TestPointInTime(t *testing.T) {
	j, client, s := postgresJob(t, true)
	s.sql(t, "DROP TABLE IF EXISTS events; CREATE TABLE events (n int, filler text)")
	startAgent(t, j)
	var status Status
	look := func() bool {
		r, err := answer(t.Context(), "status", request(t, Request{Job: &j}), func(string) {})
		if err == nil {
			status = *r.Status
		}
		return err == nil
	}
	eventually(t, "a first copy at once", func() bool { return look() && status.Phase == Waiting && status.Newest != nil })
	insert := func(n string) time.Time {
		s.sql(t, "INSERT INTO events SELECT "+n+", repeat(md5(i::text), 40) FROM generate_series(1, 500) i")
		at := s.sql(t, "SELECT clock_timestamp()::timestamptz(6) AT TIME ZONE 'UTC'")
		when, err := time.Parse("2006-01-02 15:04:05.999999", at)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	one := insert("1")
	time.Sleep(10 * time.Millisecond)
	insert("2")
	s.sql(t, "SELECT pg_switch_wal()")
	three := insert("3")
	defer func() {
		if t.Failed() {
			t.Logf("%+v, archived %+v", status, status.Archive)
		}
	}()
	eventually(t, "all archived", func() bool { return look() && status.Archive != nil && status.Archive.Covered.After(three) })
	if status.Archive.Segments < 2 || status.Archive.Failure != "" {
		t.Errorf("archived %+v", status.Archive)
	}

	into := filepath.Join(temp(t), "r")
	r, err := Restore(t.Context(), j, "", one, into)
	if err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, s, into, "SELECT string_agg(DISTINCT n::text, ' ') FROM events"); got != "1" {
		t.Errorf("at the first moment: %q; %+v", got, r)
	}
	into = filepath.Join(temp(t), "r")
	if _, err = Restore(t.Context(), j, "", time.Time{}, into); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, s, into, "SELECT string_agg(DISTINCT n::text, ' ' ORDER BY n::text) FROM events"); got != "1 2 3" {
		t.Errorf("at the end: %q", got)
	}
	f := drillOf(t, j)
	if f.Verdict != Met || f.Figures.Segments < 3 || f.Figures.Lost > 30*time.Second {
		t.Errorf("drill: %+v", f)
	}
	t.Log(f.Sentences, f.Figures)

	// Neither is put again while the agent runs: both are whole segments that it has done with.
	var whole []minio.ObjectInfo
	for _, o := range keys(t, client, j.Repository.Bucket, "/wal/") {
		if len(filepath.Base(o.Key)) == 24 {
			whole = append(whole, o)
		}
	}
	target := whole[len(whole)-2].Key
	flip(t, client, j.Repository.Bucket, target)
	if _, err := Restore(t.Context(), j, "", time.Time{}, filepath.Join(temp(t), "r")); err == nil || !strings.Contains(err.Error(), "segment "+filepath.Base(target)+" of the archived log is damaged") {
		t.Errorf("with a segment damaged: %v", err)
	}
	remove(t, client, j.Repository.Bucket, target)
	wantBreach(t, j, "segment "+filepath.Base(target)+" of the archived log is missing")

	if err := Forget(t.Context(), j); err == nil {
		t.Error("the slot was dropped under a running receiver")
	}
}

// rowsOf starts a restored data directory as a server of its own, as it is, and asks it.
func rowsOf(t testing.TB, s *server, into, sql string) string {
	t.Helper()
	revived := s.Server
	revived.DataDir = filepath.Join(into, dataPart)
	if _, err := os.Stat(filepath.Join(revived.DataDir, "recovery.signal")); err == nil {
		t.Error("the restored cluster would recover again")
	}
	scratch, err := cluster.Revive(t.Context(), revived, "/nonexistent", cluster.Target{})
	if err != nil {
		t.Fatal(err)
	}
	defer scratch.Stop()
	conn, err := scratch.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return string(results[0].Rows[0][0])
}
