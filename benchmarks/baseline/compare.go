package baseline

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Options say how two records are compared. The zero value means the defaults.
type Options struct {
	Margin float64 // relative change that matters, where the quantity states none; 0.05 by default
	Alpha  float64 // chance of any false alarm among all quantities of the comparison; 0.05 by default
	// AcrossEnvironments judges even where the environments differ; the differences are said all the same. Without it such a
	// comparison ends as unproven: a change cannot be laid to the system when the machine is another.
	AcrossEnvironments bool
}

// Comparison is a new record judged against an old one.
type Comparison struct {
	Old     string   `json:"old"` // the records' names
	New     string   `json:"new"`
	Verdict Verdict  `json:"verdict"` // fail if any fails, else unproven if any is, else pass
	Alpha   float64  `json:"alpha"`
	Paired  bool     `json:"paired"`            // the runs were taken in turn and are compared pair by pair
	Differs []string `json:"differs,omitempty"` // how the environments differ
	// Slower and Faster say why the environment itself may have become so by more than the margin between the records, as its control
	// quantities show; empty when it is proven that it did not, when the runs were taken in turn, and when there is no control.
	Slower  string   `json:"environmentSlower,omitempty"`
	Faster  string   `json:"environmentFaster,omitempty"`
	Method  string   `json:"method"` // the statistics, in a sentence
	Changes []Change `json:"changes"`
}

// Change is what became of one quantity.
type Change struct {
	Quantity
	Old     Interval `json:"old"` // medians with their 95 % intervals, in the unit; one for the other when the runs are too few
	New     Interval `json:"new"`
	OldRuns int      `json:"oldRuns"`
	NewRuns int      `json:"newRuns"`
	// Effect is the change from old to new with its interval, simultaneous over all quantities: relative, as 0.15 for a value that
	// grew by 15 %, or in the unit when the quantity's margin is absolute.
	Effect    Interval `json:"effect"`
	Limit     float64  `json:"limit"`     // the margin applied, in the same measure as Effect
	P         float64  `json:"p"`         // that independent runs differ so in location by chance alone, before correction
	Adjusted  float64  `json:"adjusted"`  // the same, corrected for the number of quantities (Holm)
	Inflation float64  `json:"inflation"` // factor on the variance because neighbouring runs resemble each other; 1 when they do not
	Verdict   Verdict  `json:"verdict"`
	Trend     Trend    `json:"trend"`
	Needed    int      `json:"needed,omitempty"` // further runs of each side that would likely decide; 0 when decided or more would not help
	Summary   string   `json:"summary"`          // the verdict in a sentence, with the figures

	judged bool // there were figures to judge
}

// Compare judges new against old. Changes come in the order of the new record, then what only the old one has.
func Compare(old, new Record, o Options) Comparison {
	if o.Margin == 0 {
		o.Margin = 0.05
	}
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	c := Comparison{Old: old.Name, New: new.Name, Alpha: o.Alpha, Paired: old.Session != "" && old.Session == new.Session}
	c.Differs = old.Fingerprint.Differs(new.Fingerprint)
	judged := 0 // how many share the chance of a false alarm
	for _, s := range new.Series {
		if !s.Control {
			judged++
		}
	}
	alpha := o.Alpha / float64(max(judged, 1)) // simultaneous intervals by Bonferroni: Dunn (1961), JASA 56:52–64
	for _, s := range new.Series {
		before, ok := old.Find(s.Name)
		if !ok {
			c.Changes = append(c.Changes, Change{Quantity: s.Quantity, NewRuns: len(s.Runs), Summary: s.Name + ": the older record does not have it"})
			continue
		}
		if s.Control {
			c.Changes = append(c.Changes, measure(before, s, c.Paired, o.Alpha, o.Margin))
		} else {
			c.Changes = append(c.Changes, measure(before, s, c.Paired, alpha, o.Margin))
		}
	}
	for _, s := range old.Series {
		if _, ok := new.Find(s.Name); !ok {
			c.Changes = append(c.Changes, Change{Quantity: s.Quantity, OldRuns: len(s.Runs), Summary: s.Name + ": the newer record does not have it"})
		}
	}
	c.correct()
	c.judge(o)
	c.Method = c.method()
	return c
}

// measure computes the figures of one quantity, and leaves judged false with the reason when it cannot.
func measure(old, new Series, paired bool, alpha, margin float64) Change {
	c := Change{Quantity: new.Quantity, OldRuns: len(old.Runs), NewRuns: len(new.Runs), Inflation: 1, P: 1, Adjusted: 1}
	before, after := old.Values(), new.Values()
	paired = paired && len(before) == len(after)
	c.Limit = c.Margin
	switch {
	case c.Absolute > 0:
		c.Limit = c.Absolute
	case c.Limit == 0:
		c.Limit = margin
	}
	need := fewestRuns(alpha)
	if paired {
		need = fewestPairs(alpha)
	}
	switch {
	case new.Missing != "" || old.Missing != "":
		c.Summary = fmt.Sprintf("%s: not measured to the end: %s", c.Name, first(new.Missing, old.Missing))
		return c
	case old.Unit != new.Unit || old.Better != new.Better:
		c.Summary = fmt.Sprintf("%s: was in %q, better %s; is in %q, better %s", c.Name, old.Unit, old.Better, new.Unit, new.Better)
		return c
	case min(len(before), len(after)) < need:
		c.Needed = need - min(len(before), len(after))
		c.Summary = fmt.Sprintf("%s: unproven, too few runs: %d and %d; %d more %s needed", c.Name, len(before), len(after), c.Needed, runs(c.Needed))
		return c
	}
	c.Old, c.New = old.Median(), new.Median()
	relative := c.Absolute == 0
	if relative {
		if slices.Min(before) <= 0 || slices.Min(after) <= 0 {
			c.Summary = c.Name + ": unproven: a value is 0 or below, so that there is no ratio; give the quantity an absolute margin"
			return c
		}
		before, after = logs(before), logs(after)
	}
	if paired {
		c.paired(before, after, alpha)
	} else {
		c.unpaired(before, after, alpha)
	}
	if relative {
		c.Effect = c.Effect.each(math.Expm1)
	}
	c.judged = true
	return c
}

// unpaired compares two independent sets of runs by the Mann-Whitney test and the shift that belongs to it.
func (c *Change) unpaired(before, after []float64, alpha float64) {
	c.Inflation = inflation(before, after)
	c.Effect = shift(before, after, alpha).widen(math.Sqrt(c.Inflation))
	thresholds := benchmath.DefaultThresholds
	test := benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(before), &thresholds), benchmath.NewSample(slices.Clone(after), &thresholds))
	c.P = test.P
}

// paired compares runs that were taken in turn by their differences: the median with its interval, and the sign test.
func (c *Change) paired(before, after []float64, alpha float64) {
	differences, up, down := make([]float64, len(before)), 0, 0
	for i := range before {
		differences[i] = after[i] - before[i]
		switch {
		case differences[i] > 0:
			up++
		case differences[i] < 0:
			down++
		}
	}
	c.Inflation = inflation(differences)
	c.Effect = median(differences, alpha).widen(math.Sqrt(c.Inflation))
	c.P = signTest(up, down)
}

// correct fills in the p-values corrected for the number of quantities.
func (c *Comparison) correct() {
	var at []int
	var p []float64
	for i := range c.Changes {
		if c.Changes[i].judged && !c.Changes[i].Control {
			at, p = append(at, i), append(p, c.Changes[i].P)
		} else {
			c.Changes[i].Adjusted = c.Changes[i].P
		}
	}
	for i, adjusted := range holm(p) {
		c.Changes[at[i]].Adjusted = adjusted
	}
}

func (c Comparison) method() string {
	how := "medians; change as the median of all ratios of a new to an old run (Hodges-Lehmann) with the interval of the Mann-Whitney test"
	if c.Paired {
		how = "runs taken in turn; change as the median of the ratios pair by pair, with its distribution-free interval and the sign test"
	}
	return fmt.Sprintf("%s; intervals hold together at %.4g %% (Bonferroni), widened where runs resemble their neighbours; p corrected by Holm", how, 100*(1-c.Alpha))
}

func logs(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Log(v)
	}
	return out
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
