package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// owner is the system user that runs the server. PostgreSQL refuses to run as root.
type owner struct {
	name     string
	uid, gid uint32
	change   bool // the agent is root and must change to the owner
}

// lookupOwner finds the system user. An agent that is not root runs the server as itself.
func lookupOwner(name string) (owner, error) {
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return owner{}, fmt.Errorf("find the agent's own user: %w", err)
		}
		return owner{name: u.Username}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return owner{}, fmt.Errorf("find the user that runs the server: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return owner{}, fmt.Errorf("user id of %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return owner{}, fmt.Errorf("group id of %s: %w", name, err)
	}
	if uid == 0 {
		return owner{}, errors.New("PostgreSQL does not run as root")
	}
	return owner{name: name, uid: uint32(uid), gid: uint32(gid), change: true}, nil
}

func (o owner) chown(path string) error {
	if !o.change {
		return nil
	}
	return os.Chown(path, int(o.uid), int(o.gid))
}

// command prepares a program of BinDir to run as the owner. It gets the given environment only, and the signal when the agent dies.
func (a *agent) command(ctx context.Context, whenOrphaned syscall.Signal, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(a.conf.BinDir, name), args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + a.conf.BinDir + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "PGPASSFILE=" + filepath.Join(a.agentDir(), passFile)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: whenOrphaned, Setpgid: true}
	if a.owner.change {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.owner.uid, Gid: a.owner.gid}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its children: pg_basebackup forks
	return cmd
}

// run runs a program of BinDir to its end; what it printed is in the error.
// The goroutine keeps its thread, because the kernel sends the parent-death signal when the *thread* that started the child ends.
func (a *agent) run(ctx context.Context, name string, args ...string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := a.command(ctx, syscall.SIGKILL, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// server is one running postmaster.
type server struct {
	pid    int
	done   chan struct{} // closed when it has ended
	err    error         // how it ended; read after done
	exited time.Time
}

// start starts the postmaster. An agent that dies takes it along with a fast shutdown.
func (a *agent) start() (*server, error) {
	s := &server{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // see run; the thread is not given back, so it ends with this goroutine and not before the server
		cmd := a.command(context.Background(), syscall.SIGINT, "postgres", "-D", a.conf.DataDir)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		s.pid = cmd.Process.Pid
		started <- nil
		s.err = cmd.Wait()
		close(s.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	return s, nil
}

// stop asks for a fast shutdown (open transactions are rolled back) and, after the grace time, an immediate one, which is safe
// because the log is replayed at the next start. It returns when the server has ended.
func (s *server) stop(grace time.Duration) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, grace}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		if err := syscall.Kill(s.pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop postgres: %w", err)
		}
		select {
		case <-s.done:
			return nil
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("stop postgres: process %d did not end", s.pid)
}

// clearStray ends a postmaster that an earlier, killed agent left on this data directory, and waits until it is gone: a second one
// would refuse to start. A process is only touched when its working directory is the data directory.
func (a *agent) clearStray(ctx context.Context) error {
	raw, err := os.ReadFile(filepath.Join(a.conf.DataDir, "postmaster.pid"))
	if err != nil {
		return nil // no file, no stray
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return nil // the server itself judges a damaged file
	}
	ours := func() bool {
		cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		return err == nil && cwd == a.conf.DataDir
	}
	if !ours() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for began, hard := time.Now(), false; ours(); {
		signal := syscall.SIGINT
		if hard = hard || time.Since(began) > 10*time.Second; hard {
			signal = syscall.SIGQUIT
		}
		if err := syscall.Kill(pid, signal); err != nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("end the server left by an earlier agent (process %d): %w", pid, ctx.Err())
		}
	}
	return nil
}
