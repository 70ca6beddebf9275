package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"surety/blueprints/architecture"
	"surety/operations/backup"
)

// copied is one thing of each kind, all of it backed up. The server's files tell the test's own program how to reach the bucket.
const copied = `surety: v1
name: copied
owner: {team: platform}
servers:
  web:
    size: {cpu: 1, memory: 256MiB, disk: 2GiB}
    runs: {program: web, command: [web], port: 8080, health: /health}
    env: {GREETING: hello}
    files:
      /etc/app.conf: "colour: red"
      /etc/media.json: '{"endpoint": "${buckets.media.endpoint}", "bucket": "${buckets.media.name}", "key": "${buckets.media.accessKey}", "secret": "${buckets.media.secretKey}"}'
    uses: [databases.main, buckets.media]
databases:
  main: {engine: postgres, version: "15", size: {cpu: 1, memory: 512MiB, disk: 2GiB}}
buckets:
  media: {size: 1GiB}
backups:
  nightly: {of: [databases.main, servers.web, buckets.media], every: 24h, keep: {daily: 7}}
`

// program is the server's: on its hosts surety's own place is taken by the test binary.
const program = "#!/bin/sh\nexec /run/surety/surety serve-web\n"

// keepObject puts an object into the bucket of a host's /etc/media.json: with a name alone it removes it.
func keepObject(args []string) int {
	var at struct{ Endpoint, Bucket, Key, Secret string }
	raw, err := os.ReadFile("/etc/media.json")
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err == nil {
		where, _ := url.Parse(at.Endpoint)
		var store *minio.Client
		if store, err = minio.New(where.Host, &minio.Options{Creds: credentials.NewStaticV4(at.Key, at.Secret, ""), Region: "us-east-1"}); err == nil {
			if len(args) == 1 {
				err = store.RemoveObject(context.Background(), at.Bucket, args[0], minio.RemoveObjectOptions{})
			} else {
				_, err = store.PutObject(context.Background(), at.Bucket, args[0], strings.NewReader(args[1]), int64(len(args[1])), minio.PutObjectOptions{})
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sql runs statements on the database's primary as the superuser and gives what they print.
func (b *bench) sql(statements string) string {
	b.t.Helper()
	return strings.TrimSpace(b.must(0, "exec", "main-0", "--", "runuser", "-u", "postgres", "--", "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "main", "-c", statements).stdout)
}

const allRows = "SELECT id, name, amount FROM accounts ORDER BY id"

// TestBackup makes copies of a database, a server and a bucket, restores each, the database to a moment between two copies, row for
// row; then spoils one copy and loses another, and the drill must find both.
func TestBackup(t *testing.T) {
	b := newBench(t, "registry") // for the folder; the spec is replaced
	b.write(copied)
	if err := os.WriteFile(filepath.Join(b.dir, "web"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	b.must(0, "up", "--yes")
	b.backupsAreMet("newest")
	b.sql("CREATE TABLE accounts (id int PRIMARY KEY, name text, amount numeric); INSERT INTO accounts SELECT i, md5(i::text), i * 1.5 FROM generate_series(1, 2000) i")
	b.must(0, "exec", "web-0", "--", "/run/surety/surety", "keep-object", "greeting.txt", "hello, bucket")
	var made []struct {
		Source, Error string
		Copies        []backup.Copy
	}
	b.read(&made, 0, "backup", "run", "nightly")
	if len(made) != 3 {
		t.Fatalf("copies of %+v, want one of each source", made)
	}
	// After the copy comes more, which only the log holds; then the mistake.
	b.sql("INSERT INTO accounts SELECT i, 'late', i FROM generate_series(3001, 3100) i")
	want := b.sql(allRows)
	before := b.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
	b.sql("DELETE FROM accounts WHERE id % 2 = 0; UPDATE accounts SET amount = 0")
	b.sql("SELECT pg_switch_wal()") // so that the log up to here is kept now, and not only in ten seconds
	b.must(0, "exec", "web-0", "--", "/run/surety/surety", "keep-object", "greeting.txt")
	b.archivedPast(before)

	b.restoredRows(before, want)
	b.restoredFiles()
	b.restoredObjects()
	if rows := b.sql("SELECT count(*), sum(amount) FROM accounts"); rows != "1050|0" {
		t.Errorf("restoring touched what serves: %s", rows)
	}
	b.must(0, "backup", "drill")
	b.backupsAreMet("restored")

	b.must(0, "exec", "object-store", "--", "sh", "-c", spoil("nightly/servers.web"))
	b.must(0, "exec", "object-store", "--", "sh", "-c", lose("nightly/databases.main"))
	b.spoiltIsFound()
}

// backupsAreMet wants each source's requirement met by a check of that name.
func (b *bench) backupsAreMet(check string) {
	b.t.Helper()
	var ledger []architecture.Entry
	b.read(&ledger, 0, "ledger")
	met := 0
	for _, e := range ledger {
		if strings.HasPrefix(e.Requirement, "backups.nightly") && e.State != architecture.Met {
			b.t.Errorf("%s is %s: %s", e.Requirement, e.State, e.Evidence)
		}
		if strings.HasPrefix(e.Requirement, "backups.nightly.of") && strings.Contains(e.By, check) {
			met++
		}
	}
	if met != 3 {
		b.t.Errorf("%d of 3 sources are met by %s: %+v", met, check, ledger)
	}
}

// archivedPast waits until the agent says that the log is kept to after a moment.
func (b *bench) archivedPast(moment string) {
	b.t.Helper()
	at, err := time.Parse(time.RFC3339Nano, moment)
	if err != nil {
		b.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(250 * time.Millisecond) {
		var listed []struct {
			Source string
			Agent  backup.Status
		}
		b.read(&listed, 0, "backup", "list")
		for _, l := range listed {
			if l.Agent.Archive != nil && l.Agent.Archive.Covered.After(at.Add(500*time.Millisecond)) {
				return
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the log is not kept beyond %s: %s", moment, b.must(0, "backup", "list").stdout)
		}
	}
}

// restoredRows restores the database to a moment, starts it here, on a socket alone, and compares it row for row.
func (b *bench) restoredRows(at, want string) {
	b.t.Helper()
	folder := filepath.Join(b.dir, "restored", "main")
	b.must(0, "backup", "restore", "nightly", "--source", "databases.main", "--at", at, "--to", folder)
	data := filepath.Join(folder, "data")
	owner, err := os.Stat(data)
	if err != nil {
		b.t.Fatal(err)
	}
	for dir := folder; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) { // so that the owner of the data gets there
		if err := os.Chmod(dir, 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	sockets, err := os.MkdirTemp("", "sockets")
	if err != nil {
		b.t.Fatal(err)
	}
	defer os.RemoveAll(sockets)
	if err := os.Chmod(sockets, 0o777); err != nil {
		b.t.Fatal(err)
	}
	as := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Sys().(*syscall.Stat_t).Uid, Gid: owner.Sys().(*syscall.Stat_t).Gid}, Pdeathsig: syscall.SIGINT}
	server := exec.Command("/usr/lib/postgresql/15/bin/postgres", "-D", data, "-k", sockets, "-c", "listen_addresses=", "-c", "hba_file="+b.trusting(), "-c", "ident_file=", "-c", "shared_buffers=16MB", "-c", "archive_mode=off")
	var said bytes.Buffer
	server.SysProcAttr, server.Stdout, server.Stderr = as, &said, &said
	if err := server.Start(); err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
	}()
	var got []byte
	for range 100 {
		query := exec.Command("/usr/lib/postgresql/15/bin/psql", "-X", "-A", "-t", "-h", sockets, "-U", "postgres", "-d", "main", "-c", allRows)
		query.SysProcAttr = &syscall.SysProcAttr{Credential: as.Credential}
		if got, err = query.Output(); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		b.t.Fatalf("ask the restored server: %v\n%s", err, said.String())
	}
	if strings.TrimSpace(string(got)) != want {
		b.t.Errorf("restored %d rows that are not the %d of %s", strings.Count(string(got), "\n"), strings.Count(want, "\n")+1, at)
	}
}

// trusting is a pg_hba.conf that lets local callers in.
func (b *bench) trusting() string {
	b.t.Helper()
	path := filepath.Join(b.dir, "pg_hba.conf")
	if err := os.WriteFile(path, []byte("local all all trust\n"), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *bench) restoredFiles() {
	b.t.Helper()
	folder := filepath.Join(b.dir, "restored", "web")
	b.must(0, "backup", "restore", "nightly", "--source", "servers.web", "--to", folder)
	if got, err := os.ReadFile(filepath.Join(folder, "files/etc/app.conf")); err != nil || string(got) != "colour: red" {
		b.t.Errorf("/etc/app.conf: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "files/etc/surety/software.json")); err != nil || !strings.Contains(string(got), `"GREETING": "hello"`) {
		b.t.Errorf("what runs there: %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(folder, "files/opt/bin/web")); err != nil || string(got) != program {
		b.t.Errorf("its program: %q, %v", got, err)
	}
	if r := b.must(64, "backup", "restore", "nightly", "--source", "servers.web", "--to", folder); !strings.Contains(r.stderr, "not empty") {
		b.t.Errorf("restoring over what is there: %s", r.stderr)
	}
}

func (b *bench) restoredObjects() {
	b.t.Helper()
	folder := filepath.Join(b.dir, "restored", "media")
	b.must(0, "backup", "restore", "nightly", "--source", "buckets.media", "--to", folder)
	if got, err := os.ReadFile(filepath.Join(folder, "objects/greeting.txt")); err != nil || string(got) != "hello, bucket" {
		b.t.Errorf("the object that was removed since: %q, %v", got, err)
	}
}

// spoil turns bytes round in the middle of every blob of content of one source's copies; lose removes all that is of one source.
func spoil(source string) string {
	return fmt.Sprintf(`find /var/lib/surety/objectstore -type f -path '*/%s/*' -name 'p*' -size +1k | while read -r blob; do
	half=$(($(stat -c %%s "$blob") / 2)); printf 'spoilt!!' | dd of="$blob" bs=1 seek=$half conv=notrunc status=none; done`, source)
}

func lose(source string) string {
	return fmt.Sprintf(`find /var/lib/surety/objectstore -type f -path '*/%s/*' -delete`, source)
}

// spoiltIsFound wants the drill to fail for the spoilt and the lost source, to pass for the third, and the ledger to say so.
func (b *bench) spoiltIsFound() {
	b.t.Helper()
	var results []struct{ Check, State, Summary string }
	b.read(&results, 3, "backup", "drill", "nightly")
	for _, r := range results {
		want := "fail"
		if strings.Contains(r.Check, "buckets.media") {
			want = "pass"
		}
		if r.State != want {
			b.t.Errorf("%s is %s: %s", r.Check, r.State, r.Summary)
		}
	}
	if len(results) != 3 {
		b.t.Errorf("%d results", len(results))
	}
	var ledger []architecture.Entry
	b.read(&ledger, 3, "ledger")
}
