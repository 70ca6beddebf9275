package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Host is a handle on a host; what it says is asked of the kernel and of the host's init each time. Its methods are
// safe for concurrent use, also by several processes.
type Host struct {
	dir string
	mu  sync.Mutex
	rec record
}

// marker is the environment variable of an init that names its host's folder, for finding it by.
const marker = "SURETY_HOST_DIR="

// bootTime is how long a host may take to come up, also when the caller's context allows more.
const bootTime = 30 * time.Second

// Start brings a host up, or in line with spec when it runs already: then its limits and configuration are set and
// nothing else happens. It may be killed at any moment: what it made is found again by the next Start or Destroy of the
// same folder. On failure nothing runs; the disk is kept.
func Start(ctx context.Context, spec Spec) (*Host, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	fail := func(err error) (*Host, error) { return nil, fmt.Errorf("start host %q: %w", spec.Name, err) }
	held, err := lock(ctx, spec.Dir, true)
	if err != nil {
		return fail(err)
	}
	defer held.Close()
	h := &Host{dir: spec.Dir}
	h.rec, _ = readRecord(spec.Dir) // one that is missing or spoilt says nothing: the host is made anew, on its disk
	up, err := h.answers(ctx)
	if err != nil {
		return fail(err)
	}
	if !up {
		if err := h.end(ctx); err != nil { // whatever an earlier Start left half done
			return fail(err)
		}
		if err := h.boot(ctx, spec, held); err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), bootTime)
			defer cancel()
			return fail(errors.Join(err, h.end(stop)))
		}
	} else {
		if spec.Network != nil {
			if err := spec.Network(h.Namespace()); err != nil {
				return fail(fmt.Errorf("network: %w", err))
			}
		}
		if err := h.setLimits(spec.Limits); err != nil {
			return fail(err)
		}
	}
	if err := h.configure(ctx, spec.Config); err != nil {
		return fail(err)
	}
	return h, nil
}

func (s *Spec) check() error {
	if s.Name == "" || len(s.Name) > 63 || strings.ContainsAny(s.Name, "/ \n\x00") {
		return fmt.Errorf("host name %q is not one", s.Name)
	}
	if !filepath.IsAbs(s.Dir) || filepath.Clean(s.Dir) != s.Dir || s.Dir == "/" {
		return fmt.Errorf("host %q: folder %q must be absolute and clean", s.Name, s.Dir)
	}
	if s.Binary == "" {
		return fmt.Errorf("host %q: no binary to run init from", s.Name)
	}
	if s.Limits.CPU < 0 || s.Limits.Memory < 0 || s.Limits.Disk < 0 {
		return fmt.Errorf("host %q: negative limits", s.Name)
	}
	if s.CgroupParent == "" {
		s.CgroupParent = "surety"
	}
	if s.CgroupParent = strings.Trim(filepath.Clean("/"+s.CgroupParent), "/"); s.CgroupParent == "" {
		return fmt.Errorf("host %q: the cgroup parent must not be the root", s.Name)
	}
	if s.Base == "" {
		s.Base = filepath.Join(s.Dir, "base")
	}
	return nil
}

// boot makes everything and waits until the host's init is up. The order makes it safe to be killed: the record comes
// before what it names, and init does nothing until it gets the whole boot message.
func (h *Host) boot(ctx context.Context, spec Spec, held *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	h.setRecord(record{Name: spec.Name, Parent: spec.CgroupParent, Base: spec.Base, Boot: bootID(), Paths: h.record().Paths})
	if err := h.record().write(h.dir); err != nil {
		return err
	}
	for _, folder := range []string{"log", "stage"} {
		if err := os.MkdirAll(filepath.Join(h.dir, folder), 0o755); err != nil {
			return err
		}
	}
	size := spec.Limits.Disk
	if size == 0 {
		size = DefaultDisk
	}
	g, err := h.group()
	if err != nil {
		return err
	}
	g.make()
	if err := g.set(spec.Limits); err != nil {
		return err
	}
	// The disk and the shared parts are made while init's program loads.
	disk, base := make(chan error, 1), make(chan error, 1)
	go func() { disk <- h.prepareDisk(ctx, size, held) }()
	go func() { base <- makeBase(ctx, spec.Base) }()
	boot, message, err := h.launch(spec, g)
	if err := errors.Join(<-disk, <-base, err); err != nil {
		if boot != nil {
			boot.Close()
		}
		return err
	}
	defer boot.Close()
	defer context.AfterFunc(ctx, func() { _ = boot.SetDeadline(time.Unix(1, 0)) })()
	if spec.Network != nil {
		if err := spec.Network(h.Namespace()); err != nil {
			return fmt.Errorf("network: %w", err)
		}
	}
	message.Root = rootSpec{Name: spec.Name, Stage: filepath.Join(h.dir, "stage"), Base: spec.Base,
		Folder: folderPath(h.dir), Binary: spec.Binary, Logs: filepath.Join(h.dir, "log"), Size: size, Memory: spec.Limits.Memory, Groups: g.seen()}
	var pass []int
	if image, err := os.OpenFile(imagePath(h.dir), os.O_RDWR, 0); err == nil {
		defer image.Close()
		message.Image, pass = true, []int{int(image.Fd())}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := send(boot, message, pass...); err != nil {
		return fmt.Errorf("pass the go-ahead: %w", errors.Join(err, h.lastWords()))
	}
	var ready readyMessage
	if _, err := receive(boot, &ready); err != nil {
		return fmt.Errorf("init ended before the host was up: %w", errors.Join(context.Cause(ctx), err, h.lastWords()))
	}
	if ready.Error != "" {
		return errors.New(ready.Error)
	}
	return nil
}

// prepareDisk makes or grows the disk's image, or, when the machine cannot carry one, a folder in its place. A disk
// stays of the kind it was made.
func (h *Host) prepareDisk(ctx context.Context, size int64, held *os.File) error {
	if _, err := os.Stat(folderPath(h.dir)); err == nil {
		return nil
	}
	if loopsUsable() {
		err := makeImage(ctx, h.dir, size, held)
		if err == nil || !errors.Is(err, exec.ErrNotFound) {
			return err
		}
	}
	return os.Mkdir(folderPath(h.dir), 0o700)
}

// launch starts the host's init in new namespaces and its cgroup, records it, and returns the channel over which it
// waits for the go-ahead. Should this process die before, the channel closes and init ends.
func (h *Host) launch(spec Spec, g group) (*net.UnixConn, bootMessage, error) {
	var message bootMessage
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, message, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "boot"), os.NewFile(uintptr(pair[1]), "boot")
	defer ours.Close()
	defer theirs.Close()
	listener, err := listenControl(h.dir)
	if err != nil {
		return nil, message, fmt.Errorf("make control socket: %w", err)
	}
	defer listener.Close()
	log, err := os.OpenFile(h.Log("init"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o644)
	if err != nil {
		return nil, message, err
	}
	defer log.Close()
	groupFolder, err := os.Open(os.DevNull)
	if err != nil {
		return nil, message, err
	}
	for _, folder := range []string{g.path("pids"), g.path("memory"), g.path("cpu")} {
		if folder == "" {
			continue
		}
		if opened, err := os.Open(folder); err == nil {
			groupFolder.Close()
			groupFolder, message.Group, message.Unified = opened, true, strings.HasPrefix(folder, g.v2+"/") && g.v2 != ""
			break
		}
	}
	defer groupFolder.Close()
	cmd := exec.Command(spec.Binary, "host-init", spec.Name)
	cmd.Env = []string{marker + h.dir}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs, listener, groupFolder}
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC}
	if err := cmd.Start(); err != nil {
		return nil, message, fmt.Errorf("start init: %w", err)
	}
	go func() { _ = cmd.Wait() }() // whoever is the parent reaps
	g.add(cmd.Process.Pid)
	rec := h.record()
	rec.Pid = cmd.Process.Pid
	if rec.Start, _, err = processStart(rec.Pid); err != nil {
		return nil, message, fmt.Errorf("init ended at once: %w", errors.Join(err, h.lastWords()))
	}
	h.setRecord(rec)
	if err := rec.write(h.dir); err != nil {
		return nil, message, err
	}
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, message, err
	}
	return conn.(*net.UnixConn), message, nil
}

// lastWords is the end of what init wrote to its log, as an error; nil when it wrote nothing.
func (h *Host) lastWords() error {
	data, err := os.ReadFile(h.Log("init"))
	text := strings.TrimSpace(string(data[max(0, len(data)-2000):]))
	if err != nil || text == "" {
		return nil
	}
	return fmt.Errorf("init said: %s", text)
}
