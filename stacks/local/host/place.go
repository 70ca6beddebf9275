package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// configureRequest is a Config on its way; files are described, their sources come as descriptors.
type configureRequest struct {
	Files    []placedFile `json:"files,omitempty"`
	Remove   []string     `json:"remove,omitempty"`
	Services []Service    `json:"services,omitempty"`
	Hosts    string       `json:"hosts"`
	Keys     string       `json:"keys"`
	Tags     string       `json:"tags"`
}

type placedFile struct {
	Path    string      `json:"path"`
	SHA256  string      `json:"sha256"`
	Content []byte      `json:"content,omitempty"`
	Source  int         `json:"source"` // index of a descriptor; -1: Content
	Mode    fs.FileMode `json:"mode"`
	Owner   string      `json:"owner,omitempty"`
}

// apply brings the host in line with a configuration and tells which files changed.
func (s *server) apply(req configureRequest, files []*os.File) ([]string, error) {
	var changed []string
	for _, f := range req.Files {
		did, err := place(f, files)
		if err != nil {
			return changed, fmt.Errorf("place %q: %w", f.Path, err)
		}
		if did {
			changed = append(changed, f.Path)
		}
	}
	for _, path := range req.Remove {
		if err := os.Remove(path); err == nil {
			changed = append(changed, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return changed, err
		}
	}
	// These are read anew at each use: no service is restarted for them.
	for _, own := range []struct{ path, content string }{{"/etc/hosts", req.Hosts}, {sshKeysPath, req.Keys}, {"/etc/surety/tags.json", req.Tags}} {
		f := placedFile{Path: own.path, Content: []byte(own.content), Source: -1, Mode: 0o644}
		f.SHA256, _ = digest(strings.NewReader(own.content))
		if _, err := place(f, nil); err != nil {
			return changed, err
		}
	}
	return changed, s.supervisor.configure(req.Services, changed)
}

// place writes a file unless the host has it as wanted, and tells whether it did.
func place(f placedFile, files []*os.File) (bool, error) {
	uid, gid, err := owner(f.Owner)
	if err != nil {
		return false, err
	}
	if st, err := os.Lstat(f.Path); err == nil && st.Mode().IsRegular() {
		var sys unix.Stat_t
		have, err := digestFile(f.Path)
		if err == nil && unix.Lstat(f.Path, &sys) == nil && have == f.SHA256 {
			same := sys.Uid == uint32(uid) && sys.Gid == uint32(gid) && sys.Mode&0o7777 == modeBits(f.Mode)
			if same {
				return false, nil
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return false, err
	}
	var content io.Reader = strings.NewReader(string(f.Content))
	if f.Source >= 0 {
		if f.Source >= len(files) {
			return false, errors.New("its source did not come along")
		}
		if _, err := files[f.Source].Seek(0, io.SeekStart); err != nil {
			return false, err
		}
		content = files[f.Source]
	}
	next := f.Path + ".surety-new"
	out, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	defer os.Remove(next) // gone after the rename
	_, err = io.Copy(out, content)
	if err = errors.Join(err, out.Close()); err != nil {
		return false, err
	}
	if err := os.Lchown(next, uid, gid); err != nil {
		return false, err
	}
	if err := unix.Chmod(next, modeBits(f.Mode)); err != nil {
		return false, err
	}
	return true, os.Rename(next, f.Path)
}

func modeBits(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= unix.S_ISUID
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= unix.S_ISGID
	}
	if mode&fs.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return bits
}
