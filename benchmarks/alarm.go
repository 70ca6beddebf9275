package benchmarks

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes one goroutine at an instant. The runtime's own timers round waits of an otherwise idle process up to whole milliseconds,
// which would be in every latency; a kernel timer that the runtime polls as it does a socket wakes within tens of microseconds and
// blocks no thread.
type alarm struct {
	file  *os.File
	conn  syscall.RawConn
	start time.Time
	due   time.Duration
	err   error
	arm   func(fd uintptr) bool // made once: a closure per wait would be an allocation per operation
}

func newAlarm(start time.Time) (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a timer for a worker: %w", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "timer"), start: start}
	if a.conn, err = a.file.SyscallConn(); err != nil {
		a.file.Close()
		return nil, fmt.Errorf("poll a worker's timer: %w", err)
	}
	a.arm = func(fd uintptr) bool {
		left := a.due - time.Since(a.start)
		if left <= 0 {
			return true
		}
		spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
		a.err = unix.TimerfdSettime(int(fd), 0, &spec, nil)
		return a.err != nil
	}
	return a, nil
}

// until returns when due has come, never earlier; or earlier with an error when the alarm is stopped.
func (a *alarm) until(due time.Duration) error {
	a.due = due
	if err := a.conn.Read(a.arm); err != nil {
		return err
	}
	return a.err
}

// stop makes the wait that is on, and each later one, return at once.
func (a *alarm) stop() { _ = a.file.SetReadDeadline(time.Unix(1, 0)) }

func (a *alarm) close() { _ = a.file.Close() }
