package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// apart gives the first half of the processors to the server that start starts, and the rest to this process and what it starts later. A
// generator belongs on a machine of its own: where it shares processors with the server, the server's speed depends on the generator's.
func apart(start func() error) error {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	var halves [2]unix.CPUSet
	for cpu, seen := 0, 0; seen < all.Count(); cpu++ {
		if all.IsSet(cpu) {
			halves[seen*2/all.Count()].Set(cpu)
			seen++
		}
	}
	if halves[0].Count() == 0 {
		return errors.New("one processor cannot be divided: use -apart=false")
	}
	if err := move(&halves[0]); err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(halves[1].Count())
	return move(&halves[1])
}

// move puts every thread of this process on some processors. Threads and processes that these begin stay there.
func move(to *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, to); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("move thread %d: %w", id, err)
		}
	}
	return nil
}
