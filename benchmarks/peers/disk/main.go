// Command disk compares with fio: the same folder, access pattern, block size, queue depth and length.
//
//	go run ./benchmarks/peers/disk -rounds 7 -seconds 3 -dir /var/tmp
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"surety/benchmarks/machine"
	"surety/benchmarks/peers/pairs"
)

func main() {
	rounds := flag.Int("rounds", 7, "rounds of each comparison")
	seconds := flag.Int("seconds", 3, "length of each run")
	dir := flag.String("dir", os.TempDir(), "a folder on the disk to measure")
	only := flag.String("only", "", "part of the names of the jobs to compare; all when empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := compare(ctx, *rounds, *dir, *only, time.Duration(*seconds)*time.Second); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const fileBytes = 512 << 20

func compare(ctx context.Context, rounds int, dir, only string, each time.Duration) error {
	if _, err := exec.LookPath("fio"); err != nil {
		return fmt.Errorf("needs fio: %w", err)
	}
	dir, err := os.MkdirTemp(dir, "disk")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var all []pairs.Comparison
	for _, j := range machine.CommonDiskJobs() {
		if !strings.Contains(j.Name(), only) {
			continue
		}
		c, err := pairs.Run(ctx, os.Stderr, j.Name(), "MB/s", rounds,
			pairs.Side{Name: "surety", Run: func(ctx context.Context) (float64, error) { return ours(ctx, dir, j, each) }},
			pairs.Side{Name: "fio", Run: func(ctx context.Context) (float64, error) { return theirs(ctx, dir, j, each) }})
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	pairs.Table(os.Stdout, all)
	return nil
}

func ours(ctx context.Context, dir string, j machine.DiskJob, each time.Duration) (float64, error) {
	found, err := machine.Disk(ctx, machine.DiskOptions{Dir: dir, FileBytes: fileBytes, WarmUp: 500 * time.Millisecond, Each: each, Jobs: []machine.DiskJob{j}})
	if err != nil {
		return 0, err
	}
	for _, m := range found {
		if m.Quantity == "disk/"+j.Name()+"/throughput" {
			return m.Value / 1e6, nil
		}
	}
	return 0, fmt.Errorf("no throughput among %d figures", len(found))
}

// theirs runs fio on a file of its own, laid out anew in each round as ours is.
func theirs(ctx context.Context, dir string, j machine.DiskJob, each time.Duration) (float64, error) {
	kind := "read"
	if j.Write {
		kind = "write"
	}
	pattern := kind
	if j.Random {
		pattern = "rand" + kind
	}
	file := filepath.Join(dir, "fio")
	defer os.Remove(file)
	args := []string{"--name=peer", "--filename=" + file, "--size=" + strconv.Itoa(fileBytes), "--rw=" + pattern, "--bs=" + strconv.Itoa(j.Block),
		"--iodepth=" + strconv.Itoa(j.Depth), "--overwrite=1", "--refill_buffers=1", "--norandommap=1", "--time_based=1", "--ramp_time=500ms",
		"--runtime=" + strconv.Itoa(int(each.Seconds())), "--output-format=json"}
	if j.Sync {
		args = append(args, "--ioengine=psync", "--fdatasync=1")
	} else {
		// Ours takes all requests that are over at once, and submits as many anew: fio does so only when told.
		depth := strconv.Itoa(j.Depth)
		args = append(args, "--ioengine=libaio", "--direct=1", "--iodepth_batch="+depth, "--iodepth_batch_complete_min=1", "--iodepth_batch_complete_max="+depth)
	}
	for _, more := range [][]string{{"--create_only=1"}, nil} {
		c := exec.CommandContext(ctx, "fio", append(args, more...)...)
		var out, log bytes.Buffer
		c.Stdout, c.Stderr = &out, &log
		if err := c.Run(); err != nil {
			return 0, fmt.Errorf("fio: %w: %s", err, log.String())
		}
		if more != nil {
			continue
		}
		var report struct {
			Jobs []map[string]json.RawMessage
		}
		var seen struct {
			Bandwidth float64 `json:"bw_bytes"`
		}
		if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report.Jobs) != 1 {
			return 0, fmt.Errorf("fio answered %d jobs: %w", len(report.Jobs), err)
		}
		if err := json.Unmarshal(report.Jobs[0][kind], &seen); err != nil || seen.Bandwidth == 0 {
			return 0, fmt.Errorf("fio moved nothing: %w", err)
		}
		return seen.Bandwidth / 1e6, nil
	}
	return 0, nil
}
