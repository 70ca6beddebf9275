package compare

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints/catalog"
)

// plansCurrency is that of the catalogue's support plans.
const plansCurrency = "USD"

// answers gives the first response time of the severest class that a plan names a time for; 0 when it promises none at every hour.
func answers(p *catalog.Plan) time.Duration {
	if p.Hours == "business hours" {
		return 0
	}
	if p.Critical > 0 {
		return p.Critical
	}
	return p.Down
}

// support picks the cheapest plan that can still be bought and answers in time, for a bill. Nil when none is known.
func (p *place) support(within time.Duration, bill Bounds) *Support {
	var best *Support
	for i := range p.facts.Plans {
		plan := &p.facts.Plans[i]
		if got := answers(plan); !plan.Current || got == 0 || got > within {
			continue
		}
		monthly, says := p.fee(plan, bill)
		s := &Support{Plan: plan.Name, Critical: answers(plan), Monthly: monthly, Says: says}
		if best == nil || cheaper(s, best) {
			best = s
		}
	}
	return best
}

// cheaper holds a fee that is known before one that is not, then the lower one, then the faster plan.
func cheaper(a, b *Support) bool {
	if a.Monthly.Open != b.Monthly.Open && (a.Monthly.Low.IsZero() || b.Monthly.Low.IsZero()) {
		return b.Monthly.Open
	}
	if c := a.Monthly.Low.Cmp(b.Monthly.Low); c != 0 {
		return c < 0
	}
	return a.Critical < b.Critical
}

// fee gives a plan's price for a bill: the least price, or the share of the bill where that is more; or both, where the source has a
// plus. Where the source names shares without the bands they are for, the bill pays between the lowest and the highest.
func (p *place) fee(plan *catalog.Plan, bill Bounds) (Bounds, string) {
	if plan.Monthly == nil {
		return Bounds{Open: true}, "its price is not known"
	}
	factor := p.factor(plansCurrency)
	if factor == nil {
		return Bounds{Open: true}, fmt.Sprintf("its price is in %s, and no rate to %s is known", plansCurrency, p.currency)
	}
	least := plan.Monthly.Mul(*factor)
	says := fmt.Sprintf("%s %s a month", plan.Monthly, plansCurrency)
	if plan.Percent == "" {
		return Bounds{Low: least.Round(2), High: least.Round(2)}, says
	}
	low, high, ok := shares(plan.Percent)
	if !ok {
		return Bounds{Low: least.Round(2), Open: true}, says + " at least; of the bill: " + plan.Percent
	}
	of := func(s []band, amount decimal.Decimal) decimal.Decimal {
		share := charged(s, amount, *factor)
		if strings.HasPrefix(plan.Percent, "+") {
			return least.Add(share).Round(2)
		}
		return decimal.Max(least, share).Round(2)
	}
	says += fmt.Sprintf(" and of the bill, in percent: %s", plan.Percent)
	b := Bounds{Low: of(low, bill.Low), Open: bill.Open}
	if !bill.Open {
		b.High = of(high, bill.High)
	}
	return b, says
}

// band is a share of the part of a bill up to a limit, in the plans' currency; the last has none.
type band struct {
	upTo    decimal.Decimal // zero: no limit
	percent decimal.Decimal
}

var bandPattern = regexp.MustCompile(`^([0-9.]+)(?: to ([0-9.]+)([KM]))?(?: above| flat)?$`)

// shares reads the share of a bill as the catalogue writes it: "+3", "3 flat", "10 to 10K, 7 to 80K, 3 above", or "9/7/5/3 (…)", which
// names shares without their bands.
func shares(text string) (low, high []band, ok bool) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "+"), " (")
	if strings.Contains(text, "/") {
		var all []float64
		for part := range strings.SplitSeq(text, "/") {
			f, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
			if err != nil {
				return nil, nil, false
			}
			all = append(all, f)
		}
		least, most := all[0], all[0]
		for _, f := range all {
			least, most = min(least, f), max(most, f)
		}
		return []band{{percent: decimal.NewFromFloat(least)}}, []band{{percent: decimal.NewFromFloat(most)}}, true
	}
	var bands []band
	for part := range strings.SplitSeq(text, ",") {
		m := bandPattern.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, nil, false
		}
		b := band{percent: decimal.RequireFromString(m[1])}
		if m[2] != "" {
			b.upTo = decimal.RequireFromString(m[2]).Shift(map[string]int32{"K": 3, "M": 6}[m[3]])
		}
		bands = append(bands, b)
	}
	return bands, bands, true
}

// charged gives the share of an amount by bands, whose limits are in another currency.
func charged(bands []band, amount, factor decimal.Decimal) decimal.Decimal {
	total, from := decimal.Decimal{}, decimal.Decimal{}
	for _, b := range bands {
		to := amount
		if limit := b.upTo.Mul(factor); b.upTo.IsPositive() && limit.LessThan(amount) {
			to = limit
		}
		if to.GreaterThan(from) {
			total = total.Add(to.Sub(from).Mul(b.percent).Shift(-2))
			from = to
		}
	}
	return total
}
