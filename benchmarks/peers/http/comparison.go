package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"surety/benchmarks"
)

// comparison is one task that every tool that can does in each round.
type comparison struct {
	title, path, about string
	url                string
	rate               float64 // 0 is a closed loop
	workers            int
	length, warmUp     time.Duration
}

func (c comparison) run(ctx context.Context, tools []tool, rounds int) error {
	var able []tool
	for _, t := range tools {
		if t.paced || c.rate == 0 {
			able = append(able, t)
		}
	}
	results := map[string][]seen{}
	for round := range rounds {
		for i := range able {
			t := able[(i+round)%len(able)]
			s, err := t.run(ctx, c)
			if err != nil {
				return err
			}
			results[t.name] = append(results[t.name], s)
		}
	}
	fmt.Printf("\n### %s (`%s`: %s)\n\n", c.title, c.path, c.about)
	fmt.Println("| tool | rate /s | p50 ms | p99 ms | from the intended start: p50, p99 | CPU µs a request | failed |")
	fmt.Println("|---|---|---|---|---|---|---|")
	for _, t := range able {
		all := results[t.name]
		corrected := "–"
		switch {
		case t.name == "surety" && c.rate > 0:
			corrected = "the same"
		case c.rate > 0:
			corrected = spread(all, func(s seen) float64 { return s.Corrected50 }) + ", " + spread(all, func(s seen) float64 { return s.Corrected99 })
		}
		failed := 0.0
		for _, s := range all {
			failed += s.Failed
		}
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %.0f |\n", t.name, spread(all, func(s seen) float64 { return s.Rate }),
			spread(all, func(s seen) float64 { return s.P50 }), spread(all, func(s seen) float64 { return s.P99 }), corrected,
			spread(all, func(s seen) float64 { return s.CPU }), failed)
	}
	for _, t := range able[1:] {
		ours, theirs := results["surety"], results[t.name]
		line := fmt.Sprintf("\nsurety / %s, median of the rounds: rate %s, p50 %s, p99 %s", t.name,
			ratio(ours, theirs, func(s seen) float64 { return s.Rate }, nil), ratio(ours, theirs, func(s seen) float64 { return s.P50 }, nil),
			ratio(ours, theirs, func(s seen) float64 { return s.P99 }, nil))
		if c.rate > 0 {
			line += fmt.Sprintf("; with its times counted from the intended start: p50 %s, p99 %s",
				ratio(ours, theirs, func(s seen) float64 { return s.P50 }, func(s seen) float64 { return s.Corrected50 }),
				ratio(ours, theirs, func(s seen) float64 { return s.P99 }, func(s seen) float64 { return s.Corrected99 }))
		}
		fmt.Printf("%s; CPU %s.\n", line, ratio(ours, theirs, func(s seen) float64 { return s.CPU }, nil))
	}
	return nil
}

// spread gives the median and the least and the most.
func spread(all []seen, of func(seen) float64) string {
	values := make([]float64, len(all))
	for i, s := range all {
		values[i] = of(s)
	}
	return written(values)
}

// ratio compares ours with theirs round by round.
func ratio(ours, theirs []seen, of, ofTheirs func(seen) float64) string {
	if ofTheirs == nil {
		ofTheirs = of
	}
	values := make([]float64, len(ours))
	for i := range ours {
		values[i] = of(ours[i]) / ofTheirs(theirs[i])
	}
	return written(values)
}

func written(values []float64) string {
	slices.Sort(values)
	n := len(values)
	return fmt.Sprintf("%.4g (%.4g–%.4g)", (values[n/2]+values[(n-1)/2])/2, values[0], values[n-1])
}

func machine() string {
	f := benchmarks.ThisMachine()
	return fmt.Sprintf("%s, %s processors, %s, Linux %s, %s", f["processor"], f["processors"], f["memory"], f["kernel"], f["go"])
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
