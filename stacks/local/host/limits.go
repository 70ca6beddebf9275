package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrGrowsAtStart says that the kernel does not let us grow a disk in use (CAP_SYS_RESOURCE is missing): it grows when
// the host is killed and started again.
var ErrGrowsAtStart = errors.New("the disk grows when the host is started again")

// SetLimits sets the limits of a running or stopped host in place. A disk can grow but not shrink.
func (h *Host) SetLimits(ctx context.Context, l Limits) error {
	held, err := lock(ctx, h.dir, false)
	if err == nil {
		defer held.Close()
		err = h.setLimits(l)
	}
	if err != nil {
		return fmt.Errorf("set limits of host %q: %w", h.Name(), err)
	}
	return nil
}

func (h *Host) setLimits(l Limits) error {
	g, err := h.group()
	if err != nil {
		return err
	}
	if err := g.set(l); err != nil {
		return err
	}
	if l.Disk == 0 {
		return nil
	}
	st, err := os.Stat(imagePath(h.dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a folder: not enforced, as Limits says
	} else if err != nil {
		return err
	}
	if l.Disk < st.Size() {
		return fmt.Errorf("its disk of %d bytes cannot shrink to %d", st.Size(), l.Disk)
	}
	if err := os.Truncate(imagePath(h.dir), l.Disk); err != nil {
		return err
	}
	if !h.Running() {
		return nil // grown when it starts
	}
	loops, err := loopsOf(h.dir)
	if err != nil {
		return err
	}
	for _, loop := range loops {
		if err := resizeLoop(loop); err != nil {
			return err
		}
	}
	if err := growDisk(h.root(), l.Disk); errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w (%w)", ErrGrowsAtStart, err)
	} else if err != nil {
		return err
	}
	return nil
}

// Limits reads the limits back from the kernel and the file system, and tells which of them ("cpu", "memory", "disk",
// "pids") the kernel enforces now.
func (h *Host) Limits() (Limits, map[string]bool, error) {
	g, err := h.group()
	if err != nil {
		return Limits{}, nil, err
	}
	l, enforced := g.get(h.Pid())
	st, err := os.Stat(imagePath(h.dir))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		enforced["disk"] = false
	case err != nil:
		return l, enforced, err
	case h.Running():
		if l.Disk, err = diskSize(h.root()); err != nil {
			return l, enforced, fmt.Errorf("size of the disk of host %q: %w", h.Name(), err)
		}
		enforced["disk"] = true
	default:
		l.Disk, enforced["disk"] = st.Size(), true
	}
	return l, enforced, nil
}
