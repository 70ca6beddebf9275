package verify

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/validate"
)

// Figure is a measured value as a line of a report: what of which subject, how much with its 95 % interval, and what was required.
type Figure struct{ Subject, Quantity, Value, Required string }

// Figures gives the main figures behind verdicts, in the order in which they were measured.
func Figures(details []Detail) []Figure {
	var all []Figure
	for _, d := range details {
		add := func(quantity, value, required string) {
			all = append(all, Figure{d.Subject, quantity, strings.Join(strings.Fields(value), " "), required}) // one line, whatever a program said
		}
		if d.Load != nil {
			loadFigures(d.Load, add)
		}
		if k := d.Knee; k != nil {
			add("knee", kneeText(k), atLeast(k.Required.Rate, k.Unit))
			if k.Saturated.Evidence != "" {
				add("saturated", k.Saturated.Evidence, "")
			}
		}
		for _, m := range d.Figures {
			add(m.Quantity, short(m.Value)+" "+m.Unit+span(m.Low, m.Value, m.High), "")
		}
		if d.Consistency != nil {
			for _, p := range d.Consistency.Parts {
				add(p.Name, string(p.Verdict)+": "+p.Says, "")
			}
		}
		if d.Baseline != nil {
			for _, c := range d.Baseline.Changes {
				add("against "+d.Baseline.Old, c.Summary, "")
			}
		}
	}
	return all
}

// loadFigures are the rate, the errors and the latencies of a load run.
func loadFigures(l *LoadDetail, add func(quantity, value, required string)) {
	g := l.Result.Total
	rate := figure(interval{l.Rate, l.RateLow, l.RateHigh}, l.Unit)
	if l.Offered > 0 {
		rate += fmt.Sprintf(" of %s offered", short(l.Offered))
	}
	add("rate", rate, atLeast(l.Required.Rate, l.Unit))
	for _, q := range []benchmarks.Quantile{g.Latency.P50, g.Latency.P95, g.Latency.P99} {
		required := ""
		if q.Percent == 95 && l.Required.P95 > 0 {
			required = "≤ " + milliseconds(l.Required.P95) + " ms"
		}
		value := milliseconds(q.Value) + " ms"
		switch {
		case q.Open: // it may lie above the greatest that was seen
			value += " [" + milliseconds(q.Low) + ", ≥ " + milliseconds(q.High) + "]"
		case q.Low < q.High:
			value += " [" + milliseconds(q.Low) + ", " + milliseconds(q.High) + "]"
		}
		add("latency p"+short(q.Percent), value, required)
	}
	required := ""
	if l.Required.Errors > 0 {
		required = "≤ " + short(100*l.Required.Errors) + " %"
	}
	add("errors", fmt.Sprintf("%s %% of %d", short(100*g.ErrorRate()), g.Count), required)
	if why := l.Outcome.Bottleneck(); why != "" {
		add("generator", "the limit of this run: "+why, "")
	}
}

func kneeText(k *KneeDetail) string {
	text := "none found"
	if k.Knee.Rate > 0 {
		text = short(k.Knee.Rate) + " " + k.Unit
	}
	if k.Knee.Above > 0 {
		text += fmt.Sprintf(", not %s: %s", short(k.Knee.Above), k.Knee.Breach)
	}
	if k.Knee.Open != "" {
		text += "; it may be higher: " + k.Knee.Open
	}
	return text
}

func atLeast(rate float64, unit string) string {
	if rate <= 0 {
		return ""
	}
	return "≥ " + short(rate) + " " + unit
}

func span(low, value, high float64) string {
	if low == value && high == value {
		return ""
	}
	return " [" + short(low) + ", " + short(high) + "]"
}

// short prints four significant digits, and no exponent where people read figures.
func short(v float64) string {
	if v >= 1000 && v < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func milliseconds(d time.Duration) string { return short(float64(d) / float64(time.Millisecond)) }

// Markdown writes results for a pull request, and below them every figure that was measured.
func Markdown(w io.Writer, results []validate.Result, details []Detail) error {
	if err := validate.Markdown(w, results); err != nil {
		return err
	}
	figures := Figures(details)
	if len(figures) == 0 {
		return nil
	}
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "\n#### Measured\n\n| subject | quantity | measured | required |\n|---|---|---|---|\n")
	for _, f := range figures {
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", validate.MarkdownCell(f.Subject), validate.MarkdownCell(f.Quantity), validate.MarkdownCell(f.Value), validate.MarkdownCell(strings.TrimSpace(f.Required)))
	}
	return out.Flush()
}
