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
	"slices"
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
func (a *agent) run(ctx context.Context, name string, args ...string) error {
	_, err := a.output(ctx, name, args...)
	return err
}

// output is run with what the program printed.
// The goroutine keeps its thread, because the kernel sends the parent-death signal when the *thread* that started the child ends.
func (a *agent) output(ctx context.Context, name string, args ...string) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := a.command(ctx, syscall.SIGKILL, name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

// server is one running postmaster.
type server struct {
	pid  int
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read after done
}

// start starts the postmaster. An agent that dies takes it along with a fast shutdown.
func (a *agent) start() (*server, error) {
	s := &server{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // see output; the thread is not given back, so it ends with this goroutine and not before the server
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

// clearStray ends what an earlier, killed agent left running on the data directory, and waits until it is gone: a second server would
// refuse to start, and a half-made cluster could not be removed while it is being written.
func (a *agent) clearStray(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		// Only the postmaster is told to shut down; its children follow it. What works on the unfinished copy is of no use any more.
		servers, makers := a.strays()
		if len(servers) == 0 && len(makers) == 0 {
			return nil
		}
		for _, pid := range makers {
			_ = syscall.Kill(pid, syscall.SIGKILL) // may have ended meanwhile
		}
		if pid := a.postmasterPid(); slices.Contains(servers, pid) {
			how := syscall.SIGINT
			if time.Since(began) > 10*time.Second {
				how = syscall.SIGQUIT
			}
			_ = syscall.Kill(pid, how)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("end what an earlier agent left running (processes %v, %v): %w", servers, makers, ctx.Err())
		}
	}
}

// strays lists the processes that work in the data directory, and those of initdb and pg_basebackup that fill the temporary one.
func (a *agent) strays() (servers, makers []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cwd, err := os.Readlink("/proc/" + e.Name() + "/cwd")
		program, err2 := os.Readlink("/proc/" + e.Name() + "/exe")
		if err != nil || err2 != nil || !strings.HasPrefix(program, a.conf.BinDir+"/") {
			continue // ended, a zombie, or somebody's shell
		}
		line, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		switch {
		case cwd == a.conf.DataDir:
			servers = append(servers, pid)
		case cwd == a.tmpDir() || slices.Contains(strings.Split(string(line), "\x00"), a.tmpDir()):
			makers = append(makers, pid)
		}
	}
	return servers, makers
}

// postmasterPid is the process id in the server's lock file; 0 when there is none.
func (a *agent) postmasterPid() int {
	raw, err := os.ReadFile(filepath.Join(a.conf.DataDir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0
	}
	return pid
}
