package local

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"surety/stacks/local/postgres"
)

// Machine is what a machine offers to the hosts that are built on it.
type Machine struct {
	OS       string          // distribution and version, as "debian-12"
	Postgres []string        // full versions of PostgreSQL that are installed, newest first
	CPUs     int             // cores
	Memory   int64           // bytes
	Enforced map[string]bool // limits that the kernel holds here: cpu, memory, disk, pids
	// Lacks tells whether a distribution package is not installed; nil where that cannot be known.
	Lacks func(pkg string) bool
}

// ThisMachine looks at the machine it runs on. What cannot be read is left zero: unknown, which is never taken for enough.
func ThisMachine() Machine {
	return Machine{
		OS:       machineOS("/etc/os-release"),
		Postgres: postgres.Installed(),
		CPUs:     runtime.NumCPU(),
		Memory:   totalMemory("/proc/meminfo"),
		Enforced: enforced("/proc/self/cgroup", "/sys/fs/cgroup", os.Geteuid()),
		Lacks:    lacks("/var/lib/dpkg/info"),
	}
}

// lacks looks a package up in dpkg's folder of what is installed (dpkg-query reads the same), or is nil on a machine without dpkg.
func lacks(info string) func(pkg string) bool {
	if _, err := os.Stat(info); err != nil {
		return nil
	}
	return func(pkg string) bool {
		for _, name := range []string{pkg, pkg + ":" + runtime.GOARCH} { // the latter where several architectures may be installed
			if _, err := os.Stat(filepath.Join(info, name+".list")); err == nil {
				return false
			}
		}
		return true
	}
}

// machineOS reads "debian-12" out of an os-release file (man 5 os-release).
func machineOS(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		fields[key] = strings.Trim(value, `"'`)
	}
	if fields["ID"] == "" {
		return ""
	}
	return strings.TrimSuffix(fields["ID"]+"-"+fields["VERSION_ID"], "-")
}

// totalMemory reads MemTotal, in bytes.
func totalMemory(path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// enforced says which limits hold: those with a cgroup controller that this user may use, of version 1 or 2, and the disk,
// which is a file system of its own and needs the right to mount.
func enforced(self, mount string, uid int) map[string]bool {
	limits := map[string]bool{"cpu": false, "memory": false, "disk": uid == 0, "pids": false}
	if uid != 0 {
		return limits
	}
	if raw, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers")); err == nil {
		for _, controller := range strings.Fields(string(raw)) {
			if _, known := limits[controller]; known {
				limits[controller] = true
			}
		}
		return limits
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		return limits
	}
	for line := range strings.Lines(string(raw)) { // "4:cpu,cpuacct:/"
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if _, known := limits[controller]; known {
				_, err := os.Stat(filepath.Join(mount, controller))
				limits[controller] = err == nil
			}
		}
	}
	return limits
}

// fileDigest gives the hex SHA-256 of a file's content.
func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read %q: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
