package host

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// server answers, inside the host, what the machine asks.
type server struct {
	name       string
	since      time.Time
	processes  *processes
	supervisor *supervisor
	configure  sync.Mutex
}

// serve answers until the host ends.
func (s *server) serve(listener *net.UnixListener) {
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors or memory: passes
			continue
		}
		go func() {
			defer conn.Close()
			var req request
			files, err := receive(conn, &req)
			if err != nil {
				return
			}
			defer closeAll(files)
			if req.Op == "exec" && req.Exec != nil {
				s.exec(conn, *req.Exec, files)
				return
			}
			resp := response{}
			if err := s.answer(req, files, &resp); err != nil {
				resp.Error, resp.NotExist = err.Error(), errors.Is(err, fs.ErrNotExist)
			}
			_ = send(conn, resp)
		}()
	}
}

// maxRead is the largest file that ReadFile hands out, in bytes.
const maxRead = 16 << 20

func (s *server) answer(req request, files []*os.File, resp *response) (err error) {
	switch req.Op {
	case "status":
		resp.Status = &Status{Running: true, Since: s.since, Services: s.supervisor.status()}
	case "digest":
		resp.Digest, err = digestFile(req.Path)
	case "read":
		resp.Data, err = readBounded(req.Path)
	case "configure":
		if req.Config == nil {
			return errors.New("no configuration")
		}
		s.configure.Lock()
		defer s.configure.Unlock()
		resp.Changed, err = s.apply(*req.Config, files)
	case "signal", "stop", "start", "restart":
		err = s.supervisor.act(req.Service, req.Op, req.Signal)
	default:
		err = fmt.Errorf("unknown operation %q", req.Op)
	}
	return err
}

func digestFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return digest(file)
}

func digest(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRead+1))
	if err == nil && len(data) > maxRead {
		return nil, fmt.Errorf("%q has more than %d bytes", path, maxRead)
	}
	return data, err
}

// sshService is the name of the service that every host has.
const sshService = "sshd"

const (
	hostKeyPath = "/etc/ssh/ssh_host_ed25519_key"
	sshKeysPath = "/etc/ssh/authorized_keys"
)

// sshConfig lets root in by key and nobody else. Without PAM, so that no account of the machine's matters.
const sshConfig = `Port 22
ListenAddress 0.0.0.0
HostKey ` + hostKeyPath + `
AuthorizedKeysFile ` + sshKeysPath + `
AllowUsers root
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
PidFile none
Subsystem sftp internal-sftp
`

// startSSH makes the host's own key at the first boot and starts sshd, where the machine has one.
func (s *server) startSSH() error {
	program, err := exec.LookPath("sshd")
	if err != nil {
		return nil //nolint:nilerr // then there is none, as Status shows
	}
	if err := os.MkdirAll("/etc/ssh", 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(hostKeyPath); errors.Is(err, fs.ErrNotExist) {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		block, err := ssh.MarshalPrivateKey(private, "root@"+s.name)
		if err != nil {
			return err
		}
		key, err := ssh.NewPublicKey(public)
		if err != nil {
			return err
		}
		if err := replaceFile(hostKeyPath+".pub", ssh.MarshalAuthorizedKey(key), 0o644); err != nil {
			return err
		}
		if err := replaceFile(hostKeyPath, pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	if err := replaceFile("/etc/ssh/sshd_config", []byte(sshConfig), 0o644); err != nil {
		return err
	}
	s.supervisor.change.Lock()
	defer s.supervisor.change.Unlock()
	s.supervisor.start(Service{Name: sshService, Command: []string{program, "-D", "-e"}})
	return nil
}

// execRequest is a command to run. Its standard files come along as descriptors; with TTY there are none, and the
// answer brings the controlling side of a new terminal.
type execRequest struct {
	Args []string          `json:"args"`
	Env  map[string]string `json:"env,omitempty"`
	Dir  string            `json:"dir,omitempty"`
	User string            `json:"user,omitempty"`
	TTY  bool              `json:"tty,omitempty"`
	Size Window            `json:"size,omitzero"`
}

// exec runs a command: one answer when it has started, one when it has ended. When the asking side goes away the
// command is killed, with everything in its session's process group.
func (s *server) exec(conn *net.UnixConn, req execRequest, files []*os.File) {
	fail := func(err error) {
		_ = send(conn, response{Error: err.Error(), NotExist: errors.Is(err, fs.ErrNotExist)})
	}
	user, err := findAccount(req.User)
	if err != nil {
		fail(err)
		return
	}
	prog := program{args: req.Args, env: user.environment(req.Env), dir: req.Dir, user: user, tty: req.TTY}
	if prog.dir == "" {
		prog.dir = user.home
		if st, err := os.Stat(prog.dir); err != nil || !st.IsDir() {
			prog.dir = "/"
		}
	}
	var answer []int
	if req.TTY {
		if req.Env["TERM"] == "" {
			prog.env = append(prog.env, "TERM=xterm")
		}
		control, terminal, err := newTerminal(req.Size, user)
		if err != nil {
			fail(fmt.Errorf("make terminal: %w", err))
			return
		}
		defer control.Close()
		defer terminal.Close()
		answer = []int{int(control.Fd())}
		files = []*os.File{terminal, terminal, terminal}
	}
	if len(files) != 3 {
		fail(errors.New("a command needs its three standard files"))
		return
	}
	for _, f := range files {
		prog.files = append(prog.files, f.Fd())
	}
	pid, done, err := s.processes.start(prog)
	if err != nil {
		fail(err)
		return
	}
	closeAll(files) // the command has them
	if err := send(conn, response{}, answer...); err != nil {
		_ = unix.Kill(-pid, unix.SIGKILL)
		<-done
		return
	}
	gone := make(chan struct{})
	go func() { // the other side says nothing more: whatever comes is its end
		_, _ = conn.Read(make([]byte, 1))
		close(gone)
	}()
	select {
	case status := <-done:
		code := status.ExitStatus()
		if status.Signaled() {
			code = 128 + int(status.Signal())
		}
		_ = send(conn, response{Code: code})
	case <-gone:
		_ = unix.Kill(-pid, unix.SIGKILL)
		<-done
	}
}

// newTerminal makes a pseudo terminal of the host.
func newTerminal(size Window, user *account) (control, terminal *os.File, err error) {
	control, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(control.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil && size.Rows > 0 {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil && user.uid != 0 {
		err = os.Chown(terminal.Name(), int(user.uid), -1)
	}
	if err != nil {
		control.Close()
		return nil, nil, err
	}
	return control, terminal, nil
}
