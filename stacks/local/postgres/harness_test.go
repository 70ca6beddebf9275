package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The agent runs in a process of its own, as it does on a host, so that tests can signal and kill it.
func TestMain(m *testing.M) {
	if path := os.Getenv("SURETY_TEST_AGENT"); path != "" {
		if err := RunFile(context.Background(), path); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is an agent under test.
type process struct {
	t    *testing.T
	file string
	conf Config
	cmd  *exec.Cmd
	done chan error
	// output takes what agent and server print; nil: shown when SURETY_TEST_LOG is set.
	output *bytes.Buffer
}

func needs(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the server runs as another user")
	}
	if _, err := user.Lookup("postgres"); err != nil {
		t.Skip("needs a postgres user:", err)
	}
	if len(Installed()) == 0 {
		t.Skip("needs PostgreSQL below", root)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// newProcess prepares a primary's configuration; nothing runs yet.
func newProcess(t *testing.T) *process {
	t.Helper()
	needs(t)
	dir, err := os.MkdirTemp("", "pg") // short: a unix socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, file: filepath.Join(dir, "agent.json"), conf: Config{
		DataDir: filepath.Join(dir, "lib/data"), Listen: "127.0.0.1", Port: freePort(t), Role: Primary,
		User: "reader", Database: "main", Password: "secret-1", ReplicationPassword: "follow:me\\1", Allow: "127.0.0.0/8",
		Socket: filepath.Join(dir, "control.sock"), SocketDir: filepath.Join(dir, "s"), Slot: "main_0",
		Parameters: map[string]string{"shared_buffers": "16MB"},
	}}
	t.Cleanup(func() {
		p.kill(syscall.SIGTERM)
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

// newStandby prepares a standby of p.
func (p *process) newStandby() *process {
	s := newProcess(p.t)
	s.conf.Role, s.conf.Primary, s.conf.Slot = Standby, fmt.Sprintf("127.0.0.1:%d", p.conf.Port), "main_1"
	return s
}

func (p *process) write() {
	p.t.Helper()
	raw, err := json.Marshal(p.conf)
	if err == nil {
		err = os.WriteFile(p.file, raw, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) start() {
	p.t.Helper()
	p.write()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SURETY_TEST_AGENT="+p.file)
	if p.output != nil {
		cmd.Stdout, cmd.Stderr = p.output, p.output
	} else if os.Getenv("SURETY_TEST_LOG") != "" {
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	p.cmd, p.done = cmd, done
}

// kill signals the agent and waits for its end.
func (p *process) kill(sig syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	cmd := p.cmd
	p.cmd = nil
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	return p.ended(p.done)
}

func (p *process) ended(done chan error) error {
	p.t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		p.t.Fatal("the agent did not end within 30 s")
		return nil
	}
}

// await polls the status until it is as wanted.
func (p *process) await(what string, want func(Status) bool) Status {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var s Status
	var err error
	for {
		now, fault := Query(ctx, nil, p.conf.Socket)
		if fault == nil && want(now) {
			return now
		}
		if ctx.Err() == nil {
			s, err = now, fault
		}
		select {
		case <-tick.C:
		case end := <-p.done:
			p.cmd = nil
			p.t.Fatalf("%s: the agent ended: %v", what, end)
		case <-ctx.Done():
			p.t.Fatalf("%s: not within 30 s; last status %+v, %v", what, s, err)
		}
	}
}

func (p *process) up() Status {
	p.t.Helper()
	return p.await("up", func(s Status) bool { return s.Running && s.Applied == p.conf.Digest() })
}

// exec runs SQL as the owner over TCP, and gives the first column of the last statement's first row.
func (p *process) exec(sql string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=%s password=%s sslmode=disable",
		p.conf.Port, p.conf.User, p.conf.Database, p.conf.Password))
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return "", err
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0]), nil
	}
	return "", nil
}

func (p *process) want(want, sql string) {
	p.t.Helper()
	if got, err := p.exec(sql); err != nil || got != want {
		p.t.Errorf("%s: got %q, %v; want %q", sql, got, err, want)
	}
}
