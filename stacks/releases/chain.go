package releases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"surety/internal/durable"
)

// chain keeps entries of one kind in a folder, one file each, never rewritten. Each entry holds the hash of the one before.
type chain[T any] struct {
	dir  string
	kind string               // in messages, as "release"
	head func(entry *T) *head // where an entry has its place in the chain
	form func(entry *T) ([]byte, error)
}

// head is an entry's place in its chain.
type head struct {
	Hash     string `json:"hash"`     // SHA-256 over the text of the entry with an empty hash; first, so that it is found first
	Previous string `json:"previous"` // hash of the entry before; empty for the first
	Number   int    `json:"number"`   // counts from 1, without gaps
}

// all reads every entry, oldest first, and checks the chain. An entry that was changed, dropped or put in between gives an error
// that wraps ErrTampered and names it; the entries before it are returned.
func (c chain[T]) all() ([]T, error) {
	names, err := c.names()
	if err != nil {
		return nil, err
	}
	var entries []T
	previous := ""
	for i, name := range names {
		entry, err := c.read(name)
		if err != nil {
			return entries, err
		}
		at := c.head(&entry)
		switch {
		case name != fileName(i+1) || at.Number != i+1:
			return entries, fmt.Errorf("%s: %s %d is missing: %w", c.dir, c.kind, i+1, ErrTampered)
		case at.Previous != previous:
			return entries, fmt.Errorf("%s: it does not follow the %s before it: %w", filepath.Join(c.dir, name), c.kind, ErrTampered)
		}
		previous = at.Hash
		entries = append(entries, entry)
	}
	return entries, nil
}

// add gives an entry its number and place after the given ones and writes it durably. Of two writers at once, one gets fs.ErrExist.
func (c chain[T]) add(before []T, entry *T) error {
	at := c.head(entry)
	*at = head{Number: len(before) + 1}
	if n := len(before); n > 0 {
		at.Previous = c.head(&before[n-1]).Hash
	}
	text, err := c.form(entry)
	if err != nil {
		return fmt.Errorf("encode %s %d: %w", c.kind, at.Number, err)
	}
	text = append(text, '\n')
	at.Hash = digest(text)
	text, err = withHash(text, "", at.Hash)
	if err != nil {
		return fmt.Errorf("encode %s %d: %w", c.kind, at.Number, err)
	}
	if err := durable.WriteNew(filepath.Join(c.dir, fileName(at.Number)), text); err != nil {
		return fmt.Errorf("keep %s %d: %w", c.kind, at.Number, err)
	}
	return nil
}

// read reads an entry and checks that its text is, to the byte, the one that was written. The text counts and not its meaning,
// so that a later version of this tool, which knows more fields, still finds old entries whole.
func (c chain[T]) read(name string) (T, error) {
	var entry T
	path := filepath.Join(c.dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return entry, fmt.Errorf("read %s: %w", c.kind, err)
	}
	if err := json.Unmarshal(text, &entry); err != nil {
		return entry, fmt.Errorf("%s: %w: %w", path, ErrTampered, err)
	}
	hash := c.head(&entry).Hash
	bare, err := withHash(text, hash, "")
	if err != nil || hash == "" || digest(bare) != hash {
		return entry, fmt.Errorf("%s: %w: its content does not match its hash", path, ErrTampered)
	}
	return entry, nil
}

// names lists the entries' files in order.
func (c chain[T]) names() ([]string, error) {
	entries, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s records: %w", c.kind, err)
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

// withHash replaces the value of the first field "hash" of a text, in whichever form of JSON it was written.
func withHash(text []byte, from, to string) ([]byte, error) {
	for _, field := range []string{`"hash": "`, `"hash":"`} {
		if old := []byte(field + from + `"`); bytes.Contains(text, old) {
			return bytes.Replace(text, old, []byte(field+to+`"`), 1), nil
		}
	}
	return nil, errors.New("it has no hash")
}

func fileName(number int) string { return fmt.Sprintf("%04d.json", number) }
