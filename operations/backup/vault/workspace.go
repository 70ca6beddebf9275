package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const workspaces = "surety-backup-"

// workspace makes a folder for one session and removes those of sessions that were killed: whoever holds a folder's lock lives.
func workspace() (dir string, lock *os.File, err error) {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), workspaces+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, old := range left {
		info, err := os.Lstat(old)
		if err != nil || !info.IsDir() {
			continue
		}
		f, err := os.Open(old)
		if err != nil {
			continue // removed meanwhile, or somebody else's
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(old)
		}
		_ = f.Close()
	}
	for range 10 { // another session may take the folder for a dead one's between its making and its locking
		if dir, err = os.MkdirTemp("", workspaces); err != nil {
			return "", nil, fmt.Errorf("make a folder for the session: %w", err)
		}
		if lock, err = os.Open(dir); err != nil {
			continue
		}
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			if _, err = os.Stat(dir); err == nil {
				return dir, lock, nil
			}
		}
		_ = lock.Close()
	}
	return "", nil, fmt.Errorf("make a folder for the session: %w", errors.Join(err, os.ErrDeadlineExceeded))
}
