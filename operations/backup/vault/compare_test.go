package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Each way in which a restored tree can differ from its listing is told.
func TestCompare(t *testing.T) {
	make := func(t *testing.T) (string, Listing) {
		dir := t.TempDir()
		f := filepath.Join(dir, "d/file")
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "d"), 0o750), os.WriteFile(f, []byte("text"), 0o600), os.Chmod(f, os.ModeSetuid|0o700), os.Symlink("file", filepath.Join(dir, "d/link"))); err != nil {
			t.Fatal(err)
		}
		sum, size, err := sumFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var l Listing
		for path, kind := range map[string]Type{"d": Folder, "d/file": File, "d/link": Link} {
			info, err := os.Lstat(filepath.Join(dir, path))
			if err != nil {
				t.Fatal(err)
			}
			st := info.Sys().(*syscall.Stat_t)
			e := Entry{Path: path, Type: kind, Mode: chmodBits(info.Mode()), UID: st.Uid, GID: st.Gid, Modified: info.ModTime()}
			switch kind {
			case File:
				e.SHA256, e.Size = sum, size
			case Link:
				e.Target = "file"
			}
			l = append(l, e)
		}
		return dir, l
	}
	for says, change := range map[string]func(dir string) error{
		"":                           func(string) error { return nil },
		"mode 0700, copied was 4700": func(dir string) error { return os.Chmod(dir+"/d/file", 0o700) },
		"d: mode 0700":               func(dir string) error { return os.Chmod(dir+"/d", 0o700) },
		"4 bytes with SHA-256": func(dir string) error {
			info, err := os.Stat(dir + "/d/file")
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(dir+"/d/file", []byte("Text"), 0o600), os.Chmod(dir+"/d/file", os.ModeSetuid|0o700), os.Chtimes(dir+"/d/file", info.ModTime(), info.ModTime()))
		},
		"changed at": func(dir string) error {
			info, err := os.Stat(dir + "/d/file")
			if err != nil {
				return err
			}
			return os.Chtimes(dir+"/d/file", info.ModTime(), info.ModTime().Add(1))
		},
		"d/file: it is missing": func(dir string) error { return os.Remove(dir + "/d/file") },
		"d/file: it is no file": func(dir string) error { return errors.Join(os.Remove(dir+"/d/file"), os.Mkdir(dir+"/d/file", 0o700)) },
		`the link leads to "else"`: func(dir string) error {
			return errors.Join(os.Remove(dir+"/d/link"), os.Symlink("else", dir+"/d/link"))
		},
		"more: it is not in the copy's listing": func(dir string) error { return os.WriteFile(dir+"/more", nil, 0o600) },
	} {
		dir, l := make(t)
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		faults, err := l.Compare(t.Context(), dir)
		if err != nil || (says == "") != (len(faults) == 0) || !strings.Contains(strings.Join(faults, "\n"), says) {
			t.Errorf("want %q: %q, %v", says, faults, err)
		}
	}
	if os.Geteuid() == 0 {
		dir, l := make(t)
		if err := os.Lchown(dir+"/d/link", 7, 7); err != nil {
			t.Fatal(err)
		}
		if faults, err := l.Compare(t.Context(), dir); err != nil || len(faults) != 1 || !strings.Contains(faults[0], "owners 7:7") {
			t.Errorf("with another owner: %q, %v", faults, err)
		}
	}
}
