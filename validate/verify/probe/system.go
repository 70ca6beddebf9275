package probe

import (
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SystemSeen is the host as it looks from inside.
type SystemSeen struct {
	OS       string `json:"os"` // "debian-12", from /etc/os-release
	Kernel   string `json:"kernel"`
	Hostname string `json:"hostname"`
	Cores    int    `json:"cores"` // that this process may run on
	// Disk is the size of the root file system in bytes, without what the file system keeps for itself; Free is what is left of it.
	Disk int64 `json:"disk"`
	Free int64 `json:"free"`
	// MachineMemory is the machine's memory in bytes: a host shares its kernel's view, whatever its own limit.
	MachineMemory int64 `json:"machineMemory"`
	// CPU (in cores) and Memory (in bytes) are the control group's limits where it can be seen from inside; 0: not visible or no limit.
	CPU    float64 `json:"cpu,omitempty"`
	Memory int64   `json:"memory,omitempty"`
}

// system reads through root where it reads files, so that tests can show it another host.
func system(root fs.FS) (*SystemSeen, error) {
	seen := &SystemSeen{Cores: runtime.NumCPU()}
	release, err := fs.ReadFile(root, "etc/os-release")
	if err != nil {
		return seen, fmt.Errorf("read the distribution: %w", err)
	}
	seen.OS = osRelease(release)
	var uts unix.Utsname
	if err := unix.Uname(&uts); err == nil {
		seen.Kernel, seen.Hostname = unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Nodename[:])
	}
	var disk unix.Statfs_t
	if err := unix.Statfs("/", &disk); err != nil {
		return seen, fmt.Errorf("read the size of /: %w", err)
	}
	seen.Disk, seen.Free = int64(disk.Blocks)*disk.Bsize, int64(disk.Bavail)*disk.Bsize
	seen.MachineMemory = memTotal(root)
	seen.CPU, seen.Memory = cgroupLimits(root)
	return seen, nil
}

// osRelease gives "ID-VERSION_ID" of an os-release file, or "ID" for a rolling distribution.
func osRelease(data []byte) string {
	fields := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			fields[name] = strings.Trim(value, `"'`)
		}
	}
	return strings.TrimSuffix(fields["ID"]+"-"+fields["VERSION_ID"], "-")
}

func memTotal(root fs.FS) int64 {
	data, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}

// cgroupLimits reads the limits of this process's own control group, version 2 first, then 1.
func cgroupLimits(root fs.FS) (cpu float64, memory int64) {
	data, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		controllers, dir := ","+parts[1]+",", strings.Trim(parts[2], "/")
		number := func(path ...string) float64 {
			data, err := fs.ReadFile(root, strings.ReplaceAll(strings.Join(append([]string{"sys/fs/cgroup"}, path...), "/"), "//", "/"))
			if err != nil {
				return 0
			}
			fields := strings.Fields(string(data))
			if len(fields) == 0 {
				return 0
			}
			value, err := strconv.ParseFloat(fields[0], 64)
			if err != nil || value < 0 || value > 1<<60 { // "max", -1 and 2^63-4096 all say: no limit
				return 0
			}
			if len(fields) == 2 { // cpu.max: quota and period
				period, err := strconv.ParseFloat(fields[1], 64)
				if err != nil || period <= 0 {
					return 0
				}
				return value / period
			}
			return value
		}
		if parts[1] == "" {
			if v := number(dir, "cpu.max"); v > 0 {
				cpu = v
			}
			if v := number(dir, "memory.max"); v > 0 {
				memory = int64(v)
			}
		}
		if strings.Contains(controllers, ",cpu,") {
			if quota, period := number("cpu", dir, "cpu.cfs_quota_us"), number("cpu", dir, "cpu.cfs_period_us"); quota > 0 && period > 0 {
				cpu = quota / period
			}
		}
		if strings.Contains(controllers, ",memory,") {
			if v := number("memory", dir, "memory.limit_in_bytes"); v > 0 {
				memory = int64(v)
			}
		}
	}
	return cpu, memory
}
