package assess

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
	"surety/validate"
)

var update = flag.Bool("update", false, "write the golden files anew")

var today = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

// check is what surety validate does with a loaded spec.
func check(doc *blueprints.Document) blueprints.Diagnostics {
	found := validate.Semantics(doc)
	if !found.HasErrors() {
		_, more := architecture.Design(doc)
		found = append(found, more...)
	}
	return found
}

func assess(t *testing.T, inv Inventory, target string) Assessment {
	t.Helper()
	c, err := catalog.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	a, err := Assess(inv, Options{Catalog: c, Target: target, Now: today, Check: check})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t *testing.T, text string) Inventory {
	t.Helper()
	inv, ds := Parse("inventory.yaml", []byte(text))
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	return inv
}

// systems writes an inventory around systems in flow style, one a line.
func systems(lines ...string) string {
	return "inventory: v1\nname: test\nsystems:\n  - {" + strings.Join(lines, "}\n  - {") + "}\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at it with go test -update and git diff; got:\n%s", path, got)
	}
}

// A clinic's eight systems: one of each fate.
func TestClinic(t *testing.T) {
	inv, ds, err := Read("testdata/clinic.yaml")
	if err != nil || len(ds) > 0 {
		t.Fatal(err, ds)
	}
	a := assess(t, inv, "")
	verdicts := ""
	for _, s := range a.Systems {
		verdicts += s.System.Name + ": " + string(s.Verdict) + "\n"
	}
	want := "edge-balancer: changes\nportal-web: blocks\nbooking-app: blocks\npatient-db: changes\nsession-cache: changes\nbilling-db: blocks\nimage-store: changes\nreports: carries over\n"
	if verdicts != want {
		t.Errorf("verdicts:\n%s", verdicts)
	}
	golden(t, "clinic.draft.yaml", a.Draft)
	golden(t, "clinic.md", a.Markdown(2))
	a.Draft = ""
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "clinic.json", string(text)+"\n")
	agrees(t, assess(t, inv, ""))
}

// agrees tells whether surety validate finds in the draft exactly what the assessment lists.
func agrees(t *testing.T, a Assessment) (doc *blueprints.Document) {
	t.Helper()
	doc, found := blueprints.Parse("surety.yaml", []byte(a.Draft))
	found = append(found, check(doc)...)
	var reported, listed []string
	for _, d := range found {
		reported = append(reported, fmt.Sprint(d.Severity == blueprints.Error, " ", d.Requirement))
	}
	for _, s := range a.Systems {
		for _, f := range s.Findings {
			if f.Requirement != "" {
				listed = append(listed, fmt.Sprint(f.Level == Blocks, " ", f.Requirement))
			}
			if len(f.Facts) == 0 || f.Facts[0].Source == "" || f.Reason == "" {
				t.Errorf("%s: a finding without reason or source: %+v", s.System.Name, f)
			}
		}
	}
	slices.Sort(reported)
	slices.Sort(listed)
	if reported, listed = slices.Compact(reported), slices.Compact(listed); !slices.Equal(reported, listed) {
		t.Errorf("surety validate reports %q and the assessment lists %q; draft:\n%s", reported, listed, a.Draft)
	}
	return doc
}

// What is said of a system and nothing else decides what becomes of it.
func TestVerdicts(t *testing.T) {
	const debian = "name: a, kind: server, os: debian, osVersion: '12', cpu: 2, memory: 4GiB, disk: 20GiB, software: nginx, softwareVersion: '1.22', listens: [8080]"
	for _, c := range []struct{ name, system, target, want string }{
		{"a whole one", debian, "", "carries over"},
		{"no system is given", "name: a, kind: server", "", "unproven operating system"},
		{"an old Debian", "name: a, kind: server, os: Debian GNU/Linux 9", "aws", "changes operating system → debian-12"},
		{"an LTS with a successor", "name: a, kind: server, os: ubuntu, osVersion: '20.04'", "aws", "changes operating system → ubuntu-24.04"},
		{"a supported one without an image", "name: a, kind: server, os: rocky, osVersion: '9.4'", "aws", "unproven operating system → rocky-9.4"},
		{"a rebuilt one at Azure", "name: a, kind: server, os: CentOS Linux, osVersion: '7'", "azure", "changes operating system → rhel-8"},
		{"a rebuilt one at Google", "name: a, kind: server, os: CentOS Linux, osVersion: '7'", "gcp", "changes operating system → debian-12"},
		{"Windows", "name: a, kind: server, os: Windows Server 2022", "aws", "blocks software"},
		{"Windows licence", "name: a, kind: server, os: Windows Server 2022", "aws", "changes licence → windows-2022"},
		{"AIX", "name: a, kind: server, os: AIX, osVersion: '7.2'", "", "blocks operating system"},
		{"SPARC", debian + ", arch: sparc64", "", "blocks processor architecture"},
		{"ARM", debian + ", arch: aarch64", "aws", "carries over processor architecture → arm64"},
		{"32 bits", debian + ", arch: i686", "", "changes processor architecture → amd64"},
		{"more memory than any", "name: a, kind: server, memory: 40TiB", "", "blocks size"},
		{"more than one machine has together", "name: a, kind: server, cpu: 800, memory: 30TiB", "gcp", "blocks size"},
		{"more processors than any", "name: a, kind: server, cpu: 2000", "", "blocks size"},
		{"a huge disk", "name: a, kind: server, disk: 100TiB", "", "blocks requirement"},
		{"UDP", "name: a, kind: server, listens: [514/udp]", "", "blocks ports"},
		{"a range", "name: a, kind: server, listens: [30000-31000/tcp]", "", "blocks ports"},
		{"two ports", "name: a, kind: server, listens: [8080, 9090]", "", "blocks ports"},
		{"80 and 443", "name: a, kind: server, listens: [443, 80]", "", "changes ports → 80/tcp"},
		{"ssh", "name: a, kind: server, listens: [22]", "", "changes ports → surety ssh"},
		{"local files", debian + ", dataSize: 50GiB", "", "changes files → a bucket"},
		{"PostgreSQL in support", "name: a, kind: database, software: postgresql, softwareVersion: '15.4'", "aws", "carries over engine → postgres 15"},
		{"PostgreSQL out of support", "name: a, kind: database, software: postgresql, softwareVersion: '9.6.2'", "aws", "changes engine → postgres 18"},
		{"PostgreSQL nowhere listed", "name: a, kind: database, software: postgresql, softwareVersion: '9.1'", "aws", "changes engine → postgres 18"},
		{"PostgreSQL on a server", "name: a, kind: server, software: postgres, softwareVersion: '16'", "aws", "changes kind → a managed database"},
		{"MariaDB", "name: a, kind: database, software: MariaDB, softwareVersion: '10.11.6'", "aws", "carries over engine → mariadb 10.11"},
		{"MySQL", "name: a, kind: database, software: MySQL, softwareVersion: '5.7'", "aws", "changes engine → mariadb"},
		{"nothing known of it there", "name: a, kind: database, software: postgresql, softwareVersion: '15'", "gcp", "unproven engine → postgres 15"},
		{"Oracle", "name: a, kind: database, software: Oracle Database, softwareVersion: 19c", "", "blocks engine"},
		{"an engine not named", "name: a, kind: database", "", "blocks engine"},
		{"iSCSI", "name: a, kind: storage, listens: [3260]", "", "blocks kind"},
		{"objects", "name: a, kind: storage, software: MinIO, dataSize: 1TiB", "", "carries over kind → a bucket"},
		{"a mainframe", "name: a, kind: other, software: IMS", "", "blocks kind"},
		{"hardware", debian + ", platform: physical", "", "changes platform → virtual"},
		{"a licence", debian + ", licence: per socket", "", "unproven licence"},
		{"unknown callers", debian + ", reachedFrom: [10.0.0.0/8]", "", "unproven callers → closed"},
		{"two blocks of callers", debian + ", reachedFrom: [198.51.100.0/24, 203.0.113.0/24]", "", "blocks callers"},
		{"a public database", "name: a, kind: database, software: redis, softwareVersion: '7.2', reachedFrom: [internet]", "", "changes callers → closed"},
		{"more availability than is promised", debian + ", availability: 99.9999", "", "blocks availability"},
	} {
		a := assess(t, read(t, systems(c.system)), c.target)
		var got []string
		for _, f := range a.Systems[0].Findings {
			line := string(f.Level) + " " + string(f.Topic)
			got = append(got, line)
			if f.To != "" {
				got = append(got, line+" → "+f.To)
			}
		}
		if c.want == string(Carries) {
			got = []string{string(a.Systems[0].Verdict)} // of the whole system, and not of one finding
		}
		if !slices.Contains(got, c.want) {
			t.Errorf("%s: want %q in %q", c.name, c.want, got)
		}
		agrees(t, a)
	}
}

// Rules by address become uses by name, through balancers too; and what is not in the spec is a block of who needs it.
func TestFlows(t *testing.T) {
	inv := read(t, systems(
		"name: web, kind: server, os: debian, osVersion: '12', listens: [8080], addresses: [10.0.1.5]",
		"name: api, kind: server, os: debian, osVersion: '12', listens: [9000], dependsOn: [erp]",
		"name: lb, kind: other, software: haproxy, listens: [80], dependsOn: [web], reachedFrom: [203.0.113.7]",
		"name: inner, kind: other, software: F5, listens: [9000], dependsOn: [api], reachedFrom: [web]",
		"name: db, kind: database, software: postgres, softwareVersion: '16', reachedFrom: [10.0.1.0/24]",
		"name: erp, kind: database, software: Oracle",
	))
	a := assess(t, inv, "aws")
	doc := agrees(t, a)
	web := doc.Spec.Servers["web"]
	if got := strings.Join(web.Uses, " "); got != "databases.db servers.api" {
		t.Errorf("web uses %s", got)
	}
	if web.Public == nil || web.Public.Port != 80 || web.Public.From != "203.0.113.7/32" {
		t.Errorf("web is public as %+v", web.Public)
	}
	if doc.Spec.Servers["api"].Public != nil || len(doc.Spec.Servers["api"].Uses) > 0 {
		t.Errorf("api: %+v", doc.Spec.Servers["api"])
	}
	api := a.Systems[1]
	i := slices.IndexFunc(api.Findings, func(f Finding) bool { return f.Through == "erp" })
	if i < 0 || api.Verdict != Blocks {
		t.Errorf("api does not block through erp: %+v", api)
	}
	if !strings.Contains(a.Draft, "#   erp: a spec can ask for") || !strings.Contains(a.Draft, "# blocks: it uses erp") {
		t.Errorf("the draft hides what is left out:\n%s", a.Draft)
	}
}

// A rule for the whole network is no reason to draft a circle; and two systems behind one balancer are one group, or two ports.
func TestWideRulesAndBalancers(t *testing.T) {
	a := assess(t, read(t, systems(
		"name: lb, kind: other, software: F5, listens: [443], dependsOn: [w1, w2], reachedFrom: [internet]",
		"name: w1, kind: server, listens: [8080], dependsOn: [api], addresses: [10.0.0.1], reachedFrom: [10.0.0.0/16]",
		"name: w2, kind: server, listens: [8080], dependsOn: [api], addresses: [10.0.0.2]",
		"name: api, kind: server, listens: [9000], addresses: [10.0.0.3], reachedFrom: [10.0.0.0/16]")), "")
	doc := agrees(t, a)
	if got := fmt.Sprint(doc.Spec.Servers["w1"].Uses, doc.Spec.Servers["w2"].Uses, doc.Spec.Servers["api"].Uses); got != "[servers.api] [servers.api servers.w1] []" {
		t.Errorf("uses: %s", got)
	}
	if doc.Spec.Servers["w1"].Public == nil || doc.Spec.Servers["w2"].Public != nil || a.Systems[1].Verdict == Blocks || a.Systems[2].Verdict != Blocks {
		t.Errorf("verdicts %s, %s; draft:\n%s", a.Systems[1].Verdict, a.Systems[2].Verdict, a.Draft)
	}
	if !slices.ContainsFunc(a.Systems[1].Findings, func(f Finding) bool { return strings.Contains(f.Reason, "not drafted is that of api") }) {
		t.Errorf("that a use was left out is not said: %+v", a.Systems[1].Findings)
	}
}

func TestCyclesBlock(t *testing.T) {
	a := assess(t, read(t, systems("name: a, kind: server, listens: [80], dependsOn: [b]", "name: b, kind: server, listens: [81], dependsOn: [c]", "name: c, kind: server, listens: [82], dependsOn: [a]")), "")
	agrees(t, a)
	i := slices.IndexFunc(a.Systems[0].Findings, func(f Finding) bool { return f.Level == Blocks && strings.Contains(f.Reason, "a → b → c → a") })
	if i < 0 {
		t.Errorf("no cycle in %+v", a.Systems[0].Findings)
	}
}

// A required availability that one instance cannot give doubles what stands alone, as an assumption that is said.
func TestAvailabilityDoubles(t *testing.T) {
	a := assess(t, read(t, systems(
		"name: web, kind: server, os: debian, osVersion: '12', listens: [80], reachedFrom: [internet], availability: 99.9, dependsOn: [db]",
		"name: db, kind: database, software: postgres, softwareVersion: '16'")), "aws")
	doc := agrees(t, a)
	if a.Blocked() || doc.Spec.Servers["web"].Count != 2 || !doc.Spec.Databases["db"].HighAvailability || doc.Spec.Objectives.Availability != 99.9 {
		t.Errorf("draft:\n%s", a.Draft)
	}
	if !strings.Contains(a.Draft, "# assumed count: one today; 99.9% of availability is required") {
		t.Errorf("the assumption is not said:\n%s", a.Draft)
	}
}

// Whatever the inventory, the draft can be read, and what validate finds in it is listed and of a kind that an inventory can cause.
func TestAnyInventoryIsDrafted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	can := []string{"the uses form a cycle", "is more than any one instance has", "is too little for", "is too small for an instance", "is public on port", "cannot be met", "is out of range", "has no port", "its software has no port", "no server uses it", "is public, and", "nothing is asked for"}
	for n := range 150 {
		var lines []string
		names := []string{"資料庫", "Web Server #1", "web server 1", "9lives", strings.Repeat("long-name-", 5), "true", "a: b # c", "ntp'\"s"}
		for i, name := range names {
			line := fmt.Sprintf("name: %q, kind: %s", name, pick("server", "server", "database", "storage", "other"))
			add := func(chance int, format string, of ...string) {
				if r.IntN(100) < chance {
					line += ", " + fmt.Sprintf(format, pick(of...))
				}
			}
			add(80, "os: %s", "Ubuntu", "Debian", "'Windows Server'", "AIX", "MyOS", "RHEL", "SLES")
			add(80, "osVersion: '%s'", "12", "18.04", "7.9", "2012 R2", "x", "15.5")
			add(60, "software: %s", "nginx", "postgres", "MySQL", "Oracle", "haproxy", "firewall", "redis", "'C:\\x \"y\"'", "系統", "tomcat")
			add(60, "softwareVersion: '%s'", "1.22", "15.4", "5.7", "5.0", "19c", "7")
			add(50, "memory: %s", "1MiB", "100MiB", "4GiB", "30TiB", "64TiB")
			add(50, "cpu: %s", "0.5", "4", "512", "2000")
			add(50, "disk: %s", "1MiB", "20GiB", "80TiB")
			add(30, "dataSize: %s", "1GiB", "90TiB")
			add(70, "listens: [%s]", "80", "443", "443, 80", "53/udp", "22", "8080, 9090", "1000-2000/tcp")
			add(40, "reachedFrom: [%s]", "internet", "10.0.0.0/8", "198.51.100.0/24", "2001:db8::/32")
			add(40, "availability: %s", "99", "99.9", "99.999")
			add(20, "command: [%s]", "run, \"a\\tb\\u4e2d\", '${x'", "x")
			add(20, "notes: %s", "'# not: yaml'", "\"two\\nlines\\u2028\"")
			if i > 0 && r.IntN(2) == 0 {
				line += fmt.Sprintf(", dependsOn: [%q]", names[r.IntN(i)])
			}
			lines = append(lines, line)
		}
		inv := read(t, systems(lines...))
		a := assess(t, inv, pick("aws", "azure", "gcp", "hicloud"))
		agrees(t, a)
		for _, s := range a.Systems {
			for _, f := range s.Findings {
				if f.Requirement != "" && !slices.ContainsFunc(can, func(c string) bool { return strings.Contains(f.Reason, c) }) {
					t.Fatalf("round %d: the draft holds a mistake of ours: %s: %s\n%s", n, f.Requirement, f.Reason, a.Draft)
				}
			}
		}
		if again := assess(t, inv, a.Providers[0]); again.Draft != a.Draft {
			t.Fatalf("round %d: the draft is not the same twice", n)
		}
	}
}

// What is written in the draft is what was in the inventory, whatever characters it has.
func TestTextsSurvive(t *testing.T) {
	command := []string{`C:\dir "x"`, "tab\there", "中文", "# no comment", "'", "true", "${x"}
	inv := read(t, systems("name: a, kind: server, os: debian, osVersion: '12'"))
	inv.Systems[0].Command = command
	inv.Systems[0].Notes = "one\ntwo: {"
	if got := agrees(t, assess(t, inv, "")).Spec.Servers["a"].Runs.Command; !slices.Equal(got, command) {
		t.Errorf("got %q", got)
	}
}

// Dates decide by the day that the assessment is for.
func TestTheDayCounts(t *testing.T) {
	c, err := catalog.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	inv := read(t, systems("name: a, kind: server, os: debian, osVersion: '12'"))
	for at, want := range map[string]Level{"2026-06-10": Carries, "2026-06-11": Carries, "2028-06-10": Carries, "2028-06-12": Unproven} {
		now, _ := time.Parse(day, at)
		a, err := Assess(inv, Options{Catalog: c, Now: now, Check: check})
		if err != nil {
			t.Fatal(err)
		}
		f := a.Systems[0].Findings[0]
		if f.Topic != TopicOS || f.Level != want {
			t.Errorf("%s: %+v", at, f)
		}
	}
}

// What validate only warns of is not known to be wrong.
func TestWarningsAreUnproven(t *testing.T) {
	a := assess(t, read(t, systems("name: a, kind: server, os: debian, osVersion: '12'", "name: b, kind: storage, software: S3, dataSize: 1GiB")), "")
	agrees(t, a)
	if a.Systems[1].Verdict != Unproven || !strings.Contains(a.Systems[1].Findings[1].Reason, "no server uses it") {
		t.Errorf("%+v", a.Systems[1])
	}
}

func TestSystemsAreReadable(t *testing.T) {
	all, err := lives()
	if err != nil || len(all) < 40 {
		t.Fatal(len(all), err)
	}
	for _, l := range all {
		if l.standard.IsZero() || l.fact.Source == "" || !l.extended.IsZero() && (l.extended.Before(l.standard) || l.by == "") {
			t.Errorf("%+v", l)
		}
	}
}

func TestUnknownTargetAndUnsoundInventory(t *testing.T) {
	c, err := catalog.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	inv := read(t, systems("name: a, kind: server"))
	if _, err := Assess(inv, Options{Catalog: c, Target: "asw"}); err == nil || !strings.Contains(err.Error(), `did you mean "aws"?`) {
		t.Error(err)
	}
	inv.Systems[0].DependsOn = []string{"b"}
	if _, err := Assess(inv, Options{Catalog: c}); err == nil || !strings.Contains(err.Error(), `there is no system "b"`) {
		t.Error(err)
	}
}
