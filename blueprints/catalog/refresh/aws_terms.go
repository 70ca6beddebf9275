package refresh

import (
	"github.com/shopspring/decimal"
)

// awsLengths are the hours of the terms that are taken over: three years are 3 × 8,760 hours.
var awsLengths = map[string]int64{"1yr": 8760, "3yr": 3 * 8760}

// awsPayments are the payments that are taken over. Partial upfront lies between them.
var awsPayments = map[string]string{"No Upfront": "no-upfront", "All Upfront": "all-upfront"}

// onDemand takes the prices of the offer on demand.
func (w awsWanted) onDemand(terms map[string]awsTerm, region string, g *gathering) {
	for _, term := range terms {
		for _, d := range term.Dimensions {
			amount, ok := d.dollars()
			if !ok {
				g.leave(w.name(), region, "its price is %v, and not in USD", d.Price)
				continue
			}
			if w.machine.Type != "" {
				if d.Unit != "Hrs" {
					g.leave(w.name(), region, "its price is for %q, and not for an hour", d.Unit)
					continue
				}
				g.price(region, w.series+"on-demand", w.machine, amount)
				continue
			}
			from, err := decimal.NewFromString(d.Begin)
			if d.Begin == "" {
				from, err = decimal.Zero, nil
			}
			if err != nil || d.Unit != w.unit {
				g.leave(w.name(), region, "%s: its price is for %q from %q on, and not for %q", w.rate.What, d.Unit, d.Begin, w.unit)
				continue
			}
			times, parts := decimal.NewFromInt(max(1, w.times)), decimal.NewFromInt(max(1, w.parts))
			g.tier(region, w.rate, from.Mul(parts).Div(times), amount.Mul(times).DivRound(parts, 12), "USD")
		}
	}
}

// reserved takes the prices for who commits to a term: what is paid at its beginning is spread over its hours.
func (w awsWanted) reserved(terms map[string]awsTerm, region string, g *gathering) {
	for _, term := range terms {
		hours, payment := awsLengths[term.Attributes.Length], awsPayments[term.Attributes.Payment]
		if class := term.Attributes.Class; w.machine.Type == "" || hours == 0 || payment == "" || class != "standard" && class != "" {
			continue
		}
		series := w.series + term.Attributes.Length[:1] + "y-" + payment
		hourly, upfront, known := decimal.Zero, decimal.Zero, true
		for _, d := range term.Dimensions {
			amount, ok := d.dollars()
			switch {
			case ok && d.Unit == "Hrs":
				hourly = hourly.Add(amount)
			case ok && d.Unit == "Quantity":
				upfront = upfront.Add(amount)
			default:
				known = false
			}
		}
		if !known {
			g.leave(w.name(), region, "%s: a part of its price is not in USD for an hour or at the beginning", series)
			continue
		}
		g.price(region, series, w.machine, hourly.Add(upfront.DivRound(decimal.NewFromInt(hours), 12)))
	}
}

func (d awsDimension) dollars() (decimal.Decimal, bool) {
	amount, err := decimal.NewFromString(d.Price["USD"])
	return amount, err == nil && !amount.IsNegative()
}
