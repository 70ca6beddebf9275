package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/shopspring/decimal"
)

// contender is an answer as far as the ranking looks at it.
type contender struct {
	place      *place
	infeasible string
	broken     []string
	unranked   string
	total      Bounds
	avail      availability
	support    *Support
	positions  []position
	open       int // positions without an upper bound
	machines   int // that have a price

	compared Bounds
	cost     float64 // the middle of compared
	scores   Weights
	score    float64
}

func (c *contender) eligible() bool { return c.infeasible == "" && len(c.broken) == 0 }
func (c *contender) ranked() bool   { return c.infeasible == "" && c.unranked == "" }

// contend takes from an answer what the ranking needs, and lets the rest go.
func contend(p *place, d *demand, a *answer, currency string) *contender {
	c := &contender{place: p, infeasible: a.bid.infeasible, broken: a.broken, total: a.total, avail: a.avail, support: a.support}
	if c.infeasible != "" {
		return c
	}
	if p.currency != currency {
		c.unranked = fmt.Sprintf("its prices are in %s, and no rate to %s is known", p.currency, currency)
	}
	c.positions = make([]position, len(a.bid.items))
	for i := range a.bid.items {
		it := &a.bid.items[i]
		if it.open && (it.part == PartMachine || it.part == PartDatabase) && c.unranked == "" {
			c.unranked = d.needs[it.need].id + ": " + it.unknown
		}
		if it.open {
			c.open++
		}
		if !it.open && (it.part == PartMachine || it.part == PartDatabase) {
			c.machines++
		}
		c.positions[i] = position{int32(it.need), it.part, it.from, it.to, it.open}
	}
	return c
}

type positionKey struct {
	need int32
	part Part
}

// common gives the positions that every ranked contender prices.
func common(all []*contender) map[positionKey]bool {
	count, ranked := map[positionKey]int{}, 0
	for _, c := range all {
		if !c.ranked() {
			continue
		}
		ranked++
		for _, p := range c.positions {
			if !p.open {
				count[positionKey{p.need, p.part}]++
			}
		}
	}
	shared := map[positionKey]bool{}
	for k, n := range count {
		shared[k] = n == ranked
	}
	return shared
}

// score ranks contenders by weights. Cost is that of the positions which all ranked ones price, with the fee of the support plan for
// such a bill; each criterion is the best figure divided by one's own, so that 1 is the best and 0.5 is twice as dear, or twice the
// minutes without service, or half as quick. What is unknown scores 0.
func score(all []*contender, d *demand, w Weights) (shared map[positionKey]bool) {
	shared = common(all)
	best := struct{ cost, down, support float64 }{math.Inf(1), math.Inf(1), math.Inf(1)}
	for _, c := range all {
		if c.infeasible != "" {
			continue
		}
		if c.ranked() {
			c.compare(shared, d)
			best.cost = min(best.cost, c.cost)
		}
		if c.avail.percent > 0 {
			best.down = min(best.down, 100-c.avail.percent)
		}
		if c.support != nil {
			best.support = min(best.support, c.support.Critical.Seconds())
		}
	}
	for _, c := range all {
		c.scores, c.score = Weights{}, 0
		if c.infeasible != "" {
			continue
		}
		if c.ranked() {
			c.scores.Cost = ratio(best.cost, c.cost)
		}
		if c.avail.percent > 0 {
			c.scores.Availability = ratio(best.down, 100-c.avail.percent)
		}
		switch {
		case d.objectives.Support == nil:
			c.scores.Support = 1
		case c.support != nil:
			c.scores.Support = ratio(best.support, c.support.Critical.Seconds())
		}
		if len(d.objectives.Residency) == 0 || slices.Contains(d.objectives.Residency, c.place.region.Country) {
			c.scores.Residency = 1
		}
		c.score = weigh(c.scores, w)
	}
	return shared
}

func ratio(best, own float64) float64 {
	if own <= 0 {
		return 1
	}
	return best / own
}

func weigh(scores, w Weights) float64 {
	total := 0.0
	for _, c := range criteria {
		total += *c.of(&scores) * *c.of(&w)
	}
	return total / w.sum()
}

// compare sums what a contender charges for the shared positions.
func (c *contender) compare(shared map[positionKey]bool, d *demand) {
	var low, high int64
	for _, p := range c.positions {
		if shared[positionKey{p.need, p.part}] {
			low, high = low+p.from, high+p.to
		}
	}
	c.compared = Bounds{Low: money(low), High: money(high)}
	if c.support != nil {
		for i := range c.place.facts.Plans {
			if plan := &c.place.facts.Plans[i]; plan.Name == c.support.Plan && plan.Current {
				if fee, _ := c.place.fee(plan, c.compared); !fee.Open {
					c.compared = plus(c.compared, fee)
				}
				break
			}
		}
	}
	c.cost = c.compared.Low.Add(c.compared.High).Div(decimal.NewFromInt(2)).InexactFloat64()
}

const (
	unrankedClass   = 1 << 20
	unknownClass    = 1 << 25
	infeasibleClass = 1 << 30
)

// order puts the best first: what has prices and breaches nothing, then by how much it breaches, then likewise what has no prices for
// all its machines or for none of them, and at the end where nothing can be offered.
func order(a, b *contender) int {
	class := func(c *contender) int {
		switch {
		case c.infeasible != "":
			return infeasibleClass
		case c.machines == 0:
			return unknownClass + len(c.broken)
		case !c.ranked():
			return unrankedClass + len(c.broken)
		}
		return len(c.broken)
	}
	if class(a) >= unrankedClass && class(a) == class(b) && a.open != b.open {
		return cmp.Compare(a.open, b.open) // of what cannot be held against others, the one of which most is known
	}
	return cmp.Or(cmp.Compare(class(a), class(b)), -cmp.Compare(a.score, b.score), cmp.Compare(a.cost, b.cost),
		cmp.Compare(a.place.name(), b.place.name()))
}

// bestOfEach gives each provider's best place, scored among its own, and the rest.
func bestOfEach(all []*contender, d *demand, w Weights) (best, rest []*contender) {
	by := map[string][]*contender{}
	var ids []string
	for _, c := range all {
		id := c.place.facts.ID
		if by[id] == nil {
			ids = append(ids, id)
		}
		by[id] = append(by[id], c)
	}
	for _, id := range ids {
		score(by[id], d, w)
		slices.SortFunc(by[id], order)
		best, rest = append(best, by[id][0]), append(rest, by[id][1:]...)
	}
	return best, rest
}

// turns says at which weight of each criterion, and at which price, another contender would win. The weights of the other criteria
// keep their proportions to each other. All thresholds are exact: the score is linear in a weight, and a cost's score is the cheapest
// cost divided by one's own.
func turns(all []*contender, w Weights) []Turn {
	out := []Turn{}
	var field, priced []*contender
	for _, c := range all {
		if c.ranked() {
			priced = append(priced, c)
			if c.eligible() {
				field = append(field, c)
			}
		}
	}
	if len(field) < 2 {
		return out
	}
	winner, others := field[0], field[1:]
	for _, k := range criteria {
		out = append(out, weightTurns(k.name, k.of, winner, others, w)...)
	}
	share := w.Cost / w.sum()
	if share == 0 {
		return out
	}
	limit, next := math.Inf(1), (*contender)(nil)
	for _, o := range others {
		if p := overtakes(winner, o, cheapestBut(priced, winner), share); p < limit {
			limit, next = p, o
		}
	}
	if next != nil {
		out = append(out, Turn{What: "price of " + winner.place.name(), Above: true, At: limit, Winner: next.place.name(),
			Says: fmt.Sprintf("%s wins if what is compared of %s costs more than %.2f a month, now %.2f in the middle", next.place.name(), winner.place.name(), limit, winner.cost)})
	}
	for i, o := range others {
		limit := math.Inf(1)
		for _, j := range field {
			if j != o {
				limit = min(limit, overtakes(o, j, cheapestBut(priced, o), share))
			}
		}
		if limit > 0 && i < 3 {
			out = append(out, Turn{What: "price of " + o.place.name(), At: limit, Winner: o.place.name(),
				Says: fmt.Sprintf("%s wins if what is compared of it costs less than %.2f a month, now %.2f in the middle", o.place.name(), limit, o.cost)})
		}
	}
	return out
}

func cheapestBut(all []*contender, not *contender) float64 {
	least := math.Inf(1)
	for _, c := range all {
		if c != not {
			least = min(least, c.cost)
		}
	}
	return least
}

// overtakes gives the cost of i up to which i scores at least as much as j: infinite when it does at any, 0 when at none.
// With W the share of cost, m the least cost of all but i, and R the score without cost, i scores W·min(1, m/p) + R_i at a cost p, and
// j scores W·min(m, p)/c_j + R_j. Their difference falls with p, so that there is one crossing.
func overtakes(i, j *contender, m, W float64) float64 {
	rest := func(c *contender) float64 { return c.score - W*c.scores.Cost }
	Ri, Rj := rest(i), rest(j)
	if d := W*m/j.cost + Rj - Ri; d <= 0 {
		return math.Inf(1)
	} else if p := W * m / d; p >= m {
		return p
	}
	return max(0, min(m, j.cost*(W+Ri-Rj)/W))
}

// weightTurns gives the nearest shares of a criterion, above and below its own, at which another wins.
func weightTurns(name string, of func(*Weights) *float64, winner *contender, others []*contender, w Weights) []Turn {
	own, sum := *of(&w), w.sum()
	if own == sum {
		return nil // nothing else weighs anything that could give way
	}
	now := own / sum
	rest := func(c *contender) float64 { return (c.score*sum - own**of(&c.scores)) / (sum - own) }
	var out []Turn
	for _, above := range []bool{true, false} {
		nearest, next := math.Inf(1), (*contender)(nil)
		for _, o := range others {
			byRest, byThis := rest(winner)-rest(o), *of(&winner.scores)-*of(&o.scores)
			at := byRest / (byRest - byThis)
			if byRest == byThis || at < 0 || at > 1 || (above && byThis >= 0) || (!above && byRest >= 0) {
				continue
			}
			if d := math.Abs(at - now); d < nearest {
				nearest, next = d, o
			}
		}
		if next == nil {
			continue
		}
		t := Turn{What: "weight of " + name, Above: above, At: now + nearest, Winner: next.place.name()}
		side := "above"
		if !above {
			t.At, side = now-nearest, "below"
		}
		t.Says = fmt.Sprintf("%s wins if %s counts %s %.2f of all weights, now %.2f", t.Winner, name, side, t.At, now)
		out = append(out, t)
	}
	return out
}
