// Command testreport folds the stream of "go test -json" into a short report: a line per package, the output of what
// failed, the tests that skipped themselves with their reasons, the slowest, and the counts. It ends with 1 when anything failed
// or nothing was tested, so that a broken stream is never taken for a success.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is one line of "go test -json"; see "go doc test2json".
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// long is from how many seconds on a test is listed among the slowest: all of them together must stay within a few minutes.
const long = 10

func main() {
	if !report(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// report reads events until the stream ends and tells whether everything that ran passed.
func report(in io.Reader, out io.Writer) bool {
	output := map[string][]string{}  // per test, as package/test
	skipped := map[string][]string{} // reason → tests
	var passed, failed, skips int
	open := map[string]bool{} // packages begun and not ended
	var slow []event          // tests that took long, subtests left out
	ok := true

	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // not an event: the go command itself is speaking
			continue
		}
		name := e.Package + "/" + e.Test
		switch e.Action {
		case "start":
			open[e.Package] = true
		case "output":
			output[name] = append(output[name], e.Output)
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			ok = false
		case "pass", "fail", "skip":
			if e.Test == "" {
				delete(open, e.Package)
				ok = ok && e.Action != "fail"
				if e.Action == "fail" {
					fmt.Fprint(out, strings.Join(output[name], ""))
				}
				if e.Action != "skip" { // a package without tests is no news
					fmt.Fprintf(out, "%-4s %-44s %6.1fs\n", e.Action, e.Package, e.Elapsed)
				}
				continue
			}
			switch e.Action {
			case "pass":
				passed++
			case "fail":
				failed++
				fmt.Fprint(out, strings.Join(output[name], ""))
			case "skip":
				skips++
				why := reason(output[name])
				skipped[why] = append(skipped[why], name)
			}
			if e.Elapsed >= long && !strings.Contains(e.Test, "/") {
				slow = append(slow, e)
			}
			delete(output, name)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(out, "read test output:", err)
		ok = false
	}
	for name := range open {
		fmt.Fprintln(out, "did not end:", name)
		ok = false
	}
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(out, "skipped, %s:\n", why)
		for _, test := range skipped[why] {
			fmt.Fprintln(out, "  ", test)
		}
	}
	slices.SortFunc(slow, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	for i, e := range slow {
		if i == 0 {
			fmt.Fprintln(out, "slowest tests:")
		}
		fmt.Fprintf(out, "   %5.0fs %s/%s\n", e.Elapsed, e.Package, e.Test)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", passed, failed, skips)
	return ok && failed == 0 && passed > 0
}

// reason finds what a test said when it skipped itself: the line "file.go:12: needs root: …".
func reason(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if _, after, found := strings.Cut(line, ".go:"); found {
			if _, why, found := strings.Cut(after, ": "); found {
				return why
			}
		}
	}
	return "no reason given"
}
