package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"surety/operations/backup/vault"
)

// unpacked is a copy on disk, compared with its listing.
type unpacked struct {
	listing vault.Listing
	totals  vault.Totals
	faults  []string // what differs
	// comparing is how much of the time went into the comparison, which a restore in earnest may leave out.
	comparing time.Duration
}

// unpack writes a copy's parts below a folder and compares every byte, owner, mode, time and attribute with what was read when the copy
// was made. An error means that the copy cannot be read; a difference is a fault.
func unpack(ctx context.Context, v *vault.Vault, s vault.Saved, c Copy, into string) (unpacked, error) {
	listing, digest, err := v.Listing(ctx, s)
	if err != nil {
		return unpacked{}, fmt.Errorf("copy %s cannot be read: %w", c.ID, err)
	}
	u := unpacked{listing: listing, totals: listing.Totals()}
	if digest != c.Digest {
		u.faults = append(u.faults, fmt.Sprintf("the listing's SHA-256 is %s, recorded was %s", digest, c.Digest))
	}
	if t := u.totals; t.Files != c.Files || t.Bytes != c.Bytes || t.Links != c.Links || t.Folders != c.Folders {
		u.faults = append(u.faults, fmt.Sprintf("it lists %d files of %d bytes, recorded were %d of %d", t.Files, t.Bytes, c.Files, c.Bytes))
	}
	at := map[string]string{dataPart: filepath.Join(into, dataPart)} // where each part goes
	switch c.Kind {
	case Files:
		at[dataPart] = filepath.Join(into, "files")
	case Bucket:
		at[dataPart] = filepath.Join(into, "stored")
	case Cluster:
		at[walPart], at[labelPart] = filepath.Join(into, walPart), filepath.Join(into, labelPart)
	}
	parts := map[string]vault.Listing{}
	for _, e := range listing {
		part, path, _ := strings.Cut(e.Path, "/")
		e.Path = path
		parts[part] = append(parts[part], e)
	}
	for part, dir := range at {
		if err := v.Restore(ctx, s, part, dir); err != nil {
			return unpacked{}, fmt.Errorf("copy %s cannot be restored: %w", c.ID, err)
		}
		l := parts[part]
		if c.Kind == Bucket {
			if l, err = arrange(l, dir, into); err != nil {
				return unpacked{}, err
			}
			dir = filepath.Join(into, "objects")
		}
		if err := l.Finish(dir); err != nil {
			return unpacked{}, err
		}
		began := time.Now()
		faults, err := l.Compare(ctx, dir)
		u.comparing += time.Since(began)
		if err != nil {
			return unpacked{}, err
		}
		u.faults = append(u.faults, faults...)
	}
	if c.Kind == Cluster {
		return u, adoptLabel(at[labelPart], at[dataPart])
	}
	return u, nil
}

// adoptLabel puts the label of a base backup into the restored data directory.
func adoptLabel(from, data string) error {
	if err := os.Rename(filepath.Join(from, "backup_label"), filepath.Join(data, "backup_label")); err != nil {
		return fmt.Errorf("put the base backup's label in place: %w", err)
	}
	return os.Remove(from)
}
