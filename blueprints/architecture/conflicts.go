package architecture

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture/reliability"
)

const (
	availabilityID = "objectives.availability"
	// tolerance keeps rounding of products from breaching an objective that is met exactly.
	tolerance = 1e-9
	// mostInstances bounds the counts that are proposed: with 8 independent instances nothing measurable is left to gain.
	mostInstances = 8
	mostNamed     = 5  // members of a conflict that a message spells out
	mostConflicts = 20 // conflicts after which further entries are only counted
	costUnknown   = "cost unknown until a price book is chosen"
)

// minimal gives a smallest-by-inclusion subset of members that still fails: dropping any one of its elements makes it hold.
// fails must be monotone (more members never make it hold) and true for all members. Members named first are dropped first, so that
// with costs that add up, listed from small to large, the result also has the fewest elements possible.
// It asks fails about k·log n times for a result of k of n members.
func minimal(members []string, fails func(held []string) bool) []string {
	var kept []string
	rest := members
	for len(rest) > 0 {
		// The longest run of rest that can go. fails(kept + rest[0:]) is true, and turns false once from some point on.
		drop, end := 0, len(rest)+1
		for end-drop > 1 {
			mid := (drop + end) / 2
			if fails(slices.Concat(kept, rest[mid:])) {
				drop = mid
			} else {
				end = mid
			}
		}
		if drop == len(rest) {
			break
		}
		kept = append(kept, rest[drop])
		rest = rest[drop+1:]
	}
	return kept
}

// conflicts reports why the required availability cannot be met: per entry, the smallest sets of requirements that exclude it.
// What the environment consists of (uses, public) is taken as given as long as counts and standbys can mend it, and is part of
// the conflict only when no count and no standby can.
func (d *designer) conflicts() {
	required := float64(d.spec.Objectives.Availability)
	if required <= 0 {
		return
	}
	reported := &conflictSets{}
	for _, e := range d.entries() {
		c := newChoices(d, e, required)
		if c.figure(nil, nil) >= required-tolerance {
			continue
		}
		if len(reported.seen) >= mostConflicts {
			reported.beyond++
			continue
		}
		if c.figure(nil, c.improvable) < required-tolerance {
			d.reportStructure(c, reported)
			continue
		}
		var mended []string
		for c.figure(nil, mended) < required-tolerance {
			open := without(c.improvable, mended)
			set := minimal(open, func(held []string) bool { return c.figure(nil, without(c.improvable, held)) < required-tolerance })
			if len(set) == 0 { // all are mended already: rounding at most is missing
				break
			}
			d.reportChoices(c, set, reported)
			mended = append(mended, set...)
		}
	}
	if reported.beyond > 0 {
		d.report(availabilityID, fmt.Sprintf("%d more public groups miss %s", reported.beyond, number(required)),
			"mend the conflicts named so far, then look again")
	}
}

// conflictSets remembers which conflicts were reported: entries that share a part share its conflicts.
type conflictSets struct {
	seen   map[string]bool
	beyond int // entries not looked into, because enough was reported
}

// first tells whether a conflict is new, and remembers it.
func (c *conflictSets) first(conflict []string) bool {
	key := strings.Join(conflict, " ")
	if c.seen[key] {
		return false
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[key] = true
	return true
}

// choices is what can be chosen differently for one entry.
type choices struct {
	d          *designer
	entry      entry
	required   float64
	now, best  map[string]float64 // component ID → factor in percent, as required and at best
	improvable []string           // component IDs whose factor can rise, the least first
}

func newChoices(d *designer, e entry, required float64) *choices {
	c := &choices{d: d, entry: e, required: required, now: map[string]float64{}, best: map[string]float64{}}
	for _, id := range e.parts {
		part := d.component(id)
		c.now[id] = part.term().Percent
		c.best[id] = part.improved(mostInstances).term().Percent
		if c.best[id] > c.now[id] {
			c.improvable = append(c.improvable, id)
		}
	}
	slices.SortFunc(c.improvable, func(a, b string) int {
		return cmp.Or(cmp.Compare(c.best[a]/c.now[a], c.best[b]/c.now[b]), cmp.Compare(a, b))
	})
	return c
}

func (d *designer) component(id string) Component { return d.out.Components[d.index[id]] }

// improved gives the component with n servers, or with a standby.
func (c Component) improved(n int) Component {
	switch c.Kind {
	case KindServer:
		c.Instances = max(c.Instances, n)
	case KindDatabase:
		db := *c.Database
		db.Standby, c.Instances, c.Database = true, 2, &db
	}
	return c
}

// figure composes the entry's availability in percent, leaving out the parts in absent and taking those in mended at their best.
func (c *choices) figure(absent map[string]bool, mended []string) float64 {
	a := 1.0
	better := make(map[string]bool, len(mended))
	for _, id := range mended {
		better[id] = true
	}
	for _, id := range c.entry.parts {
		switch {
		case absent[id]:
		case better[id]:
			a *= c.best[id] / 100
		default:
			a *= c.now[id] / 100
		}
	}
	return a * 100
}

// knob gives the requirement that fixes a component's redundancy.
func (c Component) knob() string {
	if c.Kind == KindDatabase {
		return c.ID + ".highAvailability"
	}
	return c.ID + ".count"
}

// reportChoices reports a set of counts and standbys that together exclude the objective.
func (d *designer) reportChoices(c *choices, set []string, reported *conflictSets) {
	conflict := []string{availabilityID}
	for _, id := range set {
		conflict = append(conflict, d.component(id).knob())
	}
	if !reported.first(conflict) {
		return
	}
	now := c.figure(nil, nil)
	var causes []string
	mends := []string{fmt.Sprintf("%s to %s", availabilityID, percent(now))}
	for _, id := range set[:min(len(set), mostNamed)] {
		part := d.component(id)
		mends = append(mends, c.mend(id))
		causes = append(causes, fmt.Sprintf("%s has %s (%s, %s)", id, instances(part.Instances), percent(c.now[id]), termName(part)))
	}
	d.report(availabilityID,
		fmt.Sprintf("%s cannot be met: %s; composed, %s", number(c.required), some(causes, ", and ", len(set)), c.result(now)),
		fmt.Sprintf("relax one (%s): %s", costUnknown, some(mends, "; or ", len(set)+1)), conflict...)
}

// mend says what to change for one component and what comes out: the fewest instances that meet the objective, else one more.
func (c *choices) mend(id string) string {
	part := c.d.component(id)
	with := func(p Component) float64 { return c.figure(nil, nil) / c.now[id] * p.term().Percent }
	if part.Kind == KindDatabase {
		return fmt.Sprintf("%s: true (+ a standby of %s), which gives %s", part.knob(), sizeOf(part.Size), c.verdict(with(part.improved(2))))
	}
	n := part.Instances + 1
	for k := n; k <= mostInstances; k++ {
		if with(part.improved(k)) >= c.required-tolerance {
			n = k
			break
		}
	}
	return fmt.Sprintf("%s: %d (+ %d of %s), which gives %s", part.knob(), n, n-part.Instances, sizeOf(part.Size), c.verdict(with(part.improved(n))))
}

// verdict writes a figure and whether it meets the objective.
func (c *choices) verdict(figure float64) string {
	if figure < c.required-tolerance {
		return percent(figure) + ", still short"
	}
	return percent(figure)
}

// result writes the entry's figure.
func (c *choices) result(figure float64) string {
	if c.entry.id == "" {
		return fmt.Sprintf("the components in series reach %s", percent(figure))
	}
	return fmt.Sprintf("%s reaches %s", c.entry.id, percent(figure))
}

func termName(c Component) string {
	low := reliability.Lowest(c.class())
	return "by the lowest published term: " + low.Provider + " " + low.Service + " " + low.Date
}

func instances(n int) string {
	if n == 1 {
		return "one instance"
	}
	return strconv.Itoa(n) + " instances"
}

func sizeOf(s blueprints.Size) string {
	return fmt.Sprintf("%s cpu, %s, %s disk", number(s.CPU), s.Memory, s.Disk)
}

// some joins the texts of which there are total, and says how many are not among them.
func some(texts []string, by string, total int) string {
	text := strings.Join(texts, by)
	if more := total - len(texts); more > 0 {
		text += fmt.Sprintf("%s%d more", by, more)
	}
	return text
}

func without(all, drop []string) []string {
	gone := make(map[string]bool, len(drop))
	for _, s := range drop {
		gone[s] = true
	}
	var kept []string
	for _, s := range all {
		if !gone[s] {
			kept = append(kept, s)
		}
	}
	return kept
}
