package agents

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Received says what was written.
type Received struct {
	Files int64 `json:"files"` // regular files
	Bytes int64 `json:"bytes"` // of their content
	// Skipped are entries that only mean something on the host they come from: devices, pipes and sockets.
	Skipped []string `json:"skipped,omitempty"`
}

// Receive writes a tar archive into a folder, which must be empty, and can write nowhere else whatever the archive says. Modes and times
// are kept, and owners too when this process may give files away.
func Receive(archive io.Reader, folder string) (Received, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return Received{}, err
	}
	defer root.Close()
	r := receiver{root: root, owners: os.Geteuid() == 0}
	for entries := tar.NewReader(archive); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return r.got, r.finish()
		}
		if err != nil {
			return r.got, fmt.Errorf("read what was restored: %w", err)
		}
		if err := r.write(h, entries); err != nil {
			return r.got, fmt.Errorf("write %q: %w", h.Name, err)
		}
	}
}

type receiver struct {
	root    *os.Root
	owners  bool
	folders []*tar.Header // their modes are set last: one may be read-only
	got     Received
}

func (r *receiver) write(h *tar.Header, content io.Reader) error {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	if name == "" {
		return nil // the folder itself is the user's
	}
	switch h.Typeflag {
	case tar.TypeDir:
		kept := *h
		kept.Name = name
		r.folders = append(r.folders, &kept)
		return r.root.MkdirAll(name, 0o700)
	case tar.TypeReg:
		if err := r.file(name, h, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := r.root.Symlink(h.Linkname, name); err != nil {
			return err
		}
		return r.own(name, h)
	case tar.TypeLink:
		return r.root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), name)
	default:
		r.got.Skipped = append(r.got.Skipped, name)
		return nil
	}
	return r.finishOne(name, h)
}

func (r *receiver) file(name string, h *tar.Header, content io.Reader) error {
	f, err := r.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, content)
	if err == nil && n != h.Size {
		err = io.ErrUnexpectedEOF
	}
	r.got.Files++
	r.got.Bytes += n
	return errors.Join(err, f.Close())
}

func (r *receiver) own(name string, h *tar.Header) error {
	if !r.owners {
		return nil
	}
	return r.root.Lchown(name, h.Uid, h.Gid)
}

// finishOne gives a file or folder its owner, mode and times, in this order: a change of owner takes mode bits away.
func (r *receiver) finishOne(name string, h *tar.Header) error {
	mode := fs.FileMode(h.Mode).Perm()
	for bit, m := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if r.owners && h.Mode&bit != 0 {
			mode |= m
		}
	}
	return errors.Join(r.own(name, h), r.root.Chmod(name, mode), r.root.Chtimes(name, h.ModTime, h.ModTime))
}

// finish gives the folders their modes, those inside others first.
func (r *receiver) finish() error {
	slices.SortFunc(r.folders, func(a, b *tar.Header) int { return cmp.Compare(b.Name, a.Name) })
	for _, h := range r.folders {
		if err := r.finishOne(h.Name, h); err != nil {
			return fmt.Errorf("write %q: %w", h.Name, err)
		}
	}
	return nil
}
