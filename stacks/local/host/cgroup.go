package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups is where the machine has each controller: on version 1 one hierarchy each, on version 2 one for all.
type cgroups struct {
	v1 map[string]string // controller to mount point
	v2 string            // mount point, when it has controllers of ours
}

// controllers are those that limit a host.
var controllers = []string{"cpu", "memory", "pids"}

// cpuPeriod is the kernel's default period of processor quotas, in microseconds.
const cpuPeriod = 100_000

// findCgroups reads the machine's mount table (proc_pid_mountinfo(5)).
func findCgroups() (cgroups, error) {
	found := cgroups{v1: map[string]string{}}
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return found, err
	}
	defer file.Close()
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		head, tail, ok := strings.Cut(scan.Text(), " - ")
		left, right := strings.Fields(head), strings.Fields(tail)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		switch point := left[4]; right[0] {
		case "cgroup":
			for option := range strings.SplitSeq(right[2], ",") {
				if slices.Contains(controllers, option) && found.v1[option] == "" {
					found.v1[option] = point
				}
			}
		case "cgroup2":
			data, err := os.ReadFile(filepath.Join(point, "cgroup.controllers"))
			if err == nil && slices.ContainsFunc(strings.Fields(string(data)), func(c string) bool { return slices.Contains(controllers, c) }) {
				found.v2 = point
			}
		}
	}
	return found, scan.Err()
}

// roots are the mount points to look below.
func (c cgroups) roots() []string {
	var roots []string
	for _, name := range controllers {
		if point := c.v1[name]; point != "" && !slices.Contains(roots, point) {
			roots = append(roots, point)
		}
	}
	if c.v2 != "" {
		roots = append(roots, c.v2)
	}
	return roots
}

// group is the cgroup of one host in every hierarchy.
type group struct {
	cgroups
	parent, name string
}

func hostGroup(parent, name string) (group, error) {
	found, err := findCgroups()
	if err != nil {
		return group{}, fmt.Errorf("find cgroups: %w", err)
	}
	return group{found, parent, name}, nil
}

// path is the group's folder for a controller; empty when the machine does not offer it.
func (g group) path(controller string) string {
	if point := g.v1[controller]; point != "" {
		return filepath.Join(point, g.parent, g.name)
	}
	if g.v2 != "" {
		path := filepath.Join(g.v2, g.parent, g.name)
		data, _ := os.ReadFile(filepath.Join(path, "cgroup.controllers"))
		if slices.Contains(strings.Fields(string(data)), controller) {
			return path
		}
	}
	return ""
}

func (g group) folders() []string {
	var all []string
	for _, root := range g.roots() {
		all = append(all, filepath.Join(root, g.parent, g.name))
	}
	return all
}

// make makes the group; where the machine does not let us, its limits are not enforced, which Limits says.
func (g group) make() {
	for _, root := range g.roots() {
		// A parent that just became empty may be removed by another host's end between two steps: try again.
		for range 5 {
			if root == g.v2 {
				enable(root, g.parent)
			}
			if err := os.MkdirAll(filepath.Join(root, g.parent, g.name), 0o755); !errors.Is(err, fs.ErrNotExist) {
				break
			}
		}
	}
}

// enable passes our controllers down a version 2 hierarchy, one by one since any may be missing or refused.
func enable(root, parent string) {
	path := root
	for _, part := range append([]string{""}, strings.Split(parent, "/")...) {
		path = filepath.Join(path, part)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return
		}
		for _, c := range controllers {
			_ = os.WriteFile(filepath.Join(path, "cgroup.subtree_control"), []byte("+"+c), 0)
		}
	}
}

// add moves a process into the group.
func (g group) add(pid int) {
	for _, folder := range g.folders() {
		_ = os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	}
}

// set writes the limits. Errors name what the kernel refused; a controller that is not there is none.
func (g group) set(l Limits) error {
	var errs []error
	put := func(controller, file, value string) {
		path := g.path(controller)
		if path == "" {
			return
		}
		path = filepath.Join(path, file)
		if old, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(old)) == value {
			return // the kernel does not have the file, or has the value
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			errs = append(errs, fmt.Errorf("set %s to %s: %w", file, value, err))
		}
	}
	quota := strconv.Itoa(int(math.Round(l.CPU * cpuPeriod)))
	memory := strconv.FormatInt(l.Memory, 10)
	if g.v1["cpu"] != "" {
		if l.CPU == 0 {
			quota = "-1"
		}
		put("cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod))
		put("cpu", "cpu.cfs_quota_us", quota)
	} else {
		if l.CPU == 0 {
			quota = "max"
		}
		put("cpu", "cpu.max", fmt.Sprintf("%s %d", quota, cpuPeriod))
	}
	if g.v1["memory"] != "" {
		if l.Memory == 0 {
			memory = "-1"
		}
		// Memory and swap together may never be below memory alone: whichever way it goes, one of the first two fits.
		before := len(errs)
		put("memory", "memory.memsw.limit_in_bytes", memory)
		errs = errs[:before]
		put("memory", "memory.limit_in_bytes", memory)
		put("memory", "memory.memsw.limit_in_bytes", memory)
	} else {
		if l.Memory == 0 {
			memory = "max"
		}
		put("memory", "memory.swap.max", map[bool]string{true: "max", false: "0"}[l.Memory == 0])
		put("memory", "memory.max", memory)
	}
	put("pids", "pids.max", strconv.Itoa(MaxProcesses))
	return errors.Join(errs...)
}

// get reads the limits back, and which of them the kernel holds for the process pid (its init; 0: none runs).
func (g group) get(pid int) (Limits, map[string]bool) {
	var l Limits
	read := func(controller, file string) []string {
		path := g.path(controller)
		if path == "" {
			return nil
		}
		data, err := os.ReadFile(filepath.Join(path, file))
		if err != nil {
			return nil
		}
		return strings.Fields(string(data))
	}
	number := func(fields []string, i int) float64 {
		if len(fields) <= i {
			return 0
		}
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || n < 0 || n >= 1<<62 { // "max", -1, and version 1's largest number of pages mean no limit
			return 0
		}
		return n
	}
	if g.v1["cpu"] != "" {
		if period := number(read("cpu", "cpu.cfs_period_us"), 0); period > 0 {
			l.CPU = number(read("cpu", "cpu.cfs_quota_us"), 0) / period
		}
	} else if limit := read("cpu", "cpu.max"); number(limit, 1) > 0 {
		l.CPU = number(limit, 0) / number(limit, 1)
	}
	memory, pids := "memory.max", number(read("pids", "pids.max"), 0)
	if g.v1["memory"] != "" {
		memory = "memory.limit_in_bytes"
	}
	l.Memory = int64(number(read("memory", memory), 0))
	return l, map[string]bool{
		"cpu":    l.CPU > 0 && g.holds("cpu", pid),
		"memory": l.Memory > 0 && g.holds("memory", pid),
		"pids":   pids > 0 && g.holds("pids", pid),
	}
}

// holds tells whether pid is in the group of the controller.
func (g group) holds(controller string, pid int) bool {
	path := g.path(controller)
	if path == "" {
		return false
	}
	return slices.Contains(membersBelow(path), pid)
}

// membersBelow lists the processes in a cgroup and those below it.
func membersBelow(path string) []int {
	var pids []int
	_ = filepath.WalkDir(path, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil //nolint:nilerr // it may go while we look
		}
		data, _ := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// remove removes the group, what is below it, and its parents as far as they are empty. The kernel lets go of a cgroup
// shortly after its last process, so this waits as long as ctx allows.
func (g group) remove(ctx context.Context) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for _, root := range g.roots() {
		path := filepath.Join(root, g.parent, g.name)
		for {
			err := removeBelow(path)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			if !errors.Is(err, unix.EBUSY) {
				return err
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w: %w", ctx.Err(), err)
			case <-ticker.C:
			}
		}
		for parent := g.parent; parent != "." && parent != "/"; parent = filepath.Dir(parent) {
			if os.Remove(filepath.Join(root, parent)) != nil {
				break // other hosts are in it
			}
		}
	}
	return nil
}

func removeBelow(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeBelow(filepath.Join(path, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return unix.Rmdir(path)
}
