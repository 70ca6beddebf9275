package backup

import (
	"context"
	"fmt"
	"os"
	"strings"

	"surety/operations/backup/vault"
)

// copyFiles copies the paths, below the file system's root, so that the folders above them keep their owners and modes.
func (j Job) copyFiles(ctx context.Context, w *vault.Writer, c *Copy) error {
	c.Kind = Files
	for _, p := range j.Paths {
		if _, err := os.Lstat(p); err != nil {
			return fmt.Errorf("a path of the job is not there: %w", err)
		}
	}
	t, err := vault.LocalTree("/", true, j.holds)
	if err != nil {
		return err
	}
	return w.Upload(ctx, dataPart, t, "")
}

// holds tells whether a path, without its leading slash, is one of the job's, below one of them, or a folder on the way to one.
func (j Job) holds(path string, folder bool) bool {
	for _, p := range j.Paths {
		p = strings.TrimPrefix(p, "/")
		if p == "" || path == p || strings.HasPrefix(path, p+"/") || folder && strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}
