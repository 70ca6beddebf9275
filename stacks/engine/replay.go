package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"

	"github.com/pulumi/pulumi/pkg/v3/backend"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack/snapshot"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// journalContent is a journal as read back.
type journalContent struct {
	header  header
	entries []apitype.JournalEntry
	commit  string
	torn    int // bytes dropped at the end
	good    int // bytes before them
}

// readJournal reads the journal at path; nil when there is none, or none that had begun: a header that was never complete means
// that no entry was ever acknowledged.
func readJournal(path string) (*journalContent, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	j := &journalContent{}
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
			return nil, fmt.Errorf("%w: %q at byte %d, though later lines prove that it was flushed", ErrJournalDamaged, path, brokenAt)
		case ok && brokenAt < 0:
			if r.Header != nil {
				if begun || r.Header.Format != journalFormat {
					return nil, fmt.Errorf("%w: %q: unknown format", ErrJournalDamaged, path)
				}
				j.header, begun = *r.Header, true
			}
			if r.Entry != nil {
				j.entries = append(j.entries, *r.Entry)
			}
			if r.Commit != "" {
				j.commit = r.Commit
			}
		}
		at = end + 1
	}
	j.good = len(raw)
	if brokenAt >= 0 {
		j.good, j.torn = brokenAt, len(raw)-brokenAt
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

// commitJournal marks a journal as wholly contained in the checkpoint with that digest. A torn end is cut off first.
func commitJournal(path, checkpoint string) error {
	j, err := readJournal(path)
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

// replay applies entries to a deployment with Pulumi's own replayer. Creates that were pending in the base and were not run
// again stay pending; Pulumi's replayer alone would keep them all for ever, as it leaves them to a human.
func replay(base *apitype.DeploymentV3, entries []apitype.JournalEntry) (apitype.TypedDeployment, error) {
	copied := *base
	copied.PendingOperations = nil
	replayer := backend.NewJournalReplayer(&copied)
	created := map[resource.URN]bool{}
	creating := map[int64]resource.URN{}
	for _, entry := range entries {
		if err := replayer.Add(entry); err != nil {
			return apitype.TypedDeployment{}, err
		}
		switch {
		case entry.Kind == apitype.JournalEntryKindBegin && entry.Operation != nil:
			creating[entry.OperationID] = entry.Operation.Resource.URN
		case entry.Kind == apitype.JournalEntryKindSuccess:
			created[creating[entry.OperationID]] = true
		}
	}
	d, err := replayer.GenerateDeployment()
	if err != nil {
		return d, err
	}
	again := map[resource.URN]bool{}
	for _, op := range d.Deployment.PendingOperations {
		again[op.Resource.URN] = true
	}
	for _, op := range base.PendingOperations {
		if op.Type == apitype.OperationTypeCreating && !created[op.Resource.URN] && !again[op.Resource.URN] && !internalType(op.Resource.Type) {
			d.Deployment.PendingOperations = append(d.Deployment.PendingOperations, op)
		}
	}
	if err := snapshot.VerifyIntegrity(d.Deployment); err != nil {
		return d, fmt.Errorf("the result would not be sound: %w", err)
	}
	return d, nil
}

// finished counts the steps that a journal's entries complete.
func finished(entries []apitype.JournalEntry) int {
	begun := map[int64]bool{}
	n := 0
	for _, entry := range entries {
		switch {
		case entry.Kind == apitype.JournalEntryKindBegin && entry.Operation != nil:
			begun[entry.OperationID] = true
		case entry.Kind == apitype.JournalEntryKindSuccess && begun[entry.OperationID]:
			n++
		}
	}
	return n
}
