package host

import (
	"context"
	"encoding/binary"
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

// makeImage makes the disk's file, or makes it and its file system larger when it is there; never smaller. The disk
// must not be in use. The programs hold the host's lock too, so that they are done when a later Start gets it, even if
// this process is killed.
func makeImage(ctx context.Context, dir string, size int64, held *os.File) error {
	path := imagePath(dir)
	if st, err := os.Stat(path); err == nil {
		if st.Size() < size {
			if err := os.Truncate(path, size); err != nil {
				return err
			}
		}
		now, err := imageSize(path)
		if err != nil || now >= size {
			return err
		}
		err = runTool(ctx, held, "resize2fs", "-f", path)
		if errors.Is(err, exec.ErrNotFound) {
			return nil // then init asks the kernel to
		}
		return err
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
	if err := runTool(ctx, held, "mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-O", "^has_journal,ea_inode", "-E", "lazy_itable_init=1,nodiscard", next); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return os.Rename(next, path)
}

func runTool(ctx context.Context, held *os.File, name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		if path, err = exec.LookPath("/sbin/" + name); err != nil {
			return fmt.Errorf("%s: %w", name, exec.ErrNotFound)
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.ExtraFiles = []*os.File{held}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// imageSize reads the size in bytes of the file system in an image from its superblock
// (Documentation/filesystems/ext4/super.rst: s_blocks_count_lo, s_log_block_size, s_blocks_count_hi).
func imageSize(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	super := make([]byte, 1024)
	if _, err := file.ReadAt(super, 1024); err != nil {
		return 0, fmt.Errorf("read superblock of %q: %w", path, err)
	}
	if binary.LittleEndian.Uint16(super[0x38:]) != 0xef53 {
		return 0, fmt.Errorf("%q holds no ext4 file system", path)
	}
	blocks := uint64(binary.LittleEndian.Uint32(super[0x150:]))<<32 | uint64(binary.LittleEndian.Uint32(super[0x4:]))
	return int64(blocks << (10 + binary.LittleEndian.Uint32(super[0x18:]))), nil
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
