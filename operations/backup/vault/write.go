package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/policy"
	"github.com/kopia/kopia/snapshot/snapshotfs"
	"github.com/kopia/kopia/snapshot/upload"
)

// The parts of a copy are folders of its root; its listing is a file beside them.
const (
	listingName = "listing"
	recordTag   = "surety"   // of a snapshot: what the caller recorded of it
	compressor  = "zstd"     // of content; kopia leaves alone what does not shrink
	sourceRoot  = "/surety/" // before the source's name in kopia's snapshots
)

// Writer makes one copy. What it uploads counts only when Save is called and Write returns without an error.
type Writer struct {
	vault  *Vault
	rep    repo.DirectRepositoryWriter
	began  time.Time
	source string

	parts   []*snapshot.DirEntry
	listing Listing
	saved   bool
}

// Write makes a copy of a source: fn uploads its parts and calls Save. When it is cut off, or fn fails, the repository has none.
func (v *Vault) Write(ctx context.Context, source string, fn func(ctx context.Context, w *Writer) error) error {
	w := &Writer{vault: v, began: time.Now(), source: source}
	return repo.DirectWriteSession(ctx, v.rep, repo.WriteSessionOptions{Purpose: "surety copy"}, func(ctx context.Context, dw repo.DirectRepositoryWriter) error {
		w.rep = dw
		if err := fn(ctx, w); err != nil {
			return err
		}
		if !w.saved {
			return errors.New("the copy was not saved")
		}
		return nil
	})
}

// Backdate has the copy count as begun at another time: what was copied elsewhere is brought in with its date.
func (w *Writer) Backdate(began time.Time) { w.began = began }

// Upload reads a tree into a part of the copy and lists what was read. previous, a manifest ID or empty, names a copy whose content of
// the same part is taken where name, size and time of a file have not changed; only trees whose names change with the content may have one.
func (w *Writer) Upload(ctx context.Context, part string, t *Tree, previous string) error {
	var before []*snapshot.Manifest
	if previous != "" {
		m, err := w.vault.previousPart(ctx, previous, part)
		if err != nil {
			return err
		}
		before = append(before, m)
	}
	u := upload.NewUploader(w.rep)
	u.FailFast, u.DisableIgnoreRules, u.Progress = true, true, &upload.NullUploadProgress{}
	u.CheckpointInterval = upload.DefaultCheckpointInterval
	stop := context.AfterFunc(ctx, u.Cancel)
	defer stop()
	m, err := u.Upload(ctx, t.top(), uploadPolicy(), w.sourceInfo(), before...)
	if err == nil {
		err = t.failure()
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", part, err)
	}
	if s := m.RootEntry.DirSummary; s != nil && s.FatalErrorCount > 0 {
		first := "no reason given"
		if len(s.FailedEntries) > 0 {
			first = s.FailedEntries[0].EntryPath + ": " + s.FailedEntries[0].Error
		}
		return fmt.Errorf("copy %s: %d entries could not be read: %s", part, s.FatalErrorCount, first)
	}
	if m.IncompleteReason != "" {
		return fmt.Errorf("copy %s: it is incomplete: %s", part, m.IncompleteReason)
	}
	m.RootEntry.Name = part
	w.parts = append(w.parts, m.RootEntry)
	for _, e := range t.Listing() {
		e.Path = part + "/" + e.Path
		w.listing = append(w.listing, e)
	}
	return nil
}

// Close ends the copy's content: it gives the totals and the digest of the listing, for the record that Save is given.
func (w *Writer) Close(ctx context.Context) (Totals, string, error) {
	text, digest, err := w.listing.encode()
	if err != nil {
		return Totals{}, "", err
	}
	ow := w.rep.NewObjectWriter(ctx, object.WriterOptions{Description: "LISTING", Compressor: compressor})
	defer ow.Close()
	if _, err := ow.Write(text); err != nil {
		return Totals{}, "", fmt.Errorf("write the listing: %w", err)
	}
	id, err := ow.Result()
	if err != nil {
		return Totals{}, "", fmt.Errorf("write the listing: %w", err)
	}
	w.parts = append(w.parts, &snapshot.DirEntry{Name: listingName, Type: snapshot.EntryTypeFile, Permissions: 0o600, FileSize: int64(len(text)),
		ModTime: fs.UTCTimestampFromTime(w.began), ObjectID: id})
	return w.listing.Totals(), digest, nil
}

// Save makes the copy count, with a record that Copies gives back.
func (w *Writer) Save(ctx context.Context, record string) error {
	var b snapshotfs.DirManifestBuilder
	for _, p := range w.parts {
		b.AddEntry(p)
	}
	began := fs.UTCTimestampFromTime(w.began)
	root := b.Build(began, "")
	id, err := snapshotfs.WriteDirManifest(ctx, w.rep, ".", root, metadataCompressor)
	if err != nil {
		return fmt.Errorf("write the copy's root: %w", err)
	}
	m := &snapshot.Manifest{Source: w.sourceInfo(), StartTime: began, EndTime: fs.UTCTimestampFromTime(time.Now()), Tags: map[string]string{recordTag: record},
		RootEntry: &snapshot.DirEntry{Name: "/", Type: snapshot.EntryTypeDirectory, Permissions: 0o700, ModTime: began, ObjectID: id, DirSummary: root.Summary}}
	m.Stats.TotalFileCount, m.Stats.TotalFileSize = int32(min(root.Summary.TotalFileCount, 1<<31-1)), root.Summary.TotalFileSize
	if _, err := snapshot.SaveSnapshot(ctx, w.rep, m); err != nil {
		return fmt.Errorf("save the copy: %w", err)
	}
	w.saved = true
	return nil
}

func (w *Writer) sourceInfo() snapshot.SourceInfo { return w.vault.sourceInfo(w.source) }

func (v *Vault) sourceInfo(source string) snapshot.SourceInfo {
	return snapshot.SourceInfo{Host: v.place.Host, UserName: user, Path: sourceRoot + source}
}

const metadataCompressor = "zstd-fastest"

// uploadPolicy compresses, and keeps each file in one piece, so that it is read in one go.
func uploadPolicy() *policy.Tree {
	p := *policy.DefaultPolicy
	whole := policy.OptionalInt64(-1)
	p.UploadPolicy.ParallelUploadAboveSize = &whole
	p.CompressionPolicy.CompressorName = compressor
	return policy.BuildTree(map[string]*policy.Policy{".": &p}, &p)
}
