package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"surety/benchmarks/peers/servers"
	"surety/stacks"
	"surety/stacks/local/host"
)

// TestMain lets the test binary be the program on a host, and a host's first process.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "measure":
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
			defer stop()
			if err := Main(ctx, os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		case "serve": // inside a host
			lo, err := netlink.LinkByName("lo")
			if err = errors.Join(err, netlink.LinkSetUp(lo)); err == nil {
				err = http.ListenAndServe("127.0.0.1:8080", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			}
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		case "host-init":
			os.Exit(host.Init(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// process is a host whose programs are processes of this machine.
type process struct {
	name string
	mu   sync.Mutex
	pids []int
	// strict waits for the end of the program's input too, as some ways in do.
	strict bool
}

func (p *process) Name() string      { return p.name }
func (p *process) Component() string { return "servers." + p.name }
func (p *process) Address() string   { return "127.0.0.1" }

// Run implements stacks.Host.
func (p *process) Run(ctx context.Context, c stacks.Command) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, c.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, c.Stdout, c.Stderr
	if !p.strict {
		cmd.Stdin = nil
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(stdin, c.Stdin)
			stdin.Close()
		}()
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.mu.Lock()
	p.pids = append(p.pids, cmd.Process.Pid)
	p.mu.Unlock()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &stacks.ExitError{Code: exit.ExitCode()}
	}
	return err
}

// gone tells whether every program has ended.
func (p *process) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pid := range p.pids {
		if syscall.Kill(pid, 0) == nil {
			return false
		}
	}
	return true
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pid := range p.pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// unreachable is a host without a way in.
type unreachable struct{ process }

func (*unreachable) Run(context.Context, stacks.Command) error {
	return errors.New("no way into the host")
}

// silent is a host on which another program than ours answers.
type silent struct {
	process
	says string
}

func (s *silent) Run(_ context.Context, c stacks.Command) error {
	_, err := io.Copy(c.Stdout, strings.NewReader(s.says))
	return err
}

// server starts a real server, or skips the test.
func server(t *testing.T, start func(context.Context) (*servers.Server, error)) string {
	t.Helper()
	s, err := start(context.Background())
	if _, ok := errors.AsType[servers.Absent](err); ok {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.URL
}
