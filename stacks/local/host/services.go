package host

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	firstDelay  = 100 * time.Millisecond // before a service is started again
	longDelay   = 5 * time.Second        // at most, doubling
	steady      = 10 * time.Second       // having run so long, a service starts over with the first delay
	stopTimeout = 10 * time.Second
	logSize     = 8 << 20 // bytes of a log file; one older file is kept
	logFolder   = "/var/log/surety"
)

var serviceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// supervisor keeps the services of a host running.
type supervisor struct {
	processes *processes
	change    sync.Mutex // held while services are changed, which may take as long as they take to stop
	mu        sync.Mutex // of the map alone, so that the status can be had meanwhile
	services  map[string]*supervised
}

func newSupervisor(p *processes) *supervisor {
	return &supervisor{processes: p, services: map[string]*supervised{}}
}

// supervised is one service; its fields after mu are guarded by it.
type supervised struct {
	processes *processes
	def       Service
	log       *boundedLog
	quit      chan struct{} // closed to stop
	done      chan struct{} // closed when stopped

	mu     sync.Mutex
	status ServiceStatus
}

// start adds a service; change must be held.
func (s *supervisor) start(def Service) {
	one := &supervised{processes: s.processes, def: def, log: &boundedLog{path: filepath.Join(logFolder, def.Name+".log")},
		quit: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	s.services[def.Name] = one
	s.mu.Unlock()
	go one.run()
}

// run starts the service again and again until quit.
func (s *supervised) run() {
	defer close(s.done)
	defer s.log.Close()
	for delay := firstDelay; ; {
		begun := time.Now()
		exit := s.runOnce()
		if time.Since(begun) >= steady {
			delay = firstDelay
		}
		s.mu.Lock()
		s.status.Running, s.status.Pid, s.status.Since = false, 0, time.Now()
		s.status.LastExit = exit
		s.mu.Unlock()
		s.log.note("ended: " + exit)
		select {
		case <-s.quit:
			return
		case <-time.After(delay):
			delay = min(2*delay, longDelay)
		}
		s.mu.Lock()
		s.status.Restarts++
		s.mu.Unlock()
	}
}

// runOnce runs the service's program until it ends or the service is to stop, and tells how it ended.
func (s *supervised) runOnce() string {
	select {
	case <-s.quit:
		return "stopped"
	default:
	}
	user, err := findAccount(s.def.User)
	if err != nil {
		return err.Error()
	}
	dir := s.def.Dir
	if dir == "" {
		dir = "/"
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err.Error()
	}
	_ = unix.SetNonblock(ends[0], true)
	output := os.NewFile(uintptr(ends[0]), "output")
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		output.Close()
		unix.Close(ends[1])
		return err.Error()
	}
	group := "service-" + s.def.Name
	pid, done, err := s.processes.start(program{args: s.def.Command, env: user.environment(s.def.Env), dir: dir, user: user,
		files: []uintptr{uintptr(null), uintptr(ends[1]), uintptr(ends[1])}, group: group})
	unix.Close(null)
	unix.Close(ends[1])
	copied := make(chan struct{})
	go func() { defer close(copied); _, _ = io.Copy(s.log, output) }()
	defer func() {
		// Whoever still has the output open outlived the kill below; nobody waits for it.
		select {
		case <-copied:
		case <-time.After(time.Second):
		}
		output.Close()
	}()
	if err != nil {
		return err.Error()
	}
	s.mu.Lock()
	s.status.Running, s.status.Pid, s.status.Since = true, pid, time.Now()
	s.mu.Unlock()
	s.log.note(fmt.Sprintf("started %q as process %d", s.def.Command, pid))
	var status syscall.WaitStatus
	select {
	case status = <-done:
	case <-s.quit:
		sig := signalNumber(s.def.StopSignal)
		if sig == 0 {
			sig = unix.SIGTERM
		}
		_ = unix.Kill(pid, sig)
		limit := s.def.StopTimeout
		if limit <= 0 {
			limit = stopTimeout
		}
		timer := time.NewTimer(limit)
		defer timer.Stop()
		select {
		case status = <-done:
		case <-timer.C:
			_ = unix.Kill(-pid, unix.SIGKILL)
			status = <-done
		}
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	s.processes.killGroup(group)
	return exitText(status)
}

func exitText(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit %d", status.ExitStatus())
}

// signalNumber knows "TERM" and "SIGTERM"; 0 for what is no signal.
func signalNumber(name string) syscall.Signal {
	if name == "" {
		return 0
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n < 65 {
		return syscall.Signal(n)
	}
	return unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
}

// end stops a service and waits for that.
func (s *supervised) end() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
	<-s.done
	s.mu.Lock()
	s.status.Stopped = true
	s.mu.Unlock()
}

// configure brings the services in line with defs. changed are the paths of the files that changed with them.
func (s *supervisor) configure(defs []Service, changed []string) error {
	s.change.Lock()
	defer s.change.Unlock()
	wanted := map[string]bool{sshService: true, "init": true} // names of logs that are taken
	for _, def := range defs {
		if !serviceName.MatchString(def.Name) || wanted[def.Name] {
			return fmt.Errorf("service name %q is not one, or taken", def.Name)
		}
		if len(def.Command) == 0 {
			return fmt.Errorf("service %q has no command", def.Name)
		}
		wanted[def.Name] = true
	}
	everybody := false // a changed file that no service reads, or read, as far as can be told, concerns all
	for _, path := range changed {
		everybody = everybody || !slices.ContainsFunc(defs, func(d Service) bool { return reads(d, path) }) && !s.readBefore(path)
	}
	var restart []Service
	var gone []string
	var stopping sync.WaitGroup
	for name, old := range s.services {
		i := slices.IndexFunc(defs, func(d Service) bool { return d.Name == name })
		switch {
		case name == sshService:
		case i < 0:
			stopping.Go(old.end)
			gone = append(gone, name)
			defer s.processes.removeGroup("service-" + name)
		case !reflect.DeepEqual(old.def, defs[i]):
			stopping.Go(old.end)
		case everybody || slices.ContainsFunc(changed, func(path string) bool { return reads(old.def, path) }):
			if sig := signalNumber(old.def.Reload); sig != 0 && old.signal(sig) == nil {
				continue
			}
			stopping.Go(old.end)
		default:
			if old.ended() { // stopped by request: to be configured means to run
				restart = append(restart, old.def)
			}
			continue
		}
		if i >= 0 && name != sshService {
			restart = append(restart, defs[i])
		}
	}
	stopping.Wait()
	s.mu.Lock()
	for _, name := range gone {
		delete(s.services, name)
	}
	s.mu.Unlock()
	for _, def := range defs { // in the order given
		if s.services[def.Name] == nil || slices.ContainsFunc(restart, func(r Service) bool { return r.Name == def.Name }) {
			s.start(def)
		}
	}
	return nil
}

// readBefore tells whether one of the services as they are so far names the file.
func (s *supervisor) readBefore(path string) bool {
	for _, one := range s.services {
		if reads(one.def, path) {
			return true
		}
	}
	return false
}

// reads tells whether the service names the file.
func reads(def Service, path string) bool {
	named := func(text string) bool { return strings.Contains(text, path) }
	for _, value := range def.Env {
		if named(value) {
			return true
		}
	}
	return slices.ContainsFunc(def.Command, named) || slices.ContainsFunc(def.Files, func(f string) bool {
		return f == path || strings.HasSuffix(f, "/") && strings.HasPrefix(path, f)
	})
}

func (s *supervised) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

func (s *supervised) signal(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.status.Running {
		return fmt.Errorf("service %q does not run", s.def.Name)
	}
	return unix.Kill(s.status.Pid, sig)
}

// act does what the machine asks of one service: "stop", "start", "restart" or "signal".
func (s *supervisor) act(name, what, sig string) error {
	if what != "signal" {
		s.change.Lock()
		defer s.change.Unlock()
	}
	s.mu.Lock()
	one := s.services[name]
	s.mu.Unlock()
	if one == nil {
		return fmt.Errorf("no service %q on this host: %w", name, os.ErrNotExist)
	}
	switch what {
	case "signal":
		number := signalNumber(sig)
		if number == 0 {
			return fmt.Errorf("%q is no signal", sig)
		}
		return one.signal(number)
	case "stop":
		one.end()
	case "start":
		if one.ended() {
			s.start(one.def)
		}
	case "restart":
		one.end()
		s.start(one.def)
	}
	return nil
}

func (s *supervisor) status() map[string]ServiceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]ServiceStatus{}
	for name, one := range s.services {
		one.mu.Lock()
		all[name] = one.status
		one.mu.Unlock()
	}
	return all
}
