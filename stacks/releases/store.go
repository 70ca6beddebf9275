package releases

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Store keeps release records in a folder, one file each, never rewritten, and beside it what was measured of releases later on.
type Store struct {
	records  chain[Record]
	evidence chain[Evidence]
}

// NewStore gives the store in dir, which need not exist yet. Evidence is kept in dir + "-evidence".
func NewStore(dir string) *Store {
	return &Store{
		chain[Record]{dir: dir, kind: "release", head: func(r *Record) *head { return &r.head },
			form: func(r *Record) ([]byte, error) { return json.MarshalIndent(r, "", " ") }},
		chain[Evidence]{dir: dir + evidenceSuffix, kind: "evidence", head: func(e *Evidence) *head { return &e.head },
			form: func(e *Evidence) ([]byte, error) { return json.Marshal(e) }},
	}
}

// ErrTampered says that the records are not the ones that were written.
var ErrTampered = errors.New("release records were changed after they were written")

// All reads every record, oldest first, and checks the chain. A record that was changed, dropped or put in between
// gives an error that wraps ErrTampered and names it; the records before it are returned.
func (s *Store) All() ([]Record, error) { return s.records.all() }

// Current gives the release that serves: the newest kept one since the environment was last destroyed; nil when there is none.
func Current(records []Record) *Record {
	for _, r := range slices.Backward(records) {
		switch r.State {
		case Destroyed:
			return nil
		case Kept:
			return &r
		}
	}
	return nil
}

// Before gives the last kept release before the given one, since the environment was last destroyed; nil when there is none.
func Before(records []Record, r *Record) *Record { return Current(records[:r.Number-1]) }

// Append gives the record its number and place in the chain and writes it durably. Of two writers at once, one gets an error.
func (s *Store) Append(r *Record) error {
	records, err := s.records.all()
	if err != nil {
		return err
	}
	evidence, err := s.evidence.all()
	if err != nil {
		return err
	}
	if n := len(evidence); n > 0 {
		r.Evidence = evidence[n-1].Hash
	}
	return s.records.add(records, r)
}

// Keep gives a piece of evidence its number and place in the chain and writes it durably. Writers at once follow one another.
func (s *Store) Keep(e *Evidence) error {
	if e.ReleaseHash == "" {
		return errors.New("keep evidence: it names no release")
	}
	const most = 100 // writers before us at the same moment
	for attempt := 1; ; attempt++ {
		kept, err := s.evidence.all()
		if err != nil {
			return err
		}
		if err := s.evidence.add(kept, e); !errors.Is(err, fs.ErrExist) || attempt == most {
			return err
		}
	}
}

// AllEvidence reads every piece of evidence, oldest first, and checks that none was changed, dropped or put in between since: by
// its own chain, and by the records of releases, each of which names the newest evidence of its time. An error wraps ErrTampered and names the file.
func (s *Store) AllEvidence(records []Record) ([]Evidence, error) {
	kept, err := s.evidence.all()
	if err != nil {
		return kept, err
	}
	known := map[string]bool{"": true}
	for _, e := range kept {
		known[e.Hash] = true
	}
	for _, r := range records {
		if !known[r.Evidence] {
			return kept, fmt.Errorf("%s: evidence that release %d names is missing: %w", s.evidence.dir, r.Number, ErrTampered)
		}
	}
	for _, e := range kept {
		if e.Release < 1 || e.Release > len(records) || records[e.Release-1].Hash != e.ReleaseHash {
			return kept, fmt.Errorf("%s: evidence %d is of a release %d that is not in the records: %w", s.evidence.dir, e.Number, e.Release, ErrTampered)
		}
	}
	return kept, nil
}

// EvidenceOf reads what was measured of a release since it was made, oldest first, with the checks of AllEvidence.
func (s *Store) EvidenceOf(records []Record, r *Record) ([]Evidence, error) {
	kept, err := s.AllEvidence(records)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(kept, func(e Evidence) bool { return e.ReleaseHash != r.Hash }), nil
}
