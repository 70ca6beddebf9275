// Package durable writes files that must survive a kill and a power cut: each is there whole or as it was before, and what a
// function reported as written is on disk. Files are readable by their owner alone, as all that is written so may hold what is private.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile puts data at path, in place of what may be there. Missing folders are made.
func WriteFile(path string, data []byte) error {
	if err := write(path, data, os.Rename); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// WriteNew puts data at path where nothing may be yet: of several writers at once one succeeds, and the others get fs.ErrExist.
func WriteNew(path string, data []byte) error {
	if err := write(path, data, os.Link); err != nil { // unlike a rename, a link refuses to replace
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// write fills a temporary file beside path, flushes it, has settle give it its name, and flushes the folder.
func write(path string, data []byte, settle func(from, to string) error) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after a rename it is gone already
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := settle(tmp.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// Remove removes a file, if it is there.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("remove %q: %w", path, err)
	}
	return SyncDir(filepath.Dir(path))
}

// SyncDir flushes a folder, so that files made, renamed or removed in it are so after a power cut, too.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flush folder %q: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("flush folder %q: %w", dir, err)
	}
	return nil
}
