package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A host's disk is an ext4 file system in a sparse file, so that its size is the kernel's business. Where the machine
// has no loop devices or no mkfs.ext4 it is a plain folder and its size is not enforced.
func imagePath(dir string) string  { return filepath.Join(dir, "disk.img") }
func folderPath(dir string) string { return filepath.Join(dir, "disk") }

const (
	loopMajor = 7   // Documentation/admin-guide/devices.txt
	loopMisc  = 237 // minor of loop-control
	// ext4ResizeFS is EXT4_IOC_RESIZE_FS (Documentation/filesystems/ext4): grow a mounted file system to a number of blocks.
	ext4ResizeFS = 0x40086610
)

// makeImage makes the disk's file, or makes it larger when it is there; never smaller.
func makeImage(ctx context.Context, dir string, size int64) error {
	path := imagePath(dir)
	if st, err := os.Stat(path); err == nil {
		if st.Size() >= size {
			return nil
		}
		return os.Truncate(path, size)
	}
	mkfs, err := exec.LookPath("mkfs.ext4")
	if err != nil {
		if mkfs, err = exec.LookPath("/sbin/mkfs.ext4"); err != nil {
			return exec.ErrNotFound
		}
	}
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		return err
	}
	// No journal: the image outlives the host's processes, not the machine's power. Inode tables are zero already.
	out, err := exec.CommandContext(ctx, mkfs, "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", next).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Rename(next, path)
}

// attachLoop puts the image on a free loop device that the kernel frees by itself with its last user, and returns it
// opened. Device nodes are made in devices, a private file system, so that the machine's /dev need not have them.
func attachLoop(image *os.File, devices string) (*os.File, error) {
	control := filepath.Join(devices, "loop-control")
	if err := unix.Mknod(control, unix.S_IFCHR|0o600, int(unix.Mkdev(10, loopMisc))); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make loop-control: %w", err)
	}
	ctl, err := os.OpenFile(control, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	config := unix.LoopConfig{Fd: uint32(image.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
	for range 64 { // somebody else may take the free one first
		number, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		node := filepath.Join(devices, "loop"+strconv.Itoa(number))
		if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(unix.Mkdev(loopMajor, uint32(number)))); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make %s: %w", node, err)
		}
		device, err := os.OpenFile(node, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		if err = unix.IoctlLoopConfigure(int(device.Fd()), &config); err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("attach disk to %s: %w", node, err)
		}
	}
	return nil, errors.New("attach disk: loop devices are taken faster than they can be had")
}

// growDisk makes the mounted file system at root as large as size.
func growDisk(root string, size int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return err
	}
	blocks := uint64(size) / uint64(st.Bsize)
	if blocks <= st.Blocks {
		return nil
	}
	folder, err := os.Open(root)
	if err != nil {
		return err
	}
	defer folder.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, folder.Fd(), ext4ResizeFS, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("grow file system to %d bytes: %w", size, errno)
	}
	return nil
}

// loopsOf lists the loop devices that carry files below dir ("loop3"), as sysfs tells.
func loopsOf(dir string) ([]string, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, err
	}
	var loops []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(data), dir+"/") {
			loops = append(loops, strings.Split(file, "/")[3])
		}
	}
	return loops, nil
}

// loopsUsable tells whether the kernel has loop devices and lets us use them.
func loopsUsable() bool {
	if _, err := os.Stat("/sys/class/misc/loop-control"); err != nil {
		return false
	}
	file, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err == nil {
		file.Close()
	}
	return err == nil || errors.Is(err, fs.ErrNotExist) // then init makes the node itself
}

// resizeLoop tells a loop device that its file has grown.
func resizeLoop(name string) error {
	device, err := os.OpenFile("/dev/"+name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer device.Close()
	if err := unix.IoctlSetInt(int(device.Fd()), unix.LOOP_SET_CAPACITY, 0); err != nil {
		return fmt.Errorf("grow %s: %w", name, err)
	}
	return nil
}

// diskSize is the size in bytes of a mounted file system.
func diskSize(root string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return 0, err
	}
	return int64(st.Blocks) * st.Bsize, nil
}
