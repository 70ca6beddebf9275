package baseline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	version   = 1
	extension = ".json"
	maxSize   = 64 << 20 // bytes of a record's file; a larger one is not ours
)

// envelope is a record's file: the record, and the SHA-256 of its compact JSON.
type envelope struct {
	Version int             `json:"version"`
	Digest  string          `json:"sha256"`
	Record  json.RawMessage `json:"record"`
}

// Store is a folder of records, one file each. Files are added and never changed. Two processes may save at the same time.
type Store struct{ folder string }

// Open gives the store in a folder, which Save makes when it is not there.
func Open(folder string) Store { return Store{folder} }

// Entry is a record as listed; its ID is its file's name without the extension.
type Entry struct {
	ID     string `json:"id"`
	Record Record `json:"record"`
}

// Damaged names a file that cannot be trusted, and why.
type Damaged struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// ErrNone says that nothing was found by the reference.
var ErrNone = errors.New("no such baseline")

// Save adds a record and gives its ID: the time it was taken in UTC and the beginning of its digest. Saving the same record again
// changes nothing. After a nil error the record is on disk, through a loss of power.
func (s Store) Save(r Record) (string, error) {
	if len(r.Series) == 0 || r.Taken.IsZero() {
		return "", fmt.Errorf("save baseline %q: it has no run", r.Name)
	}
	inner, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("save baseline %q: %w", r.Name, err)
	}
	sum := digest(inner)
	text, err := json.MarshalIndent(envelope{version, sum, inner}, "", " ")
	if err != nil {
		return "", fmt.Errorf("save baseline %q: %w", r.Name, err)
	}
	id := r.Taken.UTC().Format("20060102T150405Z") + "-" + sum[:12]
	if err := s.write(id, append(text, '\n')); err != nil {
		return "", fmt.Errorf("save baseline %q: %w", r.Name, err)
	}
	return id, nil
}

// write makes the file appear whole or not at all, and never in place of another: a link fails where a rename would replace.
func (s Store) write(id string, text []byte) error {
	if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return err
	}
	part, err := os.CreateTemp(s.folder, ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(text)
	if err == nil {
		err = part.Chmod(0o644)
	}
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err != nil {
		return err
	}
	err = os.Link(part.Name(), filepath.Join(s.folder, id+extension))
	if errors.Is(err, fs.ErrExist) {
		_, err = s.read(id) // the same content, or a damaged file that stays for the eye
	}
	if err != nil {
		return err
	}
	folder, err := os.Open(s.folder)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// read loads one file and checks its digest and its name.
func (s Store) read(id string) (Record, error) {
	path := filepath.Join(s.folder, id+extension)
	if info, err := os.Stat(path); err != nil {
		return Record{}, err
	} else if info.Size() > maxSize {
		return Record{}, fmt.Errorf("read baseline %s: %d bytes are too many", path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Record{}, err
	}
	var e envelope
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		return Record{}, fmt.Errorf("read baseline %s: not JSON of a record: %w", path, err)
	}
	var inner bytes.Buffer
	if err := json.Compact(&inner, e.Record); err != nil {
		return Record{}, fmt.Errorf("read baseline %s: %w", path, err)
	}
	sum := digest(inner.Bytes())
	switch {
	case e.Version != version:
		return Record{}, fmt.Errorf("read baseline %s: form %d is not known; this program reads %d", path, e.Version, version)
	case sum != e.Digest:
		return Record{}, fmt.Errorf("read baseline %s: changed since it was saved: its digest is %.12s, recorded is %.12s", path, sum, e.Digest)
	case !strings.HasSuffix(id, "-"+sum[:12]):
		return Record{}, fmt.Errorf("read baseline %s: the file was renamed: its digest begins with %.12s", path, sum)
	}
	var r Record
	if err := json.Unmarshal(e.Record, &r); err != nil {
		return Record{}, fmt.Errorf("read baseline %s: %w", path, err)
	}
	return r, nil
}

// List gives all records by the time they were taken, oldest first, and what is in the folder and cannot be trusted. A folder that
// is not there holds nothing.
func (s Store) List() ([]Entry, []Damaged, error) {
	files, err := os.ReadDir(s.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, fmt.Errorf("list baselines: %w", err)
	}
	var entries []Entry
	var damaged []Damaged
	for _, f := range files {
		id, ok := strings.CutSuffix(f.Name(), extension)
		if strings.HasPrefix(id, ".") || f.IsDir() {
			continue
		}
		if !ok {
			damaged = append(damaged, Damaged{f.Name(), "not a record: its name does not end in " + extension})
			continue
		}
		r, err := s.read(id)
		if err != nil {
			damaged = append(damaged, Damaged{f.Name(), err.Error()})
			continue
		}
		entries = append(entries, Entry{id, r})
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return a.Record.Taken.Compare(b.Record.Taken) })
	return entries, damaged, nil
}

// Load finds a record by its ID, the unambiguous beginning of one, its name (the latest that bears it), or "latest" (or nothing)
// for the latest of all. A damaged file that the reference names is an error, and so is one that may be the later record meant.
func (s Store) Load(reference string) (Entry, error) {
	entries, damaged, err := s.List()
	if err != nil {
		return Entry{}, err
	}
	var found []Entry
	for _, e := range slices.Backward(entries) {
		switch {
		case e.ID == reference:
			return e, nil
		case reference == "" || reference == "latest" || e.Record.Name == reference:
			for _, d := range damaged {
				if d.File > e.ID+extension {
					return Entry{}, fmt.Errorf("load baseline %q: a later one is damaged: %s", reference, d.Why)
				}
			}
			return e, nil
		case strings.HasPrefix(e.ID, reference):
			found = append(found, e)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) > 1 {
		return Entry{}, fmt.Errorf("load baseline %q: %d records begin so, as %s and %s", reference, len(found), found[0].ID, found[1].ID)
	}
	for _, d := range damaged {
		if strings.HasPrefix(d.File, reference) {
			return Entry{}, errors.New(d.Why)
		}
	}
	return Entry{}, fmt.Errorf("load baseline %q from %s: %w", reference, s.folder, ErrNone)
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
