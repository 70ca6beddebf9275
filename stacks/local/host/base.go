package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// etcSkipped are names below /etc that say something about the machine rather than about its software, or may hold its
// owner's secrets. Files that not everybody may read are never copied.
var etcSkipped = []string{"apt", "docker", "environment", "fstab", "gitconfig", "group-", "hostname", "hosts", "machine-id", "maven", "motd",
	"mtab", "npmrc", "passwd-", "pip.conf", "postgresql", "resolv.conf", "ssh/ssh_config.d", "ssh/sshd_config", "ssh/sshd_config.d", "subgid-", "subuid-", "wgetrc"}

// makeBase fills base with the copy of the machine's /etc and the bare folders of its /var, once: it appears whole or not at all.
func makeBase(ctx context.Context, base string) error {
	if _, err := os.Stat(filepath.Join(base, "etc")); err == nil {
		return nil
	}
	held, err := lock(ctx, base, true) // several hosts may want it at once
	if err != nil {
		return err
	}
	defer held.Close()
	if _, err := os.Stat(filepath.Join(base, "etc")); err == nil {
		return nil
	}
	next, err := os.MkdirTemp(base, ".etc-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(next)
	if err := copyTree("/etc", next, func(path string, info fs.FileInfo) bool {
		return !slices.Contains(etcSkipped, path) && !strings.HasPrefix(path, "ssh/ssh_host_") && (info.IsDir() || info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o004 != 0)
	}); err != nil {
		return fmt.Errorf("copy /etc: %w", err)
	}
	if err := lockAccounts(next); err != nil {
		return fmt.Errorf("lock accounts: %w", err)
	}
	if err := os.Chmod(next, 0o755); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(base, "etc"))
}

// copyTree copies folders, regular files and links that want takes, with modes and owners. A file that goes meanwhile is no error.
func copyTree(from, to string, want func(path string, info fs.FileInfo) bool) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		rel, _ := filepath.Rel(from, path)
		if rel == "." {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // went meanwhile
		}
		if !want(rel, info) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, rel)
		owner, _ := info.Sys().(*syscall.Stat_t)
		switch {
		case info.IsDir():
			err = os.Mkdir(target, info.Mode().Perm())
		case info.Mode()&fs.ModeSymlink != 0:
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, target)
			}
		case info.Mode().IsRegular():
			err = copyFile(path, target, info.Mode().Perm())
		default:
			return nil
		}
		if err != nil {
			return err
		}
		if owner.Uid != 0 || owner.Gid != 0 {
			return os.Lchown(target, int(owner.Uid), int(owner.Gid))
		}
		return nil
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// lockAccounts writes shadow files in which no account has a password. "*" rather than "!": sshd lets the former in by key.
func lockAccounts(etc string) error {
	for _, file := range []struct{ from, to, tail string }{{"passwd", "shadow", ":*:19000:0:99999:7:::\n"}, {"group", "gshadow", ":*::\n"}} {
		data, err := os.ReadFile(filepath.Join(etc, file.from))
		if err != nil {
			return err
		}
		var b strings.Builder
		for line := range strings.Lines(string(data)) {
			if name, _, ok := strings.Cut(line, ":"); ok && name != "" {
				b.WriteString(name + file.tail)
			}
		}
		if err := os.WriteFile(filepath.Join(etc, file.to), []byte(b.String()), 0o640); err != nil {
			return err
		}
	}
	return nil
}

// copyFolders makes the folders below from in to, depth levels deep, with their modes and owners and nothing in them.
func copyFolders(from, to string, depth int) error {
	entries, err := os.ReadDir(from)
	if depth == 0 || err != nil {
		return nil //nolint:nilerr // what cannot be listed is not needed
	}
	for _, entry := range entries[:min(len(entries), 200)] {
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || slices.Contains([]string{"dpkg", "apt", "docker", "containers", "containerd", "lxd", "lxc", "surety"}, entry.Name()) {
			continue
		}
		target := filepath.Join(to, entry.Name())
		if err := os.Mkdir(target, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			if err := os.Lchown(target, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
			if err := unix.Chmod(target, owner.Mode&0o7777); err != nil {
				return err
			}
		}
		if err := copyFolders(filepath.Join(from, entry.Name()), target, depth-1); err != nil {
			return err
		}
	}
	return nil
}
