package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// layOut writes the whole file, no two blocks alike since a disk that keeps equal blocks once must not be flattered, and makes it durable.
func layOut(ctx context.Context, f *os.File, size int64, content *rand.Rand) error {
	buffer := make([]byte, 4<<20)
	for done := int64(0); done < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(int64(len(buffer)), size-done)
		fillRandom(buffer[:n], content)
		if _, err := f.Write(buffer[:n]); err != nil {
			return err
		}
		done += n
	}
	return f.Sync()
}

// fillRandom fills whole words with what does not compress.
func fillRandom(b []byte, r *rand.Rand) {
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, r.Uint64())
	}
}

// runDirect keeps the job's depth of requests in flight until the time is over.
func runDirect(ctx context.Context, r *report, f *os.File, j DiskJob, o DiskOptions, how string) (err error) {
	runtime.LockOSThread() // one thread does it all, as the tools compared with do
	defer runtime.UnlockOSThread()
	places := rand.New(rand.NewPCG(o.Seed, 2))
	q, err := newQueue(int(f.Fd()), j.Write, j.Block, j.Depth, func(b []byte) { fillRandom(b, places) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	blocks := o.FileBytes / int64(j.Block)
	next := int64(-1)
	place := func() int64 {
		if j.Random {
			return places.Int64N(blocks) * int64(j.Block)
		}
		next = (next + 1) % blocks
		return next * int64(j.Block)
	}
	latency, slices := newHistogram(), make([]float64, o.Each/slice)
	var done int64
	began := time.Now()
	for slot := range j.Depth {
		q.add(slot, place())
	}
	for {
		now := time.Since(began)
		if err := q.submit(now); err != nil {
			return err
		}
		events, err := q.wait()
		if err != nil {
			return err
		}
		now = time.Since(began)
		for _, e := range events {
			if now >= o.WarmUp && now < o.WarmUp+o.Each {
				done++
				_ = latency.RecordValue(int64(now - q.started[e.data]))
				if s := int((now - o.WarmUp) / slice); s < len(slices) {
					slices[s]++
				}
			}
		}
		if now >= o.WarmUp+o.Each {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range events {
			q.add(int(e.data), place())
		}
	}
	r.disk(j, slices, done, o.Each, how)
	r.quantiles("disk/"+j.Name()+"/latency", latency, how)
	return nil
}

// disk adds the two rates of a job.
func (r *report) disk(j DiskJob, slices []float64, done int64, took time.Duration, how string) {
	r.rate("disk/"+j.Name()+"/rate", "1/s", slices, float64(done), took, done, how)
	for i := range slices {
		slices[i] *= float64(j.Block)
	}
	r.rate("disk/"+j.Name()+"/throughput", "B/s", slices, float64(done)*float64(j.Block), took, done, how)
}

// runSynced writes block by block, each made durable by fdatasync. The latency is that of fdatasync alone.
func runSynced(ctx context.Context, r *report, f *os.File, j DiskJob, o DiskOptions, how string) error {
	block, err := unix.Mmap(-1, 0, j.Block, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(block) }()
	places := rand.New(rand.NewPCG(o.Seed, 3))
	fillRandom(block, places)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, blocks := int(f.Fd()), o.FileBytes/int64(j.Block)
	latency, slices := newHistogram(), make([]float64, o.Each/slice)
	var done int64
	began := time.Now()
	for n := int64(0); ; n++ {
		place := n % blocks
		if j.Random {
			place = places.Int64N(blocks)
		}
		if _, err := unix.Pwrite(fd, block, place*int64(j.Block)); err != nil {
			return err
		}
		written := time.Now()
		if _, _, errno := unix.RawSyscall(unix.SYS_FDATASYNC, uintptr(fd), 0, 0); errno != 0 { // raw: see aio.go
			return errno
		}
		now := time.Since(began)
		if now >= o.WarmUp+o.Each {
			break
		}
		if now >= o.WarmUp {
			done++
			_ = latency.RecordValue(int64(time.Since(written)))
			if s := int((now - o.WarmUp) / slice); s < len(slices) {
				slices[s]++
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	r.disk(j, slices, done, o.Each, how)
	r.quantiles("disk/"+j.Name()+"/fdatasync", latency, how)
	return nil
}
