package host

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// seen gives the group's folders as a host sees them below /sys/fs/cgroup: by controller on version 1, the group itself, "", on
// version 2, and both where the machine has both.
func (g group) seen() map[string]string {
	folders := map[string]string{}
	for _, controller := range controllers {
		if point := g.v1[controller]; point != "" {
			folders[controller] = filepath.Join(point, g.parent, g.name)
		}
	}
	if g.v2 != "" {
		name := ""
		if len(folders) > 0 {
			name = "unified"
		}
		folders[name] = filepath.Join(g.v2, g.parent, g.name)
	}
	return folders
}

// showGroups mounts the host's own group, read-only, where programs look for their limits and what they use of them: database servers,
// run-times of languages and our own measurements size themselves by it. Nothing of the machine's other groups is seen. A kernel that
// refuses leaves them unseen; the limits hold all the same.
func showGroups(folders map[string]string) {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	bind := func(from, to string) {
		if unix.Mount(from, to, "", unix.MS_BIND, "") == nil && unix.Mount("", to, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|quiet, "") != nil {
			_ = unix.Unmount(to, unix.MNT_DETACH) // never writable: a host must not change its own limits
		}
	}
	const at = "sys/fs/cgroup"
	if alone, ok := folders[""]; ok {
		bind(alone, at)
		return
	}
	if len(folders) == 0 || unix.Mount("tmpfs", at, "tmpfs", quiet, "mode=755,size=64k") != nil {
		return
	}
	for name, folder := range folders {
		if os.Mkdir(filepath.Join(at, name), 0o755) == nil {
			bind(folder, filepath.Join(at, name))
		}
	}
	_ = unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|quiet, "")
}
