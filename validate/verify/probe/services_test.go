package probe

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"

	"surety/stacks/local/objectstore"
)

func TestPostgresRoundTrip(t *testing.T) {
	pg := newPostgres(t)
	primary := pg.primary(freePort(t))
	o := ask(t, Task{Kind: KindPostgres, Timeout: 5 * time.Second, Postgres: &Postgres{URL: primary}})
	got := o.Postgres
	if got == nil || !got.RoundTrip || got.Standby || got.P50 <= 0 || got.Rounds != 20 || !strings.HasPrefix(got.Version, filepath.Base(filepath.Dir(pg.bin))+".") {
		t.Fatalf("%+v, error %q", got, o.Error)
	}
	wrong := strings.Replace(primary, "secret-password", "guessed-password", 1)
	o = ask(t, Task{Kind: KindPostgres, Postgres: &Postgres{URL: wrong}})
	if o.Postgres.Code != "28P01" || strings.Contains(o.Error, "guessed-password") {
		t.Errorf("a wrong password: code %q, error %q", o.Postgres.Code, o.Error)
	}
	o = ask(t, Task{Kind: KindPostgres, Postgres: &Postgres{URL: "postgres://app:secret-password@127.0.0.1:1x/app"}})
	if o.Error == "" || strings.Contains(o.Error, "secret-password") {
		t.Errorf("a URL that does not parse: error %q", o.Error)
	}
}

func TestReplication(t *testing.T) {
	pg := newPostgres(t)
	port := freePort(t)
	primary, standby := pg.primary(port), pg.standby(freePort(t), port)
	replicate := func(upper, lower string) Outcome {
		return ask(t, Task{Kind: KindReplication, Timeout: 2 * time.Second, Replication: &Replication{Primary: upper, Standby: lower}})
	}
	o := replicate(primary, standby)
	if r := o.Replication; r == nil || !r.InRecovery || !r.Replayed || r.Lag <= 0 || r.Written == "" {
		t.Fatalf("a standby that follows: %+v, error %q", r, o.Error)
	}
	if o := ask(t, Task{Kind: KindPostgres, Postgres: &Postgres{URL: standby}}); o.Postgres == nil || !o.Postgres.Standby || o.Error != "" {
		t.Errorf("a standby asked alone: %+v, error %q", o.Postgres, o.Error)
	}
	if o := replicate(primary, primary); o.Replication.InRecovery {
		t.Errorf("a primary in the standby's place: %+v", o.Replication)
	}
	// A standby that stopped replaying: what is written must not count as arrived.
	conn, err := pgx.Connect(t.Context(), strings.Replace(standby, "app:secret-password", "postgres:secret-password", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "SELECT pg_wal_replay_pause()"); err != nil {
		t.Fatal(err)
	}
	if o := replicate(primary, standby); o.Error != "" || o.Replication.Replayed || o.Replication.Behind <= 0 {
		t.Errorf("a standby that does not follow: %+v, error %q", o.Replication, o.Error)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// postgres is a scratch server and its standby, run as the system's own user for it.
type postgres struct {
	t        *testing.T
	bin, dir string
	as       *syscall.SysProcAttr
}

func newPostgres(t *testing.T) *postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		t.Skip("needs postgresql: no server program in /usr/lib/postgresql")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: the server is run as user postgres")
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("needs the user postgres: " + err.Error())
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	dir, err := os.MkdirTemp("", "surety-probe")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	return &postgres{t: t, bin: found[len(found)-1], dir: dir, as: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}}
}

func (p *postgres) run(program string, args ...string) {
	p.t.Helper()
	command := exec.Command(filepath.Join(p.bin, program), args...)
	command.SysProcAttr, command.Dir = p.as, p.dir
	command.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PGPASSFILE=" + p.dir + "/pass"}
	out, err := os.Create(filepath.Join(p.dir, program+".out"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	command.Stdout, command.Stderr = out, out // a file: a server that stays keeps a pipe open
	if err := command.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		p.t.Fatalf("%s: %v: %s", program, err, said)
	}
}

func (p *postgres) start(data, port string) {
	p.t.Helper()
	p.run("pg_ctl", "-D", data, "-w", "-t", "20", "-l", data+".log", "-o", "-p "+port+" -c listen_addresses=127.0.0.1 -c unix_socket_directories="+p.dir+" -c fsync=off", "start")
	p.t.Cleanup(func() { p.run("pg_ctl", "-D", data, "-m", "immediate", "stop") })
}

func (p *postgres) primary(port string) string {
	p.t.Helper()
	data := filepath.Join(p.dir, "primary")
	for name, text := range map[string]string{"password": "secret-password\n", "pass": "*:*:*:*:secret-password\n"} {
		path := filepath.Join(p.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
		if err := os.Chown(path, int(p.as.Credential.Uid), int(p.as.Credential.Gid)); err != nil {
			p.t.Fatal(err)
		}
	}
	p.run("initdb", "-D", data, "-A", "scram-sha-256", "--pwfile", filepath.Join(p.dir, "password"), "-N", "--locale=C.UTF-8")
	p.start(data, port)
	conn, err := pgx.Connect(p.t.Context(), "postgres://postgres:secret-password@127.0.0.1:"+port+"/postgres")
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{"CREATE ROLE app LOGIN PASSWORD 'secret-password'", "CREATE DATABASE app OWNER app"} {
		if _, err := conn.Exec(p.t.Context(), statement); err != nil {
			p.t.Fatal(err)
		}
	}
	return "postgres://app:secret-password@127.0.0.1:" + port + "/app"
}

func (p *postgres) standby(port, of string) string {
	p.t.Helper()
	data := filepath.Join(p.dir, "standby")
	p.run("pg_basebackup", "-D", data, "-R", "-c", "fast", "-X", "stream", "-d", "host=127.0.0.1 user=postgres port="+of)
	p.start(data, port)
	return "postgres://app:secret-password@127.0.0.1:" + port + "/app"
}

func TestS3(t *testing.T) {
	address := "127.0.0.1:" + freePort(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- objectstore.Run(ctx, objectstore.Config{DataDir: filepath.Join(t.TempDir(), "store"), Listen: address, Region: "us-east-1", AccessKey: "admin", SecretKey: "admin-secret"})
	}()
	defer func() { stop(); <-ended }()
	admin := &objectstore.Admin{Endpoint: "http://" + address, AccessKey: "admin", SecretKey: "admin-secret", Region: "us-east-1"}
	ready, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := admin.Ready(ready); err != nil {
		t.Fatal(err)
	}
	for bucket, versioning := range map[string]bool{"media": true, "plain": false} {
		if err := admin.EnsureBucket(ready, bucket, versioning, nil); err != nil {
			t.Fatal(err)
		}
		if err := admin.EnsureGrant(ready, bucket, "user-"+bucket, "secret-of-"+bucket); err != nil {
			t.Fatal(err)
		}
	}
	try := func(bucket, key, secret string) *S3Seen {
		t.Helper()
		o := ask(t, Task{Kind: KindS3, Timeout: 5 * time.Second, S3: &S3{Endpoint: "http://" + address, Region: "us-east-1", Bucket: bucket, AccessKey: key, SecretKey: secret}})
		if o.S3 == nil {
			t.Fatalf("error %q", o.Error)
		}
		return o.S3
	}
	for bucket, versioning := range map[string]string{"media": "Enabled", "plain": "off"} {
		got := try(bucket, "user-"+bucket, "secret-of-"+bucket)
		if got.Put != OK || got.Get != OK || got.List != OK || got.Delete != OK || !got.Intact || !got.Listed || got.PutTook <= 0 || got.GetTook <= 0 {
			t.Errorf("%s with its grant: %+v", bucket, got)
		}
		if got.Versioning != versioning && !Denied(got.Versioning) {
			t.Errorf("%s: versioning %q, want %q", bucket, got.Versioning, versioning)
		}
		// Nothing may be left: DeleteBucket would hide it, a second list does not.
		state, err := admin.BucketState(ready, bucket)
		if err != nil {
			t.Fatal(err)
		}
		if want := versioning == "Enabled"; state.Versioning != want {
			t.Errorf("%s: the store says versioning %t", bucket, state.Versioning)
		}
	}
	for _, stranger := range [][2]string{{"", ""}, {"nobody", "no-such-secret"}, {"user-plain", "secret-of-plain"}, {"user-media", "wrong-secret"}} {
		got := try("media", stranger[0], stranger[1])
		if !Denied(got.Put) || !Denied(got.List) {
			t.Errorf("as %q: put %q, list %q, want refusals", stranger[0], got.Put, got.List)
		}
	}
	if err := admin.DeleteGrant(ready, "media", "user-media"); err != nil {
		t.Fatal(err)
	}
	if got := try("media", "user-media", "secret-of-media"); !Denied(got.Put) {
		t.Errorf("after the grant was withdrawn: put %q", got.Put)
	}
	if got := try("nowhere", "admin", "admin-secret"); got.Put != "NoSuchBucket" || Denied(got.Put) {
		t.Errorf("a bucket that is not there: put %q", got.Put)
	}
	if left := versions(t, address, "media"); left != 0 {
		t.Errorf("%d versions of probe objects are left in the bucket", left)
	}
	o := ask(t, Task{Kind: KindS3, Timeout: time.Second, S3: &S3{Endpoint: "http://127.0.0.1:1", Bucket: "media", AccessKey: "a", SecretKey: "secret-secret"}})
	if o.S3 == nil || !strings.HasPrefix(o.S3.Put, "failed: ") || Denied(o.S3.Put) {
		t.Errorf("no store at all is no refusal: %+v, error %q", o.S3, o.Error)
	}
}

func versions(t *testing.T, address, bucket string) int {
	t.Helper()
	s := &S3{Endpoint: "http://" + address, Region: "us-east-1", AccessKey: "admin", SecretKey: "admin-secret"}
	client, err := s.client()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for object := range client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		if object.Err != nil {
			t.Fatal(object.Err)
		}
		fmt.Fprintln(t.Output(), "left:", object.Key, object.VersionID, object.IsDeleteMarker)
		n++
	}
	return n
}
