package consistency

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a real PostgreSQL on the loopback, run as the user postgres in a directory that the test makes.
type server struct {
	t    testing.TB
	bin  string
	data string
	port int
	cmd  *exec.Cmd
	done chan struct{}
}

// template is a cluster made once and copied for every server.
var template struct {
	once sync.Once
	dir  string
	err  error
}

func postgresBin(t testing.TB) (bin string, cred *syscall.Credential) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the server runs as another user")
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("needs a postgres user:", err)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		t.Skip("needs PostgreSQL below /usr/lib/postgresql")
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return found[len(found)-1], &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// run runs one of PostgreSQL's tools as its user.
func run(bin string, cred *syscall.Credential, tool string, args ...string) error {
	cmd := exec.Command(filepath.Join(bin, tool), args...)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", tool, err, out)
	}
	return nil
}

// newServer prepares a server with its data below dir, or in a directory of its own.
func newServer(t testing.TB, dir string) *server {
	t.Helper()
	bin, cred := postgresBin(t)
	template.once.Do(func() {
		template.dir, template.err = os.MkdirTemp("", "consistency-pg")
		if template.err == nil {
			template.err = os.Chown(template.dir, int(cred.Uid), int(cred.Gid))
		}
		if template.err == nil {
			template.err = run(bin, cred, "initdb", "-D", template.dir+"/data", "-A", "trust", "-N", "--wal-segsize=1", "--locale=C", "-E", "UTF8")
		}
	})
	if template.err != nil {
		t.Fatal(template.err)
	}
	s := bareServer(t, dir)
	if out, err := exec.Command("cp", "-a", template.dir+"/data", s.data).CombinedOutput(); err != nil {
		t.Fatalf("copy the cluster: %v: %s", err, out)
	}
	return s
}

func bareServer(t testing.TB, dir string) *server {
	t.Helper()
	bin, cred := postgresBin(t)
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "pg"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
	}
	if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &server{t: t, bin: bin, data: filepath.Join(dir, "data"), port: l.Addr().(*net.TCPAddr).Port}
	t.Cleanup(func() { s.kill() })
	return s
}

// start starts the server with settings as "name=value" and waits until it answers.
func (s *server) start(settings ...string) error {
	_, cred := postgresBin(s.t)
	args := []string{"-D", s.data, "-p", strconv.Itoa(s.port)}
	for _, x := range append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB", "max_connections=60"}, settings...) {
		args = append(args, "-c", x)
	}
	log, err := os.OpenFile(s.data+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = "/", log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGQUIT}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() { _ = cmd.Wait(); close(done) }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := s.query("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-done:
			text, _ := os.ReadFile(s.data + ".log")
			return fmt.Errorf("the server ended: %s", text[max(0, len(text)-1500):])
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the server did not answer within 30 s: %w", err)
		}
	}
}

func (s *server) url() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable&connect_timeout=3", s.port)
}

// query gives a statement's first value as text.
func (s *server) query(q string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, q).ReadAll()
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}

func (s *server) must(q string) {
	s.t.Helper()
	if _, err := s.query(q); err != nil {
		s.t.Fatalf("%s: %v", q, err)
	}
}

// eventually waits until a query gives a value.
func (s *server) eventually(q, want string) error {
	var got string
	var err error
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		if got, err = s.query(q); err == nil && got == want {
			return nil
		}
	}
	return fmt.Errorf("%s gives %q, not %q: %w", q, got, want, errors.Join(err))
}

// kill ends the server and its children with SIGKILL, as the end of a host does, and waits until none is left.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	pid := s.cmd.Process.Pid
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	_ = s.cmd.Process.Kill()
	var children []int
	for _, field := range strings.Fields(string(raw)) {
		if child, err := strconv.Atoi(field); err == nil {
			_ = syscall.Kill(child, syscall.SIGKILL)
			children = append(children, child)
		}
	}
	<-s.done
	s.cmd = nil
	for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		alive := false
		for _, child := range children {
			alive = alive || syscall.Kill(child, 0) == nil
		}
		if !alive {
			return
		}
	}
}

// standby makes a streaming standby of a running primary and starts it.
func (s *server) standby(settings ...string) *server {
	s.t.Helper()
	b := bareServer(s.t, "")
	_, cred := postgresBin(s.t)
	if err := run(s.bin, cred, "pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "postgres", "-D", b.data, "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		s.t.Fatal(err)
	}
	if err := b.start(settings...); err != nil {
		s.t.Fatal(err)
	}
	if err := s.eventually("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", "1"); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// bothURL reaches whichever of two servers can be written to.
func bothURL(a, b *server) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/postgres?sslmode=disable&connect_timeout=3&target_session_attrs=read-write", a.port, b.port)
}
