package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"surety/operations/backup/vault"
)

// copyBucket copies the objects of a bucket. Content that the newest copy holds under the same key and ETag is not read again.
func (j Job) copyBucket(ctx context.Context, v *vault.Vault, w *vault.Writer, c *Copy) error {
	c.Kind = Bucket
	b := j.Bucket
	client, err := vault.Client(b.Endpoint, b.Region, b.AccessKey, b.SecretKey)
	if err != nil {
		return err
	}
	previous, err := v.Copies(ctx, j.path())
	if err != nil {
		return err
	}
	var before vault.Listing
	id := ""
	if len(previous) > 0 {
		listing, _, err := v.Listing(ctx, previous[0])
		if err == nil { // else all is read anew: a copy that cannot be read is of no use for the next
			before, id = listing, previous[0].ID
		}
	}
	t, err := vault.BucketTree(ctx, client, b.Bucket, before)
	if err != nil {
		return err
	}
	return w.Upload(ctx, dataPart, t, id)
}

// arrange gives restored objects their keys as names, below "objects" where a key is a path, and writes the list of all with their
// metadata as "objects.jsonl". A key that no file can have keeps its name in the copy, below "objects" too.
func arrange(l vault.Listing, stored, into string) (vault.Listing, error) {
	list, err := os.OpenFile(filepath.Join(into, "objects.jsonl"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer list.Close()
	lines := json.NewEncoder(list)
	root := filepath.Join(into, "objects")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	var out vault.Listing
	for _, e := range l {
		if e.Type != vault.File || e.Gone {
			continue
		}
		if err := lines.Encode(e); err != nil {
			return nil, err
		}
		from := filepath.Join(stored, filepath.FromSlash(e.Stored))
		if !filepath.IsLocal(e.Path) || filepath.Clean(e.Path) != e.Path || tryMove(from, filepath.Join(root, e.Path)) != nil {
			e.Path = "unnamed/" + strings.ReplaceAll(e.Stored, "/", "")
			if err := tryMove(from, filepath.Join(root, filepath.FromSlash(e.Path))); err != nil {
				return nil, fmt.Errorf("object %q is not in the copy: %w", e.Path, err)
			}
		}
		for dir := filepath.Dir(e.Path); dir != "."; dir = filepath.Dir(dir) {
			out = append(out, vault.Entry{Path: dir, Type: vault.Folder, Stored: "-"})
		}
		out = append(out, e)
	}
	return out, os.RemoveAll(stored)
}

// tryMove moves a file to where nothing is yet.
func tryMove(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Link(from, to); err != nil {
		return err
	}
	return os.Remove(from)
}
