// Package layout holds the test that keeps the house in order: which room may import which, how deep it is, and how long a file may be.
package layout

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms says what each room may import of ours, transitively written out. The room of a package is the longest prefix in this table.
// docs/decisions.md has the reasons.
var rooms = map[string][]string{
	"":                                    {"internal/commands"},
	"blueprints":                          {},
	"blueprints/library":                  {"blueprints"},
	"blueprints/catalog":                  {"blueprints"},
	"blueprints/catalog/refresh":          {"blueprints", "blueprints/catalog", "internal/durable"},
	"blueprints/compare":                  {"blueprints", "blueprints/architecture", "blueprints/architecture/reliability", "blueprints/catalog"},
	"blueprints/assess":                   {"blueprints", "blueprints/catalog"},
	"blueprints/architecture":             {"blueprints", "blueprints/architecture/reliability"},
	"blueprints/architecture/reliability": {},
	"stacks":                              {"blueprints", "blueprints/architecture"},
	"stacks/stacktest":                    {"blueprints", "blueprints/architecture", "stacks"},
	"stacks/engine":                       {"internal/durable", "stacks"},
	"stacks/releases":                     {"internal/durable", "stacks", "stacks/engine"},
	"stacks/local":                        {"blueprints", "blueprints/architecture", "stacks", "stacks/remote", "stacks/local/cloud", "stacks/local/host", "stacks/local/network", "stacks/local/postgres"},
	"stacks/local/provider":               {"stacks", "stacks/local", "stacks/local/cloud"},
	"stacks/local/cloud":                  {"internal/durable", "operations/backup", "stacks/local/host", "stacks/local/network", "stacks/local/postgres", "stacks/local/objectstore", "stacks/local/balancer"},
	"stacks/local/host":                   {"stacks/local/network"},
	"stacks/local/network":                {},
	"stacks/local/service":                {},
	"stacks/local/postgres":               {"stacks/local/service"},
	"stacks/local/objectstore":            {"stacks/local/service"},
	"stacks/local/balancer":               {"stacks/local/service"},
	"stacks/remote":                       {"stacks"},
	"stacks/remote/badlink":               {"stacks/local/network"},
	"validate":                            {"benchmarks/sql", "blueprints", "blueprints/architecture", "stacks"},
	"validate/verify":                     {"blueprints", "blueprints/architecture", "operations/backup", "operations/backup/agents", "stacks", "validate", "validate/verify/probe", "validate/verify/facts", "validate/verify/measure", "benchmarks", "benchmarks/baseline", "benchmarks/consistency", "benchmarks/machine", "benchmarks/objects", "benchmarks/sql"},
	"validate/verify/probe":               {},
	"validate/verify/usage":               {"benchmarks"},
	"validate/verify/measure":             {"stacks", "validate/verify/usage", "benchmarks", "benchmarks/consistency", "benchmarks/machine", "benchmarks/objects", "benchmarks/redis", "benchmarks/sql"},
	"validate/verify/facts":               {"blueprints", "blueprints/architecture", "stacks", "validate/verify/probe"},
	"operations/backup/agents":            {"operations/backup", "stacks"},
	"internal/durable":                    {},
	"benchmarks/consistency":              {},
	"benchmarks/baseline":                 {"benchmarks"},
	"benchmarks":                          {},
	"benchmarks/machine":                  {"benchmarks"},
	"benchmarks/objects":                  {"benchmarks"},
	"benchmarks/peers":                    {"*"},
	"benchmarks/redis":                    {"benchmarks"},
	"benchmarks/sql":                      {"benchmarks"},
	"operations/backup":                   {"stacks/local/service"},
	"internal/documents":                  {"blueprints", "blueprints/architecture", "blueprints/catalog", "blueprints/compare", "stacks", "stacks/engine", "stacks/releases", "validate", "validate/verify", "benchmarks", "benchmarks/baseline", "benchmarks/consistency"},
	"internal/terminal":                   {"blueprints", "blueprints/architecture", "blueprints/assess", "blueprints/compare", "stacks", "stacks/engine", "stacks/releases", "validate"},
	"internal/commands":                   {"*"},
	"scripts":                             {},
}

const (
	module   = "surety"
	maxDepth = 3
	maxLines = 400
)

type file struct {
	path    string // from the root, with slashes
	pkg     string // its folder, "" for the root
	imports []string
	lines   int
}

func TestImports(t *testing.T) {
	used := map[string]bool{}
	for _, f := range files(t) {
		room := roomOf(f.pkg)
		used[room] = true
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: its folder is in no room; give it one in this test's table", f.path)
			continue
		}
		for _, imported := range f.imports {
			if imported != f.pkg && roomOf(imported) != room && !slices.Contains(allowed, "*") && !slices.Contains(allowed, roomOf(imported)) {
				t.Errorf("%s may not import %s/%s", f.path, module, imported)
			}
		}
	}
	for room := range rooms {
		if !used[room] {
			t.Errorf("the table has a room %q that no longer exists", room)
		}
	}
}

// Cobra and viper are the command line's own affair.
func TestOnlyCommandsKnowTheCommandLine(t *testing.T) {
	for _, f := range files(t) {
		if f.pkg == "internal/commands" {
			continue
		}
		for _, path := range f.foreign(t) {
			if strings.HasPrefix(path, "github.com/spf13/") {
				t.Errorf("%s imports %s; only internal/commands may", f.path, path)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, f := range files(t) {
		if depth := strings.Count(f.path, "/"); depth > maxDepth {
			t.Errorf("%s is %d folders deep, more than %d", f.path, depth, maxDepth)
		}
		if f.lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: is it one thing?", f.path, f.lines, maxLines)
		}
	}
}

// roomOf gives the longest room that holds a package.
func roomOf(pkg string) string {
	for room := pkg; room != ""; room, _ = cutLast(room) {
		if _, ok := rooms[room]; ok {
			return room
		}
	}
	if pkg == "" {
		return ""
	}
	return pkg
}

func cutLast(path string) (before string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", false
	}
	return path[:i], true
}

func (f file) foreign(t *testing.T) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", f.path), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range parsed.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, path)
	}
	return paths
}

// files reads all Go files of the main module but tests.
func files(t *testing.T) []file {
	t.Helper()
	var all []file
	root := "../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			another := err == nil // a module of its own, as internal/quiet
			if name := d.Name(); path != root && (another || strings.HasPrefix(name, ".") || name == "testdata" || name == "examples" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f := file{path: filepath.ToSlash(rel), lines: bytes.Count(text, []byte("\n"))}
		if f.pkg = filepath.ToSlash(filepath.Dir(rel)); f.pkg == "." {
			f.pkg = ""
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(imported, module+"/"); ok {
				f.imports = append(f.imports, own)
			}
		}
		all = append(all, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d files only: is the root right?", len(all))
	}
	return all
}
