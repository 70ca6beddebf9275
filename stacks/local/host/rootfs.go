package host

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// rootSpec tells init how to build the host's root.
type rootSpec struct {
	Name   string // host name
	Stage  string // an empty folder of the machine to build on, seen by this mount namespace only
	Base   string // folder of shared read-only parts
	Folder string // the disk as a folder, when there is no image
	Binary string
	Logs   string            // the machine's folder of the host's logs
	Size   int64             // bytes of disk
	Memory int64             // bytes; bounds /dev/shm
	Groups map[string]string // folders of the host's cgroup, by their place below /sys/fs/cgroup
}

// enterRoot builds the host's root and makes it the root of this mount namespace. image is nil for a disk in a folder.
// All mounts are private to the namespace, so the machine never sees them and the kernel frees them with it.
func enterRoot(s rootSpec, image *os.File) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	base, err := os.Open(filepath.Join(s.Base, "etc")) // by descriptor: its path may hold what overlay's options cannot
	if err != nil {
		return err
	}
	defer base.Close()
	if err := unix.Mount("tmpfs", s.Stage, "tmpfs", 0, "mode=700"); err != nil {
		return fmt.Errorf("mount staging folder: %w", err)
	}
	if err := os.Chdir(s.Stage); err != nil {
		return err
	}
	if err := makeFolders(folder{"dev", 0o700}, folder{"disk", 0o700}); err != nil {
		return err
	}
	if image != nil {
		device, err := attachLoop(image, "dev")
		if err != nil {
			return err
		}
		// minixdf: the size is that of the whole file system, as declared; noinit_itable: the file stays sparse.
		err = unix.Mount("dev/"+filepath.Base(device.Name()), "disk", "ext4", unix.MS_NOATIME, "minixdf,noinit_itable")
		device.Close()
		if err != nil {
			return fmt.Errorf("mount disk: %w", err)
		}
		if err := growDisk("disk", s.Size); err != nil {
			return err
		}
	} else if err := unix.Mount(s.Folder, "disk", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount disk folder: %w", err)
	}
	if err := os.Chdir("disk"); err != nil {
		return err
	}
	if err := makeFolders(folder{"etc", 0o700}, folder{"etc/upper", 0o755}, folder{"etc/work", 0o700},
		folder{"usr", 0o700}, folder{"usr/upper", 0o755}, folder{"usr/work", 0o700}, folder{"root", 0o755}); err != nil {
		return err
	}
	if err := unix.Mount("root", "root", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	if err := fillRoot("root"); err != nil {
		return fmt.Errorf("fill root: %w", err)
	}
	for _, o := range []struct{ name, lower string }{{"usr", "/usr"}, {"etc", fmt.Sprintf("/proc/self/fd/%d", base.Fd())}} {
		options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", o.lower, o.name, o.name)
		err := unix.Mount("overlay", "root/"+o.name, "overlay", unix.MS_NOATIME, options)
		for attempt := 0; attempt < 200 && errors.Is(err, unix.EBUSY); attempt++ {
			// The kernel may still be letting go of the same folder after the host's last end.
			time.Sleep(10 * time.Millisecond)
			err = unix.Mount("overlay", "root/"+o.name, "overlay", unix.MS_NOATIME, options)
		}
		if err != nil {
			return fmt.Errorf("mount overlay on /%s: %w", o.name, err)
		}
	}
	if err := os.Chdir("root"); err != nil {
		return err
	}
	if err := mountSystem(s); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil { // the machine's root, on top of ours
		return fmt.Errorf("leave the machine's root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(s.Name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	return nil
}

type folder struct {
	path string
	mode fs.FileMode // sticky and set-group bits in the kernel's places
}

func makeFolders(folders ...folder) error {
	for _, f := range folders {
		if err := unix.Mkdir(f.path, uint32(f.mode)); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make folder %q: %w", f.path, err)
		}
		if f.mode&0o7000 != 0 {
			if err := unix.Chmod(f.path, uint32(f.mode)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillRoot makes the folders of a root, and at the first boot the bare folders of the machine's /var with their owners,
// which packages expect to be there.
func fillRoot(root string) error {
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		link, err := os.Readlink("/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return fmt.Errorf("needs a merged /usr: /%s is no link", name)
		}
		if err := os.Symlink(link, filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	_, err := os.Lstat(filepath.Join(root, "var"))
	first := errors.Is(err, fs.ErrNotExist)
	var all []folder
	for _, f := range []folder{{"boot", 0o755}, {"dev", 0o755}, {"etc", 0o755}, {"home", 0o755}, {"media", 0o755}, {"mnt", 0o755}, {"opt", 0o755}, {"opt/bin", 0o755},
		{"proc", 0o555}, {"root", 0o700}, {"run", 0o755}, {"srv", 0o755}, {"sys", 0o555}, {"tmp", 0o1777}, {"usr", 0o755}, {"var", 0o755},
		{"var/cache", 0o755}, {"var/lib", 0o755}, {"var/lib/dpkg", 0o755}, {"var/local", 0o755}, {"var/log", 0o755}, {"var/log/surety", 0o755}, {"var/mail", 0o775}, {"var/spool", 0o755}, {"var/tmp", 0o1777}} {
		all = append(all, folder{filepath.Join(root, f.path), f.mode})
	}
	if err := makeFolders(all...); err != nil {
		return err
	}
	if !first {
		return nil
	}
	for _, link := range []string{"run", "lock"} {
		if err := os.Symlink("/run"+map[string]string{"lock": "/lock"}[link], filepath.Join(root, "var", link)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	for _, part := range []string{"cache", "lib", "log", "spool"} {
		if err := copyFolders("/var/"+part, filepath.Join(root, "var", part), 2); err != nil {
			return err
		}
	}
	return nil
}

// mountSystem mounts what is not on the disk, below the current folder.
func mountSystem(s rootSpec) error {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	type mount struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}
	do := func(m mount) error {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount /%s: %w", m.target, err)
		}
		return nil
	}
	shm := ""
	if s.Memory > 0 {
		shm = fmt.Sprintf(",size=%d", s.Memory/2)
	}
	for _, m := range []mount{
		{"proc", "proc", "proc", quiet, ""},
		{"sysfs", "sys", "sysfs", quiet | unix.MS_RDONLY, ""},
		{"tmpfs", "dev", "tmpfs", unix.MS_NOSUID, "mode=755,size=64k"},
		{"tmpfs", "run", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=755" + shm},
	} {
		if err := do(m); err != nil {
			return err
		}
	}
	showGroups(s.Groups)
	if err := makeFolders(folder{"dev/pts", 0o755}, folder{"dev/shm", 0o1777}, folder{"run/lock", 0o1777}, folder{"run/sshd", 0o755}, folder{"run/surety", 0o755}); err != nil {
		return err
	}
	if err := os.WriteFile("run/surety/surety", nil, 0o755); err != nil {
		return err
	}
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		if err := unix.Mknod("dev/"+d.name, unix.S_IFCHR|0o666, int(unix.Mkdev(d.major, d.minor))); err != nil {
			return fmt.Errorf("make /dev/%s: %w", d.name, err)
		}
		if err := os.Chmod("dev/"+d.name, 0o666); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, "dev/"+name); err != nil {
			return err
		}
	}
	const readOnly = unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY
	mounts := []mount{
		{"devpts", "dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"},
		{"tmpfs", "dev/shm", "tmpfs", unix.MS_NOSUID | unix.MS_NODEV, "mode=1777" + shm},
		{s.Binary, "run/surety/surety", "", unix.MS_BIND, ""},
		{"", "run/surety/surety", "", readOnly, ""},
		{s.Logs, "var/log/surety", "", unix.MS_BIND, ""},
		// The kernel's settings are the machine's, except those of the host's own network.
		{"proc/sys", "proc/sys", "", unix.MS_BIND, ""},
		{"proc/sys/net", "proc/sys/net", "", unix.MS_BIND, ""},
		{"", "proc/sys", "", readOnly | quiet, ""},
	}
	if _, err := os.Stat("/var/lib/dpkg/status"); err == nil {
		mounts = append(mounts, mount{"/var/lib/dpkg", "var/lib/dpkg", "", unix.MS_BIND, ""}, mount{"", "var/lib/dpkg", "", readOnly, ""})
	}
	for _, secret := range []string{"proc/kcore", "proc/keys", "proc/sysrq-trigger"} {
		if _, err := os.Stat(secret); err == nil {
			mounts = append(mounts, mount{"dev/null", secret, "", unix.MS_BIND, ""})
		}
	}
	for _, m := range mounts {
		if err := do(m); err != nil {
			return err
		}
	}
	return nil
}

// writeIdentity writes, inside the host, the files that make it this host.
func writeIdentity(name string) error {
	if _, err := os.Stat("/etc/machine-id"); errors.Is(err, fs.ErrNotExist) {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails, by its contract
		if err := replaceFile("/etc/machine-id", []byte(hex.EncodeToString(id)+"\n"), 0o444); err != nil {
			return err
		}
	}
	for path, content := range map[string]string{
		"/etc/hostname":    name + "\n",
		"/etc/resolv.conf": "# This network has no name service; names are in /etc/hosts.\n",
		"/etc/fstab":       "",
		"/etc/motd":        "",
	} {
		if old, err := os.ReadFile(path); err == nil && string(old) == content {
			continue
		}
		if err := replaceFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink("/proc/self/mounts", "/etc/mtab"); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
