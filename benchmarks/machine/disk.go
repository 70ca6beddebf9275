package machine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"surety/benchmarks"
)

// DiskJob is one access pattern.
type DiskJob struct {
	Random bool `json:"random"` // each block at a random place, else one after the other, from the start again at the end
	Write  bool `json:"write"`
	Block  int  `json:"block"` // bytes, a multiple of 4096
	Depth  int  `json:"depth"` // requests in flight; 0 is 1
	// Sync makes every write be followed by fdatasync, and measures how long that takes. It needs Write and a depth of 1.
	Sync bool `json:"sync,omitempty"`
}

// Name is the job's part of a quantity, as "random-read/4KiB/depth8".
func (j DiskJob) Name() string {
	name := "sequential"
	if j.Random {
		name = "random"
	}
	if j.Write {
		name += "-write"
	} else {
		name += "-read"
	}
	if j.Sync {
		name += "-fdatasync"
	}
	return fmt.Sprintf("%s/%s/depth%d", name, sizeName(int64(j.Block)), j.Depth)
}

// DiskOptions say where and how long to measure.
type DiskOptions struct {
	Dir string `json:"dir"` // a folder on the file system to measure; one file is made in it, and removed
	// FileBytes is the size of that file; 0 is 1 GiB, or a quarter of the free space when that is less. It is written in full before
	// anything is measured, since reading what was never written touches no disk.
	FileBytes int64         `json:"fileBytes,omitempty"`
	WarmUp    time.Duration `json:"warmUp,omitempty"` // per job, not counted
	Each      time.Duration `json:"each"`             // per job; 0 is 5 s
	Jobs      []DiskJob     `json:"jobs"`             // none: CommonDiskJobs
	Seed      uint64        `json:"seed,omitempty"`   // of places and content
}

// CommonDiskJobs are the patterns people ask for first: large sequential blocks, small random ones alone and in a queue, and the
// fdatasync that each commit of a database waits for.
func CommonDiskJobs() []DiskJob {
	return []DiskJob{
		{Block: 1 << 20, Depth: 8}, {Block: 1 << 20, Depth: 8, Write: true},
		{Block: 4 << 10, Depth: 1, Random: true}, {Block: 4 << 10, Depth: 1, Random: true, Write: true},
		{Block: 4 << 10, Depth: 32, Random: true}, {Block: 4 << 10, Depth: 32, Random: true, Write: true},
		{Block: 4 << 10, Depth: 1, Write: true, Sync: true},
	}
}

// Disk runs the jobs one after the other on one file. Throughput, rate and latency from submission to completion are given for each;
// How says when the page cache took part because the file system refuses O_DIRECT. The file is removed in every case.
func Disk(ctx context.Context, o DiskOptions) ([]benchmarks.Measurement, error) {
	if o.Each == 0 {
		o.Each = 5 * time.Second
	}
	if len(o.Jobs) == 0 {
		o.Jobs = CommonDiskJobs()
	}
	if o.Each < shortest {
		return nil, fmt.Errorf("disk: each job takes at least %v", shortest)
	}
	largest := int64(0)
	for i := range o.Jobs {
		j := &o.Jobs[i]
		if j.Depth == 0 {
			j.Depth = 1
		}
		if j.Block <= 0 || j.Block%4096 != 0 || j.Depth < 1 || j.Depth > 1024 || j.Sync && (!j.Write || j.Depth != 1) {
			return nil, fmt.Errorf("disk job %s: the block must be a multiple of 4096 bytes, the depth 1 to 1024, and sync needs writing at depth 1", j.Name())
		}
		largest = max(largest, int64(j.Block))
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(o.Dir, &fs); err != nil {
		return nil, fmt.Errorf("measure the disk of %s: %w", o.Dir, err)
	}
	free := int64(fs.Bavail) * fs.Bsize
	if fs.Blocks == 0 { // a file system without a size, in memory
		free = freeMemory()
	}
	if o.FileBytes == 0 {
		o.FileBytes = min(1<<30, free/4)
	}
	o.FileBytes -= o.FileBytes % largest
	if o.FileBytes < largest || o.FileBytes > free*9/10 {
		return nil, fmt.Errorf("measure the disk of %s: a file of %d bytes does not fit: %d are free, and a block has %d", o.Dir, o.FileBytes, free, largest)
	}
	f, err := os.CreateTemp(o.Dir, ".surety-disk-*")
	if err != nil {
		return nil, fmt.Errorf("measure the disk: %w", err)
	}
	defer f.Close()
	defer os.Remove(f.Name())
	content := rand.New(rand.NewPCG(o.Seed, 1))
	if err := layOut(ctx, f, o.FileBytes, content); err != nil {
		return nil, fmt.Errorf("measure the disk: write the file: %w", err)
	}
	direct, cache, err := openDirect(f.Name())
	if err != nil {
		return nil, fmt.Errorf("measure the disk: %w", err)
	}
	defer direct.Close()
	if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
		cache = "in memory: this file system is on no disk"
	}
	r := newReport()
	for _, j := range o.Jobs {
		how := fmt.Sprintf("file of %s, %v each, %s", sizeName(o.FileBytes), o.Each, cache)
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		run, file := runDirect, direct
		if j.Sync { // a log is written through the page cache and then made durable
			run, file, how = runSynced, f, fmt.Sprintf("file of %s, %v each, written through the page cache", sizeName(o.FileBytes), o.Each)
		}
		if err := run(ctx, r, file, j, o, how); err != nil {
			return r.all, fmt.Errorf("disk %s: %w", j.Name(), err)
		}
	}
	return r.all, nil
}

// openDirect opens without the page cache where the file system can, and says how it was.
func openDirect(path string) (*os.File, string, error) {
	if f, err := os.OpenFile(path, os.O_RDWR|unix.O_DIRECT, 0); err == nil {
		return f, "O_DIRECT", nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	return f, "through the page cache: the file system refuses O_DIRECT, so that memory is measured as well and no request waits in a queue", err
}
