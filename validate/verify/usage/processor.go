package usage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"surety/benchmarks/knee"
)

// second is how many of the kernel's clock ticks are one: USER_HZ, the same on every architecture that Go runs on (proc_stat(5)).
const second = 100

// process is one that runs in the host.
type process struct {
	pid, parent int
	name        string
	ticks       float64 // its own processor time and that of children it has waited for, so that the sum over all never loses any
}

type processes []process

// processes reads all that can be seen. One that ends meanwhile is left out: its parent has its time.
func (s *Sampler) processes() (processes, error) {
	entries, err := os.ReadDir(filepath.Join(s.root, "proc"))
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all processes
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat := s.text("proc/" + e.Name() + "/stat")
		open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')') // a name may hold both
		if open < 0 || end < open {
			continue
		}
		fields := strings.Fields(stat[end+1:]) // from the third field on
		if len(fields) < 15 {
			continue
		}
		p := process{pid: pid, name: stat[open+1 : end]}
		p.parent, _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.ParseFloat(field, 64)
			p.ticks += n
		}
		all = append(all, p)
	}
	return all, nil
}

func (all processes) seconds() float64 {
	sum := 0.0
	for _, p := range all {
		sum += p.ticks
	}
	return sum / second
}

// ticks is the machine's processor time by what it was spent on.
type ticks struct {
	total, idle, stolen float64
	processors          int
}

func (s *Sampler) ticks() (ticks, error) {
	var t ticks
	for line := range strings.Lines(s.text("proc/stat")) {
		fields := strings.Fields(line)
		if len(fields) < 9 || !strings.HasPrefix(fields[0], "cpu") {
			continue
		}
		if fields[0] != "cpu" {
			t.processors++
			continue
		}
		for i, field := range fields[1:9] { // guest time, after these, is part of user time
			n, _ := strconv.ParseFloat(field, 64)
			t.total += n
			switch i {
			case 3, 4: // idle, and idle while a disk works
				t.idle += n
			case 7:
				t.stolen = n
			}
		}
	}
	if t.processors == 0 {
		return t, errors.New("read /proc/stat: it names no processor")
	}
	return t, nil
}

// since gives how busy the machine was. What a hypervisor gave to others is not there to be used either.
func (t ticks) since(before ticks) knee.Use {
	total := t.total - before.total
	if total <= 0 {
		return unknown(knee.CPU, "the machine's clock has not moved")
	}
	busy := share(total-(t.idle-before.idle), total)
	u := knee.Use{Resource: knee.CPU, Share: busy, Figure: fmt.Sprintf("%.2f of %d processors", busy*float64(t.processors), t.processors)}
	if stolen := share(t.stolen-before.stolen, total); stolen >= 0.01 {
		u.Figure += fmt.Sprintf(", %.0f %% of it stolen by the hypervisor", 100*stolen)
	}
	return u
}

// cpu gives how much of its processors the host used, and for how much of the time its quota was used up.
func (s *Sampler) cpu(before, now reading) knee.Use {
	if s.whole {
		return now.machine.since(before.machine)
	}
	passed := now.at.Sub(before.at).Seconds()
	used := max(0, now.cpu-before.cpu) / passed
	folder, quota := s.groups.quota()
	if folder == "" {
		if now.machine.processors == 0 {
			return unknown(knee.CPU, "%.2f processors are used, and neither a quota nor the machine's processors are to be seen", used)
		}
		quota = float64(now.machine.processors)
		return knee.Use{Resource: knee.CPU, Share: share(used, quota), Figure: fmt.Sprintf("%.2f of the machine's %.0f processors, without a quota", used, quota)}
	}
	most := quota
	if n := float64(now.machine.processors); n > 0 {
		most = min(most, n) // a quota beyond what the machine has is no more than that
	}
	u := knee.Use{Resource: knee.CPU, Share: share(used, most), Figure: fmt.Sprintf("%.2f of %.4g processors", used, quota)}
	if periods := now.throttled.periods - before.throttled.periods; periods > 0 {
		if held := now.throttled.throttled - before.throttled.throttled; held > 0 {
			// In a period in which the quota ran out, all of it was used. Where usage is known from clock ticks alone, that is the finer measure.
			u.Share = max(u.Share, share(held, periods))
			u.Figure += fmt.Sprintf(", throttled in %.0f %% of the periods for %.2g s", 100*share(held, periods), max(0, now.throttled.seconds-before.throttled.seconds))
		}
	}
	return u
}

// memory gives how much of its memory the host uses, and the machine of its own.
func (s *Sampler) memory() (host, machine knee.Use) {
	figures := map[string]float64{}
	for line := range strings.Lines(s.text("proc/meminfo")) {
		if name, rest, ok := strings.Cut(line, ":"); ok {
			n, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			figures[name] = n * 1024
		}
	}
	if total, left := figures["MemTotal"], figures["MemAvailable"]; total > 0 {
		machine = knee.Use{Resource: knee.Memory, Share: share(total-left, total), Figure: fmt.Sprintf("%s of %s", size(total-left), size(total))}
	}
	if s.whole {
		return machine, knee.Use{}
	}
	used, limit, known := s.groups.bytes()
	switch {
	case !known:
		return unknown(knee.Memory, "the host's cgroup is not to be seen from inside"), machine
	case limit == 0:
		return unknown(knee.Memory, "%s are used, and there is no limit", size(used)), machine
	}
	return knee.Use{Resource: knee.Memory, Share: share(used, limit), Figure: fmt.Sprintf("%s of %s without page cache", size(used), size(limit))}, machine
}
