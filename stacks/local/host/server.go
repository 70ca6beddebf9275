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
	"path/filepath"
	"strings"
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

// configureRequest is a Config on its way; files are described, their sources come as descriptors.
type configureRequest struct {
	Files    []placedFile `json:"files,omitempty"`
	Remove   []string     `json:"remove,omitempty"`
	Services []Service    `json:"services,omitempty"`
	Hosts    string       `json:"hosts"`
	Keys     string       `json:"keys"`
	Tags     string       `json:"tags"`
}

type placedFile struct {
	Path    string      `json:"path"`
	SHA256  string      `json:"sha256"`
	Content []byte      `json:"content,omitempty"`
	Source  int         `json:"source"` // index of a descriptor; -1: Content
	Mode    fs.FileMode `json:"mode"`
	Owner   string      `json:"owner,omitempty"`
}

// apply brings the host in line with a configuration and tells which files changed.
func (s *server) apply(req configureRequest, files []*os.File) ([]string, error) {
	var changed []string
	for _, f := range req.Files {
		did, err := place(f, files)
		if err != nil {
			return changed, fmt.Errorf("place %q: %w", f.Path, err)
		}
		if did {
			changed = append(changed, f.Path)
		}
	}
	for _, path := range req.Remove {
		if err := os.Remove(path); err == nil {
			changed = append(changed, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return changed, err
		}
	}
	// These are read anew at each use: no service is restarted for them.
	for _, own := range []struct{ path, content string }{{"/etc/hosts", req.Hosts}, {sshKeysPath, req.Keys}, {"/etc/surety/tags.json", req.Tags}} {
		f := placedFile{Path: own.path, Content: []byte(own.content), Source: -1, Mode: 0o644}
		f.SHA256, _ = digest(strings.NewReader(own.content))
		if _, err := place(f, nil); err != nil {
			return changed, err
		}
	}
	return changed, s.supervisor.configure(req.Services, changed)
}

// place writes a file unless the host has it as wanted, and tells whether it did.
func place(f placedFile, files []*os.File) (bool, error) {
	uid, gid, err := owner(f.Owner)
	if err != nil {
		return false, err
	}
	if st, err := os.Lstat(f.Path); err == nil && st.Mode().IsRegular() {
		var sys unix.Stat_t
		have, err := digestFile(f.Path)
		if err == nil && unix.Lstat(f.Path, &sys) == nil && have == f.SHA256 {
			same := sys.Uid == uint32(uid) && sys.Gid == uint32(gid) && sys.Mode&0o7777 == modeBits(f.Mode)
			if same {
				return false, nil
			}
		}
	}
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return false, err
	}
	var content io.Reader = strings.NewReader(string(f.Content))
	if f.Source >= 0 {
		if f.Source >= len(files) {
			return false, errors.New("its source did not come along")
		}
		if _, err := files[f.Source].Seek(0, io.SeekStart); err != nil {
			return false, err
		}
		content = files[f.Source]
	}
	next := f.Path + ".surety-new"
	out, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return false, err
	}
	defer os.Remove(next) // gone after the rename
	_, err = io.Copy(out, content)
	if err = errors.Join(err, out.Close()); err != nil {
		return false, err
	}
	if err := os.Lchown(next, uid, gid); err != nil {
		return false, err
	}
	if err := unix.Chmod(next, modeBits(f.Mode)); err != nil {
		return false, err
	}
	return true, os.Rename(next, f.Path)
}

func modeBits(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= unix.S_ISUID
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= unix.S_ISGID
	}
	if mode&fs.ModeSticky != 0 {
		bits |= unix.S_ISVTX
	}
	return bits
}
