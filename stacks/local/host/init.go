package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The descriptors that init starts with, besides the standard three.
const (
	fdBoot   = 3 + iota // socket: the bootMessage comes, the readyMessage goes
	fdListen            // control socket
	fdGroup             // cgroup folder of the host, or /dev/null
)

// bootMessage is the starter's go-ahead. The disk's image comes with it as a descriptor.
type bootMessage struct {
	Root    rootSpec
	Image   bool // there is one
	Group   bool // fdGroup is a cgroup
	Unified bool // of version 2
}

// readyMessage tells the starter that the host is up, or why not.
type readyMessage struct{ Error string }

// Init is process 1 of a host: what the hidden command "host-init" runs. It builds the host's root, reaps, supervises
// the services and answers on the control socket. It does not return while the host is up; it returns an exit code.
func Init(_ []string) int {
	for fd := fdBoot; fd <= fdGroup; fd++ {
		unix.CloseOnExec(fd)
	}
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "host-init:", err)
		return 1
	}
	if os.Getpid() != 1 {
		return fail(errors.New("this command is run by surety itself, as the first process of a host"))
	}
	file := os.NewFile(fdBoot, "boot")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		return fail(err)
	}
	boot := conn.(*net.UnixConn)
	var message bootMessage
	files, err := receive(boot, &message)
	if err != nil {
		return fail(fmt.Errorf("no go-ahead, the starter died: %w", err))
	}
	if message.Image != (len(files) == 1) {
		return fail(fmt.Errorf("the go-ahead came with %d files", len(files)))
	}
	control := os.NewFile(fdListen, "control")
	listener, err := net.FileListener(control)
	control.Close()
	if err != nil {
		return fail(err)
	}
	server, err := bringUp(message, files)
	if err != nil {
		_ = send(boot, readyMessage{Error: err.Error()})
		return fail(err)
	}
	_ = send(boot, readyMessage{}) // the starter may have died by now; the host is up all the same
	boot.Close()
	server.serve(listener.(*net.UnixListener))
	return fail(errors.New("the control socket ended"))
}

func bringUp(m bootMessage, files []*os.File) (*server, error) {
	// Caught and dropped rather than ignored: what is ignored here, or was by whoever started us, children would ignore too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, unix.SIGTERM, unix.SIGALRM,
		unix.SIGUSR1, unix.SIGUSR2, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	unix.Umask(0o022)
	var image *os.File
	if m.Image {
		image = files[0]
	}
	err := enterRoot(m.Root, image)
	closeAll(files) // the loop device has its own hold on it
	if err != nil {
		return nil, err
	}
	if err := writeIdentity(m.Root.Name); err != nil {
		return nil, fmt.Errorf("write identity: %w", err)
	}
	os.Setenv("PATH", defaultPath)
	// When the host's memory is short the kernel shall kill its services, not its init.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	p := newProcesses(m)
	s := &server{name: m.Root.Name, since: time.Now(), processes: p, supervisor: newSupervisor(p)}
	if err := s.startSSH(); err != nil {
		return nil, fmt.Errorf("set up sshd: %w", err)
	}
	return s, nil
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"

// keptCapabilities are what root in a host may do: what a container's root may, and what concerns its own network.
// Without CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_MKNOD it cannot touch init, mounts or devices of the machine.
var keptCapabilities = []int{unix.CAP_AUDIT_WRITE, unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_IPC_LOCK,
	unix.CAP_IPC_OWNER, unix.CAP_KILL, unix.CAP_NET_ADMIN, unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_BROADCAST, unix.CAP_NET_RAW, unix.CAP_SETFCAP, unix.CAP_SETGID,
	unix.CAP_SETPCAP, unix.CAP_SETUID, unix.CAP_SYS_CHROOT, unix.CAP_SYS_NICE, unix.CAP_SYS_RESOURCE}

// processes starts and reaps every process of the host. Starting happens on one thread that gave up the capabilities
// that the host does not get: its children inherit that, init itself keeps them.
type processes struct {
	group   bool
	unified bool
	starts  chan func()
	mu      sync.Mutex // held from fork to registration, so that no end goes unseen
	waiting map[int]chan syscall.WaitStatus
}

func newProcesses(m bootMessage) *processes {
	p := &processes{group: m.Group, unified: m.Unified, starts: make(chan func()), waiting: map[int]chan syscall.WaitStatus{}}
	go func() {
		runtime.LockOSThread()
		for c := 0; c <= unix.CAP_LAST_CAP; c++ {
			if !slices.Contains(keptCapabilities, c) {
				_ = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0) // fails for those the kernel does not know
			}
		}
		for start := range p.starts {
			start()
		}
	}()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() {
		for range ended {
			p.reap()
		}
	}()
	return p
}

func (p *processes) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if done := p.waiting[pid]; done != nil {
			delete(p.waiting, pid)
			done <- status
		}
	}
}

// program is one process to start.
type program struct {
	args  []string
	env   []string
	dir   string
	user  *account
	files []uintptr // standard input, output, error
	tty   bool      // the standard input is to be the controlling terminal
	group string    // name of a cgroup below the host's, for all its descendants
}

// start starts a program in a session of its own; done gets its status once.
func (p *processes) start(prog program) (pid int, done <-chan syscall.WaitStatus, err error) {
	path, err := lookPath(prog.args, prog.env, prog.dir)
	if err != nil {
		return 0, nil, err
	}
	attr := &syscall.ProcAttr{Dir: prog.dir, Env: prog.env, Files: prog.files, Sys: &syscall.SysProcAttr{Setsid: true, Setctty: prog.tty}}
	if u := prog.user; u != nil && (u.uid != 0 || u.gid != 0) {
		attr.Sys.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}
	}
	finished := make(chan struct{})
	ch := make(chan syscall.WaitStatus, 1)
	p.starts <- func() {
		defer close(finished)
		p.mu.Lock()
		defer p.mu.Unlock()
		leave := p.enterGroup(prog.group, attr.Sys)
		defer leave()
		// Children inherit how eagerly the kernel kills when memory is short, so init takes the usual value for the moment.
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0)
		pid, err = syscall.ForkExec(path, prog.args, attr)
		_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
		if err == nil {
			p.waiting[pid] = ch
		}
	}
	<-finished
	if err != nil {
		return 0, nil, fmt.Errorf("start %q: %w", prog.args[0], err)
	}
	return pid, ch, nil
}

// enterGroup makes the next fork of this thread be born in the named cgroup: on version 1 by moving the thread there
// and back, on version 2 by asking the kernel.
func (p *processes) enterGroup(name string, attr *syscall.SysProcAttr) (leave func()) {
	if !p.group || name == "" {
		return func() {}
	}
	if err := unix.Mkdirat(fdGroup, name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return func() {}
	}
	if p.unified {
		fd, err := unix.Openat(fdGroup, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return func() {}
		}
		attr.UseCgroupFD, attr.CgroupFD = true, fd
		return func() { unix.Close(fd) }
	}
	_ = writeAt(fdGroup, name+"/tasks", "0")
	return func() { _ = writeAt(fdGroup, "tasks", "0") }
}

// killGroup kills all processes in the named cgroup and waits for their end, some hundred milliseconds at most.
func (p *processes) killGroup(name string) {
	if !p.group {
		return
	}
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for range 200 {
		data, err := readAt(fdGroup, name+"/cgroup.procs")
		pids := strings.Fields(data)
		if err != nil || len(pids) == 0 {
			return
		}
		for _, field := range pids {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		<-ticker.C
	}
}

// removeGroup removes the cgroup of a service that is no more.
func (p *processes) removeGroup(name string) {
	if p.group {
		_ = unix.Unlinkat(fdGroup, name, unix.AT_REMOVEDIR)
	}
}

func writeAt(dir int, name, text string) error {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

func readAt(dir int, name string) (string, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	data, err := io.ReadAll(file)
	return string(data), err
}

// lookPath finds the program as a shell with the given environment would, and tells a missing folder from a missing program.
func lookPath(args, env []string, dir string) (string, error) {
	if len(args) == 0 || args[0] == "" {
		return "", errors.New("no command")
	}
	if st, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("working folder: %w", err)
	} else if !st.IsDir() {
		return "", fmt.Errorf("working folder %q is no folder", dir)
	}
	name := args[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		_, err := os.Stat(name)
		return name, err
	}
	path := defaultPath
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			path = value
		}
	}
	for part := range strings.SplitSeq(path, ":") {
		candidate := filepath.Join(part, name)
		if st, err := os.Stat(candidate); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%q is not in %s: %w", name, path, fs.ErrNotExist)
}
