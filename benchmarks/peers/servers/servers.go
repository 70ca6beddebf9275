// Package servers starts real servers from the machine's packages in folders of their own, on unix sockets or the loopback, for side-by-side
// runs and for tests of the drivers. Nothing of them stays, also when the process that started them is killed.
package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Absent is the error when the machine has not what a server needs. Its text begins with "needs ".
type Absent string

func (a Absent) Error() string { return "needs " + string(a) }

// Server is a server that runs. Stop it.
type Server struct {
	URL string // as the drivers take it
	Dir string // its folder; sockets are in it

	command *exec.Cmd
	output  bytes.Buffer
	ended   chan error
}

// patience is how long a server may take to answer, or to end.
const patience = 30 * time.Second

// begin makes the server's folder, owned by who runs it; name "" is this user.
func begin(name string) (*Server, *syscall.Credential, error) {
	var who *syscall.Credential
	if os.Geteuid() == 0 && name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return nil, nil, Absent("a user " + name + ": this server does not run as root")
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, nil, err
		}
		who = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	dir, err := os.MkdirTemp("", "srv") // short: the path of a unix socket is limited
	if err != nil {
		return nil, nil, err
	}
	if err = os.Chmod(dir, 0o755); err == nil && who != nil {
		err = os.Chown(dir, int(who.Uid), int(who.Gid))
	}
	return &Server{Dir: dir}, who, err
}

func (s *Server) attributes(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// once runs a program to its end, as the server's user.
func (s *Server) once(ctx context.Context, who *syscall.Credential, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.SysProcAttr = s.Dir, s.attributes(who)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, bytes.TrimSpace(out))
	}
	return nil
}

// run starts the server and waits until ready answers nil.
func (s *Server) run(ctx context.Context, who *syscall.Credential, ready func(context.Context) error, name string, args ...string) error {
	s.command = exec.Command(name, args...)
	s.command.Dir, s.command.SysProcAttr = s.Dir, s.attributes(who)
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	if err := s.command.Start(); err != nil {
		return err
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.command.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case ended := <-s.ended:
			s.ended <- ended
			return fmt.Errorf("%s ended: %v: %s", filepath.Base(name), ended, tail(s.output.String()))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", filepath.Base(name), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Process is the number of the server's first process.
func (s *Server) Process() int { return s.command.Process.Pid }

// Stop ends the server and removes its folder.
func (s *Server) Stop() error {
	var err error
	if s.command != nil && s.command.Process != nil {
		_ = s.command.Process.Signal(syscall.SIGINT) // to PostgreSQL: end at once but orderly
		_ = s.command.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(patience):
			err = errors.New("the server did not end and was killed")
			_ = syscall.Kill(-s.command.Process.Pid, syscall.SIGKILL)
			<-s.ended
		}
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

// fail stops what was begun and gives err.
func (s *Server) fail(err error) (*Server, error) {
	if s == nil {
		return nil, err
	}
	return nil, errors.Join(err, s.Stop())
}

// program finds one of several programs.
func program(names ...string) (string, error) {
	for _, name := range names {
		if strings.ContainsRune(name, '*') {
			if found, err := filepath.Glob(name); err == nil && len(found) > 0 {
				return found[len(found)-1], nil
			}
			continue
		}
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", Absent(filepath.Base(names[0]))
}

// answers tells whether something accepts connections on a unix socket.
func answers(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// tail is the end of a log.
func tail(s string) string {
	return s[max(0, len(s)-2000):]
}
