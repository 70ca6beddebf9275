// Package usage tells, from inside a host, how full its resources are: processor, memory, disk, network and connections, each as a
// share of what the host may have. It is meant to be asked again and again while something else runs; rates are of the time between.
//
// What a host may have is its cgroup's limits (version 1 and 2) where it is a container or a host of ours, and the machine itself where
// it is one. A share that cannot be known is 0 and its figure begins with "share not known": nothing is made up.
package usage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"surety/benchmarks/knee"
)

// Sampler keeps what rates are reckoned from. It is used by one goroutine.
type Sampler struct {
	host string
	root string // "/", but in tests
	now  func() time.Time

	whole   bool // this is a machine of its own, and not a part of one
	groups  groups
	last    *reading
	peaks   map[string]float64 // of rates without a share
	servers map[int]*postgres  // by process
	sockets *sockets
}

// Sample is how full everything is. OfMachine is about the machine that hosts share, which Machine identifies; both are empty where the
// host is a machine of its own.
type Sample struct {
	Uses      []knee.Use
	Machine   string
	OfMachine []knee.Use
}

// reading is what counters said at a moment.
type reading struct {
	at        time.Time
	cpu       float64 // seconds of processor time that the host used
	throttled throttle
	machine   ticks
	disks     map[string]disk // by "major:minor"
	links     map[string]traffic
	overflows float64
}

// New makes a sampler for the host that this process runs in; name is how its samples call it.
func New(name string) *Sampler {
	s := newSampler(name, "/")
	s.sockets = &sockets{}
	return s
}

func newSampler(name, root string) *Sampler {
	s := &Sampler{host: name, root: root, now: time.Now, peaks: map[string]float64{}, servers: map[int]*postgres{}}
	s.whole = s.text("proc/2/comm") == "kthreadd" // the kernel's second process is seen from its own process namespace only
	if !s.whole {
		s.groups = s.findGroups()
	}
	return s
}

// Quota gives how many processors the host that this process runs in may use by its cgroup; 0 where no quota is to be seen.
func Quota() float64 {
	if folder, processors := newSampler("", "/").groups.quota(); folder != "" {
		return processors
	}
	return 0
}

// Close ends what the sampler holds.
func (s *Sampler) Close() {
	if s.sockets != nil {
		s.sockets.close()
	}
}

// Sample reads all counters. The first one knows no rates yet and has only what is in use at the moment. The error joins what could
// not be read; the rest is there all the same.
func (s *Sampler) Sample(ctx context.Context) (Sample, error) {
	processes, err := s.processes()
	errs := []error{err}
	now := &reading{at: s.now(), cpu: s.groups.used(), throttled: s.groups.throttled(), disks: s.disks(), links: s.links(), overflows: s.overflows()}
	if now.cpu < 0 {
		now.cpu = processes.seconds()
	}
	now.machine, err = s.ticks()
	errs = append(errs, err)
	before := s.last
	s.last = now

	var sample Sample
	add := func(uses ...knee.Use) {
		for _, u := range uses {
			if u.Resource != "" {
				u.Host = s.host
				sample.Uses = append(sample.Uses, u)
			}
		}
	}
	if !s.whole {
		sample.Machine = cmp.Or(s.text("proc/sys/kernel/random/boot_id"), "unknown")
	}
	if before != nil && now.at.After(before.at) {
		add(s.cpu(*before, *now), s.disk(*before, *now), s.network(*before, *now))
		if !s.whole {
			sample.OfMachine = append(sample.OfMachine, now.machine.since(before.machine))
			if busiest := s.busiest(*before, *now); busiest.Resource != "" {
				sample.OfMachine = append(sample.OfMachine, busiest)
			}
		}
	}
	memory, ofMachine := s.memory()
	add(memory)
	if !s.whole && ofMachine.Resource != "" {
		sample.OfMachine = append(sample.OfMachine, ofMachine)
	}
	connections, err := s.connections(ctx, processes, before, now)
	add(connections)
	return sample, errors.Join(append(errs, err)...)
}

// unknown is a use whose share cannot be known.
func unknown(resource, why string, figures ...any) knee.Use {
	return knee.Use{Resource: resource, Figure: "share not known: " + fmt.Sprintf(why, figures...)}
}

func share(used, of float64) float64 { return max(0, min(1, used/of)) }

// connections is whichever is fuller, PostgreSQL's connections or a queue of connections that wait to be accepted.
func (s *Sampler) connections(ctx context.Context, p processes, before, now *reading) (knee.Use, error) {
	databases, err := s.databases(ctx, p)
	queue, failed := s.queue(before, now)
	uses := append(databases, queue...)
	if len(uses) == 0 {
		return knee.Use{}, errors.Join(err, failed)
	}
	return slices.MaxFunc(uses, func(a, b knee.Use) int { return cmp.Compare(a.Share, b.Share) }), errors.Join(err, failed)
}

// text reads a small file below the root, trimmed; "" when it cannot be read.
func (s *Sampler) text(path string) string {
	data, err := os.ReadFile(filepath.Join(s.root, path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// rate writes bytes per second as people do.
func rate(bytes float64) string { return size(bytes) + "/s" }

func size(bytes float64) string {
	for _, unit := range []struct {
		of   float64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if bytes >= unit.of {
			return fmt.Sprintf("%.3g %s", bytes/unit.of, unit.name)
		}
	}
	return fmt.Sprintf("%.0f B", bytes)
}
