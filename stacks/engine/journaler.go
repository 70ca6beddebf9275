package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/backend"
	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"surety/stacks/engine/journal"
	"surety/stacks/engine/vault"
)

// journaler is the engine's Journal over a journalFile.
//
// The engine says of some entries that they need not be written at once: a step that found nothing to do. Those wait, not even
// serialised, until an entry comes that matters; a run in which nothing matters writes neither journal nor checkpoint. (Pulumi's
// own backend.NewJournaler loses that remark on the way, so that an up without changes flushed two entries per resource.)
// The same goes for what a refresh finds: it changed nothing in the world, and the next refresh finds it again.
type journaler struct {
	ctx    context.Context
	keeper *vault.Keeper
	path   string
	header journal.Header

	mu      sync.Mutex
	file    *journal.File
	waiting []pulumi.JournalEntry
	entries []apitype.JournalEntry // all that was added, in order
	matters bool                   // something must be written
	secrets bool                   // the secrets provider is in the journal or the base
	closed  bool
}

var _ pulumi.Journal = (*journaler)(nil)

func newJournaler(ctx context.Context, k *vault.Keeper, path, base string, started time.Time, pid int, baseHasSecrets bool) *journaler {
	return &journaler{ctx: ctx, keeper: k, path: path, header: journal.Header{Base: base, Started: started, PID: pid}, secrets: baseHasSecrets}
}

var errJournalClosed = errors.New("the run is over: nothing more is recorded")

// AddJournalEntry records an entry. It returns after the entry is on disk, unless the entry need not be.
func (j *journaler) AddJournalEntry(entry pulumi.JournalEntry) error {
	if entry.Kind == pulumi.JournalEntrySecretsManager {
		return nil // ours is added when the first secret is
	}
	if idle(entry) {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.closed {
			return errJournalClosed
		}
		j.waiting = append(j.waiting, entry)
		if recorded(entry) {
			j.matters = true
		}
		return nil
	}
	own, err := backend.SerializeJournalEntry(j.ctx, entry, j.keeper)
	if err != nil {
		return fmt.Errorf("record a step: %w", err)
	}
	file, err := j.place(own)
	if err != nil {
		return err
	}
	return file.Barrier()
}

// idle tells entries that need not be on disk before the engine goes on.
func idle(entry pulumi.JournalEntry) bool {
	return entry.ElideWrite || entry.IsRefresh || entry.Kind == pulumi.JournalEntryRefreshSuccess || entry.Kind == pulumi.JournalEntryRebuiltBaseState ||
		entry.Kind == pulumi.JournalEntryBegin && entry.Operation == nil
}

// recorded tells idle entries that must still end up in the checkpoint.
func recorded(entry pulumi.JournalEntry) bool {
	return !entry.ElideWrite && entry.Kind != pulumi.JournalEntryBegin
}

// place puts what waits, then own, into the file's queue.
func (j *journaler) place(own apitype.JournalEntry) (*journal.File, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil, errJournalClosed
	}
	if j.file == nil {
		f, err := journal.Create(j.path, j.header)
		if err != nil {
			return nil, err
		}
		j.file = f
	}
	if err := j.drain(); err != nil {
		return nil, err
	}
	j.matters = true
	return j.file, j.keep(own)
}

// drain serialises what waits.
func (j *journaler) drain() error {
	for _, entry := range j.waiting {
		s, err := backend.SerializeJournalEntry(j.ctx, entry, j.keeper)
		if err != nil {
			return fmt.Errorf("record a step: %w", err)
		}
		if err := j.keep(s); err != nil {
			return err
		}
	}
	j.waiting = nil
	return nil
}

// keep adds one entry to memory and, when there is a file, to its queue; before the first one that may hold a secret, how secrets are kept.
func (j *journaler) keep(entry apitype.JournalEntry) error {
	if state := j.keeper.State(); !j.secrets && state != nil {
		j.secrets = true
		kept := apitype.JournalEntry{Version: 1, Kind: apitype.JournalEntryKindSecretsManager,
			SecretsProvider: &apitype.SecretsProvidersV1{Type: j.keeper.Type(), State: state}}
		if err := j.keep(kept); err != nil {
			return err
		}
	}
	j.entries = append(j.entries, entry)
	if j.file == nil {
		return nil
	}
	return j.file.Add(entry)
}

// Close is called by the engine's snapshot manager; the end of the run is ours to decide, by finish.
func (j *journaler) Close() error { return nil }

// finish ends recording and gives all entries, and whether anything must be written.
func (j *journaler) finish() (entries []apitype.JournalEntry, matters bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	if !j.matters {
		return nil, false, nil
	}
	file := j.file
	j.file = nil // what still waits goes to the checkpoint directly
	err = j.drain()
	j.file = file
	return j.entries, true, err
}

// commit writes that the checkpoint with that digest holds everything, and closes the file.
func (j *journaler) commit(checkpoint string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	return j.file.Finish(checkpoint)
}

// abandon closes the file without a commit: what is in it is replayed next time.
func (j *journaler) abandon() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	if j.file != nil {
		_ = j.file.Close()
	}
}
