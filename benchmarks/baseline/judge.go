package baseline

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/aclements/go-moremath/stats"
)

// Verdict is how a comparison ends, in the words of validate.State.
type Verdict string

// Fail is a proven regression beyond the margin, Pass a proven absence of one; Unproven is everything between, with the reason.
const (
	Pass     Verdict = "pass"
	Fail     Verdict = "fail"
	Unproven Verdict = "unproven"
)

// Trend says which way a quantity went, as far as it is proven.
type Trend string

// Worse and Better lie wholly beyond the margin, Same wholly within it; NoWorse may be better or the same.
const (
	Worse   Trend = "worse"
	Better  Trend = "better"
	Same    Trend = "same"
	NoWorse Trend = "no worse"
	Unclear Trend = "unclear"
)

// most further runs that are worth asking for; an effect right at the margin would take any number.
const maxNeeded = 1000

// judge gives every change its verdict, and the comparison the worst of them.
func (c *Comparison) judge(o Options) {
	for i := range c.Changes {
		if ch := &c.Changes[i]; ch.judged {
			ch.decide(c.Alpha)
		} else {
			ch.Verdict, ch.Trend = Unproven, Unclear
		}
	}
	c.environment()
	differs := strings.Join(c.Differs, "; ")
	for i := range c.Changes {
		ch := &c.Changes[i]
		if ch.Control {
			continue
		}
		if ch.judged {
			switch {
			case differs != "" && !o.AcrossEnvironments:
				ch.doubt("measured in different environments (" + differs + ")")
			case ch.Verdict == Fail && c.Slower != "":
				ch.doubt("the environment itself may have become slower (" + c.Slower + ")")
			case ch.Verdict == Pass && c.Faster != "":
				ch.doubt("the environment itself may have become faster and hide a loss (" + c.Faster + ")")
			case differs != "":
				ch.Summary += "; across environments that differ (" + differs + ")"
			}
		}
		c.Verdict = worse(c.Verdict, ch.Verdict)
	}
	if c.Verdict == "" {
		c.Verdict = Unproven // nothing was compared
	}
}

// environment reads the controls. A regression is laid to the system only when the environment is proven not to have become slower by
// more than the margin, and its absence only when the environment is proven not to have become faster. Runs taken in turn need none.
func (c *Comparison) environment() {
	if c.Paired {
		return
	}
	for _, ch := range c.Changes {
		if !ch.Control {
			continue
		}
		loss := ch.loss()
		if !ch.judged || loss.High > ch.Limit {
			c.Slower = strings.TrimPrefix(c.Slower+"; "+ch.Summary, "; ")
		}
		if !ch.judged || loss.Low < -ch.Limit {
			c.Faster = strings.TrimPrefix(c.Faster+"; "+ch.Summary, "; ")
		}
	}
}

// doubt takes a verdict back.
func (c *Change) doubt(why string) {
	c.Verdict, c.Trend, c.Needed = Unproven, Unclear, 0
	c.Summary = fmt.Sprintf("%s: unproven: %s; the figures: %s", c.Name, why, c.figures())
}

// loss is how much worse the quantity became: positive is worse.
func (c Change) loss() Interval {
	if c.Quantity.Better == Higher {
		return c.Effect.flip()
	}
	return c.Effect
}

// decide judges one quantity by where its effect's interval lies. A regression must be significant as well, after correction.
func (c *Change) decide(alpha float64) {
	loss := c.loss()
	switch {
	case loss.Low > c.Limit && c.Adjusted < alpha:
		c.Verdict, c.Trend = Fail, Worse
		c.Summary = fmt.Sprintf("%s is worse by more than %s: %s", c.Name, c.amount(c.Limit), c.figures())
	case loss.High < -c.Limit && c.Adjusted < alpha:
		c.Verdict, c.Trend = Pass, Better
		c.Summary = fmt.Sprintf("%s is better by more than %s: %s", c.Name, c.amount(c.Limit), c.figures())
	case loss.High <= c.Limit:
		c.Verdict, c.Trend = Pass, NoWorse
		if loss.Low >= -c.Limit {
			c.Trend = Same
		}
		c.Summary = fmt.Sprintf("%s is not worse by more than %s: %s", c.Name, c.amount(c.Limit), c.figures())
	default:
		c.Verdict, c.Trend = Unproven, Unclear
		c.Needed = c.further(loss)
		ask := fmt.Sprintf("%d more %s of each needed", c.Needed, runs(c.Needed))
		if c.Needed == 0 {
			ask = "the change is so near the margin that more runs would hardly decide"
		}
		c.Summary = fmt.Sprintf("%s: unproven, too noisy to tell whether it is worse by more than %s: %s; %s", c.Name, c.amount(c.Limit), c.figures(), ask)
	}
}

// further estimates how many more runs of each side would bring the interval clear of the margin, its width going with 1/√runs and
// the estimate staying where it is: n' = n·(w/d)², with w the half of the interval that must shrink and d the room it has.
func (c Change) further(loss Interval) int {
	half, room := loss.High-loss.Center, c.Limit-loss.Center
	if room < 0 {
		half, room = loss.Center-loss.Low, -room
	}
	have := 2 / (1/float64(c.OldRuns) + 1/float64(c.NewRuns)) // equal sides of the same width
	more := math.Ceil(have*half*half/(room*room)) - float64(min(c.OldRuns, c.NewRuns))
	if room == 0 || math.IsNaN(more) || more > maxNeeded {
		return 0
	}
	return max(1, int(more))
}

// figures is the change with all that a reader needs to judge it.
func (c Change) figures() string {
	return fmt.Sprintf("%s → %s %s, %s [%s, %s], p %s, %d and %d runs", number(c.Old.Center), number(c.New.Center), c.Unit,
		c.signed(c.Effect.Center), c.signed(c.Effect.Low), c.signed(c.Effect.High), chance(c.Adjusted), c.OldRuns, c.NewRuns)
}

// amount and signed print a change in its measure: per cent, or the unit.
func (c Change) amount(v float64) string {
	if c.Absolute > 0 {
		return number(v) + " " + c.Unit
	}
	return number(100*v) + " %"
}

func (c Change) signed(v float64) string {
	sign := "+"
	if v < 0 {
		sign, v = "−", -v
	}
	if c.Absolute > 0 {
		return sign + number(v) + " " + c.Unit
	}
	return fmt.Sprintf("%s%.1f %%", sign, 100*v)
}

// number prints four significant digits, without an exponent for what people read.
func number(v float64) string {
	if a := math.Abs(v); a >= 1000 && a < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func chance(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("= %.3f", p)
}

func runs(n int) string {
	if n == 1 {
		return "run"
	}
	return "runs"
}

func worse(a, b Verdict) Verdict {
	order := map[Verdict]int{"": 0, Pass: 1, Unproven: 2, Fail: 3}
	if order[b] > order[a] {
		return b
	}
	return a
}

// signTest is the two-sided chance that of up+down differences, each as likely up as down, so many lie on one side.
func signTest(up, down int) float64 {
	n := up + down
	if n == 0 {
		return 1
	}
	return min(1, 2*stats.BinomialDist{N: n, P: 0.5}.CDF(float64(min(up, down))))
}

// fewestPairs is how many pairs an interval of their median needs at this alpha: the smallest n with 2·2⁻ⁿ ≤ alpha.
func fewestPairs(alpha float64) int {
	return max(minRuns, int(math.Ceil(1-math.Log2(alpha))))
}
