// Package cluster copies, measures and revives a PostgreSQL cluster: it talks to a server over its unix socket as the system user who
// owns the cluster, so that peer authentication lets it in without a password.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// Server is where a running server is reached.
type Server struct {
	Socket  string // folder of its unix socket
	Port    int
	User    string // superuser
	DataDir string
	BinDir  string // programs of its version; empty: found by DataDir
}

// Connect opens a connection to a database.
func (s Server) Connect(ctx context.Context, database string) (*pgx.Conn, error) {
	conf, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	owner, err := OwnerOf(s.DataDir)
	if err != nil {
		return nil, err
	}
	conf.Host, conf.Port, conf.User, conf.Database = s.Socket, uint16(s.Port), s.User, database
	conf.Password, conf.Fallbacks, conf.ConnectTimeout = "", nil, 5*time.Second
	conf.RuntimeParams = map[string]string{"application_name": "surety_backup", "timezone": "UTC", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec
	conf.DialFunc = owner.dial
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("connect to the server at %s: %w", s.Socket, err)
	}
	return conn, nil
}

// Standby tells whether the server is one.
func (s Server) Standby(ctx context.Context) (bool, error) {
	conn, err := s.Connect(ctx, "postgres")
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var standby bool
	if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return false, fmt.Errorf("ask the server for its role: %w", err)
	}
	return standby, nil
}

// Program gives the path of a program of the server's version.
func (s Server) Program(name string) (string, error) {
	dir := s.BinDir
	if dir == "" {
		raw, err := os.ReadFile(filepath.Join(s.DataDir, "PG_VERSION"))
		if err != nil {
			return "", fmt.Errorf("find the version of the cluster: %w", err)
		}
		dir = "/usr/lib/postgresql/" + strings.TrimSpace(string(raw)) + "/bin" // Debian's layout
	}
	p := filepath.Join(dir, name)
	if _, err := os.Stat(p); err != nil {
		return "", fmt.Errorf("find %s of the server's version: %w", name, err)
	}
	return p, nil
}

// Owner is a system user.
type Owner struct{ uid, gid uint32 }

// OwnerOf gives the owner of a folder.
func OwnerOf(dir string) (Owner, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return Owner{}, fmt.Errorf("find the owner of %s: %w", dir, err)
	}
	return Owner{uid: st.Uid, gid: st.Gid}, nil
}

// Chown gives a file to the owner.
func (o Owner) Chown(path string) error { return os.Chown(path, int(o.uid), int(o.gid)) }

// Root tells whether the owner is root, as whom no server runs.
func (o Owner) Root() bool { return o.uid == 0 }

// dial connects as the owner: the kernel tells the server whose thread called connect. The thread ends with its goroutine, which does not
// unlock it, so that no other goroutine ever runs as the owner.
func (o Owner) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if uint32(os.Geteuid()) == o.uid {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		_, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(o.uid), ^uintptr(0))
		if errno != 0 {
			done <- result{nil, fmt.Errorf("become the owner of the cluster: %w", errno)}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// Command prepares a program that runs as the owner, with an environment of its own, and is killed when this process dies: start it with Start.
func (o Owner) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + filepath.Dir(program) + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if uint32(os.Geteuid()) != o.uid {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Start starts a command from a thread that lives as long as it does, because the signal of a parent's death is sent when the *thread*
// that started a child ends. done gives its end.
func Start(cmd *exec.Cmd) (done <-chan error, err error) {
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return ended, nil
}

// ErrStandby is returned for a copy of a standby: its primary's agent makes it.
var ErrStandby = errors.New("the server is a standby; its primary is copied")

// LSN is a place in the write-ahead log.
type LSN uint64

// ParseLSN reads "16/B374D848".
func ParseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no place in the log", s)
	}
	return LSN(h<<32 | l), nil
}

func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) }
