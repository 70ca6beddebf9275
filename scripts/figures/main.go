// Command figures times whole surety commands, and terraform and tofu beside them where they are installed, and writes
// the medians as Markdown. Usage: go run ./scripts/figures > docs/figures.md (as root, after scripts/setup).
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// runs is how often each command is timed; the median is printed.
const runs = 5

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// figure is the median of one command's runs.
type figure struct {
	took, least, most time.Duration
	memory            int64 // bytes, the largest of all runs
}

// command is one command line to time, with what must be done before each run.
type command struct {
	dir    string
	args   []string
	codes  []int // exit codes that are right
	before func() error
}

func (c command) run() (time.Duration, int64, error) {
	if c.before != nil {
		if err := c.before(); err != nil {
			return 0, 0, err
		}
	}
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	started := time.Now()
	err := cmd.Run()
	took := time.Since(started)
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return 0, 0, err
	}
	if code := cmd.ProcessState.ExitCode(); !slices.Contains(c.codes, code) {
		return 0, 0, fmt.Errorf("%s ended with %d: %s", strings.Join(c.args, " "), code, out.Bytes()[max(0, out.Len()-2000):])
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return took, usage.Maxrss << 10, nil
}

func (c command) measure() (figure, error) {
	var f figure
	var took []time.Duration
	for range runs {
		d, memory, err := c.run()
		if err != nil {
			return f, err
		}
		took = append(took, d)
		f.memory = max(f.memory, memory)
	}
	slices.Sort(took)
	f.took, f.least, f.most = took[len(took)/2], took[0], took[len(took)-1]
	return f, nil
}

type row struct {
	what   string
	target time.Duration
	command
}

func write(out io.Writer) error {
	surety, err := filepath.Abs("bin/surety")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "surety-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	fmt.Fprintf(out, "# Figures\n\nWhole processes, median of %d (least to most), largest memory of the process itself. Made by `make bench` on %s:\n%s, %d cores, Linux %s, %s.\n\n",
		runs, time.Now().Format("2006-01-02"), cpu(), runtime.NumCPU(), kernel(), runtime.Version())

	fmt.Fprintf(out, "## The reader example\n\n| command | median | least–most | memory | goal |\n|---|---|---|---|---|\n")
	rows, err := reader(surety, work)
	if err != nil {
		return err
	}
	if err := table(out, rows); err != nil {
		return err
	}
	for _, n := range []int{1000, 10000} {
		fmt.Fprintf(out, "\n## A Graph of %d trivial resources\n\n| command | median | least–most | memory | goal |\n|---|---|---|---|---|\n", n)
		if err := table(out, graph(surety, work, n)); err != nil {
			return err
		}
	}
	for _, peer := range []string{"terraform", "tofu"} {
		path, err := exec.LookPath(peer)
		if err != nil {
			fmt.Fprintf(out, "\n%s is not on this machine.\n", peer)
			continue
		}
		fmt.Fprintf(out, "\n## %s beside it, 1000 `terraform_data`\n\n| command | median | least–most | memory | goal |\n|---|---|---|---|---|\n", peer)
		rows, err := terraform(path, work, 1000)
		if err != nil {
			return err
		}
		if err := table(out, rows); err != nil {
			return err
		}
	}
	return nil
}

func table(out io.Writer, rows []row) error {
	for _, r := range rows {
		f, err := r.measure()
		if err != nil {
			return err
		}
		goal := ""
		if r.target > 0 {
			goal = fmt.Sprintf("≤ %v, met", r.target)
			if f.took > r.target {
				goal = fmt.Sprintf("≤ %v, **missed**", r.target)
			}
		}
		fmt.Fprintf(out, "| %s | %s s | %s–%s | %d MB | %s |\n", r.what, seconds(f.took), seconds(f.least), seconds(f.most), f.memory>>20, goal)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// reader times the worked example. "up" and "destroy" are taken in turn, from nothing and to nothing.
func reader(surety, work string) ([]row, error) {
	dir := filepath.Join(work, "reader")
	if err := os.CopyFS(dir, os.DirFS("examples/reader")); err != nil {
		return nil, err
	}
	surely := func(args ...string) func() error {
		return func() error {
			_, _, err := command{dir: dir, args: append([]string{surety}, args...), codes: []int{0}}.run()
			return err
		}
	}
	up, destroy := surely("up", "--yes", "--load", "0s"), surely("destroy", "--yes", "--purge")
	return []row{
		{"`up` from nothing to verified, 3 s of each required load in it", 15 * time.Second, command{dir, []string{surety, "up", "--yes"}, []int{0}, destroy}},
		{"`up --load 0s` from nothing to verified", 15 * time.Second, command{dir, []string{surety, "up", "--yes", "--load", "0s"}, []int{0}, destroy}},
		{"`plan` with no change, looking at what stands", 300 * time.Millisecond, command{dir, []string{surety, "plan"}, []int{0}, nil}},
		{"`verify --load 0s`", 0, command{dir, []string{surety, "verify", "--load", "0s"}, []int{0}, nil}},
		{"`up --load 0s` with no change, verified", 0, command{dir, []string{surety, "up", "--yes", "--load", "0s"}, []int{0}, nil}},
		{"`destroy`", 2 * time.Second, command{dir, []string{surety, "destroy", "--yes", "--purge"}, []int{0}, up}},
	}, nil
}

// graph times the engine alone on resources that only live in the state, as terraform_data does.
func graph(surety, work string, n int) []row {
	dir := filepath.Join(work, fmt.Sprintf("graph-%d", n))
	type resource struct {
		Name   string         `json:"name"`
		Type   string         `json:"type"`
		Inputs map[string]any `json:"inputs"`
	}
	var resources []resource
	for i := range n {
		resources = append(resources, resource{fmt.Sprintf("data-%d", i), "surety:local:Data", map[string]any{"input": fmt.Sprintf("value %d", i)}})
	}
	fresh := func() error {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		text, err := json.Marshal(map[string]any{"project": "trivial", "stack": "local", "resources": resources})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "graph.json"), text, 0o600)
	}
	goal := func(d time.Duration) time.Duration { return d * time.Duration(max(1, 12*(n/10000))) }
	return []row{
		{"`plan` of nothing built", goal(700 * time.Millisecond), command{dir, []string{surety, "plan", "--graph", "graph.json"}, []int{2}, fresh}},
		{"`up`, each step in the journal", goal(1200 * time.Millisecond), command{dir, []string{surety, "up", "--graph", "graph.json"}, []int{0}, fresh}},
		{"`plan` with no change", goal(700 * time.Millisecond), command{dir, []string{surety, "plan", "--graph", "graph.json"}, []int{0}, nil}},
		{"`up` with no change", 0, command{dir, []string{surety, "up", "--graph", "graph.json"}, []int{0}, nil}},
	}
}

func terraform(path, work string, n int) ([]row, error) {
	dir := filepath.Join(work, filepath.Base(path))
	text := fmt.Sprintf("resource \"terraform_data\" \"data\" {\n  count = %d\n  input = \"value ${count.index}\"\n}\n", n)
	fresh := func() error {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(text), 0o600); err != nil {
			return err
		}
		_, _, err := command{dir: dir, args: []string{path, "init"}, codes: []int{0}}.run()
		return err
	}
	return []row{
		{"`plan` of nothing built", 0, command{dir, []string{path, "plan"}, []int{0}, fresh}},
		{"`apply`", 0, command{dir, []string{path, "apply", "-auto-approve"}, []int{0}, fresh}},
		{"`plan` with no change", 0, command{dir, []string{path, "plan"}, []int{0}, nil}},
	}, nil
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "unknown processor"
}

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
