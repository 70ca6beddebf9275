package consistency

import (
	"context"
	"testing"
	"time"
)

// database is a primary for tests that leave it as it was.
func database(t testing.TB, settings ...string) *server {
	t.Helper()
	s := newServer(t, "")
	if err := s.start(append(settings, "fsync=off")...); err != nil {
		t.Fatal(err)
	}
	return s
}

func runRows(t testing.TB, c Config, d Database) Result {
	t.Helper()
	c.Database = &d
	r, err := Rows(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAHealthyDatabaseRaisesNoAlarm(t *testing.T) {
	s := database(t)
	for seed := range *seeds {
		for i, level := range []string{"read committed", "repeatable read", "serializable"} {
			if seed%3 != uint64(i) {
				continue
			}
			r := runRows(t, quick(seed), Database{URL: s.url(), Isolation: level})
			if r.Verdict != Met {
				t.Errorf("seed %d, %s: rows: %s", seed, level, r.Verdict)
				show(t, r)
			} else if seed < 3 {
				show(t, r)
			}
		}
	}
}

// A standby that applies late, read as if it were the primary.
func TestALaggingStandbyReadAsIfCurrentIsFound(t *testing.T) {
	primary := database(t)
	lagging := primary.standby("recovery_min_apply_delay=150ms", "fsync=off")
	for seed := range *planted {
		for _, model := range []Model{Linearizable, ReadAfterWrite} {
			c := quick(seed)
			c.Model, c.Settle, c.Operations = model, 5*time.Second, 25
			r := runRows(t, c, Database{URL: primary.url(), ReadURL: lagging.url()})
			if r.Verdict != Breached || len(r.Parts[0].Anomalies) == 0 {
				t.Errorf("seed %d: reads of a standby 150 ms behind are %s as %s", seed, r.Verdict, model)
				show(t, r)
			} else if seed == 0 {
				show(t, r)
			}
		}
	}
	c := quick(1)
	c.Model, c.Settle = Eventual, 5*time.Second
	r := runRows(t, c, Database{URL: primary.url(), ReadURL: lagging.url()})
	if lag, _ := r.Figure("registers", "waited for agreement after the last write"); r.Verdict != Met || lag.Value < .1 {
		t.Errorf("%s as eventual, with a lag of %.3f s", r.Verdict, lag.Value)
		show(t, r)
	}
}

// A standby whose replay stands still never agrees, which even the weakest model forbids.
func TestAStandbyThatStandsStillIsFound(t *testing.T) {
	primary := database(t)
	still := primary.standby("fsync=off")
	c := quick(1)
	c.Model, c.Settle = Eventual, 700*time.Millisecond
	d := Database{URL: primary.url(), ReadURL: still.url()}
	if r := runRows(t, c, d); r.Verdict != Met {
		t.Errorf("before: %s", r.Verdict)
		show(t, r)
	}
	stop := time.AfterFunc(100*time.Millisecond, func() { _, _ = still.query("SELECT pg_wal_replay_pause()") })
	defer stop.Stop()
	r := runRows(t, c, d)
	if r.Verdict != Breached {
		t.Errorf("%s", r.Verdict)
	}
	show(t, r)
}

func runBank(t testing.TB, c Config, d Database) Result {
	t.Helper()
	c.Database = &d
	r, err := Bank(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTransfersKeepTheSum(t *testing.T) {
	s := database(t)
	for seed := range *seeds {
		for _, level := range []string{"repeatable read", "serializable"} {
			if r := runBank(t, quick(seed), Database{URL: s.url(), Isolation: level}); r.Verdict != Met {
				t.Errorf("seed %d, %s: %s", seed, level, r.Verdict)
				show(t, r)
			} else if seed == 0 {
				show(t, r)
			}
		}
	}
	// A standby is behind, but what it shows is of one moment.
	standby := s.standby("recovery_min_apply_delay=50ms", "fsync=off")
	if r := runBank(t, quick(1), Database{URL: s.url(), ReadURL: standby.url()}); r.Verdict != Met {
		t.Errorf("snapshots of a standby: %s", r.Verdict)
		show(t, r)
	}
}

// At "read committed" the transfers of this test do lose updates: PostgreSQL promises no more there.
func TestLostUpdatesAreFound(t *testing.T) {
	s := database(t)
	for seed := range *planted {
		r := runBank(t, quick(seed), Database{URL: s.url(), Isolation: "read committed"})
		if r.Verdict != Breached || len(r.Parts[0].Anomalies) == 0 {
			t.Errorf("seed %d: %s", seed, r.Verdict)
			show(t, r)
		} else if seed == 0 {
			show(t, r)
		}
	}
}
