// Package backup copies a host's files, a PostgreSQL cluster or a bucket into an encrypted repository in an S3 bucket, gives copies back,
// and proves by restoring them that they can be given back. It runs inside the host that it copies: see Main and Serve.
//
// The repository is kopia's (https://kopia.io), one for each host under its own prefix. Each copy carries a listing with a SHA-256 of
// every file or object as it was read into the copy, and of a cluster the rows and a checksum of every table at the restore point where
// the copy ends.
package backup

import (
	"context"
	"errors"
	"time"
)

// ErrNone is returned when there is no copy to list or restore.
var ErrNone = errors.New("there is no copy")

var errUnfinished = errors.New("not done yet on this branch")

// Run makes one copy now, and prunes what Keep no longer holds. progress, which may be nil, is told in a few words what is being done.
// It may be cut off at any moment: earlier copies stay whole, and the next run succeeds.
func Run(ctx context.Context, job Job, progress func(string)) (Copy, error) {
	return Copy{}, errUnfinished
}

// List gives a job's copies, newest first. Without any it gives none and no error.
func List(ctx context.Context, job Job) ([]Copy, error) { return nil, errUnfinished }

// Prune deletes copies that Keep no longer holds, archived log that no copy needs, and gives the IDs of the copies deleted.
func Prune(ctx context.Context, job Job) ([]string, error) { return nil, errUnfinished }

// Restore gives a copy back into a folder that is empty or not there yet. The copy is the one with the ID, or the newest, or, when at is
// set, the newest that is not younger than it. A cluster is started on a socket of its own in that folder until it has replayed its log:
// up to at; when at is zero, up to the restore point of the copy named by id; when both are empty, all that was archived.
func Restore(ctx context.Context, job Job, id string, at time.Time, into string) (Restored, error) {
	return Restored{}, errUnfinished
}

// Drill restores the newest copy into scratch, a folder that is empty or not there yet and is removed at the end, and compares it with
// what the copy recorded. A fault that keeps the drill from being held is an unproven Finding; the error is for a Job that is wrong.
func Drill(ctx context.Context, job Job, scratch string) (Finding, error) {
	return Finding{}, errUnfinished
}
