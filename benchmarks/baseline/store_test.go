package baseline

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"surety/benchmarks"
)

func record(name string, taken time.Time, values ...float64) Record {
	r := Record{Name: name, Taken: taken, Fingerprint: benchmarks.Fingerprint{"cpu": "one"}, Notes: map[string]string{"release": "7 <&>"}}
	s := Series{Quantity: Quantity{Name: "p95", Unit: "ms", Better: Lower, Requirements: []string{"servers.web.expects.p95"}}}
	for i, v := range values {
		s.Runs = append(s.Runs, Run{At: taken.Add(time.Duration(i) * time.Second), Value: v, Count: 100})
	}
	r.Series = []Series{s}
	return r
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func save(t *testing.T, s Store, r Record) string {
	t.Helper()
	id, err := s.Save(r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestStoreGivesBackWhatItGot(t *testing.T) {
	s := Open(filepath.Join(t.TempDir(), "made", "on", "demand"))
	if entries, damaged, err := s.List(); err != nil || len(entries)+len(damaged) > 0 {
		t.Fatalf("a folder that is not there holds %v, %v, %v", entries, damaged, err)
	}
	if _, err := s.Load("latest"); !errors.Is(err, ErrNone) {
		t.Fatalf("loading from nothing gives %v", err)
	}
	later, earlier := record("release 8", noon.Add(time.Hour), 11, 12.5), record("release 7", noon, 10, 1.0/3)
	second, first := save(t, s, later), save(t, s, earlier)
	if again := save(t, s, earlier); again != first {
		t.Errorf("the same record got IDs %s and %s", first, again)
	}
	entries, damaged, err := s.List()
	if err != nil || len(damaged) > 0 || len(entries) != 2 {
		t.Fatalf("list gives %v, %v, %v", entries, damaged, err)
	}
	if entries[0].ID != first || !reflect.DeepEqual(entries[0].Record, earlier) || !reflect.DeepEqual(entries[1].Record, later) {
		t.Errorf("list gives %+v", entries)
	}
	for reference, want := range map[string]string{"": second, "latest": second, "release 7": first, first: first, first[:16]: first} {
		if e, err := s.Load(reference); err != nil || e.ID != want {
			t.Errorf("load %q gives %q, %v; want %q", reference, e.ID, err, want)
		}
	}
	if _, err := s.Load("2026"); err == nil || !strings.Contains(err.Error(), "2 records begin so") {
		t.Errorf("an ambiguous reference gives %v", err)
	}
	if _, err := s.Load("nothing"); !errors.Is(err, ErrNone) {
		t.Errorf("an unknown reference gives %v", err)
	}
	if _, err := s.Save(Record{Name: "empty"}); err == nil {
		t.Error("an empty record was saved")
	}
}

// Every kind of damage is named, nothing damaged is used, and what is whole stays usable.
func TestStoreNamesDamage(t *testing.T) {
	damages := map[string]func(path string) error{
		"changed since it was saved": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(text), `"value": 11`, `"value": 10`, 1)), 0o644)
		},
		"not JSON": func(path string) error { return os.Truncate(path, 200) },
		"renamed": func(path string) error {
			return os.Rename(path, filepath.Join(filepath.Dir(path), "20270101T000000Z-0123456789ab.json"))
		},
		"form 2": func(path string) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(text), `"version": 1`, `"version": 2`, 1)), 0o644)
		},
		"not a record": func(path string) error {
			return os.Rename(path, strings.TrimSuffix(path, ".json")+".txt")
		},
	}
	for _, want := range slices.Sorted(maps.Keys(damages)) {
		t.Run(want, func(t *testing.T) {
			folder := t.TempDir()
			s := Open(folder)
			whole := save(t, s, record("whole", noon, 10))
			broken := save(t, s, record("broken", noon.Add(time.Hour), 11))
			if err := damages[want](filepath.Join(folder, broken+".json")); err != nil {
				t.Fatal(err)
			}
			entries, damaged, err := s.List()
			if err != nil || len(entries) != 1 || entries[0].ID != whole {
				t.Fatalf("list gives %v, %v", entries, err)
			}
			if len(damaged) != 1 || !strings.Contains(damaged[0].Why, want) {
				t.Errorf("damage is %+v, want one with %q", damaged, want)
			}
			if _, err := s.Load("latest"); err == nil {
				t.Error("the latest was given although a later one is damaged")
			}
			if e, err := s.Load(whole); err != nil || e.Record.Name != "whole" {
				t.Errorf("the whole one cannot be loaded: %v", err)
			}
		})
	}
}

// Saving again over a damaged file neither mends nor hides it.
func TestStoreNeverReplaces(t *testing.T) {
	folder := t.TempDir()
	s := Open(folder)
	r := record("one", noon, 10)
	path := filepath.Join(folder, save(t, s, r)+".json")
	if err := os.WriteFile(path, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Save(r); err == nil {
		t.Error("saving over a damaged file says nothing")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "damaged" {
		t.Errorf("the file was replaced: %q, %v", text, err)
	}
}

func TestStoreTakesManyAtOnce(t *testing.T) {
	s := Open(t.TempDir())
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, err := s.Save(record("same or not", noon, float64(i/2))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	entries, damaged, err := s.List()
	if err != nil || len(damaged) > 0 || len(entries) != 10 {
		t.Errorf("%d records, damaged %v, %v; want 10", len(entries), damaged, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.folder, ".part-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
