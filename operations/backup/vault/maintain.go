package vault

import (
	"context"
	"fmt"
	"slices"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/maintenance"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/policy"
	"github.com/kopia/kopia/snapshot/snapshotfs"
	"github.com/kopia/kopia/snapshot/snapshotmaintenance"
)

// Prune deletes the copies of a source that are neither the newest, nor spared, nor the last of one of the most recent days, weeks and
// months, by kopia's retention, and gives their IDs. What they alone held is freed by Maintain, a day later at the earliest.
func (v *Vault) Prune(ctx context.Context, source string, daily, weekly, monthly int, spared string) ([]string, error) {
	copies, err := v.Copies(ctx, source)
	if err != nil {
		return nil, err
	}
	count := func(n int) *policy.OptionalInt { o := policy.OptionalInt(n); return &o }
	keep := policy.RetentionPolicy{KeepLatest: count(1), KeepDaily: count(daily), KeepWeekly: count(weekly), KeepMonthly: count(monthly)}
	var all []*snapshot.Manifest
	for _, c := range copies {
		all = append(all, c.manifest)
	}
	keep.ComputeRetentionReasons(all)
	var old []string
	for _, m := range all {
		if len(m.RetentionReasons) == 0 && string(m.ID) != spared {
			old = append(old, string(m.ID))
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	err = repo.DirectWriteSession(ctx, v.rep, repo.WriteSessionOptions{Purpose: "surety prune"}, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		for _, id := range old {
			if err := w.DeleteManifest(ctx, manifest.ID(id)); err != nil {
				return fmt.Errorf("delete copy %s: %w", id, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(old)
	return old, nil
}

// Maintain does what kopia finds due: compacting indexes every hour, and every day freeing what no copy holds any more, with kopia's
// margins of safety for writers that are at work meanwhile.
func (v *Vault) Maintain(ctx context.Context) error {
	err := repo.DirectWriteSession(ctx, v.rep, repo.WriteSessionOptions{Purpose: "surety maintenance"}, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
		p, err := maintenance.GetParams(ctx, w)
		if err != nil {
			return err
		}
		if me := w.ClientOptions().UsernameAtHost(); p.Owner != me {
			p.Owner = me
			if err := maintenance.SetParams(ctx, w, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = repo.DirectWriteSession(ctx, v.rep, repo.WriteSessionOptions{Purpose: "surety maintenance"}, func(ctx context.Context, w repo.DirectRepositoryWriter) error {
			return snapshotmaintenance.Run(ctx, w, maintenance.ModeAuto, false, maintenance.SafetyFull)
		})
	}
	if err != nil {
		return fmt.Errorf("maintain the repository: %w", err)
	}
	return nil
}

// Check looks whether every blob that a copy's content is in is there, without reading content, and gives a sentence for each fault.
func (v *Vault) Check(ctx context.Context, copies []Saved) ([]string, error) {
	blobs, err := blob.ReadBlobMap(ctx, v.rep.BlobReader())
	if err != nil {
		return nil, err
	}
	verifier := snapshotfs.NewVerifier(ctx, v.rep, snapshotfs.VerifierOptions{BlobMap: blobs, MaxErrors: 1, Parallelism: 2})
	var faults []string
	for _, c := range copies {
		root, err := snapshotfs.SnapshotRoot(v.rep, c.manifest)
		if err != nil {
			return nil, err
		}
		result, err := verifier.InParallel(ctx, func(w *snapshotfs.TreeWalker) error { return w.Process(ctx, root, ".") })
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			if len(result.Errors) > 0 {
				err = result.Errors[0]
			}
			faults = append(faults, fmt.Sprintf("copy %s of %s cannot be restored whole: %v", c.ID, c.Began.UTC().Format("2006-01-02 15:04:05 UTC"), explain(err)))
		}
	}
	return faults, nil
}
