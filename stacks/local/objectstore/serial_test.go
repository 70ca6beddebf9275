package objectstore

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/versity/versitygw/backend"

	"surety/benchmarks/consistency"
	"surety/benchmarks/consistency/history"
)

// bare is versitygw's backend without our locks.
func bare(s *serial) backend.Backend { return s.Posix }
func ours(s *serial) backend.Backend { return s }

// wrong plays one history and says what is wrong with it: nothing, when all operations ended well, each key was a register, and each read
// had its data's entity tag.
func wrong(t testing.TB, w way, seed uint64, of func(*serial) backend.Backend) (wrongs []string) {
	t.Helper()
	ctx, p := context.Background(), alone(t, w, of)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // the kernel interrupts operations where Go would not
	var all sync.WaitGroup
	for client := range 6 {
		all.Go(func() { p.play(ctx, seed, client, 40) })
	}
	all.Wait()
	for _, key := range []string{"d/k0", "d/k1"} {
		p.do(history.Operation{Key: key, Kind: history.Read}, func() (string, error) { return p.get(ctx, key) })
		if !w.versions {
			continue
		}
		lost, err := p.lost(ctx, key)
		if err != nil {
			t.Error(err)
		}
		for _, l := range lost {
			wrongs = append(wrongs, "lost: "+l)
		}
	}
	for key, ops := range history.ByKey(p.ops) {
		switch v := history.Linearizable(ops, 5*time.Second); v {
		case history.Violated:
			text := key // when there is no time to reduce it
			if a := history.Explain(ops, time.Second); a != nil {
				text = a.Text()
			}
			wrongs = append(wrongs, "history: "+text)
		case history.Undecided:
			t.Logf("seed %d: key %s is undecided", seed, key)
		}
	}
	for _, torn := range p.torn {
		wrongs = append(wrongs, "torn: "+torn)
	}
	for _, err := range p.failed {
		wrongs = append(wrongs, "failed: "+err.Error())
	}
	if s, ok := p.Backend.(*serial); ok && len(s.locks.keys) > 0 {
		wrongs = append(wrongs, "locks are left")
	}
	return wrongs
}

// How many histories find a fault of the bare backend with more than 99 % in each way, by what share of single ones did on two busy
// processors (docs/measurement.md).
var enough = map[way]uint64{{false, false}: 18, {false, true}: 12, {true, false}: 5, {true, true}: 3}

func TestAKeyIsARegister(t *testing.T) {
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			for seed := range enough[w] {
				for _, x := range wrong(t, w, seed, ours) {
					t.Errorf("seed %d: %s", seed, x)
				}
			}
		})
	}
}

// campaignRuns is how many histories of each kind a campaign plays.
const campaignRuns = 100

// needsQuiet skips what takes minutes.
func needsQuiet(t *testing.T) {
	t.Helper()
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs minutes on a machine that does nothing else: set SURETY_MEASURE=1")
	}
}

// The campaign counts histories with a fault, of the bare backend and of ours.
func TestCampaignInProcess(t *testing.T) {
	needsQuiet(t)
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			before, after, kinds := 0, 0, map[string]int{}
			for seed := range uint64(campaignRuns) {
				seen := map[string]bool{}
				for _, x := range wrong(t, w, seed, bare) {
					kind, _, _ := strings.Cut(x, ":")
					seen[kind] = true
				}
				for kind := range seen {
					kinds[kind]++
				}
				if len(seen) > 0 {
					before++
				}
				if found := wrong(t, w, seed, ours); len(found) > 0 {
					after++
					t.Errorf("seed %d: %s", seed, found[0])
				}
			}
			t.Logf("%s: of %d histories, %d had a fault before (%v), %d have one now", w, campaignRuns, before, kinds, after)
		})
	}
}

// unanswered are operations that say nothing of consistency: one of them is a put whose folder is just being removed.
var unanswered = []string{"writes without an answer", "reads without an answer", "operations refused"}

// The same as a client sees it, with the check that verify runs.
func TestCampaignOverHTTP(t *testing.T) {
	needsQuiet(t)
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			before, after := overHTTP(t, w, true), overHTTP(t, w, false)
			breached, without := 0, map[string]int{}
			for seed := range uint64(campaignRuns) {
				before.Seed, after.Seed = seed, seed
				if r, err := consistency.Objects(t.Context(), before); err != nil {
					t.Fatal(err)
				} else if r.Verdict == consistency.Breached {
					breached++
				}
				r, err := consistency.Objects(t.Context(), after)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range r.Parts {
					if p.Verdict != consistency.Met {
						t.Errorf("seed %d: %s is %s: %s", seed, p.Name, p.Verdict, p.Says)
					}
				}
				for _, none := range unanswered {
					f, _ := r.Figure("registers", none)
					without[none] += int(f.Value)
				}
			}
			t.Logf("%s: of %d runs, %d were breached before; now %v of some %d operations", w, campaignRuns, breached, without, campaignRuns*after.Clients*after.Operations)
		})
	}
}

// overHTTP gives what consistency.Objects is to run on a store in a process of its own, all on one key, on a disk as the local cloud's
// hosts have them, or as is usual.
func overHTTP(t *testing.T, w way, bare bool) consistency.Config {
	t.Helper()
	s := newStore(t)
	disk := "ext4 -O ^has_journal,ea_inode"
	if w.files {
		disk = "ext4"
	}
	s.bare, s.conf.DataDir = bare, filepath.Join(mount(t, disk), "store")
	t.Cleanup(func() { s.kill(syscall.SIGTERM) })
	a := s.start()
	if err := a.EnsureBucket(context.Background(), bucket, w.versions, nil); err != nil {
		t.Fatal(err)
	}
	return consistency.Config{Clients: 6, Keys: 1, Operations: 60, Timeout: 10 * time.Second, Settle: 100 * time.Millisecond, Check: 10 * time.Second,
		Store: &consistency.Store{Endpoints: []string{a.Endpoint}, Bucket: bucket, AccessKey: a.AccessKey, SecretKey: a.SecretKey, Objects: 8, MaxSize: 64 << 10}}
}
