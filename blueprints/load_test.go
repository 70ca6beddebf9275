package blueprints

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const small = `surety: v1
name: reader
objectives: {availability: 99.9, budget: {monthly: 600, currency: USD}, residency: [TW, JP]}
secrets:
  admin:
servers:
  web:
    count: 2
    size: {cpu: 0.5, memory: 512MiB}
    runs:
      package: nginx
      command: [nginx, -g, "daemon off;"]
    files:
      /etc/a.b/c.conf: |
        one
        two
    uses:
    - databases.main
    - buckets.media
databases:
  main: {engine: postgres, version: "15", highAvailability: true}
buckets:
  media: {}
`

func TestParseKeepsEveryLeafWithItsPlace(t *testing.T) {
	doc, ds := Parse("dir/surety.yaml", []byte(small))
	if len(ds) != 0 {
		t.Fatalf("diagnostics: %v", ds)
	}
	var got []string
	for _, r := range doc.Requirements {
		got = append(got, fmt.Sprintf("%d:%d %s = %s", r.Position.Line, r.Position.Column, r.ID, r.Value))
	}
	want := []string{
		"1:9 surety = v1", "2:7 name = reader", "3:28 objectives.availability = 99.9",
		"3:42 objectives.budget = {monthly: 600, currency: USD}", "3:84 objectives.residency = [TW, JP]", "5:3 secrets.admin = ",
		"8:12 servers.web.count = 2", "9:17 servers.web.size.cpu = 0.5", "9:30 servers.web.size.memory = 512MiB",
		"11:16 servers.web.runs.package = nginx", `12:16 servers.web.runs.command = [nginx, -g, "daemon off;"]`,
		`14:24 servers.web.files./etc/a.b/c.conf = one\ntwo\n`, "18:7 servers.web.uses[0] = databases.main", "19:7 servers.web.uses[1] = buckets.media",
		"21:18 databases.main.engine = postgres", "21:37 databases.main.version = 15", "21:61 databases.main.highAvailability = true",
		"23:10 buckets.media = {}",
	}
	if !slices.Equal(got, want) {
		t.Errorf("requirements:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if w := doc.Spec.Servers["web"]; doc.Dir != "dir" || w.Size.Memory != 512<<20 || w.Size.CPU != 0.5 || w.Files["/etc/a.b/c.conf"] != "one\ntwo\n" || len(doc.Spec.Secrets) != 1 || len(doc.Spec.Buckets) != 1 {
		t.Errorf("spec: %+v", doc.Spec)
	}
}

// A release keeps the spec as JSON: it must come back the same, through JSON and through the loader.
func TestASpecSurvivesJSON(t *testing.T) {
	for _, file := range append(glob(t, "library/*.yaml"), glob(t, "../examples/*/surety.yaml")...) {
		doc, ds, err := Load(file)
		if err != nil || len(ds) != 0 {
			t.Fatal(err, ds)
		}
		text, err := json.Marshal(doc.Spec)
		if err != nil {
			t.Fatal(err)
		}
		var back Spec
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, doc.Spec) {
			t.Errorf("%s: %v\n%+v\n%+v", file, err, back, doc.Spec)
		}
		if again, ds := Parse("s.json", text); len(ds) != 0 || !reflect.DeepEqual(again.Spec, doc.Spec) {
			t.Errorf("%s: loaded from its JSON: %v", file, ds)
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing at %s: %v", pattern, err)
	}
	return files
}

// Each request of a mix is one requirement, and one with a faulty part is left out whole.
func TestRequestsOfAMix(t *testing.T) {
	doc, ds := Parse("s.yaml", []byte(`surety: v1
name: a
servers:
  web:
    runs: {package: nginx, command: [nginx], port: 80}
    expects:
      rps: 5
      requests: [{path: /, weight: 4}, {path: /a, weight: none}, {path: "/b?c=d", method: POST, body: e}, {}]
`))
	if len(ds) != 2 {
		t.Errorf("diagnostics: %v", ds)
	}
	want := []Request{{Path: "/", Weight: 4}, {Path: "/a"}, {Path: "/b?c=d", Method: "POST", Body: "e"}, {}}
	if got := doc.Spec.Servers["web"].Expects.Requests; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	var leaves []string
	for _, r := range doc.Requirements {
		if strings.Contains(r.ID, "requests") {
			leaves = append(leaves, r.ID+" = "+r.Value)
		}
	}
	if got := strings.Join(leaves, "; "); got != `servers.web.expects.requests[0] = {path: /, weight: 4}; servers.web.expects.requests[2] = {path: "/b?c=d", method: POST, body: e}` {
		t.Errorf("requirements: %s", got)
	}
	if want[1].Kind() != "GET /a" || want[2].Kind() != "POST /b?c=d" {
		t.Error(want[1].Kind(), want[2].Kind())
	}
}

func TestAtFallsBackToTheNearestParent(t *testing.T) {
	doc, _ := Parse("s.yaml", []byte(small))
	for id, want := range map[string]string{
		"servers.web.uses[1]": "s.yaml:19:7", "servers.web.uses[7]": "s.yaml:17:5", "servers.web.expects.p95": "s.yaml:7:3",
		"objectives.budget.currency": "s.yaml:3:67", "servers.api.count": "s.yaml:6:1", "backups.nightly": "s.yaml:1:1", "": "s.yaml:1:1",
		"servers.web.files./etc/a.b/other": "s.yaml:13:5",
	} {
		if got := doc.At(id).String(); got != want {
			t.Errorf("At(%q) = %s, want %s", id, got, want)
		}
	}
	if doc.Written("servers.web.public") || !doc.Written("servers.web.count") {
		t.Error("Written does not tell what is there")
	}
}

func TestLoadTakesAFileOrAFolder(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "surety.yaml") {
		t.Errorf("an empty folder: %v", err)
	}
	file := filepath.Join(dir, FileName)
	if err := os.WriteFile(file, []byte(small), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file} {
		doc, ds, err := Load(path)
		if err != nil || len(ds) != 0 || doc.File != file || doc.Dir != dir || doc.Spec.Name != "reader" {
			t.Errorf("Load(%q): %v %v %+v", path, err, ds, doc)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("#", MaxSize+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ds, err := Load(dir); err != nil || len(ds) != 1 || !strings.Contains(ds[0].Summary, "larger than 1 MiB") {
		t.Errorf("a huge file: %v %v", err, ds)
	}
}

func TestAliasesAndMergeKeys(t *testing.T) {
	doc, ds := Parse("s.yaml", []byte(`surety: v1
name: two
servers:
  a: &base
    size: &size {cpu: 1, memory: 1GiB}
    runs: {package: nginx, command: [nginx], port: 80}
  b:
    <<: *base
    count: 3
    size: {<<: [*size], memory: 2GiB}
  c: *base
`))
	if len(ds) != 0 {
		t.Fatal(ds)
	}
	a, b, c := doc.Spec.Servers["a"], doc.Spec.Servers["b"], doc.Spec.Servers["c"]
	if b.Count != 3 || b.Size.CPU != 1 || b.Size.Memory != 2<<30 || b.Runs.Port != 80 || fmt.Sprint(a) != fmt.Sprint(c) {
		t.Errorf("a %+v\nb %+v\nc %+v", a, b, c)
	}
	if at := doc.At("servers.b.runs.port"); at.Line != 6 {
		t.Errorf("a merged leaf is placed at %v, its text stands on line 6", at)
	}
}

// A fault in an anchor is one fault, however many aliases read it.
func TestAFaultInAnAnchorIsReportedOnce(t *testing.T) {
	_, ds := Parse("s.yaml", []byte("surety: v1\nname: two\nservers:\n  a: &a {runs: {package: nginx, command: [nginx], port: 0}}\n  b: *a\n  c: {<<: *a}\n"))
	if len(ds) != 1 || ds[0].Position.Line != 4 {
		t.Errorf("%v", ds)
	}
}

func TestBoundsHoldAgainstBombs(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		ref := fmt.Sprintf("*a%d", i-1)
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(ref+",", 10), ","))
	}
	for name, text := range map[string]string{
		"alias bomb":    bomb.String(),
		"merge bomb":    strings.ReplaceAll(bomb.String(), "[x,x,x,x,x,x,x,x,x,x]", "{k: [x,x,x,x,x,x,x,x,x,x]}") + "z: {<<: *a11}\n",
		"self alias":    "a: &a [*a]\n",
		"self merge":    "a: &a {<<: *a}\n",
		"merge of list": "a: &a\n- b\n- &c\n  <<: *a\n",
		"deep flow":     "a: " + strings.Repeat("[", 50_000),
		"deep closed":   "a: " + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000),
		"deep block":    deepBlock(900),
		"many keys":     strings.Repeat("k: 1\n", 100_000),
		"one long line": "a: \"" + strings.Repeat("x", 900_000),
		"many quotes":   strings.Repeat("\"a\n", 100_000),
		"many brackets": strings.Repeat("a: [\n", 100_000),
	} {
		start := time.Now()
		_, ds := Parse("s.yaml", []byte(text))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if !ds.HasErrors() || ds[0].Position.Line == 0 {
			t.Errorf("%s: %v", name, ds[:min(3, len(ds))])
		}
	}
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func thousand() []byte {
	var b strings.Builder
	b.WriteString("surety: v1\nname: large\ndatabases:\n  main: {engine: postgres, highAvailability: true}\nservers:\n")
	for i := range 1000 {
		fmt.Fprintf(&b, `  web-%d:
    count: 2
    size: {cpu: 2, memory: 4GiB, disk: 20GiB}
    os: debian-12
    runs:
      package: nginx
      version: "1.22"
      command: [nginx, -g, "daemon off;"]
      port: 8080
      health: /healthz
    env: {DATABASE_URL: "${databases.main.url}", LEVEL: "%d"}
    uses: [databases.main]
    expects: {rps: 200, p95: 150ms, errors: 0.1%%}
`, i, i)
	}
	return []byte(b.String())
}

// BenchmarkParse reads a spec of 1,000 server groups; at most 150 ms are allowed for it.
func BenchmarkParse(b *testing.B) {
	data := thousand()
	if _, ds := Parse("s.yaml", data); len(ds) != 0 {
		b.Fatal(ds[0])
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Parse("s.yaml", data)
	}
}
