package machine

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Linux's asynchronous I/O keeps many requests in flight from one thread. It is used, rather than one thread per request, because the
// cost of waking threads would be measured as the disk's; rather than io_uring, because many hosts forbid that.
//
// Submitting and waiting go past Go's scheduler (RawSyscall): told of a blocking call, it wakes another thread for each request, which
// cost 8 % of the rate of single random reads (15,200/s instead of 14,000/s, half as many context switches). In return the wait must
// be short, since the process can do no garbage collection meanwhile.

// iocb and ioEvent are struct iocb and struct io_event of include/uapi/linux/aio_abi.h.
type iocb struct {
	data     uint64
	key      uint32
	flagsRW  uint32
	opcode   uint16
	priority int16
	fd       uint32
	buffer   uint64
	bytes    uint64
	offset   int64
	reserved uint64
	flags    uint32
	eventFD  uint32
}

type ioEvent struct {
	data uint64
	obj  uint64
	res  int64
	res2 int64
}

const (
	aioRead  = 0
	aioWrite = 1
)

// queue keeps up to depth requests of one block size in flight on one file. Its methods belong to one goroutine.
type queue struct {
	id      uintptr
	fd      int
	write   bool
	block   int
	memory  []byte // depth blocks, aligned to a page
	control []iocb
	started []time.Duration
	events  []ioEvent
	batch   []*iocb
	flying  int
}

// newQueue maps memory for depth blocks, filled by fill. Close gives it back.
func newQueue(fd int, write bool, block, depth int, fill func([]byte)) (*queue, error) {
	memory, err := unix.Mmap(-1, 0, block*depth, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return nil, fmt.Errorf("map %d buffers of %d bytes: %w", depth, block, err)
	}
	fill(memory)
	q := &queue{fd: fd, write: write, block: block, memory: memory, control: make([]iocb, depth), started: make([]time.Duration, depth),
		events: make([]ioEvent, depth), batch: make([]*iocb, 0, depth)}
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, uintptr(depth), uintptr(unsafe.Pointer(&q.id)), 0); errno != 0 {
		_ = unix.Munmap(memory)
		return nil, fmt.Errorf("set up a queue of %d requests: %w", depth, errno)
	}
	return q, nil
}

// add makes slot's next request ready; submit sends all that are.
func (q *queue) add(slot int, offset int64) {
	opcode := uint16(aioRead)
	if q.write {
		opcode = aioWrite
	}
	q.control[slot] = iocb{data: uint64(slot), opcode: opcode, fd: uint32(q.fd), bytes: uint64(q.block), offset: offset,
		buffer: uint64(uintptr(unsafe.Pointer(&q.memory[slot*q.block])))}
	q.batch = append(q.batch, &q.control[slot])
}

// submit sends what was added. now is kept as the time at which each of the requests started.
func (q *queue) submit(now time.Duration) error {
	for len(q.batch) > 0 {
		for _, c := range q.batch {
			q.started[c.data] = now
		}
		n, _, errno := unix.RawSyscall(unix.SYS_IO_SUBMIT, q.id, uintptr(len(q.batch)), uintptr(unsafe.Pointer(&q.batch[0])))
		if errno == unix.EAGAIN || errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return fmt.Errorf("submit: %w", errno)
		}
		q.flying += int(n)
		q.batch = append(q.batch[:0], q.batch[n:]...)
	}
	runtime.KeepAlive(q)
	return nil
}

// wait gives at least one finished request, or none after 50 ms. A short or failed transfer is an error.
func (q *queue) wait() ([]ioEvent, error) {
	patience := unix.NsecToTimespec(int64(50 * time.Millisecond))
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_GETEVENTS, q.id, 1, uintptr(len(q.events)), uintptr(unsafe.Pointer(&q.events[0])),
		uintptr(unsafe.Pointer(&patience)), 0)
	if errno == unix.EINTR {
		return nil, nil
	}
	if errno != 0 {
		return nil, fmt.Errorf("wait: %w", errno)
	}
	q.flying -= int(n)
	for _, e := range q.events[:n] {
		if e.res < 0 {
			return nil, unix.Errno(-e.res)
		}
		if int(e.res) != q.block {
			return nil, fmt.Errorf("moved %d of %d bytes", e.res, q.block)
		}
	}
	return q.events[:n], nil
}

// close waits for what is in flight, since the kernel still writes to the memory, and gives everything back.
func (q *queue) close() error {
	_, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, q.id, 0, 0)
	if errno != 0 {
		return fmt.Errorf("end the queue: %w", errno) // the memory stays mapped: the kernel may still use it
	}
	return unix.Munmap(q.memory)
}
