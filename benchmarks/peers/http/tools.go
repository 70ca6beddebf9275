package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// seen is what a tool saw in a run. Times are in milliseconds, Rate in requests per second.
type seen struct {
	Rate        float64 `json:"rate"`
	Requests    float64 `json:"requests"`
	Failed      float64 `json:"failed"`
	P50         float64 `json:"p50"`
	P99         float64 `json:"p99"`
	Corrected50 float64 `json:"corrected50"`
	Corrected99 float64 `json:"corrected99"`
	// CPU is the processor time per request of the tool's whole process, in microseconds.
	CPU float64 `json:"-"`
}

// tool is a load generator.
type tool struct {
	name    string
	paced   bool // can hold a rate
	command func(c comparison) []string
	read    func(out string) (seen, error)
}

// peers lists the tools that are there, ours first.
func peers(vegeta string) ([]tool, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	flags := func(c comparison) []string {
		return []string{"-url", c.url, "-rate", strconv.FormatFloat(c.rate, 'f', -1, 64), "-duration", c.length.String(), "-warm-up", c.warmUp.String(), "-workers", strconv.Itoa(c.workers)}
	}
	readJSON := func(out string) (s seen, err error) { return s, json.Unmarshal([]byte(out), &s) }
	tools := []tool{{name: "surety", paced: true, read: readJSON, command: func(c comparison) []string { return append([]string{self, "load"}, flags(c)...) }}}
	if vegeta != "" {
		tools = append(tools, tool{name: "vegeta", paced: true, read: readJSON, command: func(c comparison) []string { return append([]string{vegeta}, flags(c)...) }})
	}
	wrk, err := exec.LookPath("wrk")
	if err != nil {
		fmt.Fprintln(os.Stderr, "needs wrk (Debian package wrk): left out")
		return tools, nil
	}
	return append(tools, tool{name: "wrk", read: readWrk, command: func(c comparison) []string {
		return []string{wrk, "--latency", "-t", "2", "-c", strconv.Itoa(c.workers), "-d", strconv.Itoa(int(c.length.Round(time.Second)/time.Second)) + "s", c.url}
	}}), nil
}

// run runs the tool once, with what processor time it took.
func (t tool) run(ctx context.Context, c comparison) (seen, error) {
	line := t.command(c)
	command := exec.CommandContext(ctx, line[0], line[1:]...)
	var out, complaints bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaints
	if err := command.Run(); err != nil {
		return seen{}, fmt.Errorf("%s: %w: %s", t.name, err, complaints.String())
	}
	s, err := t.read(out.String())
	if err != nil {
		return seen{}, fmt.Errorf("read what %s says: %w", t.name, err)
	}
	if text := strings.TrimSpace(complaints.String()); text != "" {
		fmt.Fprintf(os.Stderr, "%s: %s: %s\n", c.title, t.name, text)
	}
	state := command.ProcessState
	s.CPU = float64((state.UserTime() + state.SystemTime()).Microseconds()) / s.Requests
	return s, nil
}

var (
	wrkPercentile = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+)(us|ms|s)$`)
	wrkRate       = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)$`)
	wrkRequests   = regexp.MustCompile(`(?m)^\s+(\d+) requests in`)
	wrkErrors     = regexp.MustCompile(`(?m)^\s+(Socket errors|Non-2xx)`)
)

// readWrk reads wrk's report.
func readWrk(out string) (s seen, err error) {
	for _, m := range wrkPercentile.FindAllStringSubmatch(out, -1) {
		d, err := time.ParseDuration(m[2] + m[3])
		if err != nil {
			return s, err
		}
		if ms := float64(d) / float64(time.Millisecond); m[1] == "50" {
			s.P50 = ms
		} else {
			s.P99 = ms
		}
	}
	rate, requests := wrkRate.FindStringSubmatch(out), wrkRequests.FindStringSubmatch(out)
	if rate == nil || requests == nil || s.P50 == 0 || s.P99 == 0 {
		return s, fmt.Errorf("its report is not as known: %s", out)
	}
	s.Rate, _ = strconv.ParseFloat(rate[1], 64)
	s.Requests, _ = strconv.ParseFloat(requests[1], 64)
	if wrkErrors.MatchString(out) {
		s.Failed = 1
	}
	return s, nil
}
