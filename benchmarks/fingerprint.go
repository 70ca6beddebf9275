package benchmarks

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Fingerprint says where a figure was taken: what, when it differs, may explain a change without anything of ours having changed.
type Fingerprint map[string]string

// ThisMachine gives the fingerprint of the machine, or host, that this process runs in. What cannot be read is left out.
func ThisMachine() Fingerprint {
	f := Fingerprint{
		"os": runtime.GOOS, "architecture": runtime.GOARCH, "go": runtime.Version(),
		"processors": strconv.Itoa(runtime.NumCPU()), "usable processors": strconv.Itoa(runtime.GOMAXPROCS(0)), // the latter obeys cgroup quotas
	}
	set := func(key, value string) {
		if value = strings.TrimSpace(value); value != "" {
			f[key] = value
		}
	}
	set("processor", field("/proc/cpuinfo", "model name"))
	if total, _, ok := strings.Cut(field("/proc/meminfo", "MemTotal"), " "); ok {
		if kib, err := strconv.ParseInt(total, 10, 64); err == nil {
			f["memory"] = fmt.Sprintf("%.1f GiB", float64(kib)/(1<<20))
		}
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		set("kernel", unix.ByteSliceToString(name.Release[:]))
	}
	governor, _ := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	set("governor", string(governor))
	return f
}

// field reads the first "key : value" line of a file under /proc.
func field(path, key string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Differs names, sorted, in what two fingerprints differ, as "kernel: 6.1 / 6.18".
func (f Fingerprint) Differs(g Fingerprint) []string {
	var differences []string
	say := func(key, a, b string) {
		differences = append(differences, fmt.Sprintf("%s: %s / %s", key, orUnknown(a), orUnknown(b)))
	}
	for key, value := range f {
		if g[key] != value {
			say(key, value, g[key])
		}
	}
	for key, value := range g {
		if _, known := f[key]; !known {
			say(key, "", value)
		}
	}
	slices.Sort(differences)
	return differences
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
