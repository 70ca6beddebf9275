package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/compare"
)

var judged = map[compare.State]struct {
	sign  string
	style Style
}{compare.Met: {"✔", Green}, compare.Breached: {"✘", Red}, compare.Unproven: {"?", Yellow}}

// Comparison prints offers side by side, what each requirement comes to, who wins and when another would.
func (s *Screen) Comparison(c compare.Comparison, o blueprints.Objectives) {
	var offers []compare.Offer
	for _, offer := range c.Offers {
		if offer.Infeasible == "" {
			offers = append(offers, offer)
		}
	}
	if len(offers) > 0 {
		s.sideBySide(c, offers, o)
		s.judgements(offers)
	}
	for _, offer := range c.Offers {
		if offer.Infeasible != "" {
			s.Line("  %s  %s", s.Paint(Bold, offer.Name()), s.Paint(Dim, "nothing to offer: "+offer.Infeasible))
		}
	}
	for _, offer := range offers {
		if len(offer.Unknown) > 0 {
			s.Line("  %s %s: %s; the total is a lower bound", s.Paint(Yellow, "?"), offer.Name(), some(offer.Unknown, 3, s.Verbose))
		}
		if offer.Unranked != "" {
			s.Line("  %s %s cannot be held against others: %s", s.Paint(Yellow, "?"), offer.Name(), offer.Unranked)
		}
	}
	for _, offer := range offers {
		if wide(offer) {
			s.Line("  %s", s.Paint(Dim, "ranges are usage that the spec does not state; narrow them with --egress, --requests or --response"))
			break
		}
	}
	s.decision(c)
	if s.Verbose {
		s.background(c, offers)
	}
}

func (s *Screen) sideBySide(c compare.Comparison, offers []compare.Offer, o blueprints.Objectives) {
	heading := []string{""}
	for i := range offers {
		heading = append(heading, offers[i].Provider+" "+offers[i].Region)
	}
	t := s.Table(append(heading, "required")...)
	row := func(name, required string, cell func(*compare.Offer) Cell) {
		cells := []Cell{{Text: name}}
		for i := range offers {
			cells = append(cells, cell(&offers[i]))
		}
		t.Row(append(cells, Cell{Text: required, Style: Dim})...)
	}
	required := ""
	if o.Budget != nil {
		required = fmt.Sprintf("≤ %v %s", o.Budget.Monthly, o.Budget.Currency)
	}
	row("monthly ("+c.Currency+")", required, func(x *compare.Offer) Cell {
		text := x.Total.String()
		if x.Currency != c.Currency {
			text += " " + x.Currency
		}
		return marked(text, x.Judge("objectives.budget"))
	})
	row("  on what all price", "", func(x *compare.Offer) Cell {
		if x.Compared == nil {
			return Cell{"–", Dim}
		}
		return Cell{Text: x.Compared.String()}
	})
	required = ""
	if o.Availability > 0 {
		required = o.Availability.String()
	}
	row("availability, composed", required, func(x *compare.Offer) Cell {
		text := "unknown"
		if x.Availability > 0 {
			text = compare.Percent(x.Availability) + " %"
		} else if x.AtMost > 0 && x.AtMost < 100 {
			text = "≤ " + compare.Percent(x.AtMost) + " %"
		}
		return marked(text, x.Judge("objectives.availability"))
	})
	row("  minutes a month without", "", func(x *compare.Offer) Cell {
		if x.Availability == 0 {
			return Cell{"unknown", Dim}
		}
		return Cell{Text: fmt.Sprintf("%.1f", x.Minutes)}
	})
	row("country", strings.Join(o.Residency, ", "), func(x *compare.Offer) Cell {
		if x.Country == "" {
			return marked("unknown", x.Judge("objectives.residency"))
		}
		return marked(x.Country, x.Judge("objectives.residency"))
	})
	if o.Support != nil {
		row("critical response", o.Support.Critical.String(), func(x *compare.Offer) Cell {
			if x.Support == nil {
				return marked("none known", x.Judge("objectives.support.critical"))
			}
			return marked("< "+blueprints.Duration(x.Support.Critical).String(), x.Judge("objectives.support.critical"))
		})
		row("  by plan, a month", "", func(x *compare.Offer) Cell {
			if x.Support == nil {
				return Cell{"–", Dim}
			}
			return Cell{Text: fmt.Sprintf("%s, %s", x.Support.Plan, x.Support.Monthly)}
		})
	}
	row("oldest price", "", func(x *compare.Offer) Cell { return aged(x.OldestPrice, c.Taken) })
	row("score", "", func(x *compare.Offer) Cell {
		style := Plain
		if x.Name() == c.Winner {
			style = Bold
		}
		return Cell{fmt.Sprintf("%.3f", x.Score), style}
	})
	t.Print()
}

// wide tells whether the usage makes more than a tenth of a cost.
func wide(o compare.Offer) bool {
	return o.Compared != nil && o.Compared.High.Sub(o.Compared.Low).GreaterThan(o.Compared.High.Div(decimal.NewFromInt(10)))
}

func marked(text string, j *compare.Judgement) Cell {
	if j == nil {
		return Cell{Text: text}
	}
	m := judged[j.State]
	return Cell{text + " " + m.sign, m.style}
}

// aged gives a date and how long it is past.
func aged(date, now time.Time) Cell {
	if date.IsZero() {
		return Cell{"unknown", Dim}
	}
	months := int(now.Sub(date).Hours() / 24 / 30.44)
	style := Plain
	if months >= 12 {
		style = Yellow
	}
	return Cell{fmt.Sprintf("%s (%s)", date.Format(time.DateOnly), Count(months, "month")), style}
}

// judgements prints each requirement that an offer breaches or leaves unproven, and how many it meets.
func (s *Screen) judgements(offers []compare.Offer) {
	s.Line("")
	for i := range offers {
		counts := map[compare.State]int{}
		for _, j := range offers[i].Judgements {
			counts[j.State]++
		}
		s.Line("  %s  %d met, %s, %d unproven", s.Paint(Bold, offers[i].Name()), counts[compare.Met],
			s.Paint(breachStyle(counts[compare.Breached]), fmt.Sprintf("%d breached", counts[compare.Breached])), counts[compare.Unproven])
		for _, j := range offers[i].Judgements {
			if m := judged[j.State]; j.State == compare.Breached || s.Verbose || (i == 0 && j.State != compare.Met) {
				s.Line("    %s %s: %s", s.Paint(m.style, m.sign), j.Requirement, j.Says)
			}
		}
	}
}

func (s *Screen) decision(c compare.Comparison) {
	w := c.Weights
	weights := fmt.Sprintf("weights: cost %v, availability %v, support %v, residency %v", w.Cost, w.Availability, w.Support, w.Residency)
	if c.Winner == "" {
		s.Line("  %s   %s", s.Paint(Red, c.Unmet), s.Paint(Dim, weights))
	} else {
		s.Line("  %s wins at the given weights   %s", s.Paint(Bold, c.Winner), s.Paint(Dim, weights))
	}
	for _, t := range c.Turns {
		s.Line("    %s", t.Says)
	}
	for _, x := range c.Conflicts {
		s.Line("  %s %s", s.Paint(Red, "conflict:"), strings.Join(x.Requirements, " + "))
		for i, way := range x.Relax {
			lead := "or"
			if i == 0 {
				lead = "relax one:"
			}
			s.Line("    %s %s", lead, way)
		}
	}
	if len(c.Others) > 0 {
		s.Line("  %s", s.Paint(Dim, fmt.Sprintf("%s less good: surety compare --all, or -v", Count(len(c.Others), "more region"))))
	}
}

// background is what --verbose adds: the choices, what to look at before building, the steps and the other regions.
func (s *Screen) background(c compare.Comparison, offers []compare.Offer) {
	for i := range offers {
		s.Line("  %s", s.Paint(Bold, offers[i].Name()))
		for _, x := range offers[i].Choices {
			s.Line("    %s: %s   %s", x.Component, x.Type, s.Paint(Dim, x.Reason))
			for _, r := range x.RunnersUp {
				s.Line("      %s %s: %s", s.Paint(Dim, "not"), r.Type, r.Reason)
			}
		}
		s.Line("    availability = %s", offers[i].Formula)
		for _, t := range offers[i].Terms {
			if t.Percent == 0 {
				s.Line("      %s: %s", t.Component, t.Condition)
				continue
			}
			s.Line("      %s: %s %% by %s %s (%s)", t.Component, compare.Percent(t.Percent), t.Service, t.Scope, t.Condition)
		}
		for _, p := range offers[i].Preflight {
			s.Line("    before building: %s", p)
		}
	}
	s.Steps(c)
	for _, b := range c.Others {
		why := b.Unranked + strings.Join(b.Breached, " ") + b.Infeasible
		s.Line("    %s %s %s %s   %s", b.Provider+"/"+b.Region, b.Country, b.Total, b.Currency, s.Paint(Dim, why))
	}
}

// Steps prints what the next step of each requirement would cost.
func (s *Screen) Steps(c compare.Comparison) {
	if len(c.Steps) == 0 {
		return
	}
	t := s.Table("next step", "from", "to", "a month", "at "+c.Steps[0].Offer)
	for _, x := range c.Steps {
		amount := Cell{"unknown", Dim}
		if x.Monthly != nil {
			amount = Cell{Text: x.Monthly.StringFixed(2)}
			if x.Monthly.IsPositive() {
				amount.Text = "+" + amount.Text
			}
		}
		t.Row(Cell{Text: x.Requirement}, Cell{Text: x.From}, Cell{Text: x.To}, amount, Cell{x.Says, Dim})
	}
	t.Print()
}

// Cost prints an offer's bill of materials, by component, with what each line assumes.
func (s *Screen) Cost(o compare.Offer) {
	s.Line("%s %s   %s", s.Paint(Bold, o.Name()), o.Country, s.Paint(Dim, "a month of 730 hours, in "+o.Currency))
	t := s.Table("component", "what", "quantity", "unit price", "a month")
	for _, l := range o.Lines {
		quantity := l.Quantity.Round(2).String()
		switch {
		case l.QuantityOpen:
			quantity = "≥ " + quantity
		case l.QuantityHigh != nil:
			quantity += "–" + l.QuantityHigh.Round(2).String()
		}
		unit := Cell{"unknown", Yellow}
		if l.UnitPrice != nil {
			unit = Cell{Text: l.UnitPrice.Amount.String() + " " + l.UnitPrice.Currency}
			if l.Tiered {
				unit.Text += " at first"
			}
		} else if l.Part == compare.PartSupport {
			unit = Cell{"", Plain}
		}
		style := Plain
		if l.Monthly.Open {
			style = Yellow
		}
		component := l.Component
		if component == "" {
			component = "(all)"
		}
		t.Row(Cell{Text: component}, Cell{Text: l.What}, Cell{Text: quantity + " " + l.Unit}, unit, Cell{l.Monthly.String(), style})
	}
	t.Row(Cell{"total", Bold}, Cell{}, Cell{}, Cell{}, Cell{o.Total.String(), Bold})
	t.Print()
	for _, l := range o.Lines {
		if l.Assumption != "" {
			s.Line("  %s", s.Paint(Dim, strings.TrimSpace(l.Component+" "+string(l.Part))+": "+l.Assumption))
		}
	}
	if len(o.Unknown) > 0 {
		s.Line("  %s %s; the total is a lower bound", s.Paint(Yellow, "?"), some(o.Unknown, 3, s.Verbose))
	}
	if j := o.Judge("objectives.budget"); j != nil {
		m := judged[j.State]
		s.Line("  %s objectives.budget: %s", s.Paint(m.style, m.sign), j.Says)
	}
	if s.Verbose {
		sources := map[string]bool{}
		for _, l := range o.Lines {
			if l.UnitPrice != nil {
				text := fmt.Sprintf("%s, %s, %s", l.UnitPrice.Origin.Source, dated(l.UnitPrice.Origin.Date), l.UnitPrice.Origin.Kind)
				if !sources[text] {
					sources[text] = true
					s.Line("  %s", s.Paint(Dim, "source: "+text))
				}
			}
		}
	}
}

func dated(t time.Time) string {
	if t.IsZero() {
		return "date unknown"
	}
	return t.Format(time.DateOnly)
}

// some joins a few texts, and says how many are left out.
func some(texts []string, most int, all bool) string {
	if all || len(texts) <= most {
		return strings.Join(texts, "; ")
	}
	return fmt.Sprintf("%s; and %d more (-v)", strings.Join(texts[:most], "; "), len(texts)-most)
}
