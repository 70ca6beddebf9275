package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
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

	"github.com/minio/minio-go/v7"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
	"surety/stacks/local/objectstore"
)

// The object store is the local cloud's real one, and the agent under test the real one, each in a process of its own.
func TestMain(m *testing.M) {
	ctx := context.Background()
	run := func(what string, f func(context.Context, string) error) {
		if path := os.Getenv("SURETY_TEST_" + what); path != "" {
			if err := f(ctx, path); err != nil {
				fmt.Fprintln(os.Stderr, what+":", err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	_ = os.Setenv("TMPDIR", "/dev/shm") // the machine's disk is not what is tested
	run("STORE", objectstore.RunFile)
	run("BACKUP", func(ctx context.Context, path string) error {
		return Main(ctx, []string{"--config", path}, nil, os.Stdout)
	})
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // they wait more than they compute
		panic(err)
	}
	code := m.Run()
	theStore.stop()
	theServer.stop()
	os.Exit(code)
}

// process starts this test program as something else.
func process(what, config string) (*exec.Cmd, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SURETY_TEST_"+what+"="+config)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	_, err := cluster.Start(cmd)
	return cmd, err
}

type store struct {
	once  sync.Once
	dir   string
	conf  objectstore.Config
	cmd   *exec.Cmd
	admin *objectstore.Admin
	err   error
}

var theStore store

func (s *store) start() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("/dev/shm", "backup"); err != nil {
		return fmt.Errorf("needs a writable tmpfs at /dev/shm: %w", err)
	}
	s.conf = objectstore.Config{DataDir: filepath.Join(s.dir, "store"), Listen: l.Addr().String(), AccessKey: "admin-access", SecretKey: "admin-secret"}
	raw, err := json.Marshal(s.conf)
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, "store.json")
	if err := errors.Join(os.WriteFile(file, raw, 0o600), l.Close()); err != nil {
		return err
	}
	if s.cmd, err = process("STORE", file); err != nil {
		return err
	}
	s.admin = &objectstore.Admin{Endpoint: "http://" + s.conf.Listen, AccessKey: s.conf.AccessKey, SecretKey: s.conf.SecretKey}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.admin.Ready(ctx)
}

func (s *store) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// bucket makes a bucket for one test.
func bucket(t testing.TB, name string) *minio.Client {
	t.Helper()
	theStore.once.Do(func() { theStore.err = theStore.start() })
	if theStore.err != nil {
		t.Fatal(theStore.err)
	}
	if err := theStore.admin.EnsureBucket(t.Context(), name, false, nil); err != nil {
		t.Fatal(err)
	}
	c, err := vault.Client("http://"+theStore.conf.Listen, "", theStore.conf.AccessKey, theStore.conf.SecretKey)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const password = "correct horse battery"

// newJob gives a job without a source, with a bucket of its own.
func newJob(t testing.TB) (Job, *minio.Client) {
	t.Helper()
	name := strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))
	client := bucket(t, name)
	dir := temp(t)
	return Job{Name: "nightly", Source: "servers.web", Host: "web-0", Every: time.Hour, Keep: Keep{Daily: 7}, StateDir: filepath.Join(dir, "state"),
		StatusSocket: filepath.Join(dir, "s.sock"), Repository: Repository{Endpoint: "http://" + theStore.conf.Listen, Bucket: name, Prefix: "copies",
			AccessKey: theStore.conf.AccessKey, SecretKey: theStore.conf.SecretKey, Password: password}}, client
}

// temp is a folder that other users may pass through.
func temp(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// keys lists the objects whose names hold a text.
func keys(t testing.TB, c *minio.Client, bucket, part string) []minio.ObjectInfo {
	t.Helper()
	var all []minio.ObjectInfo
	for o := range c.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		if strings.Contains(o.Key, part) {
			all = append(all, o)
		}
	}
	return all
}

// flip turns a bit in the middle of an object.
func flip(t testing.TB, c *minio.Client, bucket, key string) {
	t.Helper()
	o, err := c.GetObject(t.Context(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(o); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	raw[len(raw)/2] ^= 1
	if _, err := c.PutObject(t.Context(), bucket, key, bytes.NewReader(raw), int64(len(raw)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func remove(t testing.TB, c *minio.Client, bucket, key string) {
	t.Helper()
	if err := c.RemoveObject(t.Context(), bucket, key, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

// server is a real PostgreSQL that the tests share, run as the user postgres on a socket.
type server struct {
	once  sync.Once
	dir   string
	owner *user.User
	cmd   *exec.Cmd
	err   error
	cluster.Server
}

var theServer server

func (s *server) start() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if s.dir, err = os.MkdirTemp("/dev/shm", "pg"); err != nil {
		return err
	}
	s.DataDir, s.Socket, s.Port, s.User = filepath.Join(s.dir, "data"), s.dir, 5432, "postgres"
	if err := errors.Join(os.Chown(s.dir, uid, gid), os.Mkdir(s.DataDir, 0o700), os.Chown(s.DataDir, uid, gid)); err != nil {
		return err
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return errors.New("no PostgreSQL below /usr/lib/postgresql")
	}
	s.BinDir = found[len(found)-1]
	owner, err := cluster.OwnerOf(s.dir)
	if err != nil {
		return err
	}
	// Peer authentication, as on the local cloud's and Debian's hosts; small segments, so that several come about.
	out, err := owner.Command(context.Background(), s.BinDir+"/initdb", "-D", s.DataDir, "--auth=peer", "-N", "--wal-segsize=1", "--locale=C", "-E", "UTF8").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = owner.Command(context.Background(), s.BinDir+"/postgres", "-D", s.DataDir, "-c", "listen_addresses=", "-c", "unix_socket_directories="+s.dir, "-c", "shared_buffers=32MB")
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.SysProcAttr.Pdeathsig = log, log, syscall.SIGQUIT
	if _, err := cluster.Start(s.cmd); err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err = s.Standby(context.Background()); err == nil || time.Since(began) > 20*time.Second {
			return err
		}
	}
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGINT)
		for i := 0; i < 250 && syscall.Kill(s.cmd.Process.Pid, 0) == nil; i++ {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func postgres(t testing.TB) *server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the server runs as another user")
	}
	theServer.once.Do(func() { theServer.err = theServer.start() })
	if theServer.err != nil {
		t.Skip("needs PostgreSQL: ", theServer.err)
	}
	return &theServer
}

// postgresJob gives a job that copies the shared cluster.
func postgresJob(t testing.TB, wal bool) (Job, *minio.Client, *server) {
	t.Helper()
	s := postgres(t)
	j, client := newJob(t)
	j.Source, j.Host = "databases.main", "main-0"
	j.Postgres = &Postgres{Socket: s.Socket, DataDir: s.DataDir, WAL: wal, WALEvery: 100 * time.Millisecond}
	return j, client, s
}

func (s *server) sql(t testing.TB, statements string) string {
	t.Helper()
	conn, err := s.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.PgConn().Exec(t.Context(), statements).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	if last := results[len(results)-1]; len(last.Rows) > 0 {
		return string(last.Rows[0][0])
	}
	return ""
}

// agent starts the agent in a process of its own, and stops it at the test's end.
func startAgent(t testing.TB, j Job) *exec.Cmd {
	t.Helper()
	raw, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(temp(t), "job.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, err := process("BACKUP", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	return cmd
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

func drillOf(t testing.TB, j Job) Finding {
	t.Helper()
	f, err := Drill(t.Context(), j, filepath.Join(temp(t), "scratch"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// wantBreach holds a drill and wants a breach that says something.
func wantBreach(t testing.TB, j Job, says string) {
	t.Helper()
	f := drillOf(t, j)
	if f.Verdict != Breached || !strings.Contains(strings.Join(f.Sentences, "\n"), says) {
		t.Errorf("verdict %s, want a breach that says %q:\n%s", f.Verdict, says, strings.Join(f.Sentences, "\n"))
	}
	t.Log(strings.Join(f.Sentences, "\n"))
}

func request(t testing.TB, q Request) *bytes.Reader {
	t.Helper()
	raw, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(raw)
}
