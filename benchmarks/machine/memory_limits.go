package machine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// lastLevelCache is the size of the first processor's largest cache in bytes, 0 when the kernel does not tell.
func lastLevelCache() (largest int64) {
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu0/cache/index*/size")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(text)), "K"), 10, 64); err == nil {
			largest = max(largest, kib<<10)
		}
	}
	return largest
}

// freeMemory is what this process may still take, in bytes: the machine's available memory, or what its control group (version 1 or 2,
// as mounted where the host sees its own) leaves when that is less.
func freeMemory() int64 {
	free := int64(1 << 62)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "MemAvailable:" {
				if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
					free = kib << 10
				}
			}
		}
	}
	for _, g := range ownGroups() {
		for _, names := range [][2]string{{"memory.max", "memory.current"}, {"memory.limit_in_bytes", "memory.usage_in_bytes"}} {
			limit, err1 := readNumber(filepath.Join(g, names[0]))
			used, err2 := readNumber(filepath.Join(g, names[1]))
			if err1 == nil && err2 == nil {
				free = min(free, limit-used)
			}
		}
	}
	return max(0, free)
}

// ownGroups are the folders in which the limits of this process's control groups may be found.
func ownGroups() []string {
	groups := []string{"/sys/fs/cgroup", "/sys/fs/cgroup/memory"}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return groups
	}
	for line := range strings.Lines(string(text)) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 {
			switch {
			case parts[1] == "":
				groups = append(groups, filepath.Join("/sys/fs/cgroup", parts[2]))
			case strings.Contains(","+parts[1]+",", ",memory,"):
				groups = append(groups, filepath.Join("/sys/fs/cgroup/memory", parts[2]))
			}
		}
	}
	return groups
}

func readNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
