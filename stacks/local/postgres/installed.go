package postgres

import (
	"cmp"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// root is where Debian's packages put each major version's programs.
const root = "/usr/lib/postgresql"

// Installation is one installed version of PostgreSQL.
type Installation struct {
	Version string // full, as "15.18"
	BinDir  string
}

// Installed lists the full versions ("15.18") that the machine's packages provide, newest first; none is not an error.
func Installed() []string {
	var versions []string
	for _, i := range installations() {
		versions = append(versions, i.Version)
	}
	return versions
}

// Find gives the newest installation whose version is, or continues at a dot, the wanted one; an empty version is met by any.
func Find(version string) (Installation, error) {
	all := installations()
	for _, i := range all {
		if version == "" || i.Version == version || strings.HasPrefix(i.Version, version+".") {
			return i, nil
		}
	}
	have := "none"
	if len(all) > 0 {
		have = strings.Join(Installed(), ", ")
	}
	return Installation{}, fmt.Errorf("PostgreSQL %s is not installed below %s (installed: %s)", version, root, have)
}

func installations() []Installation {
	dirs, err := filepath.Glob(root + "/*/bin") // fails only on a malformed pattern
	if err != nil {
		return nil
	}
	var found []Installation
	for _, dir := range dirs {
		if v, err := versionOf(dir); err == nil {
			found = append(found, Installation{Version: v, BinDir: dir})
		}
	}
	slices.SortFunc(found, func(a, b Installation) int { return compareVersions(b.Version, a.Version) })
	return found
}

// versionOf asks the server program in dir, which prints "postgres (PostgreSQL) 15.18 (Debian …)".
func versionOf(dir string) (string, error) {
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s/postgres for its version: %w", dir, err)
	}
	words := strings.Fields(string(out))
	if len(words) < 3 {
		return "", fmt.Errorf("%s/postgres --version printed %q", dir, out)
	}
	return words[2], nil
}

func compareVersions(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i]) // a part such as "18beta1" counts as 0: a pre-release is never preferred
		n, _ := strconv.Atoi(y[i])
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(x), len(y))
}
