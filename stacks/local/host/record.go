package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// record is what Dir/host.json says about a host: written before anything is made, and again as soon as its init
// exists, which waits for that.
type record struct {
	Name   string   `json:"name"`
	Parent string   `json:"cgroupParent"`
	Base   string   `json:"base"`
	Pid    int      `json:"pid,omitempty"`
	Start  uint64   `json:"start,omitempty"` // of the process, in clock ticks since boot
	Boot   string   `json:"boot,omitempty"`  // of the machine: process numbers mean nothing after another
	Paths  []string `json:"paths,omitempty"` // files placed by Configure
}

func recordPath(dir string) string { return filepath.Join(dir, "host.json") }

func readRecord(dir string) (record, error) {
	var r record
	data, err := os.ReadFile(recordPath(dir))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read %q: %w", recordPath(dir), err)
	}
	return r, nil
}

func (r record) write(dir string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return replaceFile(recordPath(dir), data, 0o600)
}

// replaceFile writes a file so that it is either the old or the new one at any moment.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	next := path + ".new"
	if err := os.WriteFile(next, data, mode); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// alive tells whether the recorded init still runs.
func (r record) alive() bool {
	if r.Pid == 0 || r.Boot != bootID() {
		return false
	}
	start, state, err := processStart(r.Pid)
	return err == nil && start == r.Start && state != 'Z' && state != 'X'
}

// processStart reads a process's start time, in clock ticks since boot, and its state (proc_pid_stat(5)).
func processStart(pid int) (uint64, byte, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name may hold anything
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0][0], err
}

func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// groupName is the name of the cgroup of the host in dir: readable, unique by its hashes, and to be found again when
// only the folder, or the one that holds it, is known.
func groupName(name, dir string) string {
	return name + "-" + hash(filepath.Dir(dir)) + "-" + hash(dir)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:5])
}

// lock takes the advisory lock on a host's folder, making it if wanted; it waits at most as long as ctx allows.
// The error is fs.ErrNotExist when the folder is not there.
// Closing the file unlocks; a child that inherits it holds the lock on.
func lock(ctx context.Context, dir string, create bool) (*os.File, error) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		if create {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return nil, err
			}
		}
		file, err := os.Open(dir)
		if err != nil && (!create || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		if err == nil {
			err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
			if err == nil {
				// The folder may have been removed and made anew while we waited.
				locked, err1 := file.Stat()
				there, err2 := os.Stat(dir)
				if err1 == nil && err2 == nil && os.SameFile(locked, there) {
					return file, nil
				}
			}
			file.Close()
			if err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
				return nil, fmt.Errorf("lock %q: %w", dir, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %q: %w", dir, ctx.Err())
		case <-ticker.C:
		}
	}
}
