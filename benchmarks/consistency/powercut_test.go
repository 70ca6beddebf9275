package consistency

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is an ext4 file system of its own, on a loop device, whose power can be cut.
//
// A SIGKILL is no power cut: the kernel keeps what a dead process wrote and writes it back later. Here ext4 is told to shut down at once
// and without flushing its journal (FS_IOC_SHUTDOWN, as xfstests does): from then on nothing in its page cache reaches the device,
// and what had not been written back is gone when it is mounted again. What the device had taken counts as kept, as on a disk whose
// cache is safe; losing that too is not simulated.
type disk struct {
	t     testing.TB
	image string
	at    string
	life  int
}

func newDisk(t testing.TB) *disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a file system")
	}
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		t.Skip("needs mkfs.ext4:", err)
	}
	dir, err := os.MkdirTemp("", "powercut")
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{t: t, image: filepath.Join(dir, "disk.img"), at: filepath.Join(dir, "m")}
	t.Cleanup(func() {
		_ = d.unmount()
		if err := os.Remove(d.at); err != nil { // not RemoveAll while something may be mounted there
			t.Error(err)
			return
		}
		_ = os.RemoveAll(dir)
	})
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(d.at, 0o755), os.WriteFile(d.image, nil, 0o600), os.Truncate(d.image, 256<<20))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	if err := d.mount(); err != nil {
		t.Skip("needs loop devices: ", err)
	}
	if err := os.Mkdir(d.at+"/pg", 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *disk) mount() error {
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput(); err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

// unmount tries again while a process that was killed still ends.
func (d *disk) unmount() error {
	var err error
	for range 200 {
		if err = unix.Unmount(d.at, 0); !errors.Is(err, unix.EBUSY) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// revive mounts what the device held when the power was cut. It takes a copy of it, because a mount namespace that somebody made
// meanwhile may still hold the dead file system, and mounting its image again would give that one.
func (d *disk) revive() error {
	if err := d.unmount(); err != nil {
		return err
	}
	d.life++
	next := fmt.Sprintf("%s.%d", d.image, d.life)
	if out, err := exec.Command("cp", "--sparse=always", d.image, next).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the device: %w: %s", err, out)
	}
	d.image = next
	return d.mount()
}

// own opens the file system's root and makes sure that it is ours: on a loop device, and not the one around it.
func (d *disk) own() (int, error) {
	fd, err := unix.Open(d.at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var here, around unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &here), unix.Stat(filepath.Dir(d.at), &around)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	const loopMajor = 7
	if here.Dev == around.Dev || unix.Major(here.Dev) != loopMajor {
		unix.Close(fd)
		return -1, fmt.Errorf("%s is no file system of its own on a loop device", d.at)
	}
	return fd, nil
}

// flush writes back everything, as the kernel does after a while.
func (d *disk) flush() error {
	fd, err := d.own()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Syncfs(fd)
}

// cut cuts the power.
func (d *disk) cut() error {
	fd, err := d.own()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	const shutdown, withoutLogFlush = 0x8004587D, 2 // FS_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
	return unix.IoctlSetPointerInt(fd, shutdown, withoutLogFlush)
}

// The simulated power cut loses what was only written and keeps what was flushed, or the tests below would prove nothing.
func TestThePowerCutLosesWhatWasNotFlushed(t *testing.T) {
	d := newDisk(t)
	write := func(name string, flush bool) {
		f, err := os.Create(filepath.Join(d.at, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(name); err != nil {
			t.Fatal(err)
		}
		if flush {
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("flushed", true)
	write("only-written", false)
	if err := errors.Join(d.cut(), d.revive()); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(d.at, "flushed")); string(raw) != "flushed" {
		t.Errorf("what was flushed: %q, %v", raw, err)
	}
	if raw, _ := os.ReadFile(filepath.Join(d.at, "only-written")); len(raw) > 0 {
		t.Errorf("what was not flushed: %q", raw)
	}
}

// powerCut makes a server on a disk of its own and the fault that cuts its power and starts it again.
func powerCut(t testing.TB, fsync string) (*server, func(context.Context) error) {
	d := newDisk(t)
	s := newServer(t, d.at+"/pg")
	if err := errors.Join(d.flush(), s.start("fsync="+fsync)); err != nil {
		t.Fatal(err)
	}
	return s, func(context.Context) error {
		// The kernel writes back now and then; after this time of it, what follows is lost.
		if err := d.flush(); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		if err := d.cut(); err != nil {
			return err
		}
		s.kill()
		if err := d.revive(); err != nil {
			return err
		}
		return s.start("fsync=" + fsync)
	}
}
