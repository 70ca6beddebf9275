// Package journal keeps the steps of a run in an append-only file, so that a kill or a power cut loses none that was reported as done.
package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"surety/internal/durable"
)

// The journal of a run is a file of lines, only ever appended to:
//
//	CRC32C(8 hex digits) SYNCED JSON
//
// The checksum covers what follows it. SYNCED is how many bytes of the file were on disk when the line was added, so a broken line
// at or after the last SYNCED is a torn end that nobody was told about, and one before it is damage. JSON is one record.
type record struct {
	Header *Header               `json:"header,omitempty"` // first line
	Entry  *apitype.JournalEntry `json:"entry,omitempty"`
	Commit string                `json:"commit,omitempty"` // last line: digest of the checkpoint that holds all the above
}

// Header is the first line of a journal.
type Header struct {
	Format  int       `json:"format"`
	Base    string    `json:"base"` // digest of the checkpoint that the entries apply to
	Started time.Time `json:"started"`
	PID     int       `json:"pid"`
}

const journalFormat = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged says that a journal is broken in a part that had been flushed to disk.
var ErrDamaged = errors.New("the journal is damaged")

// File appends records. Those who wait share flushes: while one flush runs, the records of all others gather, and
// the next flush takes them together. No Barrier returns before the records added ahead of it are on disk.
type File struct {
	file *os.File

	mu       sync.Mutex
	flushed  *sync.Cond
	buffer   bytes.Buffer
	added    int64 // records so far
	synced   int64 // of them on disk
	offset   int64 // bytes on disk
	flushing bool
	err      error // of a failed write: the journal takes no more
}

// Create begins a journal. There must be none at path.
func Create(path string, h Header) (*File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("start the journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start the journal: %w", err)
	}
	if err := durable.SyncDir(dir); err != nil {
		_ = f.Close()
		return nil, err
	}
	j := &File{file: f}
	j.flushed = sync.NewCond(&j.mu)
	h.Format = journalFormat
	if err := j.add(record{Header: &h}); err != nil {
		_ = f.Close()
		return nil, err
	}
	return j, nil
}

// add puts a record in the queue.
func (j *File) add(r record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	appendLine(&j.buffer, j.offset, raw)
	j.added++
	return nil
}

// Add puts a step's entry in the queue. Barrier waits for it.
func (j *File) Add(entry apitype.JournalEntry) error { return j.add(record{Entry: &entry}) }

// Finish records that the checkpoint with that digest holds everything, waits for that, and closes the journal.
func (j *File) Finish(checkpoint string) error {
	if err := j.add(record{Commit: checkpoint}); err != nil {
		return err
	}
	if err := j.Barrier(); err != nil {
		return err
	}
	return j.Close()
}

// Barrier returns after all records added before the call are on disk.
func (j *File) Barrier() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	mine := j.added
	for j.synced < mine {
		if j.err != nil {
			return j.err
		}
		if j.flushing {
			j.flushed.Wait()
			continue
		}
		j.flush()
	}
	return nil
}

// flush writes what has gathered. It is called with the mutex held and gives it up while the disk works.
func (j *File) flush() {
	chunk := bytes.Clone(j.buffer.Bytes())
	upTo := j.added
	j.buffer.Reset()
	j.flushing = true
	j.mu.Unlock()
	_, err := j.file.Write(chunk)
	if err == nil {
		err = j.file.Sync()
	}
	j.mu.Lock()
	j.flushing = false
	if err != nil {
		j.err = fmt.Errorf("write the journal %q: %w", j.file.Name(), err)
	} else {
		j.synced = upTo
		j.offset += int64(len(chunk))
	}
	j.flushed.Broadcast()
}

// Close refuses further records. What nobody waited for may be lost, which is the meaning of not waiting.
func (j *File) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.flushing {
		j.flushed.Wait()
	}
	if j.err == nil {
		j.err = errors.New("the journal is closed")
	}
	return j.file.Close()
}

func appendLine(b *bytes.Buffer, synced int64, raw []byte) {
	body := strconv.AppendInt(nil, synced, 10)
	body = append(body, ' ')
	body = append(body, raw...)
	fmt.Fprintf(b, "%08x ", crc32.Checksum(body, castagnoli))
	b.Write(body)
	b.WriteByte('\n')
}
