package consistency

import (
	"context"
	"strings"
	"testing"
	"time"
)

// quick is a run of under a second on an idle machine.
func quick(seed uint64) Config {
	return Config{Seed: seed, Clients: 4, Keys: 3, Operations: 40, Timeout: 10 * time.Second, Settle: 300 * time.Millisecond}
}

func runObjects(t testing.TB, c Config, s Store) Result {
	t.Helper()
	c.Store = &s
	r, err := Objects(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAHealthyStoreRaisesNoAlarm(t *testing.T) {
	for seed := range *seeds {
		for _, model := range []Model{Linearizable, ReadAfterWrite, Eventual} {
			if model != Linearizable && seed%4 != 0 {
				continue
			}
			c := quick(seed)
			c.Model = model
			r := runObjects(t, c, realStore(t))
			if r.Verdict != Met {
				t.Errorf("seed %d, %s: %s", seed, model, r.Verdict)
				show(t, r)
			} else if seed == 0 {
				show(t, r)
			}
		}
	}
}

// A bucket with versions is as good, and the run leaves no version behind.
func TestABucketWithVersions(t *testing.T) {
	s := realStore(t)
	s.Bucket = versionedName
	for seed := range *planted {
		if r := runObjects(t, quick(seed), s); r.Verdict != Met {
			t.Errorf("seed %d: %s", seed, r.Verdict)
			show(t, r)
		}
	}
	b, err := openBucket(&s, 0, "", &tags{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.versioned.Store(true)
	if left, err := b.all(context.Background()); err != nil || len(left) > 0 {
		t.Errorf("%d versions are left, as %+v, %v", len(left), left[:min(len(left), 1)], err)
	}
}

// Lost answers leave outcomes unknown; they are no fault of the data.
func TestLostAnswersRaiseNoAlarm(t *testing.T) {
	for seed := range max(*seeds/2, 1) {
		fault := []string{hangsUp, drops}[seed%2]
		s, f := newFaultyStore(t, seed, fault, .08)
		r := runObjects(t, quick(seed), s)
		if part(t, r, "registers").Verdict != Met {
			t.Errorf("seed %d: a store that %s: %s", seed, fault, r.Verdict)
			show(t, r)
		}
		if got, _ := r.Figure("registers", "writes without an answer"); got.Value == 0 || f.planted.Load() == 0 {
			t.Errorf("seed %d: no answer was lost", seed)
		}
	}
}

// Each planted fault is found with every seed, in the part that looks for it, and by few operations.
func TestPlantedFaultsOfAStoreAreFound(t *testing.T) {
	for _, fault := range []struct {
		name  string
		model Model
		parts []string
		share float64
	}{
		{staleRead, Linearizable, []string{"registers"}, .2},
		{staleRead, ReadAfterWrite, []string{"registers"}, .5},
		{lostWrite, Linearizable, []string{"registers", "read-back"}, .2},
		{lostWrite, Eventual, []string{"read-back"}, .2},
		{reordered, Linearizable, []string{"registers"}, .3},
		{lateList, Linearizable, []string{"listing"}, .6},
		{lateList, ReadAfterWrite, []string{"listing"}, .6},
		{flipsBit, Linearizable, []string{"read-back"}, .3},
	} {
		t.Run(strings.ReplaceAll(fault.name+" "+string(fault.model), " ", "_"), func(t *testing.T) {
			operations, shown := 0, 0
			for seed := range *planted {
				s, f := newFaultyStore(t, seed, fault.name, fault.share)
				c := quick(seed)
				if c.Model = fault.model; fault.name == lateList {
					c.Operations = 80 // an old listing shows nothing when nothing had changed: enough of them, for one that does
				}
				r := runObjects(t, c, s)
				if seed == 0 {
					show(t, r)
				}
				for _, name := range fault.parts {
					p := part(t, r, name)
					if p.Verdict != Breached || r.Verdict != Breached || len(p.Anomalies) == 0 || p.Anomalies[0].Text == "" {
						t.Errorf("seed %d: %s is %s although the fault was planted %d times", seed, name, p.Verdict, f.planted.Load())
						show(t, r)
					}
					for _, a := range p.Anomalies {
						if a.History != nil {
							operations, shown = operations+len(a.History.Operations), shown+1
						}
					}
				}
			}
			if shown > 0 {
				if mean := float64(operations) / float64(shown); mean > 6 {
					t.Errorf("an anomaly is %.1f operations long on average", mean)
				} else {
					t.Logf("%d anomalies, %.1f operations each on average", shown, mean)
				}
			}
		})
	}
}

// A weaker promise is not held to the stronger one.
func TestAWeakerModelAllowsMore(t *testing.T) {
	s, _ := newFaultyStore(t, 1, lateList, .3)
	c := quick(1)
	c.Model = Eventual
	if p := part(t, runObjects(t, c, s), "listing"); p.Verdict != Met {
		t.Errorf("a listing that is late now and then is %s as eventual: %s", p.Verdict, p.Says)
	}
}

func TestAStoreThatAnswersNothingIsUnproven(t *testing.T) {
	s := realStore(t)
	s.SecretKey = "wrong"
	r := runObjects(t, quick(1), s)
	if r.Verdict != Unproven {
		t.Errorf("%s", r.Verdict)
	}
	for _, p := range r.Parts {
		if p.Verdict != Unproven || !strings.Contains(p.Says, "last error") && !strings.Contains(p.Says, "failed") {
			t.Errorf("%s: %s: %s", p.Name, p.Verdict, p.Says)
		}
	}
}

// A store that keeps metadata in files of their own changes an object's content and its entity tag one after the other; it lets nobody see
// that. The store's own tests show what it is without.
func TestMetadataInSideFiles(t *testing.T) {
	d := newDisk(t) // ext4 without large attributes
	beside := gateway{at: d.at}
	defer beside.stop()
	if err := beside.start(); err != nil {
		t.Fatal(err)
	}
	for seed := range *seeds {
		for _, bucket := range []string{bucketName, versionedName} {
			s, c := beside.store(), quick(seed)
			s.Bucket, c.Keys = bucket, 1 // all on one key
			if r := runObjects(t, c, s); r.Verdict != Met {
				t.Errorf("seed %d, bucket %s: %s", seed, bucket, r.Verdict)
				show(t, r)
			}
		}
	}
}
