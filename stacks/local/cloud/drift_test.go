package cloud

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/stacks/local/host"
	"surety/stacks/local/network"
	"surety/stacks/local/objectstore"
)

// TestDrift changes each thing by hand, sees it in a GET, and mends it by putting the same again.
func TestDrift(t *testing.T) {
	w := newWorld(t)
	if _, err := w.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		run  func(*world)
	}{
		{"a rule deleted", (*world).driftRuleDeleted},
		{"a rule added", (*world).driftRuleAdded},
		{"a limit changed", (*world).driftLimit},
		{"the program swapped", (*world).driftProgram},
		{"a file edited", (*world).driftFile},
		{"the service stopped", (*world).driftService},
		{"a server killed", (*world).driftKilled},
		{"the database stopped", (*world).driftDatabase},
		{"the primary's host killed", (*world).driftPrimary},
		{"a grant revoked", (*world).driftGrant},
		{"a bucket deleted", (*world).driftBucket},
		{"the store killed", (*world).driftStore},
	} {
		t.Run(c.name, func(t *testing.T) { w.t = t; c.run(w) })
	}
	w.t = t
}

func (w *world) driftRuleDeleted() {
	w.nft("list", "ruleset") // skips without nft
	for line := range strings.Lines(w.nft("--handle", "list", "table", "inet", "surety")) {
		if _, handle, found := strings.Cut(line, "# handle "); found && strings.Contains(line, "servers.web.uses[0]") {
			w.nft("delete", "rule", "inet", "surety", "forward", "handle", strings.TrimSpace(handle))
			break
		}
	}
	if g := get[SecurityGroup](w, mainGroup.Name); reflect.DeepEqual(g.Ingress, mainGroup.Ingress) {
		w.t.Errorf("a deleted rule is still read back: %+v", g.Ingress)
	}
	if g := put(w, mainGroup.Name, mainGroup); !reflect.DeepEqual(g.Ingress, mainGroup.Ingress) {
		w.t.Errorf("not mended: %+v", g.Ingress)
	}
}

func (w *world) driftRuleAdded() {
	db := get[Database](w, "main")
	lb := get[Balancer](w, "web")
	w.nft("insert", "rule", "inet", "surety", "forward", "ip", "saddr", lb.Address, "ip", "daddr", db.Address, "tcp", "dport", "5432", "accept")
	w.nft("insert", "rule", "inet", "surety", "forward", "ip", "saddr", lb.Address, "ip", "daddr", "10.77.0.9", "tcp", "dport", "99", "accept")
	g := get[SecurityGroup](w, mainGroup.Name)
	if len(g.Ingress) != 2 || g.Ingress[1].FromGroup != "balancers.web" || g.Ingress[1].Port != 5432 {
		w.t.Errorf("the added rule is not read back: %+v", g.Ingress)
	}
	ofNobody := func(r Rule) bool { return r.Port == 99 && r.FromGroup == "balancers.web" } // beside it: our first rule is not the first any more
	if f := get[SecurityGroup](w, foreignGroup); !slices.ContainsFunc(f.Ingress, ofNobody) {
		w.t.Errorf("the rule of nobody is not read back: %+v", f)
	}
	if n := get[Network](w, "test"); !slices.ContainsFunc(n.ForeignRules, ofNobody) {
		w.t.Errorf("the network does not show the rule of nobody: %+v", n)
	}
	if n := put(w, "test", Network{Name: "test", CIDR: "10.77.0.0/16"}); len(n.ForeignRules) != 0 {
		w.t.Errorf("not mended: %+v", n)
	}
	if g := get[SecurityGroup](w, mainGroup.Name); !reflect.DeepEqual(g.Ingress, mainGroup.Ingress) {
		w.t.Errorf("not mended: %+v", g.Ingress)
	}
}

// find looks a host up as the daemon does.
func (w *world) find(name string) *host.Host {
	w.t.Helper()
	h, err := w.Host(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func (w *world) driftLimit() {
	h := w.find("web-0")
	if _, enforced, err := h.Limits(); err != nil || !enforced["memory"] {
		w.t.Skipf("needs a memory control group: %v, %v", enforced, err)
	}
	if err := h.SetLimits(w.t.Context(), host.Limits{CPU: smallHost.CPU, Memory: 96 << 20, Disk: smallHost.Disk}); err != nil {
		w.t.Fatal(err)
	}
	if s := get[Server](w, "web-0"); s.Limits.Memory != 96<<20 {
		w.t.Errorf("a changed limit is read back as %+v", s.Limits)
	}
	if s := put(w, "web-0", w.server("web-0")); s.Limits != smallHost {
		w.t.Errorf("not mended: %+v", s.Limits)
	}
}

func (w *world) driftProgram() {
	path := programDir + "/" + filepath.Base(w.program.Source)
	if out, code := w.run("web-0", "sh", "-c", "cp "+path+" /tmp/p && echo >> /tmp/p && mv /tmp/p "+path); code != 0 {
		w.t.Fatal(out)
	}
	if s := get[Server](w, "web-0"); s.Program.SHA256 == w.program.SHA256 {
		w.t.Error("a swapped program is not seen")
	}
	if s := put(w, "web-0", w.server("web-0")); s.Program.SHA256 != w.program.SHA256 || !s.Running {
		w.t.Errorf("not mended: %+v", s)
	}
}

func (w *world) driftFile() {
	w.run("web-0", "sh", "-c", "echo -n edited > /etc/greeting")
	if s := get[Server](w, "web-0"); s.Files["/etc/greeting"] != "edited" {
		w.t.Errorf("an edited file is read back as %q", s.Files)
	}
	if s := put(w, "web-0", w.server("web-0")); s.Files["/etc/greeting"] != "from a file" {
		w.t.Errorf("not mended: %q", s.Files)
	}
}

func (w *world) driftService() {
	if err := w.find("web-0").Stop(w.t.Context(), mainService); err != nil {
		w.t.Fatal(err)
	}
	if s := get[Server](w, "web-0"); s.Running {
		w.t.Error("a stopped service is read back as running")
	}
	if s := put(w, "web-0", w.server("web-0")); !s.Running {
		w.t.Error("not mended")
	}
}

func (w *world) driftKilled() {
	if err := w.find("web-1").Kill(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if s := get[Server](w, "web-1"); s.Running || s.Name != "web-1" {
		w.t.Errorf("a killed server is read back as %+v", s)
	}
	before := get[Server](w, "web-0")
	if s := put(w, "web-1", w.server("web-1")); !s.Running || s.Address == before.Address {
		w.t.Errorf("not mended: %+v", s)
	}
	if page, err := fetch(get[Balancer](w, "web").Entry); err != nil {
		w.t.Errorf("the entry after the mend: %q, %v", page, err)
	}
}

func (w *world) driftDatabase() {
	if _, err := w.sql("web-0").Exec(w.t.Context(), "CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)"); err != nil {
		w.t.Fatal(err)
	}
	if err := w.find("main-0").Stop(w.t.Context(), mainService); err != nil {
		w.t.Fatal(err)
	}
	if db := get[Database](w, "main"); db.Running || db.Standby {
		w.t.Errorf("a stopped primary is read back as running: %+v", db)
	}
	if db := put(w, "main", mainDB); !db.Running || !db.Standby {
		w.t.Errorf("not mended: %+v", db)
	}
}

func (w *world) driftPrimary() {
	if err := w.find("main-0").Kill(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if db := get[Database](w, "main"); db.Running || !reflect.DeepEqual(db.Standbys, []string{"main-1"}) {
		w.t.Errorf("without its primary: %+v", db)
	}
	begun := time.Now()
	db, err := w.Promote(w.t.Context(), "main")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("promoted in %s", time.Since(begun).Round(time.Millisecond))
	if !db.Running || db.Primary != "main-1" || db.Standby {
		w.t.Errorf("after promotion: %+v", db)
	}
	// Asked again, as after a lost answer, it does not promote back, and there is nobody else to promote from.
	if db, err = w.PromoteFrom(w.t.Context(), "main", "main-0"); err != nil || db.Primary != "main-1" || !db.Running {
		w.t.Errorf("promoted again: %+v, %v", db, err)
	}
	var invalid *Invalid
	if _, err := w.PromoteFrom(w.t.Context(), "main", "web-0"); !errors.As(err, &invalid) {
		w.t.Errorf("promoted from a host of another: %v", err)
	}
	var n int
	if err := w.sql("web-0").QueryRow(w.t.Context(), "SELECT count(*) FROM kept").Scan(&n); err != nil || n != 1 {
		w.t.Errorf("%d rows, %v", n, err)
	}
	if db := put(w, "main", mainDB); !db.Standby || db.Primary != "main-1" || !reflect.DeepEqual(db.Standbys, []string{"main-0"}) {
		w.t.Errorf("not mended: %+v", db)
	}
}

// admin is the store's administrator, as the daemon's records have it.
func (w *world) admin() *objectstore.Admin {
	w.t.Helper()
	b, err := openBook(w.cfg.Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	r, _ := b.get(KindObjectStore, "store")
	router, err := network.Open(w.cfg.Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	admin, err := (&daemon{router: router}).admin(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(admin.Close)
	return admin
}

func (w *world) driftGrant() {
	if err := w.admin().DeleteGrant(w.t.Context(), media.Name, webGrant.AccessKey); err != nil {
		w.t.Fatal(err)
	}
	var notFound *NotFound
	if g, err := Get[Grant](w.t.Context(), w.Client, webGrant.Name); !errors.As(err, &notFound) {
		w.t.Errorf("a revoked grant is read back as %+v, %v", g, err)
	}
	if s, err := w.Status(w.t.Context()); err != nil || len(s.Grants) != 0 || len(s.Errors) != 0 {
		w.t.Errorf("status after a revoked grant: %+v, %+v, %v", s.Grants, s.Errors, err)
	}
	if g := put(w, webGrant.Name, webGrant); !g.Available {
		w.t.Errorf("not mended: %+v", g)
	}
	if err := w.admin().EnsureGrant(w.t.Context(), media.Name, webGrant.AccessKey, "another-secret-of-20"); err != nil {
		w.t.Fatal(err)
	}
	if g := get[Grant](w, webGrant.Name); !g.Altered {
		w.t.Error("a changed secret is not seen")
	}
	if g := put(w, webGrant.Name, webGrant); g.Altered {
		w.t.Error("not mended")
	}
}

func (w *world) driftBucket() {
	if err := w.admin().EnsureBucket(w.t.Context(), media.Name, false, nil); err != nil {
		w.t.Fatal(err)
	}
	if b := get[Bucket](w, media.Name); b.Versioning || len(b.Tags) != 0 {
		w.t.Errorf("a changed bucket is read back as %+v", b)
	}
	if err := w.admin().DeleteBucket(w.t.Context(), media.Name); err != nil {
		w.t.Fatal(err)
	}
	var notFound *NotFound
	if b, err := Get[Bucket](w.t.Context(), w.Client, media.Name); !errors.As(err, &notFound) {
		w.t.Errorf("a deleted bucket is read back as %+v, %v", b, err)
	}
	if b := put(w, media.Name, media); !b.Versioning || !b.Available {
		w.t.Errorf("not mended: %+v", b)
	}
	put(w, webGrant.Name, webGrant)
}

func (w *world) driftStore() {
	if err := w.find("store").Kill(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if s := get[ObjectStore](w, "store"); s.Running {
		w.t.Error("a killed store is read back as running")
	}
	if b := get[Bucket](w, media.Name); b.Available {
		w.t.Error("a bucket in a killed store is read back as available")
	}
	if s := put(w, "store", theStore); !s.Running {
		w.t.Error("not mended")
	}
	if b := get[Bucket](w, media.Name); !b.Versioning || !b.Available {
		w.t.Errorf("the bucket after the mend: %+v", b)
	}
}

// TestUnhealthy puts a server that never becomes healthy: the failure says why, and a good one put next mends it.
func TestUnhealthy(t *testing.T) {
	w := newWorld(t)
	put(w, "test", Network{Name: "test", CIDR: "10.77.0.0/16"})
	put(w, webGroup.Name, webGroup)
	broken := w.server("web-0")
	broken.Env["BROKEN"], broken.Deadline = "yes", 1
	begun := time.Now()
	_, err := Put(t.Context(), w.Client, "web-0", broken)
	var failed *Failed
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "503") || !strings.Contains(strings.Join(failed.Log, "\n"), "as it was told") {
		t.Errorf("a broken server: %v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s to give up after a deadline of 1 s", took)
	}
	if s, err := w.Status(t.Context()); err != nil || s.Unfinished["servers/web-0"] != "wanted" {
		t.Errorf("status does not tell of the unfinished server: %v, %v", s.Unfinished, err)
	}
	if s := put(w, "web-0", w.server("web-0")); !s.Running {
		t.Errorf("not mended: %+v", s)
	}
	dead := w.server("web-1")
	dead.Program, dead.Command, dead.Deadline = nil, []string{"/usr/bin/false"}, 1
	if _, err := Put(t.Context(), w.Client, "web-1", dead); !errors.As(err, &failed) {
		t.Errorf("a server whose program ends at once: %v", err)
	}
	if _, err := os.Stat(KeyPath(w.cfg.Dir)); err != nil {
		t.Error(err)
	}
}
