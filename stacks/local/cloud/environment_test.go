package cloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"surety/stacks/local/network"
)

// TestEnvironment builds everything there is and looks at it from inside: one long test, because making it is what costs.
func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	begun := time.Now()
	lb, err := w.build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("built in %s", time.Since(begun).Round(time.Millisecond))
	t.Run("serves", func(t *testing.T) { w.t = t; w.checkServes(lb) })
	t.Run("database", func(t *testing.T) { w.t = t; w.checkDatabase() })
	t.Run("buckets", func(t *testing.T) { w.t = t; w.checkBuckets() })
	t.Run("undeclared is refused", func(t *testing.T) { w.t = t; w.checkRefused() })
	t.Run("put again changes nothing", func(t *testing.T) { w.t = t; w.checkIdempotent() })
	t.Run("update in place", func(t *testing.T) { w.t = t; w.checkUpdates() })
	t.Run("disk grows", func(t *testing.T) { w.t = t; w.checkGrowth() })
	t.Run("standby", func(t *testing.T) { w.t = t; w.checkStandby() })
	t.Run("errors", func(t *testing.T) { w.t = t; w.checkErrors() })
	t.Run("daemon killed", func(t *testing.T) { w.t = t; w.checkDaemonKilled(lb) })
	t.Run("status", func(t *testing.T) { w.t = t; w.checkStatus() })
	t.Run("deleted one by one", func(t *testing.T) { w.t = t; w.checkDeleted() })
	w.t = t
}

// checkServes asks the entry on the machine's loopback until both servers have answered.
func (w *world) checkServes(lb Balancer) {
	seen := map[string]bool{}
	for range 20 {
		page, err := fetch(lb.Entry)
		if err != nil {
			w.t.Fatal(err)
		}
		seen[page] = true
	}
	if !seen["web-0 hello from a file"] || !seen["web-1 hello from a file"] || len(seen) != 2 {
		w.t.Errorf("the entry answers %v", seen)
	}
	s := get[Server](w, "web-0")
	if !s.Running || s.ActualOS == "" || s.Program.SHA256 != w.program.SHA256 || s.Files["/etc/greeting"] != "from a file" || s.Limits != smallHost {
		w.t.Errorf("web-0 reads back as %+v", s)
	}
	if out, code := w.run("web-0", "hostname"); code != 0 || strings.TrimSpace(out) != "web-0" {
		w.t.Errorf("hostname: %q, %d", out, code)
	}
	if out, _ := w.run("web-0", "getent", "hosts", "main"); out != "" && !strings.Contains(out, get[Database](w, "main").Address) {
		w.t.Errorf("main is %q", out)
	}
}

// sql connects to the database from inside a host.
func (w *world) sql(hostName string) *pgx.Conn {
	w.t.Helper()
	db, err := GetWithSecrets[Database](w.t.Context(), w.Client, "main")
	if err != nil {
		w.t.Fatal(err)
	}
	conf, err := pgx.ParseConfig(fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable", db.User, db.Password, db.Address, db.Port, db.Database))
	if err != nil {
		w.t.Fatal(err)
	}
	conf.DialFunc = func(ctx context.Context, n, addr string) (net.Conn, error) { return w.dialFrom(ctx, hostName, addr) }
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		w.t.Fatalf("connect from %s: %v", hostName, err)
	}
	w.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (w *world) dialFrom(ctx context.Context, hostName, addr string) (net.Conn, error) {
	hosts, err := w.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		if h.Name == hostName {
			return network.DialIn(ctx, h.Namespace, "tcp", addr)
		}
	}
	return nil, fmt.Errorf("no host %q", hostName)
}

func (w *world) checkDatabase() {
	db := get[Database](w, "main")
	if !db.Running || !db.Standby || db.Primary != "main-0" || !strings.HasPrefix(db.ActualVersion, "15.") || db.Password != "" || db.Parameters["work_mem"] != "5MB" {
		w.t.Errorf("main reads back as %+v", db)
	}
	conn := w.sql("web-0")
	var workMem string
	if err := conn.QueryRow(w.t.Context(), "SHOW work_mem").Scan(&workMem); err != nil || workMem != "5MB" {
		w.t.Errorf("work_mem is %q, %v", workMem, err)
	}
	if _, err := conn.Exec(w.t.Context(), "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)"); err != nil {
		w.t.Error(err)
	}
}

func (w *world) s3(hostName string, g Grant) *minio.Client {
	w.t.Helper()
	s := get[ObjectStore](w, "store")
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		w.t.Fatal(err)
	}
	transport.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) { return w.dialFrom(ctx, hostName, addr) }
	w.t.Cleanup(transport.CloseIdleConnections)
	c, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{Creds: credentials.NewStaticV4(g.AccessKey, g.SecretKey, ""), Region: s.Region, Transport: transport})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (w *world) checkBuckets() {
	c := w.s3("web-0", webGrant)
	if _, err := c.PutObject(w.t.Context(), media.Name, "a", strings.NewReader("content"), 7, minio.PutObjectOptions{}); err != nil {
		w.t.Fatalf("put an object with the grant: %v", err)
	}
	stranger := webGrant
	stranger.AccessKey = "nobody"
	if _, err := w.s3("web-0", stranger).StatObject(w.t.Context(), media.Name, "a", minio.StatObjectOptions{}); err == nil {
		w.t.Error("a user without a grant read an object")
	}
	if b := get[Bucket](w, media.Name); !b.Versioning || !b.Available || !reflect.DeepEqual(b.Tags, media.Tags) {
		w.t.Errorf("the bucket reads back as %+v", b)
	}
	if g := get[Grant](w, webGrant.Name); !g.Available || g.Altered || g.SecretKey != "" {
		w.t.Errorf("the grant reads back as %+v", g)
	}
}

// checkRefused tries pairs of hosts that no rule joins.
func (w *world) checkRefused() {
	db, store, server := get[Database](w, "main"), get[ObjectStore](w, "store"), get[Server](w, "web-1")
	for _, c := range []struct{ from, to string }{
		{"outside", db.Address + ":5432"}, {"web", db.Address + ":5432"}, {"outside", server.Address + ":8080"},
		{"web-0", server.Address + ":8080"}, {"web", fmt.Sprint(store.Address, ":", storePort)}, {"web-0", server.Address + ":22"},
	} {
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
		conn, err := w.dialFrom(ctx, c.from, c.to)
		cancel()
		if err == nil {
			conn.Close()
			w.t.Errorf("%s reached %s, which nothing declares", c.from, c.to)
		} else if errors.Is(err, context.DeadlineExceeded) {
			w.t.Errorf("%s to %s was left waiting and not refused", c.from, c.to)
		}
	}
}

// checkIdempotent puts everything again: not one process may change.
func (w *world) checkIdempotent() {
	before, services := w.pids(), w.services()
	begun := time.Now()
	if _, err := w.build(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("put again in %s", time.Since(begun).Round(time.Millisecond))
	if after := w.pids(); !reflect.DeepEqual(before, after) {
		w.t.Errorf("hosts were %v and are %v", before, after)
	}
	if after := w.services(); !reflect.DeepEqual(services, after) {
		w.t.Errorf("services were %v and are %v", services, after)
	}
}

// services lists the number of restarts and the main process of every service.
func (w *world) services() map[string]string {
	w.t.Helper()
	hosts, err := w.Hosts(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for _, h := range hosts {
		one, err := w.Host(h.Name)
		if err != nil {
			w.t.Fatal(err)
		}
		s, err := one.Status(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		out[h.Name] = fmt.Sprint(s.Services[mainService].Pid, s.Services[mainService].Running)
	}
	return out
}

func (w *world) checkUpdates() {
	hosts, services := w.pids(), w.services()
	s := w.server("web-0")
	s.Limits.CPU, s.Limits.Memory = 0.5, 128<<20
	if got := put(w, "web-0", s); got.Limits != s.Limits {
		w.t.Errorf("limits read back as %+v", got.Limits)
	}
	if now := w.services(); !reflect.DeepEqual(now, services) {
		w.t.Errorf("setting limits restarted something: %v, %v", services, now)
	}
	s.Env["GREETING"], s.Files["/etc/greeting"] = "good day", "from another file"
	s1 := put(w, "web-0", s)
	if now := w.services(); now["web-0"] == services["web-0"] || now["web-1"] != services["web-1"] {
		w.t.Errorf("changing web-0 went from %v to %v", services, now)
	}
	lb := put(w, "web", balancerFor(s1))
	for range 5 {
		if page, err := fetch(lb.Entry); page != "web-0 good day from another file" {
			w.t.Errorf("the entry answers %q, %v", page, err)
		}
	}
	lb = put(w, "web", balancerFor(s1, get[Server](w, "web-1")))
	if now := w.services(); now["web"] != services["web"] {
		w.t.Error("changing its backends restarted the balancer")
	}
	db := mainDB
	db.Parameters = map[string]string{"work_mem": "6MB"}
	put(w, "main", db)
	var workMem string
	if err := w.sql("web-0").QueryRow(w.t.Context(), "SHOW work_mem").Scan(&workMem); err != nil || workMem != "6MB" {
		w.t.Errorf("work_mem is %q, %v", workMem, err)
	}
	if now := w.services(); now["main-0"] != services["main-0"] {
		w.t.Error("changing a setting restarted the database's agent")
	}
	if now := w.pids(); !reflect.DeepEqual(now, hosts) {
		w.t.Errorf("an update in place replaced a host: %v, %v", hosts, now)
	}
	put(w, "main", mainDB)
	put(w, "web-0", w.server("web-0"))
}

// checkGrowth grows a disk, by a restart of the host where the kernel does not let us do it in use. What is on it stays. A change that
// grew it and was given up leaves the old spec possible.
func (w *world) checkGrowth() {
	w.run("web-1", "sh", "-c", "echo kept > /var/lib/kept")
	s := w.server("web-1")
	s.Limits.Disk, s.Env["BROKEN"], s.Deadline = 512<<20, "yes", 1
	var failed *Failed
	if _, err := Put(w.t.Context(), w.Client, "web-1", s); !errors.As(err, &failed) || !strings.Contains(failed.Message, "503") {
		w.t.Errorf("a broken change: %v", err)
	}
	old := put(w, "web-1", w.server("web-1"))
	if old.Limits.Disk != 512<<20 || !old.Running {
		w.t.Errorf("back to the old spec: %+v", old)
	}
	if out, _ := w.run("web-1", "cat", "/var/lib/kept"); out != "kept\n" {
		w.t.Errorf("the disk holds %q", out)
	}
	if err := Delete[Server](w.t.Context(), w.Client, "web-1"); err != nil {
		w.t.Fatal(err)
	}
	put(w, "web-1", w.server("web-1"))
}

// checkStandby takes the standby away, adds it again and promotes it. The rows stay.
func (w *world) checkStandby() {
	single := mainDB
	single.Standby = false
	if db := put(w, "main", single); db.Standby || len(db.Standbys) != 0 || !db.Running {
		w.t.Errorf("without standby: %+v", db)
	}
	begun := time.Now()
	before := put(w, "main", mainDB)
	if !before.Standby || !reflect.DeepEqual(before.Standbys, []string{"main-1"}) {
		w.t.Errorf("with standby: %+v", before)
	}
	w.t.Logf("standby added in %s", time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	after, err := w.Promote(w.t.Context(), "main")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("promoted in %s", time.Since(begun).Round(time.Millisecond))
	if after.Primary != "main-1" || after.Address != before.Address || !reflect.DeepEqual(after.Standbys, []string{"main-0"}) || !after.Standby {
		w.t.Errorf("after promotion: %+v", after)
	}
	conn := w.sql("web-1")
	var n int
	if err := conn.QueryRow(w.t.Context(), "SELECT count(*) FROM kept").Scan(&n); err != nil || n != 1 {
		w.t.Errorf("%d rows are left, %v", n, err)
	}
	if _, err := conn.Exec(w.t.Context(), "INSERT INTO kept VALUES (2)"); err != nil {
		w.t.Errorf("write after promotion: %v", err)
	}
	if db := put(w, "main", mainDB); db.Primary != "main-1" {
		w.t.Errorf("putting the database again moved the primary to %s", db.Primary)
	}
}

func (w *world) checkErrors() {
	ctx := w.t.Context()
	var conflict *Conflict
	var invalid *Invalid
	var notFound *NotFound
	if err := Delete[Network](ctx, w.Client, "test"); !errors.As(err, &conflict) {
		w.t.Errorf("deleting the network under everything: %v", err)
	}
	if err := Delete[ObjectStore](ctx, w.Client, "store"); !errors.As(err, &conflict) {
		w.t.Errorf("deleting a store with buckets: %v", err)
	}
	other := mainDB
	other.Version = ""
	if _, err := Put(ctx, w.Client, "main", other); !errors.As(err, &conflict) || !conflict.Replace {
		w.t.Errorf("another version: %v", err)
	}
	smaller := w.server("web-0")
	smaller.Limits.Disk = 64 << 20
	if _, err := Put(ctx, w.Client, "web-0", smaller); !errors.As(err, &conflict) || !conflict.Replace {
		w.t.Errorf("a smaller disk: %v", err)
	}
	wrong := w.server("web-0")
	wrong.Program = &Program{Source: w.program.Source, SHA256: strings.Repeat("0", 64)}
	if _, err := Put(ctx, w.Client, "web-0", wrong); !errors.As(err, &invalid) || invalid.Field != "program.sha256" || invalid.Mend == "" {
		w.t.Errorf("a program that changed: %v", err)
	}
	absent := w.server("web-0")
	absent.Program, absent.Package, absent.Command = nil, "no-such-package", []string{"no-such-program"}
	if _, err := Put(ctx, w.Client, "web-0", absent); !errors.As(err, &invalid) || !strings.Contains(invalid.Mend, "no-such-package") {
		w.t.Errorf("a program that is not there: %v", err)
	}
	if _, err := Get[Server](ctx, w.Client, "web-9"); !errors.As(err, &notFound) {
		w.t.Errorf("a server that is not there: %v", err)
	}
	if err := Delete[Server](ctx, w.Client, "web-9"); err != nil {
		w.t.Errorf("deleting what is not there: %v", err)
	}
	if db := get[Database](w, "main"); db.Version != "15" || !db.Running {
		w.t.Errorf("a refused change left its mark: %+v", db)
	}
}

// checkDaemonKilled kills the daemon: everything goes on running, and the next daemon finds it under the same addresses.
func (w *world) checkDaemonKilled(lb Balancer) {
	before, services := w.pids(), w.services()
	w.kill()
	if err := w.Ping(w.t.Context()); !errors.Is(err, ErrNotRunning) {
		w.t.Errorf("ping of a killed daemon: %v", err)
	}
	if out, code := w.run("web-0", "true"); code != 0 {
		w.t.Errorf("exec without a daemon: %q, %d", out, code)
	}
	w.start()
	if after := w.pids(); !reflect.DeepEqual(before, after) {
		w.t.Errorf("hosts were %v and are %v", before, after)
	}
	if now := get[Balancer](w, "web"); now.Entry != lb.Entry || !now.Running {
		w.t.Errorf("the entry was %s and is %s", lb.Entry, now.Entry)
	}
	if _, err := fetch(lb.Entry); err != nil {
		w.t.Errorf("the entry after a restart of the daemon: %v", err)
	}
	if after := w.services(); !reflect.DeepEqual(services, after) {
		w.t.Errorf("services were %v and are %v", services, after)
	}
}

// kill kills the daemon and waits for its end.
func (w *world) kill() {
	w.t.Helper()
	s, err := w.Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := syscall.Kill(s.Pid, syscall.SIGKILL); err != nil {
		w.t.Fatal(err)
	}
	err = await(w.t.Context(), 5*time.Second, func(ctx context.Context) error {
		if err := w.Ping(ctx); !errors.Is(err, ErrNotRunning) {
			return fmt.Errorf("it still answers: %v", err)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) checkStatus() {
	s, err := w.Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if len(s.Errors) != 0 || len(s.Unfinished) != 0 || len(s.Servers) != 2 || len(s.Databases) != 1 || len(s.Buckets) != 1 || len(s.Grants) != 1 ||
		len(s.Balancers) != 1 || len(s.ObjectStores) != 1 || len(s.SecurityGroups) != 4 || len(s.Networks) != 1 || !s.Networks[0].Running {
		w.t.Errorf("status is %+v", s)
	}
	want := map[string]string{"outside": "internet", "web-0": "servers.web", "web-1": "servers.web", "main-0": "databases.main", "main-1": "databases.main", "store": "buckets", "web": "balancers.web"}
	for _, h := range s.Hosts {
		if want[h.Name] != h.Component || !h.Running || h.Address == "" || h.Namespace == "" {
			w.t.Errorf("host %+v", h)
		}
		delete(want, h.Name)
	}
	if len(want) != 0 {
		w.t.Errorf("hosts missing: %v", want)
	}
}

// checkDeleted deletes as the engine does, what does not depend on one another at the same time, with content in the bucket and the store
// killed. Then the environment can be shut down, and not before.
func (w *world) checkDeleted() {
	ctx := w.t.Context()
	if err := w.find("store").Kill(ctx); err != nil {
		w.t.Fatal(err)
	}
	begun := time.Now()
	remove := func(kind Kind, names ...string) func() error {
		return func() error {
			for _, name := range names {
				if err := w.Delete(ctx, kind, name); err != nil {
					return err
				}
			}
			return nil
		}
	}
	err := errors.Join(
		together(remove(KindBalancer, "web"), remove(KindServer, "web-0"), remove(KindServer, "web-1"), remove(KindDatabase, "main"), remove(KindGrant, webGrant.Name)),
		together(remove(KindBucket, media.Name)),
		together(remove(KindObjectStore, "store")),
		together(remove(KindSecurityGroup, webGroup.Name, lbGroup.Name, mainGroup.Name, s3Group.Name)),
	)
	if err != nil {
		w.t.Fatal(err)
	}
	var conflict *Conflict
	if err := Shutdown(ctx, w.cfg); !errors.As(err, &conflict) {
		w.t.Errorf("shutting down under a network: %v", err)
	}
	if err := errors.Join(Delete[Network](ctx, w.Client, "test"), Shutdown(ctx, w.cfg), Shutdown(ctx, w.cfg)); err != nil {
		w.t.Error(err)
	}
	w.t.Logf("deleted one by one in %s", time.Since(begun).Round(time.Millisecond))
	if left := w.leftovers(); len(left) > 0 {
		w.t.Errorf("left behind: %s", strings.Join(left, "\n"))
	}
}

// nft runs nft in the router's namespace, as somebody would by hand.
func (w *world) nft(args ...string) string {
	w.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		w.t.Skip("needs nft, to change rules by hand")
	}
	out, err := exec.Command("nsenter", append([]string{"--net=" + filepath.Join(w.cfg.Dir, "netns", "router"), "nft"}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}
