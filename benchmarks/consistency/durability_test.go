package consistency

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

func runDurability(t testing.TB, seed uint64, d Database, fault func(context.Context) error) Result {
	t.Helper()
	d.Before, d.After = 300*time.Millisecond, 200*time.Millisecond
	d.Revive = 20 * time.Second
	r, err := Durability(context.Background(), Config{Seed: seed, Clients: 3, Timeout: 3 * time.Second, Database: &d}, fault)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func figure(t testing.TB, r Result, name string) float64 {
	t.Helper()
	f, ok := r.Figure("durability", name)
	if !ok {
		t.Fatalf("no figure %q: %+v", name, r)
	}
	return f.Value
}

func TestAPowerCutWithoutFsyncLosesAcknowledgedRows(t *testing.T) {
	for seed := range *slow {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, cut := powerCut(t, "off")
			r := runDurability(t, seed, Database{URL: s.url()}, cut)
			show(t, r)
			if r.Verdict != Breached || figure(t, r, "acknowledged rows lost") == 0 || figure(t, r, "measured RPO") <= 0 {
				t.Errorf("%s", r.Verdict)
			}
			if !strings.Contains(r.Parts[0].Anomalies[0].Text, "ACKNOWLEDGED AND MISSING") {
				t.Error("the missing rows are not shown")
			}
		})
	}
}

func TestAPowerCutWithFsyncLosesNothing(t *testing.T) {
	for seed := range *slow {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s, cut := powerCut(t, "on")
			r := runDurability(t, seed, Database{URL: s.url()}, cut)
			show(t, r)
			if r.Verdict != Met || figure(t, r, "acknowledged rows lost") != 0 {
				t.Errorf("%s", r.Verdict)
			}
		})
	}
}

// The end of the processes alone loses nothing even without fsync; it would prove nothing about durability.
func TestAKillIsNoPowerCut(t *testing.T) {
	s := database(t)
	r := runDurability(t, 1, Database{URL: s.url()}, func(context.Context) error {
		s.kill()
		return s.start("fsync=off")
	})
	show(t, r)
	if r.Verdict != Met || figure(t, r, "longest time without an acknowledgement") < .02 {
		t.Errorf("%s", r.Verdict)
	}
}

func TestPromotionOfASynchronousStandbyLosesNothing(t *testing.T) {
	for seed := range *slow {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			primary := database(t)
			standby := primary.standby("fsync=off")
			primary.must("ALTER SYSTEM SET synchronous_standby_names = '*'")
			primary.must("SELECT pg_reload_conf()")
			if err := primary.eventually("SELECT sync_state FROM pg_stat_replication", "sync"); err != nil {
				t.Fatal(err)
			}
			r := runDurability(t, seed, Database{URL: bothURL(primary, standby)}, func(context.Context) error {
				primary.kill()
				_, err := standby.query("SELECT pg_promote()")
				return err
			})
			show(t, r)
			if r.Verdict != Met || figure(t, r, "rows acknowledged") < 10 {
				t.Errorf("%s", r.Verdict)
			}
		})
	}
}

// A standby that had stopped receiving before the primary died: what it lacks is lost, and measured.
func TestPromotionOfAStandbyThatWasCutOffLosesRows(t *testing.T) {
	for seed := range *slow {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			primary := database(t)
			standby := primary.standby("fsync=off")
			const behind = 250 * time.Millisecond
			fault := func(context.Context) error {
				for _, q := range []string{"ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'", "SELECT pg_reload_conf()"} {
					if _, err := standby.query(q); err != nil {
						return err
					}
				}
				if err := primary.eventually("SELECT count(*) FROM pg_stat_replication", "0"); err != nil {
					return err
				}
				time.Sleep(behind)
				primary.kill()
				_, err := standby.query("SELECT pg_promote()")
				return err
			}
			r := runDurability(t, seed, Database{URL: bothURL(primary, standby)}, fault)
			show(t, r)
			rpo := figure(t, r, "measured RPO")
			if r.Verdict != Breached || figure(t, r, "acknowledged rows lost") == 0 || rpo < (behind/2).Seconds() || rpo > 5 {
				t.Errorf("%s, RPO %.3f s", r.Verdict, rpo)
			}
		})
	}
}

// A loss within what is allowed is measured and met.
func TestALossWithinTheAllowedRPO(t *testing.T) {
	primary := database(t)
	standby := primary.standby("fsync=off")
	r := runDurability(t, 1, Database{URL: bothURL(primary, standby), RPO: time.Minute}, func(context.Context) error {
		for _, q := range []string{"ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'", "SELECT pg_reload_conf()"} {
			if _, err := standby.query(q); err != nil {
				return err
			}
		}
		if err := primary.eventually("SELECT count(*) FROM pg_stat_replication", "0"); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
		primary.kill()
		_, err := standby.query("SELECT pg_promote()")
		return err
	})
	if r.Verdict != Met || figure(t, r, "acknowledged rows lost") == 0 || len(r.Parts[0].Anomalies) == 0 {
		t.Errorf("%s", r.Verdict)
		show(t, r)
	}
}

func TestAServerThatStaysAwayIsUnproven(t *testing.T) {
	s := database(t)
	d := Database{URL: s.url(), Before: 200 * time.Millisecond, Revive: 300 * time.Millisecond}
	r, err := Durability(context.Background(), Config{Clients: 2, Timeout: time.Second, Database: &d}, func(context.Context) error {
		s.kill()
		return nil
	})
	if err != nil || r.Verdict != Unproven {
		t.Errorf("%s, %v", r.Verdict, err)
	}
}
