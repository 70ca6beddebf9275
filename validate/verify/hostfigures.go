package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/machine"
	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// How hosts are measured: long enough for a figure with an interval, and no more than a small part of the host's disk.
const (
	cpuRun         = time.Second
	diskRun        = 2 * time.Second
	diskWarmUp     = 300 * time.Millisecond
	largestFile    = 256 << 20 // bytes, written once before disks are measured
	diskParts      = 8         // the file takes at most one of so many parts of the host's disk
	diskFolder     = "/var/tmp"
	figuresTimeout = 3 * time.Minute
)

// hostFigures measures what the hosts give, in a suite that runs in full: processor, memory bandwidth and disk of each, and the network
// between those that declared flows connect. The spec limits none of these, so that a figure that was had is a pass, with the
// figures as evidence for the size that gives them, and one that could not be had is unproven of nothing: the size itself is
// judged by quick checks.
func hostFigures(s *facts.Subject, in Input) []longCheck {
	if !in.full(Hosts) {
		return nil
	}
	var checks []longCheck
	for _, c := range s.Arch.Components {
		if c.Kind != architecture.KindServer && c.Kind != architecture.KindDatabase {
			continue
		}
		for _, h := range s.HostsOf(c.ID) {
			checks = append(checks,
				in.hostFigure(s, c, h, "cpu", "what the processor gives", machine.Request{CPU: &machine.CPUOptions{Each: cpuRun}}),
				in.hostFigure(s, c, h, "memory", "bandwidth between processor and memory", machine.Request{Memory: &machine.MemoryOptions{ArrayBytes: arraySize(int64(c.Size.Memory))}}),
				in.hostFigure(s, c, h, "disk", "what the disk gives, past the host's page cache where its file system allows; a virtual disk may have another beneath", machine.Request{Disk: &machine.DiskOptions{
					Dir: diskFolder, FileBytes: fileSize(int64(c.Size.Disk)), WarmUp: diskWarmUp, Each: diskRun, Jobs: machine.CommonDiskJobs()}}),
			)
		}
	}
	return append(checks, networkFigures(s, in)...)
}

// fileSize is what is written to measure a disk of that size; 0 leaves it to what is free.
func fileSize(disk int64) int64 {
	if disk <= 0 {
		return 0
	}
	return max(4<<20, min(largestFile, disk/diskParts/4096*4096))
}

// arraySize is that of each of three arrays: together about a tenth of the host's memory, so that what serves there keeps its own.
// The rule of STREAM, four times the last-level cache, would take more than many hosts have; figures say where it is not kept.
func arraySize(memory int64) int64 {
	return max(4<<20, min(128<<20, memory/32))
}

// hostFigure measures one thing of a host.
func (in Input) hostFigure(s *facts.Subject, c architecture.Component, h *facts.Host, of, how string, q machine.Request) longCheck {
	id := fmt.Sprintf("host/%s/figures/%s", h.Name, of)
	serves := s.Require(c.ID, "size."+of)
	return longCheck{id: id, aside: true, timeout: figuresTimeout, run: func(ctx context.Context, measured func(Detail)) verdict {
		in.progress(id, "measuring "+of+" of "+h.Name)
		got, err := measure.Machine(ctx, h.Way, q)
		if len(got) > 0 {
			measured(Detail{Subject: h.Name, From: h.Name, How: how + ", measured on the host itself", Requirements: serves, Figures: got})
		}
		if err != nil {
			return unproven(fmt.Sprintf("%s of %s could not be measured: %v", of, h.Name, err), figuresEvidence(got, h.Name)...)
		}
		return figuresVerdict(h.Name, got, serves)
	}}
}

// figuresVerdict passes with the figures that tell most.
func figuresVerdict(subject string, got []benchmarks.Measurement, serves []string) verdict {
	if len(got) == 0 {
		return unproven(subject + ": nothing was measured")
	}
	var said []string
	for _, m := range telling(got) {
		said = append(said, m.Quantity+" "+figureText(m))
	}
	return pass(subject+": "+strings.Join(said, ", "), figuresEvidence(got, subject)...).about(serves...)
}

// headlines are the figures that stand for the rest in a summary, by the ends of their quantities.
var headlines = []string{"cpu/integer/all", "cpu/float/all", "memory/triad", "1MiB/depth8/throughput", "4KiB/depth32/rate", "fdatasync/p99",
	"streams1/throughput", "B/p50", "/connect/p50"}

// telling picks the figures for a summary out of a dozen or more; all of them are in the measurement's Detail.
func telling(got []benchmarks.Measurement) []benchmarks.Measurement {
	var some []benchmarks.Measurement
	for _, m := range got {
		if slices.ContainsFunc(headlines, func(end string) bool { return strings.HasSuffix(m.Quantity, end) }) {
			some = append(some, m)
		}
	}
	if len(some) == 0 {
		return got[:min(1, len(got))]
	}
	return some
}

// figureText is a figure with its interval, in units that people read.
func figureText(m benchmarks.Measurement) string {
	unit, by := m.Unit, 1.0
	for _, large := range []struct {
		unit, as string
		by       float64
	}{{"B/s", "GiB/s", 1 << 30}, {"B/s", "MiB/s", 1 << 20}, {"FLOP/s", "GFLOP/s", 1e9}} {
		if m.Unit == large.unit && m.Value >= large.by {
			unit, by = large.as, large.by
			break
		}
	}
	return short(m.Value/by) + " " + unit + span(m.Low/by, m.Value/by, m.High/by)
}

func figuresEvidence(got []benchmarks.Measurement, from string) []validate.Evidence {
	var evidence []validate.Evidence
	for _, m := range telling(got) {
		text := figureText(m)
		if m.How != "" {
			text += "; " + m.How
		}
		evidence = append(evidence, saw(m.Quantity, "", text, from))
	}
	return evidence
}
