package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
)

// Restore gives a copy back into a folder that is empty or not there yet. The copy is the one with the ID, or the newest, or, when at is
// set, the newest that is not younger than it. A cluster is started on a socket of its own until it has replayed its log: up to at; when
// at is zero, up to the restore point of the copy named by id; when both are empty, all that was archived. It is stopped again, and its
// data directory is ready to be served.
func Restore(ctx context.Context, job Job, id string, at time.Time, into string) (Restored, error) {
	job, err := job.Complete()
	if err != nil {
		return Restored{}, err
	}
	r, err := job.restore(ctx, id, at, into)
	return r, job.discreet(err)
}

func (j Job) restore(ctx context.Context, id string, at time.Time, into string) (Restored, error) {
	began := time.Now()
	v, err := j.open(ctx, false)
	if errors.Is(err, vault.ErrNoRepository) {
		return Restored{}, fmt.Errorf("%w of %s of %s: %w", ErrNone, j.Source, j.Host, err)
	}
	if err != nil {
		return Restored{}, err
	}
	defer v.Close(ctx)
	copies, saved, err := j.copies(ctx, v)
	if err != nil {
		return Restored{}, err
	}
	i := slices.IndexFunc(copies, func(c Copy) bool { return (id == "" || c.ID == id) && (at.IsZero() || !c.Taken.After(at)) })
	if i < 0 {
		return Restored{}, fmt.Errorf("%w of %s of %s that fits%s; there are %d", ErrNone, j.Source, j.Host, wanted(id, at), len(copies))
	}
	if err := prepare(into); err != nil {
		return Restored{}, err
	}
	f, err := unpack(ctx, v, saved[i], copies[i], into)
	if err != nil {
		return Restored{}, err
	}
	if len(f.faults) > 0 {
		return Restored{}, fmt.Errorf("copy %s was restored into %s, but is not what was copied: %s", copies[i].ID, into, f.faults[0])
	}
	r := Restored{Copy: copies[i], Into: into, Reached: copies[i].Taken, Files: copies[i].Files, Bytes: copies[i].Bytes}
	if copies[i].Kind == Cluster {
		if err := j.replay(ctx, v, &r, id, at); err != nil {
			return Restored{}, fmt.Errorf("replay the log of the restored cluster: %w", err)
		}
	}
	r.Took = time.Since(began)
	return r, nil
}

// replay starts the restored cluster until it has replayed its log, and stops it.
func (j Job) replay(ctx context.Context, v *vault.Vault, r *Restored, id string, at time.Time) (err error) {
	target := cluster.Target{Time: at}
	log := filepath.Join(r.Into, walPart)
	if id != "" && at.IsZero() {
		target.Name = r.Copy.Point.Name
	} else if _, err := fetchLog(ctx, v, *r.Copy.Point, log); err != nil {
		return err
	}
	server, err := cluster.Revive(ctx, j.revived(r.Into), log, target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(), os.RemoveAll(log)) }()
	place, last, err := server.Reached(ctx)
	if err != nil {
		return err
	}
	if r.LSN = place.String(); last.After(r.Reached) {
		r.Reached = last.UTC()
	}
	return nil
}

// revived is the server for a restored data directory. Without Postgres in the job its defaults serve.
func (j Job) revived(into string) cluster.Server {
	s := cluster.Server{User: "postgres"}
	if j.Postgres != nil {
		s = j.server()
	}
	s.DataDir = filepath.Join(into, dataPart)
	return s
}

// prepare makes a folder to restore into, and refuses one that holds anything. Others may pass through it: a server runs as its own user.
func prepare(into string) error {
	if !filepath.IsAbs(into) {
		return fmt.Errorf("restore into %q: it is not an absolute path", into)
	}
	if err := os.MkdirAll(into, 0o711); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	entries, err := os.ReadDir(into)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("restore into %s: it is not empty; name a folder that is, or one that is not there yet", into)
	}
	return nil
}

func wanted(id string, at time.Time) string {
	s := ""
	if id != "" {
		s += " " + id
	}
	if !at.IsZero() {
		s += ", taken at or before " + at.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return s
}
