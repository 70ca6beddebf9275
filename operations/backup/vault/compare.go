package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxFaults bounds how many differences are told apart.
const maxFaults = 20

// Finish does what kopia's restore does not: extended attributes, and removing what was gone when it was to be read.
func (l Listing) Finish(dir string) error {
	for _, e := range l {
		p := filepath.Join(dir, filepath.FromSlash(e.Path))
		if e.Gone {
			if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		if err := writeAttributes(p, e.Attributes); err != nil {
			return err
		}
	}
	return nil
}

// Compare holds a restored folder against the listing and gives a sentence for each difference: the content by its SHA-256, type, owners,
// mode, time of change, attributes, targets of links, and what is there without being listed.
func (l Listing) Compare(ctx context.Context, dir string) ([]string, error) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	listed := map[string]bool{".": true}
	for _, e := range l {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if e.Gone {
			continue
		}
		listed[filepath.FromSlash(e.Path)] = true
		differs, err := e.differs(filepath.Join(dir, filepath.FromSlash(e.Path)))
		if err != nil {
			return nil, err
		}
		if differs != "" {
			fault("%s: %s", e.Path, differs)
		}
	}
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err == nil && !listed[rel] {
			fault("%s: it is not in the copy's listing", rel)
		}
		return err
	})
	if n := len(faults); n > maxFaults {
		faults = append(faults[:maxFaults], fmt.Sprintf("and %d more", n-maxFaults))
	}
	return faults, err
}

// differs tells how what is at a path differs from an entry; empty when it does not.
func (e Entry) differs(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "it is missing", nil
	}
	if err != nil {
		return "", err
	}
	kind := map[fs.FileMode]Type{0: File, fs.ModeDir: Folder, fs.ModeSymlink: Link}[info.Mode().Type()]
	if kind != e.Type {
		return fmt.Sprintf("it is no %s", e.Type), nil
	}
	if e.Type == Link {
		if target, err := os.Readlink(path); err != nil || target != e.Target {
			return fmt.Sprintf("the link leads to %q, not %q", target, e.Target), err
		}
	}
	if e.Type == File {
		sum, size, err := sumFile(path)
		if err != nil {
			return "", err
		}
		if sum != e.SHA256 || size != e.Size {
			return fmt.Sprintf("%d bytes with SHA-256 %s, copied were %d with %s", size, sum, e.Size, e.SHA256), nil
		}
	}
	if e.Stored != "" {
		return "", nil // an object has no owner
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("no owners on this system")
	}
	if st.Uid != e.UID || st.Gid != e.GID {
		return fmt.Sprintf("owners %d:%d, copied were %d:%d", st.Uid, st.Gid, e.UID, e.GID), nil
	}
	if e.Type != Link && chmodBits(info.Mode()) != e.Mode {
		return fmt.Sprintf("mode %04o, copied was %04o", chmodBits(info.Mode()), e.Mode), nil
	}
	if e.Type == File && !info.ModTime().Equal(e.Modified) {
		return fmt.Sprintf("changed at %s, copied was %s", info.ModTime().UTC().Format(time.RFC3339Nano), e.Modified.Format(time.RFC3339Nano)), nil
	}
	if e.Attributes != nil {
		has, err := readAttributes(path)
		if err != nil {
			return "", err
		}
		if !maps.EqualFunc(has, e.Attributes, func(a, b []byte) bool { return string(a) == string(b) }) {
			return "its extended attributes differ", nil
		}
	}
	return "", nil
}

func sumFile(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
