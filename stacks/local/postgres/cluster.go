package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// step is what has to be done with the data directory before the server can start, or after.
type step string

const (
	stepInit    step = "initialise"          // make an empty cluster
	stepClone   step = "clone"               // copy the primary's, replacing what is there
	stepPrimary step = "start"               // start as primary
	stepStandby step = "start standby"       // start as standby
	stepPromote step = "start, then promote" // start as standby and make it primary
)

// decide says what to do, from the declared role and what the data directory is. The directory's own state wins over a stale
// declaration where following the declaration would bring back a role that a promotion has ended.
func (a *agent) decide() (step, error) {
	note, noted, err := a.readPromotion()
	if err != nil {
		return "", err
	}
	stale := noted && note.Followed == a.conf.Primary // the declaration is older than the promotion
	filled, follows := exists(filepath.Join(a.conf.DataDir, "PG_VERSION")), exists(filepath.Join(a.conf.DataDir, "standby.signal"))
	switch {
	case !filled && a.conf.Role == Primary:
		return stepInit, nil
	case !filled:
		return stepClone, nil
	case a.conf.Role == Primary && follows, a.conf.Role == Standby && follows && stale:
		return stepPromote, nil
	case a.conf.Role == Primary, stale:
		return stepPrimary, nil
	case follows:
		return stepStandby, nil
	default:
		return stepClone, nil // a primary that is to follow another one from now on
	}
}

func (a *agent) tmpDir() string { return a.conf.DataDir + ".tmp" }
func (a *agent) oldDir() string { return a.conf.DataDir + ".old" }

// recoverSwap finishes or undoes what a crash left of an earlier initialisation or clone.
func (a *agent) recoverSwap() error {
	if !exists(filepath.Join(a.conf.DataDir, "PG_VERSION")) && exists(filepath.Join(a.oldDir(), "PG_VERSION")) {
		if err := os.Rename(a.oldDir(), a.conf.DataDir); err != nil {
			return fmt.Errorf("put back the data set aside: %w", err)
		}
	}
	return errors.Join(os.RemoveAll(a.tmpDir()), os.RemoveAll(a.oldDir()))
}

// initialise makes an empty cluster with UTF-8, data checksums and no password-less way in.
// initdb writes beside the data directory, everything is flushed at once, and a rename makes it count.
func (a *agent) initialise(ctx context.Context) error {
	if err := a.makeDir(a.tmpDir(), 0o700); err != nil {
		return err
	}
	err := a.run(ctx, "initdb", "-D", a.tmpDir(), "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
		"--auth-local=peer", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	return a.adopt()
}

// clone copies the primary, waiting for it at most JoinTimeout. Data already there is only given up when the copy is whole.
func (a *agent) clone(ctx context.Context) error {
	if err := a.writePass(); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(a.conf.Primary)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.conf.JoinTimeout)
	defer cancel()
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	filled := exists(filepath.Join(a.conf.DataDir, "PG_VERSION"))
	for {
		if err = nil; filled {
			err = a.mayReplace(ctx)
		}
		if err == nil {
			err = a.renewSlot(ctx)
		}
		if err == nil {
			if err = errors.Join(os.RemoveAll(a.tmpDir()), a.makeDir(a.tmpDir(), 0o700)); err != nil {
				return err
			}
			err = a.run(ctx, "pg_basebackup", "-D", a.tmpDir(), "-h", host, "-p", port, "-U", replicationRole, "--no-password",
				"--slot="+a.conf.Slot, "--wal-method=stream", "--checkpoint=fast", "--no-sync")
		}
		if err == nil {
			break
		}
		a.report("waiting for the primary", err)
		select {
		case <-retry.C:
		case <-ctx.Done():
			return fmt.Errorf("clone %s: %w", a.conf.Primary, errors.Join(context.Cause(ctx), err))
		}
	}
	// Settings made on the primary by ALTER SYSTEM are its own, and standby.signal is what makes the copy a standby.
	if err := errors.Join(a.write(filepath.Join(a.tmpDir(), "postgresql.auto.conf"), nil), a.write(filepath.Join(a.tmpDir(), "standby.signal"), nil)); err != nil {
		return err
	}
	return a.adopt()
}

// adopt makes the finished copy in tmpDir the data directory, durably.
func (a *agent) adopt() error {
	if err := syncTree(a.tmpDir()); err != nil {
		return fmt.Errorf("flush the new cluster: %w", err)
	}
	if exists(filepath.Join(a.conf.DataDir, "PG_VERSION")) {
		if err := os.Rename(a.conf.DataDir, a.oldDir()); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(a.agentDir(), promotionFile)), os.Rename(a.tmpDir(), a.conf.DataDir)); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(a.conf.DataDir)), os.RemoveAll(a.oldDir()))
}
