package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/restore"
	"github.com/kopia/kopia/snapshot/snapshotfs"
)

// Saved is one copy in the repository.
type Saved struct {
	ID       string
	Record   string
	Began    time.Time
	Ended    time.Time
	manifest *snapshot.Manifest
}

// Copies gives the copies of a source, newest first. What was cut off is not among them.
func (v *Vault) Copies(ctx context.Context, source string) ([]Saved, error) {
	entries, err := v.rep.FindManifests(ctx, map[string]string{"type": snapshot.ManifestType, snapshot.HostnameLabel: v.place.Host,
		snapshot.UsernameLabel: user, snapshot.PathLabel: sourceRoot + source})
	if err != nil {
		return nil, fmt.Errorf("list the copies: %w", explain(err))
	}
	var all []*snapshot.Manifest
	for _, e := range entries {
		m, err := snapshot.LoadSnapshot(ctx, v.rep, e.ID)
		if err != nil {
			return nil, fmt.Errorf("read the record of copy %s: %w", e.ID, explain(err))
		}
		if m.IncompleteReason == "" && m.Tags[recordTag] != "" {
			all = append(all, m)
		}
	}
	var copies []Saved
	for _, m := range snapshot.SortByTime(all, true) {
		copies = append(copies, Saved{ID: string(m.ID), Record: m.Tags[recordTag], Began: m.StartTime.ToTime(), Ended: m.EndTime.ToTime(), manifest: m})
	}
	return copies, nil
}

// Listing gives what a copy holds, and the digest of the list.
func (v *Vault) Listing(ctx context.Context, c Saved) (Listing, string, error) {
	r, err := v.Open(ctx, c, listingName)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	l, digest, err := decodeListing(r)
	return l, digest, explain(err)
}

// Open opens a file of a copy by its path.
func (v *Vault) Open(ctx context.Context, c Saved, path string) (io.ReadCloser, error) {
	e, err := v.find(ctx, c.manifest, path)
	if err != nil {
		return nil, err
	}
	f, ok := e.(fs.File)
	if !ok {
		return nil, fmt.Errorf("%s of copy %s is no file", path, c.ID)
	}
	r, err := f.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open its %s: %w", path, explain(err))
	}
	return r, nil
}

// Restore writes a part of a copy into a folder, with owners, modes and times as they were. Extended attributes are the listing's: see Finish.
func (v *Vault) Restore(ctx context.Context, c Saved, part, into string) error {
	e, err := v.find(ctx, c.manifest, part)
	if err != nil {
		return err
	}
	out := &restore.FilesystemOutput{TargetPath: into, OverwriteDirectories: true, OverwriteFiles: true, OverwriteSymlinks: true}
	if err := out.Init(ctx); err != nil {
		return fmt.Errorf("restore %s: %w", part, err)
	}
	cancel := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { close(cancel) })
	defer stop()
	if _, err := restore.Entry(ctx, v.rep, out, e, restore.Options{Parallel: 8, Cancel: cancel, RestoreDirEntryAtDepth: 1 << 30}); err != nil {
		return fmt.Errorf("restore its %s: %w", part, explain(err))
	}
	return ctx.Err()
}

// previousPart gives a part of an earlier copy in the form that kopia's uploader takes earlier snapshots in.
func (v *Vault) previousPart(ctx context.Context, id, part string) (*snapshot.Manifest, error) {
	m, err := snapshot.LoadSnapshot(ctx, v.rep, manifest.ID(id))
	if err != nil {
		return nil, fmt.Errorf("read the record of copy %s: %w", id, err)
	}
	e, err := v.find(ctx, m, part)
	if err != nil {
		return nil, err
	}
	with, ok := e.(snapshot.HasDirEntry)
	if !ok {
		return nil, fmt.Errorf("%s of copy %s has no entry", part, id)
	}
	return &snapshot.Manifest{ID: m.ID, Source: m.Source, RootEntry: with.DirEntry()}, nil
}

func (v *Vault) find(ctx context.Context, m *snapshot.Manifest, path string) (fs.Entry, error) {
	root, err := snapshotfs.SnapshotRoot(v.rep, m)
	if err != nil {
		return nil, fmt.Errorf("open copy %s: %w", m.ID, err)
	}
	e, err := snapshotfs.GetNestedEntry(ctx, root, splitPath(path))
	if errors.Is(err, fs.ErrEntryNotFound) {
		return nil, fmt.Errorf("copy %s has no %s", m.ID, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open its %s: %w", path, explain(err))
	}
	return e, nil
}

func splitPath(p string) []string {
	dir, name := filepath.Split(filepath.Clean(p))
	if dir == "" || dir == "/" {
		return []string{name}
	}
	return append(splitPath(dir), name)
}
