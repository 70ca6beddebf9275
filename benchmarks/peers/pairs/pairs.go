// Package pairs runs two ways of measuring the same thing in turn, so that what the machine does meanwhile hits both, and compares them.
package pairs

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/perf/benchmath"

	"surety/benchmarks"
)

// Side is one way of measuring. Run gives the figure of one round.
type Side struct {
	Name string
	Run  func(ctx context.Context) (float64, error)
}

// Comparison holds the figures of all rounds.
type Comparison struct {
	What, Unit   string
	Ours, Theirs []float64
	ratios       []float64
	names        [2]string
}

// Run does so many rounds of both, the first of a round being the other's turn each time, and shows each round on out.
func Run(ctx context.Context, out io.Writer, what, unit string, rounds int, ours, theirs Side) (Comparison, error) {
	c := Comparison{What: what, Unit: unit, names: [2]string{ours.Name, theirs.Name}}
	for round := range rounds {
		var got [2]float64
		for turn := range 2 {
			i := (round + turn) % 2
			side := [2]Side{ours, theirs}[i]
			var err error
			if got[i], err = side.Run(ctx); err != nil {
				return c, fmt.Errorf("%s, round %d, %s: %w", what, round+1, side.Name, err)
			}
		}
		c.Ours, c.Theirs, c.ratios = append(c.Ours, got[0]), append(c.Theirs, got[1]), append(c.ratios, got[0]/got[1])
		fmt.Fprintf(out, "%s, round %d: %s %.5g, %s %.5g %s, ratio %.3f, load %s\n", what, round+1, ours.Name, got[0], theirs.Name, got[1], unit, got[0]/got[1], load())
	}
	return c, nil
}

// Table writes comparisons as a Markdown table: medians, and the median of the rounds' ratios with its 95 % interval by order statistics.
func Table(out io.Writer, all []Comparison) {
	fmt.Fprintf(out, "\n| what | ours | reference | unit | rounds | ratio | 95 %% interval |\n|---|---|---|---|---|---|---|\n")
	for _, c := range all {
		r := summary(c.ratios)
		interval := fmt.Sprintf("%.3f–%.3f", r.Lo, r.Hi)
		if len(c.ratios) < 6 { // the least from which order statistics give 95 %
			interval = "too few rounds"
		}
		fmt.Fprintf(out, "| %s | %.4g (%s) | %.4g (%s) | %s | %d | %.3f | %s |\n", c.What, summary(c.Ours).Center, c.names[0],
			summary(c.Theirs).Center, c.names[1], c.Unit, len(c.ratios), r.Center, interval)
	}
	f := benchmarks.ThisMachine()
	fmt.Fprintf(out, "\n%s, %s processors, %s, kernel %s, %s; load average at the end %s.\n", f["processor"], f["processors"], f["memory"], f["kernel"], f["go"], load())
}

func summary(values []float64) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(benchmath.NewSample(append([]float64(nil), values...), &benchmath.DefaultThresholds), 0.95)
}

// load is the machine's load average of the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
