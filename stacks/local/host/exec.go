package host

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// outputGrace is how long output is still copied after a command's end when something it left behind holds it open.
const outputGrace = 500 * time.Millisecond

// Exec runs a command in all of the host's namespaces and its cgroup and returns its exit code: 128 plus the signal's
// number when a signal ended it, 127 with an error when it could not be started. When ctx ends it is killed and the
// error is that of ctx; when this process dies, it is killed too.
func (h *Host) Exec(ctx context.Context, e Exec) (int, error) {
	code, err := h.exec(ctx, e)
	if err != nil {
		return code, fmt.Errorf("run on host %q: %w", h.Name(), err)
	}
	return code, nil
}

func (h *Host) exec(ctx context.Context, e Exec) (int, error) {
	conn, done, err := h.connect(ctx)
	if err != nil {
		return -1, err
	}
	defer done()
	var passed stdio
	defer passed.close()
	if !e.TTY {
		if err := passed.prepare(e); err != nil {
			return -1, err
		}
	}
	interrupted := func(err error) (int, error) {
		if ctx.Err() != nil {
			return -1, context.Cause(ctx)
		}
		return -1, fmt.Errorf("ask init: %w", err)
	}
	req := request{Op: "exec", Exec: &execRequest{Args: e.Args, Env: e.Env, Dir: e.Dir, User: e.User, TTY: e.TTY, Size: e.Size}}
	if err := send(conn, req, passed.fds()...); err != nil {
		return interrupted(err)
	}
	var resp response
	files, err := receive(conn, &resp)
	if err != nil {
		return interrupted(err)
	}
	if err := resp.err(); err != nil {
		return 127, err
	}
	passed.started()
	if len(files) == 1 {
		passed.terminal(files[0], e)
	} else {
		closeAll(files)
	}
	_, err = receive(conn, &resp)
	passed.drain()
	if err != nil {
		return interrupted(err)
	}
	return resp.Code, nil
}

// stdio is the standard files of a command and the copying between them and the caller's.
type stdio struct {
	theirs []*os.File // for the command; those we made are in made too
	made   []*os.File
	input  *os.File // our end, when the input is copied
	ours   []*os.File
	copies sync.WaitGroup
	ended  chan struct{} // closed when the command has ended
	once   sync.Once
}

func (s *stdio) prepare(e Exec) error {
	s.ended = make(chan struct{})
	null := func() (*os.File, error) {
		file, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err == nil {
			s.made = append(s.made, file)
		}
		return file, err
	}
	switch in := e.Stdin.(type) {
	case nil:
		file, err := null()
		if err != nil {
			return err
		}
		s.theirs = append(s.theirs, file)
	case *os.File:
		s.theirs = append(s.theirs, in)
	default:
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		s.theirs, s.made, s.input = append(s.theirs, r), append(s.made, r), w
	}
	writers := []io.Writer{e.Stdout, e.Stderr}
	for i, writer := range writers {
		if i == 1 && writer != nil && same(writers[0], writer) { // one stream, in order
			s.theirs = append(s.theirs, s.theirs[1])
			continue
		}
		switch out := writer.(type) {
		case nil:
			file, err := null()
			if err != nil {
				return err
			}
			s.theirs = append(s.theirs, file)
		case *os.File:
			s.theirs = append(s.theirs, out)
		default:
			r, w, err := os.Pipe()
			if err != nil {
				return err
			}
			s.theirs, s.made, s.ours = append(s.theirs, w), append(s.made, w), append(s.ours, r)
			s.copies.Go(func() { _, _ = io.Copy(out, r) })
		}
	}
	if s.input != nil {
		go func() { // ends with the caller's input, or with the pipe
			_, _ = io.Copy(s.input, e.Stdin)
			s.input.Close()
		}()
	}
	return nil
}

func same(a, b io.Writer) (equal bool) {
	defer func() { _ = recover() }() // of types that cannot be compared
	return a == b
}

func (s *stdio) fds() []int {
	var fds []int
	for _, file := range s.theirs {
		fds = append(fds, int(file.Fd()))
	}
	return fds
}

// started closes the command's ends here, so that the copying sees when the command closes them.
func (s *stdio) started() { closeAll(s.made) }

// terminal copies between the controlling side of the command's terminal and the caller.
func (s *stdio) terminal(control *os.File, e Exec) {
	s.ended = make(chan struct{})
	// In blocking mode a read would hold the descriptor open against Close.
	_ = unix.SetNonblock(int(control.Fd()), true)
	file := os.NewFile(dup(control), "terminal")
	control.Close()
	s.ours = append(s.ours, file)
	out := e.Stdout
	if out == nil {
		out = io.Discard
	}
	s.copies.Go(func() { _, _ = io.Copy(out, file) }) // ends with EIO when the last user of the terminal is gone
	if e.Stdin != nil {
		go func() {
			if _, err := io.Copy(file, e.Stdin); err == nil {
				_, _ = file.Write([]byte{4}) // end of transmission: what a terminal's user types at the end
			}
		}()
	}
	if e.Resize != nil {
		go func() {
			for {
				select {
				case <-s.ended:
					return
				case size, ok := <-e.Resize:
					if !ok {
						return
					}
					raw, err := file.SyscallConn()
					if err != nil {
						return
					}
					_ = raw.Control(func(fd uintptr) {
						_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
					})
				}
			}
		}()
	}
}

func dup(file *os.File) uintptr {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return ^uintptr(0)
	}
	return uintptr(fd)
}

// drain waits for the rest of the output after the command's end.
func (s *stdio) drain() {
	s.end()
	copied := make(chan struct{})
	go func() { s.copies.Wait(); close(copied) }()
	select {
	case <-copied:
	case <-time.After(outputGrace):
		closeAll(s.ours)
		<-copied
	}
}

func (s *stdio) end() {
	s.once.Do(func() {
		if s.ended != nil {
			close(s.ended)
		}
	})
}

func (s *stdio) close() {
	s.end()
	closeAll(s.made)
	closeAll(s.ours)
	if s.input != nil {
		s.input.Close()
	}
}
