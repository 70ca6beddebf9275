package releases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// measure keeps one piece of evidence of a release.
func measure(t *testing.T, s *Store, release int, cause string) {
	t.Helper()
	records, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	e := Evidence{Release: release, ReleaseHash: records[release-1].Hash, Made: time.Unix(int64(release), 0).UTC(), Cause: cause, By: "a@b",
		Results: json.RawMessage(`[{"check": "load/web", "state": "pass", "hash": ""}]`), Details: json.RawMessage(`[{"at":"now"}]`)}
	if err := s.Keep(&e); err != nil {
		t.Fatal(err)
	}
}

func evidenceOf(t *testing.T, s *Store, release int) ([]Evidence, error) {
	t.Helper()
	records, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	return s.EvidenceOf(records, &records[release-1])
}

func TestEvidenceBelongsToItsRelease(t *testing.T) {
	s := NewStore(filepath.Join(t.TempDir(), "releases"))
	keep(t, s, Kept, Kept)
	measure(t, s, 1, "verify")
	measure(t, s, 2, "verify --suite load")
	measure(t, s, 1, "backup drill")
	for release, want := range map[int]string{1: "verify backup drill", 2: "verify --suite load"} {
		kept, err := evidenceOf(t, s, release)
		if err != nil {
			t.Fatal(err)
		}
		var causes []string
		for _, e := range kept {
			causes = append(causes, e.Cause)
			if !strings.Contains(string(e.Results), "load/web") || e.Release != release {
				t.Errorf("evidence came back as %+v", e)
			}
		}
		if strings.Join(causes, " ") != want {
			t.Errorf("release %d has evidence %q, want %q", release, causes, want)
		}
	}
	if err := s.Keep(&Evidence{Cause: "verify"}); err == nil {
		t.Error("evidence of nothing was kept")
	}
}

// Every single byte of evidence matters, as of records: changing any one of them must be noticed and the file named.
func TestTamperedEvidenceIsNoticed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "releases")
	s := NewStore(dir)
	keep(t, s, Kept)
	measure(t, s, 1, "verify")
	measure(t, s, 1, "verify")
	path := filepath.Join(dir+"-evidence", "0001.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		changed := bytes.Clone(text)
		changed[i] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := evidenceOf(t, s, 1); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "0001.json") {
			t.Fatalf("byte %d (%q → %q): got error %v", i, text[i], changed[i], err)
		}
	}
}

// A breach found later must not be made to vanish by deleting its file: not from the middle, and not from the end either once
// another release has named it.
func TestDroppedEvidenceIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		drop string
		says string
	}{"middle": {"0001.json", "evidence 1 is missing"}, "end": {"0002.json", "evidence that release 2 names is missing"}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "releases")
			s := NewStore(dir)
			keep(t, s, Kept)
			measure(t, s, 1, "verify")
			measure(t, s, 1, "verify")
			keep(t, s, Kept)
			if _, err := evidenceOf(t, s, 1); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(dir+"-evidence", c.drop)); err != nil {
				t.Fatal(err)
			}
			if _, err := evidenceOf(t, s, 1); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got error %v", err)
			}
		})
	}
}

// Evidence of a record that was replaced by another one is evidence of nothing.
func TestEvidenceOfAnotherRecordIsNoticed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "releases")
	s := NewStore(dir)
	keep(t, s, Kept)
	measure(t, s, 1, "verify")
	if err := os.Remove(filepath.Join(dir, "0001.json")); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(&Record{Cause: "another", State: Kept}); err != nil {
		t.Fatal(err)
	}
	if _, err := evidenceOf(t, s, 1); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "evidence 1 is of a release 1 that is not in the records") {
		t.Errorf("got error %v", err)
	}
}

// Commands that measure at the same time wait for one another: none of what they found is lost.
func TestConcurrentEvidenceIsAllKept(t *testing.T) {
	s := NewStore(filepath.Join(t.TempDir(), "releases"))
	keep(t, s, Kept)
	records, err := s.All()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := s.Keep(&Evidence{Release: 1, ReleaseHash: records[0].Hash, Cause: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	kept, err := s.EvidenceOf(records, &records[0])
	if err != nil || len(kept) != 8 {
		t.Errorf("%d pieces of evidence after 8 writes: %v", len(kept), err)
	}
}

// A record as an earlier version wrote it, without the place of evidence, is still whole.
func TestRecordOfAnEarlierVersionIsWhole(t *testing.T) {
	dir := t.TempDir()
	text := []byte("{\n \"hash\": \"\",\n \"previous\": \"\",\n \"number\": 1,\n \"cause\": \"up\",\n \"state\": \"kept\"\n}\n")
	whole := bytes.Replace(text, []byte(`"hash": ""`), []byte(`"hash": "`+digest(text)+`"`), 1)
	if err := os.WriteFile(filepath.Join(dir, "0001.json"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := NewStore(dir).All()
	if err != nil || len(records) != 1 || records[0].Cause != "up" {
		t.Errorf("%+v, %v", records, err)
	}
}
