package releases

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"surety/internal/durable"
)

// Store keeps release records in a folder, one file each, never rewritten.
type Store struct{ dir string }

// NewStore gives the store in dir, which need not exist yet.
func NewStore(dir string) *Store { return &Store{dir} }

// ErrTampered says that the records are not the ones that were written.
var ErrTampered = errors.New("release records were changed after they were written")

// All reads every record, oldest first, and checks the chain. A record that was changed, dropped or put in between
// gives an error that wraps ErrTampered and names it; the records before it are returned.
func (s *Store) All() ([]Record, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var records []Record
	previous := ""
	for i, name := range names {
		record, err := s.read(name)
		if err != nil {
			return records, err
		}
		switch {
		case name != fileName(i+1) || record.Number != i+1:
			return records, fmt.Errorf("%s: release %d is missing: %w", s.dir, i+1, ErrTampered)
		case record.Previous != previous:
			return records, fmt.Errorf("%s: it does not follow the record before it: %w", filepath.Join(s.dir, name), ErrTampered)
		}
		previous = record.Hash
		records = append(records, record)
	}
	return records, nil
}

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
	records, err := s.All()
	if err != nil {
		return err
	}
	previous := ""
	if n := len(records); n > 0 {
		previous = records[n-1].Hash
	}
	r.Number = len(records) + 1
	text, err := r.encode(previous)
	if err != nil {
		return err
	}
	if err := durable.WriteNew(filepath.Join(s.dir, fileName(r.Number)), text); err != nil {
		return fmt.Errorf("keep release %d: %w", r.Number, err)
	}
	return nil
}

// names lists the record files in order.
func (s *Store) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read releases: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func (s *Store) read(name string) (Record, error) {
	path := filepath.Join(s.dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return Record{}, fmt.Errorf("read release: %w", err)
	}
	record, err := decode(text)
	if err != nil {
		return Record{}, fmt.Errorf("%s: %w: %w", path, ErrTampered, err)
	}
	return record, nil
}

func fileName(number int) string { return fmt.Sprintf("%04d.json", number) }
