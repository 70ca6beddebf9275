package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// Content is a journal as read back.
type Content struct {
	Header  Header
	Entries []apitype.JournalEntry
	Commit  string // digest of the checkpoint that holds all entries, if the run came that far
	Torn    int    // bytes dropped at the end
	good    int    // bytes before them
}

// Read reads the journal at path; nil when there is none, or none that had begun: a header that was never complete means
// that no entry was ever acknowledged.
func Read(path string) (*Content, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	j := &Content{}
	begun := false
	brokenAt := -1
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			end = len(raw)
		} else {
			end += at
		}
		r, synced, ok := parseLine(raw[at:end])
		switch {
		case !ok && brokenAt < 0:
			brokenAt = at
		case ok && brokenAt >= 0 && synced > int64(brokenAt):
			return nil, fmt.Errorf("%w: %q at byte %d, though later lines prove that it was flushed", ErrDamaged, path, brokenAt)
		case ok && brokenAt < 0:
			if r.Header != nil {
				if begun || r.Header.Format != journalFormat {
					return nil, fmt.Errorf("%w: %q: unknown format", ErrDamaged, path)
				}
				j.Header, begun = *r.Header, true
			}
			if r.Entry != nil {
				j.Entries = append(j.Entries, *r.Entry)
			}
			if r.Commit != "" {
				j.Commit = r.Commit
			}
		}
		at = end + 1
	}
	j.good = len(raw)
	if brokenAt >= 0 {
		j.good, j.Torn = brokenAt, len(raw)-brokenAt
	}
	if !begun {
		return nil, nil
	}
	return j, nil
}

// parseLine checks and reads one line.
func parseLine(line []byte) (r record, synced int64, ok bool) {
	if len(line) < 9 || line[8] != ' ' {
		return r, 0, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	if err != nil || crc32.Checksum(line[9:], castagnoli) != uint32(sum) {
		return r, 0, false
	}
	number, raw, found := bytes.Cut(line[9:], []byte(" "))
	if !found {
		return r, 0, false
	}
	if synced, err = strconv.ParseInt(string(number), 10, 64); err != nil {
		return r, 0, false
	}
	return r, synced, json.Unmarshal(raw, &r) == nil
}

// Commit marks a journal as wholly contained in the checkpoint with that digest. A torn end is cut off first.
func Commit(path, checkpoint string) error {
	j, err := Read(path)
	if err != nil {
		return err
	}
	if j == nil {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("finish the journal: %w", err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Truncate(int64(j.good)); err != nil {
		return fmt.Errorf("finish the journal: %w", err)
	}
	raw, err := json.Marshal(record{Commit: checkpoint})
	if err != nil {
		return fmt.Errorf("finish the journal: %w", err)
	}
	var b bytes.Buffer
	appendLine(&b, int64(j.good), raw)
	if _, err := f.WriteAt(b.Bytes(), int64(j.good)); err != nil {
		return fmt.Errorf("finish the journal: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("finish the journal: %w", err)
	}
	return nil
}
