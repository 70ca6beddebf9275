// Package backup copies a host's files, a PostgreSQL cluster or a bucket into an encrypted repository in an S3 bucket, gives copies back,
// and proves by restoring them that they can be given back. It runs inside the host that it copies: see Main and Serve.
//
// The repository is kopia's (https://kopia.io), one for each host under its own prefix. Each copy carries a listing with a SHA-256 of
// every file or object as it was read into the copy, and of a cluster the rows and a checksum of every table at the restore point where
// the copy ends.
package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
)

// ErrNone is returned when there is no copy to restore.
var ErrNone = errors.New("there is no copy")

// The parts of a copy.
const (
	dataPart  = "data"
	walPart   = "wal"
	labelPart = "label"
)

// Run makes one copy now, and prunes what Keep no longer holds. progress, which may be nil, is told in a few words what is being done.
// It may be cut off at any moment: earlier copies stay whole, and the next run succeeds. A standby gives cluster.ErrStandby.
func Run(ctx context.Context, job Job, progress func(string)) (Copy, error) {
	job, err := job.Complete()
	if err != nil {
		return Copy{}, err
	}
	c, err := run(ctx, job, progress)
	return c, job.discreet(err)
}

func run(ctx context.Context, job Job, progress func(string)) (Copy, error) {
	if progress == nil {
		progress = func(string) {}
	}
	began := time.Now()
	unlock, err := job.exclusive(ctx)
	if err != nil {
		return Copy{}, err
	}
	defer unlock()
	v, err := job.open(ctx, true)
	if err != nil {
		return Copy{}, err
	}
	defer v.Close(ctx)
	c := Copy{Name: job.Name, Source: job.Source, Host: job.Host, Taken: began}
	err = v.Write(ctx, job.path(), func(ctx context.Context, w *vault.Writer) error {
		progress("copying " + job.Source)
		var err error
		switch {
		case job.Postgres != nil:
			err = job.copyCluster(ctx, w, &c, progress)
		case job.Bucket != nil:
			err = job.copyBucket(ctx, v, w, &c)
		default:
			err = job.copyFiles(ctx, w, &c)
		}
		if err != nil {
			return err
		}
		totals, digest, err := w.Close(ctx)
		if err != nil {
			return err
		}
		c.Files, c.Links, c.Folders, c.Bytes, c.Digest = totals.Files, totals.Links, totals.Folders, totals.Bytes, digest
		c.Took = time.Since(began)
		record, err := json.Marshal(c)
		if err != nil {
			return err
		}
		progress("saving the copy")
		return w.Save(ctx, string(record))
	})
	if err != nil {
		return Copy{}, fmt.Errorf("copy %s of %s: %w", job.Source, job.Host, err)
	}
	saved, err := v.Copies(ctx, job.path())
	if err != nil {
		return Copy{}, err
	}
	if len(saved) == 0 {
		return Copy{}, fmt.Errorf("copy %s of %s: the copy just saved is not listed", job.Source, job.Host)
	}
	c.ID = saved[0].ID
	progress("pruning")
	if _, err := job.prune(ctx, v); err != nil {
		return c, fmt.Errorf("the copy was made, but: %w", err)
	}
	if err := v.Maintain(ctx); err != nil {
		return c, fmt.Errorf("the copy was made, but: %w", err)
	}
	return c, nil
}

// List gives a job's copies, newest first. Without any it gives none and no error.
func List(ctx context.Context, job Job) ([]Copy, error) {
	job, err := job.Complete()
	if err != nil {
		return nil, err
	}
	v, err := job.open(ctx, false)
	if errors.Is(err, vault.ErrNoRepository) {
		return nil, nil
	}
	if err != nil {
		return nil, job.discreet(err)
	}
	defer v.Close(ctx)
	copies, _, err := job.copies(ctx, v)
	return copies, job.discreet(err)
}

// Prune deletes copies that Keep no longer holds, archived log that no copy needs, and gives the IDs of the copies deleted.
func Prune(ctx context.Context, job Job) ([]string, error) {
	job, err := job.Complete()
	if err != nil {
		return nil, err
	}
	v, err := job.open(ctx, false)
	if err != nil {
		return nil, job.discreet(err)
	}
	defer v.Close(ctx)
	gone, err := job.prune(ctx, v)
	return gone, job.discreet(err)
}

func (j Job) prune(ctx context.Context, v *vault.Vault) ([]string, error) {
	copies, _, err := j.copies(ctx, v)
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	spared := ""
	if i := Settled(copies); i >= 0 {
		spared = copies[i].ID // the last whose rows can be proven
	}
	gone, err := v.Prune(ctx, j.path(), j.Keep.Daily, j.Keep.Weekly, j.Keep.Monthly, spared)
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	if j.Postgres != nil {
		copies, _, err := j.copies(ctx, v)
		if err == nil {
			err = pruneLog(ctx, v, copies)
		}
		if err != nil {
			return gone, fmt.Errorf("prune the archived log: %w", err)
		}
	}
	return gone, nil
}

// copies reads the records of the copies, newest first.
func (j Job) copies(ctx context.Context, v *vault.Vault) ([]Copy, []vault.Saved, error) {
	saved, err := v.Copies(ctx, j.path())
	if err != nil {
		return nil, nil, err
	}
	copies := make([]Copy, len(saved))
	for i, s := range saved {
		if err := json.Unmarshal([]byte(s.Record), &copies[i]); err != nil {
			return nil, nil, fmt.Errorf("read the record of copy %s: %w", s.ID, err)
		}
		copies[i].ID = s.ID
	}
	return copies, saved, nil
}

func (j Job) open(ctx context.Context, create bool) (*vault.Vault, error) {
	r := j.Repository
	return vault.Open(ctx, vault.Place{Endpoint: r.Endpoint, Region: r.Region, Bucket: r.Bucket, Prefix: j.prefix(),
		AccessKey: r.AccessKey, SecretKey: r.SecretKey, Password: r.Password, Host: j.Host}, create)
}

func (j Job) path() string { return j.Name + "/" + j.Source }

func (j Job) server() cluster.Server {
	p := j.Postgres
	return cluster.Server{Socket: p.Socket, Port: p.Port, User: p.User, DataDir: p.DataDir, BinDir: p.BinDir}
}

// exclusive waits until no other run of the job is at work on this host.
func (j Job) exclusive(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(j.StateDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the agent's folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(j.StateDir, "run.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the job: %w", err)
	}
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			tick.Stop()
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			_ = f.Close()
			return nil, fmt.Errorf("wait for another run of the job: %w", ctx.Err())
		}
	}
}
