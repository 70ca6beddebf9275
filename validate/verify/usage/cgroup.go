package usage

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// groups is where this process's control groups can be seen, from its own up to the outermost, by controller; version 2 is "".
type groups struct {
	folders map[string][]string
}

// findGroups reads where the kernel shows the group (proc_pid_mountinfo(5)) and which it is (cgroups(7)). A mount may show only a part
// of a hierarchy: the group's path then begins with that part's.
func (s *Sampler) findGroups() groups {
	g := groups{folders: map[string][]string{}}
	own := map[string]string{}
	for line := range strings.Lines(s.text("proc/self/cgroup")) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); len(parts) == 3 {
			for controller := range strings.SplitSeq(parts[1], ",") {
				own[controller] = parts[2]
			}
		}
	}
	for _, m := range s.mounts() {
		var controllers []string
		switch m.kind {
		case "cgroup":
			controllers = strings.Split(m.super, ",")
		case "cgroup2":
			controllers = []string{""}
		}
		for _, c := range controllers {
			path, ok := own[c]
			if !ok || g.folders[c] != nil {
				continue
			}
			below, inside := strings.CutPrefix(path, strings.TrimSuffix(m.root, "/"))
			if !inside || below != "" && below[0] != '/' {
				below = "" // what is mounted is not above ours, as with a namespace made elsewhere: then it is all there is to see
			}
			for dir := filepath.Join("/", below); ; dir = filepath.Dir(dir) {
				g.folders[c] = append(g.folders[c], filepath.Join(s.root, m.point, dir))
				if dir == "/" {
					break
				}
			}
		}
	}
	return g
}

type mount struct {
	device, root, point, kind, super string
}

func (s *Sampler) mounts() []mount {
	file, err := os.Open(filepath.Join(s.root, "proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	defer file.Close()
	var all []mount
	scan := bufio.NewScanner(file)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		head, tail, ok := strings.Cut(scan.Text(), " - ")
		left, right := strings.Fields(head), strings.Fields(tail)
		if ok && len(left) >= 5 && len(right) >= 3 {
			all = append(all, mount{device: left[2], root: left[3], point: left[4], kind: right[0], super: right[2]})
		}
	}
	return all
}

// number reads the i-th field of a group's file; not a number where there is none, or no limit: "max", -1 and version 1's largest
// number of pages all say that.
func number(folder, file string, i int) float64 {
	data, err := os.ReadFile(filepath.Join(folder, file))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) <= i {
		return math.NaN()
	}
	n, err := strconv.ParseFloat(fields[i], 64)
	if err != nil || n < 0 || n >= 1<<62 {
		return math.NaN()
	}
	return n
}

// named reads a figure of a file with a name and a figure in each line.
func named(folder, file, name string) (float64, bool) {
	data, err := os.ReadFile(filepath.Join(folder, file))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return n, err == nil
		}
	}
	return 0, false
}

// tightest finds the folder with the smallest limit, "" when there is none.
func tightest(folders []string, limit func(folder string) float64) (folder string, least float64) {
	least = math.Inf(1)
	for _, f := range folders {
		if l := limit(f); l > 0 && l < least { // not so for what is not a number
			folder, least = f, l
		}
	}
	return folder, least
}

// quota gives how many processors the host may use, with the folder of the group that says so.
func (g groups) quota() (folder string, processors float64) {
	if f, l := tightest(g.folders["cpu"], func(f string) float64 { return number(f, "cpu.cfs_quota_us", 0) / number(f, "cpu.cfs_period_us", 0) }); f != "" {
		return f, l
	}
	return tightest(g.folders[""], func(f string) float64 { return number(f, "cpu.max", 0) / number(f, "cpu.max", 1) })
}

// used gives the seconds of processor time of the group with the quota, and less than 0 where it is not accounted.
func (g groups) used() float64 {
	folder, _ := g.quota()
	if folder == "" {
		return -1
	}
	if spent, ok := named(folder, "cpu.stat", "usage_usec"); ok {
		return spent / 1e6
	}
	if n := number(folder, "cpuacct.usage", 0); !math.IsNaN(n) { // there when both controllers share a hierarchy
		return n / 1e9
	}
	return -1
}

// throttle is how often the kernel looked whether the quota was used up, how often it was, and for how many seconds the group's
// threads, all counted, had to wait.
type throttle struct{ periods, throttled, seconds float64 }

func (g groups) throttled() throttle {
	folder, _ := g.quota()
	if folder == "" {
		return throttle{}
	}
	var t throttle
	t.periods, _ = named(folder, "cpu.stat", "nr_periods")
	t.throttled, _ = named(folder, "cpu.stat", "nr_throttled")
	if usec, ok := named(folder, "cpu.stat", "throttled_usec"); ok {
		t.seconds = usec / 1e6
	} else if nsec, ok := named(folder, "cpu.stat", "throttled_time"); ok {
		t.seconds = nsec / 1e9
	}
	return t
}

// bytes gives what the host uses of its memory and how much it may; limit 0: none is to be seen. The page cache is left out, since it
// is given back when something else needs the room; shared memory, which the kernel counts among it, is not.
func (g groups) bytes() (used, limit float64, known bool) {
	folder, limit := tightest(g.folders["memory"], func(f string) float64 { return number(f, "memory.limit_in_bytes", 0) })
	file, prefix := "memory.usage_in_bytes", "total_"
	if folder == "" {
		folder, limit = tightest(g.folders[""], func(f string) float64 { return number(f, "memory.max", 0) })
		file, prefix = "memory.current", ""
	}
	if folder == "" {
		for _, try := range [][]string{g.folders["memory"], g.folders[""]} {
			if i := slices.IndexFunc(try, func(f string) bool {
				return !math.IsNaN(number(f, "memory.current", 0)) || !math.IsNaN(number(f, "memory.usage_in_bytes", 0))
			}); i >= 0 {
				folder = try[i]
				break
			}
		}
		limit = 0
		if folder != "" && math.IsNaN(number(folder, "memory.current", 0)) {
			file, prefix = "memory.usage_in_bytes", "total_"
		}
	}
	used = number(folder, file, 0)
	if folder == "" || math.IsNaN(used) {
		return 0, limit, false
	}
	for _, cache := range []string{"active_file", "inactive_file"} {
		n, _ := named(folder, "memory.stat", prefix+cache)
		used -= n
	}
	return max(0, used), limit, true
}
