package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"surety/benchmarks/knee"
)

// disk is a block device's counters.
type disk struct {
	name                string
	read, written, busy float64 // bytes, and seconds in which at least one request was under way
}

// sector is the unit of /proc/diskstats, whatever the device's own is.
const sector = 512

// disks reads all block devices (the kernel's Documentation/admin-guide/iostats.rst).
func (s *Sampler) disks() map[string]disk {
	all := map[string]disk{}
	for line := range strings.Lines(s.text("proc/diskstats")) {
		fields := strings.Fields(line)
		if len(fields) < 13 {
			continue
		}
		at := func(i int) float64 {
			n, _ := strconv.ParseFloat(fields[i], 64)
			return n
		}
		all[fields[0]+":"+fields[1]] = disk{name: fields[2], read: at(5) * sector, written: at(9) * sector, busy: at(12) / 1000}
	}
	return all
}

func (d disk) since(before disk, passed float64) knee.Use {
	busy := share(d.busy-before.busy, passed)
	return knee.Use{Resource: knee.Disk, Share: busy, Figure: fmt.Sprintf("%s busy %.0f %% of the time, %s read, %s written",
		d.name, 100*busy, rate(max(0, d.read-before.read)/passed), rate(max(0, d.written-before.written)/passed))}
}

// disk gives for what part of the time the device behind / was busy. A device that serves many requests at once can take more when it
// is always busy; one that is seldom busy certainly can.
func (s *Sampler) disk(before, now reading) knee.Use {
	device, why := s.rootDevice()
	if why != "" {
		return unknown(knee.Disk, "%s", why)
	}
	d, ok := now.disks[device]
	was, was2 := before.disks[device]
	if !ok || !was2 {
		return unknown(knee.Disk, "the kernel counts nothing for the device %s behind /", device)
	}
	return d.since(was, now.at.Sub(before.at).Seconds())
}

// rootDevice gives the number of the device that / is on, of the whole device when it is a partition.
func (s *Sampler) rootDevice() (device, why string) {
	mounts := s.mounts()
	root, ok := covering(mounts, "/")
	if !ok {
		return "", "the mount of / is not to be seen"
	}
	if root.kind == "overlay" { // what is written goes to the upper folder's file system, where that can be seen
		for option := range strings.SplitSeq(root.super, ",") {
			if upper, ok := strings.CutPrefix(option, "upperdir="); ok && strings.HasPrefix(upper, "/") {
				if below, ok := covering(mounts, upper); ok && below.point != "/" {
					root = below
				}
			}
		}
	}
	if strings.HasPrefix(root.device, "0:") {
		return "", fmt.Sprintf("/ is a %s without a device of its own", root.kind)
	}
	if whole := s.text(filepath.Join("sys/dev/block", root.device, "../dev")); s.text(filepath.Join("sys/dev/block", root.device, "partition")) != "" && whole != "" {
		return whole, ""
	}
	return root.device, ""
}

// covering finds the mount that a path is on: the deepest, and the last made of them.
func covering(mounts []mount, path string) (found mount, ok bool) {
	for _, m := range mounts {
		if rest, below := strings.CutPrefix(path, strings.TrimSuffix(m.point, "/")); below && (rest == "" || rest[0] == '/') && len(m.point) >= len(found.point) {
			found, ok = m, true
		}
	}
	return found, ok
}

// busiest gives the machine's device that was busiest, among those that are hardware.
func (s *Sampler) busiest(before, now reading) (u knee.Use) {
	for device, d := range now.disks {
		was, ok := before.disks[device]
		if _, err := os.Stat(filepath.Join(s.root, "sys/block", d.name, "device")); err != nil || !ok {
			continue
		}
		if of := d.since(was, now.at.Sub(before.at).Seconds()); u.Resource == "" || of.Share > u.Share {
			u = of
		}
	}
	return u
}

// traffic is a network link's counters in bytes.
type traffic struct{ in, out float64 }

// links reads the links of the host's network namespace.
func (s *Sampler) links() map[string]traffic {
	all := map[string]traffic{}
	for line := range strings.Lines(s.text("proc/net/dev")) {
		name, rest, ok := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if name = strings.TrimSpace(name); !ok || len(fields) < 9 || name == "lo" {
			continue
		}
		in, _ := strconv.ParseFloat(fields[0], 64)
		out, _ := strconv.ParseFloat(fields[8], 64)
		all[name] = traffic{in, out}
	}
	return all
}

// network gives how much of its link the host used, in the busier direction, where hardware tells the link's speed. What a virtual
// link says of its speed is a constant of its driver.
func (s *Sampler) network(before, now reading) knee.Use {
	var fullest knee.Use
	var in, out float64
	passed := now.at.Sub(before.at).Seconds()
	for name, t := range now.links {
		was, ok := before.links[name]
		if !ok {
			continue
		}
		received, sent := max(0, t.in-was.in)/passed, max(0, t.out-was.out)/passed
		in, out = in+received, out+sent
		speed, err := strconv.ParseFloat(s.text(filepath.Join("sys/class/net", name, "speed")), 64) // megabits per second
		if _, none := os.Stat(filepath.Join(s.root, "sys/class/net", name, "device")); err != nil || none != nil || speed <= 0 {
			continue
		}
		if of := share(max(received, sent), speed*1e6/8); fullest.Resource == "" || of >= fullest.Share {
			fullest = knee.Use{Resource: knee.Network, Share: of, Figure: fmt.Sprintf("%s in and %s out over %s of %.0f Mbit/s", rate(received), rate(sent), name, speed)}
		}
	}
	if fullest.Resource != "" {
		return fullest
	}
	if len(now.links) == 0 {
		return unknown(knee.Network, "there is no link but the loopback")
	}
	s.peaks["in"], s.peaks["out"] = max(s.peaks["in"], in), max(s.peaks["out"], out)
	return unknown(knee.Network, "no link tells its speed; at most %s in and %s out so far", rate(s.peaks["in"]), rate(s.peaks["out"]))
}
