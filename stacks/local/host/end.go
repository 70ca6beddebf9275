package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kill powers the host off: everything in it is killed at once, the disk is kept for the next Start. Repeatable.
func (h *Host) Kill(ctx context.Context) error {
	held, err := lock(ctx, h.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer held.Close()
		err = h.end(ctx)
	}
	if err != nil {
		return fmt.Errorf("kill host %q: %w", h.Name(), err)
	}
	return nil
}

// Destroy removes the host with its disk: processes, namespaces, mounts, loop device, cgroup and files. It may be
// repeated, and works on what a killed Start left behind. A base folder outside the host's own is kept.
func (h *Host) Destroy(ctx context.Context) error {
	held, err := lock(ctx, h.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer held.Close()
		if err = h.end(ctx); err == nil {
			err = os.RemoveAll(h.dir)
		}
	}
	if err != nil {
		return fmt.Errorf("destroy host %q: %w", h.Name(), err)
	}
	return nil
}

// Remove destroys the host of a folder whatever state it is in, also one whose record was never written. Repeatable.
func Remove(ctx context.Context, dir string) error {
	h, err := Adopt(dir)
	if err != nil {
		h = &Host{dir: dir}
	}
	return h.Destroy(ctx)
}

// end kills every process of the host and waits until the kernel let go of its loop device and cgroup.
func (h *Host) end(ctx context.Context) error {
	rec, spoilt := readRecord(h.dir)
	if errors.Is(spoilt, fs.ErrNotExist) {
		spoilt = nil // nothing was made before it is written
	}
	if rec.alive() {
		if err := killInit(ctx, rec.Pid, rec.Start); err != nil {
			return err
		}
	}
	// An init that was never recorded waits for a go-ahead that will not come; it is killed rather than awaited.
	strays, err := inits(h.dir)
	if err != nil {
		return err
	}
	for _, pid := range strays {
		start, _, err := processStart(pid)
		if err == nil {
			err = killInit(ctx, pid, start)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		loops, err := loopsOf(h.dir)
		if err != nil {
			return err
		}
		if len(loops) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("loop devices %v are still in use: %w", loops, ctx.Err())
		case <-ticker.C:
		}
	}
	if spoilt != nil { // as the machine's sudden end may leave it
		return removeGroupsOf(ctx, h.dir)
	}
	if rec.Name == "" {
		return nil
	}
	g, err := hostGroup(rec.Parent, groupName(rec.Name, h.dir))
	if err != nil {
		return err
	}
	if err := g.remove(ctx); err != nil {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

// killInit kills a host's init, and by that all its processes, and waits for its end.
func killInit(ctx context.Context, pid int, start uint64) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	} else if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if now, _, err := processStart(pid); err != nil || now != start {
		return nil //nolint:nilerr // the descriptor is of another process: ours is gone
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50) // milliseconds
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("await process %d: %w", pid, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("process %d does not end: %w", pid, ctx.Err())
		}
	}
}

// inits finds the running init of the host in dir, recorded or not, by its environment.
func inits(dir string) ([]int, error) {
	return initsWhere(func(of string) bool { return of == dir })
}

func initsWhere(is func(dir string) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if of, ok := strings.CutPrefix(string(env), marker); err == nil && ok && is(strings.TrimRight(of, "\x00")) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// Leftovers lists what still belongs to the host in dir, or to the hosts in the folders right below dir: processes,
// mounts, loop devices, cgroups and files. Namespaces have no other holder than the processes listed. It is empty after
// Destroy.
func Leftovers(dir string) ([]string, error) {
	var left []string
	pids, err := initsWhere(func(of string) bool { return of == dir || filepath.Dir(of) == dir })
	if err != nil {
		return nil, err
	}
	for _, pid := range pids {
		left = append(left, fmt.Sprintf("process %d", pid))
	}
	mounts, err := mountsBelow(dir)
	if err != nil {
		return nil, err
	}
	for _, point := range mounts {
		left = append(left, "mount "+point)
	}
	loops, err := loopsOf(dir)
	if err != nil {
		return nil, err
	}
	for _, loop := range loops {
		left = append(left, "loop device "+loop)
	}
	groups, err := groupsOf(dir)
	if err != nil {
		return nil, err
	}
	for _, path := range groups {
		left = append(left, "cgroup "+path)
		for _, pid := range membersBelow(path) {
			left = append(left, fmt.Sprintf("process %d", pid))
		}
	}
	if _, err := os.Lstat(dir); err == nil {
		left = append(left, "file "+dir)
	}
	return left, nil
}

// groupsOf finds the cgroups of the host in dir, or of those right below it, by their names alone.
func groupsOf(dir string) ([]string, error) {
	found, err := findCgroups()
	if err != nil {
		return nil, err
	}
	var groups []string
	own := "-" + hash(dir)
	for _, root := range found.roots() {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if name := filepath.Base(path); err == nil && entry.IsDir() && (strings.HasSuffix(name, own) || strings.Contains(name, own+"-")) {
				groups = append(groups, path)
			}
			return nil //nolint:nilerr // folders come and go there
		})
		if err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// removeGroupsOf removes the cgroups of the host in dir without knowing where they are.
func removeGroupsOf(ctx context.Context, dir string) error {
	groups, err := groupsOf(dir)
	if err != nil {
		return err
	}
	found, err := findCgroups()
	if err != nil {
		return err
	}
	for _, root := range found.roots() {
		for _, path := range groups {
			rel, ok := strings.CutPrefix(path, root+"/")
			if !ok {
				continue
			}
			g := group{cgroups: cgroups{v2: root}, parent: filepath.Dir(rel), name: filepath.Base(rel)}
			if err := g.remove(ctx); err != nil {
				return fmt.Errorf("remove cgroup: %w", err)
			}
		}
	}
	return nil
}

// mountsBelow lists the mounts of this mount namespace at dir or below it.
func mountsBelow(dir string) ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var points []string
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		fields := strings.Fields(scan.Text())
		if len(fields) < 5 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, scan.Err()
}
