package validate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"surety/blueprints"
)

// check gives the findings about a spec in a folder, as "requirement: summary".
func check(t testing.TB, dir, text string) []string {
	t.Helper()
	doc, ds := blueprints.Parse(filepath.Join(dir, blueprints.FileName), []byte(text))
	var out []string
	for _, d := range append(ds, Semantics(doc)...).Sort() {
		out = append(out, d.Requirement+": "+d.Summary)
	}
	return out
}

// The examples are whole specs of real software: nothing is wrong with them but a program that is not built yet.
func TestExamplesAreFine(t *testing.T) {
	files, err := filepath.Glob("../examples/*/surety.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		for _, d := range judgeFile(t, file) {
			if !strings.HasSuffix(d.Requirement, ".runs.program") {
				t.Error(d)
			}
		}
	}
}

func TestProgramsAreLookedAt(t *testing.T) {
	dir := t.TempDir()
	spec := func(program string) string {
		return "surety: v1\nname: a\nservers:\n  web: {runs: {program: " + program + ", command: [api], port: 80}}\n"
	}
	outside := filepath.Join(t.TempDir(), "api")
	for file, mode := range map[string]os.FileMode{outside: 0o755, filepath.Join(dir, "api"): 0o755, filepath.Join(dir, "text"): 0o644} {
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": outside, "in": "api", "nowhere": "gone"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for program, want := range map[string]string{
		"api": "", "./api": "", "in": "", "text": "is not executable", "out": "is a link that leads out", "nowhere": "there is no file", "bin/api": "there is no file",
		"../api": "leads out of the folder", outside: "is an absolute path", ".": "is not a file", "api/x": "cannot be looked at",
	} {
		got := check(t, dir, spec(program))
		if want == "" && len(got) != 0 || want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
			t.Errorf("%s: %v, want %q", program, got, want)
		}
	}
}

// A set of groups that reach one another is one finding, by a shortest cycle, however many cycles are in it.
func TestCyclesAreReportedOncePerSet(t *testing.T) {
	servers := func(uses map[string][]string) string {
		var b strings.Builder
		b.WriteString("surety: v1\nname: a\nservers:\n")
		for _, name := range blueprints.SortedKeys(uses) {
			fmt.Fprintf(&b, "  %s: {runs: {package: nginx, command: [nginx], port: 80}, uses: [%s]}\n", name, strings.Join(uses[name], ", "))
		}
		return b.String()
	}
	got := check(t, "", servers(map[string][]string{
		"a": {"servers.b", "servers.c"}, "b": {"servers.c"}, "c": {"servers.d"}, "d": {"servers.a", "servers.b"}, // a → c → d → a
		"e": {"servers.a"}, "f": {"servers.g"}, "g": {"servers.f"}, "h": {"servers.a", "servers.i"}, "i": {"servers.h"}, // h leads into a finished set
	}))
	want := []string{"servers.a.uses[1]: the uses form a cycle: a → c → d → a", "servers.f.uses[0]: the uses form a cycle: f → g → f", "servers.h.uses[1]: the uses form a cycle: h → i → h"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	dense := map[string][]string{}
	for i := range 120 {
		for k := range 120 {
			if i != k {
				dense[fmt.Sprintf("s%d", i)] = append(dense[fmt.Sprintf("s%d", i)], fmt.Sprintf("servers.s%d", k))
			}
		}
	}
	if got := check(t, "", servers(dense)); len(got) != 1 {
		t.Errorf("%d findings about one dense set", len(got))
	}
	chain := map[string][]string{}
	for i := range 3000 {
		chain[fmt.Sprintf("s%d", i)] = []string{fmt.Sprintf("servers.s%d", (i+1)%3000)}
	}
	if got := check(t, "", servers(chain)); len(got) != 1 || !strings.HasSuffix(got[0], "s3 → s4 → (2991 more) → s2996 → s2997 → s2998 → s2999 → s0") {
		t.Errorf("%d findings about one long cycle", len(got))
	}
}

// A fault of the loader must not come back as three more about what then seems to be missing.
func TestNothingFollowsFromAFaultAlreadyReported(t *testing.T) {
	const web = "surety: v1\nname: a\nservers:\n  web: {runs: {package: nginx, command: [nginx], port: 80}, uses: [databases.main], env: {U: \"${databases.main.url}\"}}\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"misspelt section":     {web + "databses: {main: {engine: postgres}}\n", 1},
		"section is a list":    {web + "databases: [main]\n", 1},
		"entry is text":        {web + "databases: {main: postgres}\n", 1},
		"entry has a bad leaf": {web + "databases: {main: {engine: oracle}}\n", 1},
		"empty section":        {web + "databases:\n", 1},
		"port is text":         {"surety: v1\nname: a\nservers:\n  web: {runs: {package: nginx, command: [nginx], port: http, health: /}, public: {port: 80}}\n  api: {runs: {package: nginx, command: [nginx], port: 80}, uses: [servers.web]}\n", 1},
		"package misspelt":     {"surety: v1\nname: a\nservers:\n  web: {runs: {packge: nginx, command: [nginx], port: 80}}\n", 1},
		"public is a number":   {"surety: v1\nname: a\nservers:\n  web: {runs: {package: nginx, command: [nginx], port: 80}, public: 80, expects: {rps: 5, p95: 1s}}\n", 1},
		"bad every":            {"surety: v1\nname: a\nobjectives: {rpo: 1h}\ndatabases: {main: {engine: redis}}\nbackups: {b: {of: [databases.main], every: 1}}\n", 1},
		"use misspelt":         {web + "databases: {mian: {engine: redis}}\n", 2}, // the use and the reference: two places to change
		"uses is text":         {"surety: v1\nname: a\nservers:\n  web: {runs: {package: nginx, command: [nginx]}, uses: databases.main, env: {U: \"${databases.main.url}\"}}\ndatabases: {main: {engine: redis}}\n", 1},
		"p95 without unit":     {"surety: v1\nname: a\nservers:\n  web: {runs: {package: nginx, command: [nginx], port: 80}, public: {port: 80}, expects: {rps: 5, p95: 5}}\n", 1},
		"not a mapping":        {"[]\n", 1},
		"not YAML":             {"a: [\n", 1},
	} {
		if got := check(t, "", c.text); len(got) != c.want {
			t.Errorf("%s: %d findings, want %d:\n%s", name, len(got), c.want, strings.Join(got, "\n"))
		}
	}
}

func TestWhatNothingReachesIsWarnedOf(t *testing.T) {
	got := check(t, "", `surety: v1
name: a
secrets: {used: , left: }
servers:
  web:
    runs: {package: nginx, command: [nginx], port: 80}
    env: {A: "${secrets.used}"}
databases: {main: {engine: postgres}}
buckets: {media: }
`)
	want := []string{"secrets.left: nothing refers to it", "databases.main: no server uses it, so that nothing may connect to it", "buckets.media: no server uses it, so that nothing may connect to it"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := check(t, "", "surety: v1\nname: a\ndatabases: {main: {engine: postgres}}\n"); len(got) != 0 {
		t.Errorf("a database on its own: %v", got)
	}
}

func TestRecoveryPoint(t *testing.T) {
	spec := func(rpo, database, backups string) string {
		return "surety: v1\nname: a\nobjectives: {rpo: " + rpo + "}\ndatabases: {main: {engine: postgres" + database + "}}\n" + backups
	}
	const nightly = "backups: {b: {of: [databases.main], every: 24h}}\n"
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"standby":          {spec("5m", ", highAvailability: true", ""), true},
		"backup in time":   {spec("24h", "", nightly), true},
		"backup too late":  {spec("5m", "", nightly), false},
		"nothing":          {spec("24h", "", ""), false},
		"zero":             {spec("0s", "", nightly), false},
		"zero and standby": {spec("0s", ", highAvailability: true", ""), true},
	} {
		if got := check(t, "", c.text); (len(got) == 0) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSemanticsOfNothing(t *testing.T) {
	if ds := Semantics(nil); ds != nil {
		t.Error(ds)
	}
	doc := &blueprints.Document{Spec: blueprints.Spec{Servers: map[string]blueprints.Server{"web": {Uses: []string{"databases.x"}}}}}
	if ds := Semantics(doc); !ds.HasErrors() { // built in Go, without positions
		t.Error("a dangling use was not found")
	}
}

// BenchmarkSemantics judges 1,000 server groups in a chain of uses.
func BenchmarkSemantics(b *testing.B) {
	var text strings.Builder
	text.WriteString("surety: v1\nname: a\ndatabases: {main: {engine: postgres}}\nservers:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "  s%d: {runs: {package: nginx, command: [nginx], port: 80}, uses: [databases.main, servers.s%d], env: {U: \"${databases.main.url}\"}}\n", i, i+1)
	}
	text.WriteString("  s1000: {runs: {package: nginx, command: [nginx], port: 80}}\n")
	doc, ds := blueprints.Parse("s.yaml", []byte(text.String()))
	if ds = append(ds, Semantics(doc)...); len(ds) != 0 {
		b.Fatal(ds[0])
	}
	for b.Loop() {
		Semantics(doc)
	}
}
