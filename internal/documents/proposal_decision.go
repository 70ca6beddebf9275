package documents

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"surety/blueprints/compare"
)

// alternatives writes what else there is, at what cost.
func (p Proposal) alternatives(g *page) {
	s := g.section("alternatives", Text{"Alternatives", "替代方案與費用"})
	l := g.Language
	if drawn := p.costChart(g); drawn != nil {
		s.picture(drawn)
	}
	rows := [][]datum{}
	for i := range p.Comparison.Offers {
		o := &p.Comparison.Offers[i]
		if o.Infeasible != "" {
			rows = append(rows, []datum{path(o.Name()), plain(dash(o.Country)), plain("–"), plain("–"), plain("–"), plain("–"), {phrase(l, o.Infeasible), "breached"}})
			continue
		}
		availability := g.in(Unknown)
		if o.Availability > 0 {
			availability = availabilityOf(o.Availability)
		} else if o.AtMost > 0 && o.AtMost < 100 {
			availability = g.in(Unknown) + "\n≤ " + availabilityOf(o.AtMost)
		}
		support := g.in(Text{"none known that answers as required", "無已知符合者"})
		if p.Objectives.Support == nil {
			support = g.in(Text{"none required", "未要求"})
		}
		if o.Support != nil {
			support = o.Support.Plan
		}
		score := "–"
		if o.Ranked {
			score = ratio(o.Score)
		}
		rows = append(rows, []datum{path(o.Name()), plain(dash(o.Country)), right(bounds(l, o.Total) + " " + o.Currency + "\n" + oldest(g, o)), right(availability), plain(support), right(score), p.standing(g, o)})
	}
	s.tableOr(g.columns(Text{"offer", "方案"}, Text{"country", "國家"}, Text{"#monthly", "#每月費用"}, Text{"#availability", "#可用性"}, Text{"support plan", "技術支援方案"}, Text{"#score", "#評分"}, Text{"verdict", "結果"}), rows, g.in(Text{"None was compared.", "未比較。"}))
	rows = nil
	for _, o := range p.Comparison.Others[:min(len(p.Comparison.Others), mostOthers)] {
		name := o.Provider + "/" + o.Region
		verdict := strings.Join(o.Breached, "\n")
		switch {
		case o.Infeasible != "":
			verdict = phrase(l, o.Infeasible)
		case verdict != "":
			verdict = g.in(Text{"breaches:\n", "不符合：\n"}) + verdict
		}
		total := "–"
		if o.Infeasible == "" {
			total = bounds(l, o.Total) + " " + o.Currency
		}
		rows = append(rows, []datum{path(name), plain(dash(o.Country)), right(total), plain(dash(verdict))})
	}
	if len(rows) > 0 {
		s.heading(g.in(Text{"Further regions", "其他區域"}))
		s.table(g.columns(Text{"offer", "方案"}, Text{"country", "國家"}, Text{"#monthly", "#每月費用"}, Text{"verdict", "結果"}), rows)
		if more := len(p.Comparison.Others) - len(rows); more > 0 {
			s.note(fmt.Sprintf(g.in(Text{"%d more regions were compared; surety compare --all lists them.", "另比較 %d 個區域，完整清單：surety compare --all。"}), more))
		}
	}
}

// oldest says of when the oldest price of an offer is.
func oldest(g *page, o *compare.Offer) string {
	if o.OldestPrice.IsZero() {
		return g.in(Text{"of unknown date", "價格日期未知"})
	}
	return g.in(Text{"prices since ", "價格自 "}) + day(g.Language, o.OldestPrice)
}

// ranked counts the offers that could be held against each other.
func ranked(offers []compare.Offer) int {
	n := 0
	for i := range offers {
		if offers[i].Ranked {
			n++
		}
	}
	return n
}

// alone says that an offer won because nothing could be held against it, or nothing when it did not.
func (p Proposal) alone(g *page) string {
	if p.Comparison.Winner == "" || ranked(p.Comparison.Offers) != 1 {
		return ""
	}
	return g.in(Text{"It is the only provider of which the prices of all machines are known: it was held against no other. Get the missing prices of the others (surety catalog refresh, or a price book) before relying on this choice.",
		"僅此服務商具備全部主機之價格，故未與其他服務商比較；採用前應先取得其他服務商之價格（surety catalog refresh 或價目表）。"})
}

// mostOthers is how many further regions a proposal lists.
const mostOthers = 8

// standing says how an offer ended.
func (p Proposal) standing(g *page, o *compare.Offer) datum {
	var breached, unproven []string
	for _, j := range o.Judgements {
		switch j.State {
		case compare.Breached:
			breached = append(breached, j.Requirement)
		case compare.Unproven:
			unproven = append(unproven, j.Requirement)
		}
	}
	var lines []string
	state := string(compare.Met)
	if o.Name() == p.Comparison.Winner {
		lines = append(lines, g.in(Text{"proposed by the comparison", "比較結果之最佳方案"}))
	}
	switch {
	case len(breached) > 0:
		state = string(compare.Breached)
		lines = append(lines, g.in(Text{"breaches ", "不符合 "})+strings.Join(breached, ", "))
	case len(unproven) > 0:
		state = string(compare.Unproven)
		lines = append(lines, fmt.Sprintf(g.in(Text{"breaches nothing; %d unproven", "無不符合；未證實 %d 項"}), len(unproven)))
	default:
		lines = append(lines, g.in(Text{"meets everything", "全部符合"}))
	}
	if !o.Ranked && o.Unranked != "" {
		lines = append(lines, g.in(Text{"not ranked: ", "未評比："})+phrase(g.Language, o.Unranked))
	}
	return datum{strings.Join(lines, "\n"), state}
}

// ratio writes a share or a score with three decimals.
func ratio(f float64) string { return fmt.Sprintf("%.3f", f) }

// criteria are what is weighed, in the order of compare.Weights.
var criteria = []struct {
	name Text
	key  string
	of   func(compare.Weights) float64
}{
	{Text{"cost", "費用"}, "cost", func(w compare.Weights) float64 { return w.Cost }},
	{Text{"availability", "可用性"}, "availability", func(w compare.Weights) float64 { return w.Availability }},
	{Text{"support", "技術支援"}, "support", func(w compare.Weights) float64 { return w.Support }},
	{Text{"residency", "資料落地"}, "residency", func(w compare.Weights) float64 { return w.Residency }},
}

// decision writes by which weights the winner wins, and where another would.
func (p Proposal) decision(g *page) {
	s := g.section("decision", Text{"Decision: weights and turning points", "決策：權重與轉折點"})
	c := p.Comparison
	if c.Winner != "" {
		s.text(g.in(Text{"The comparison proposes ", "比較結果建議 "}) + c.Winner + g.in(Text{".", "。"}))
		if only := p.alone(g); only != "" {
			s.text(only)
		}
	} else {
		s.text(g.in(Text{"No offer meets all requirements: ", "無方案符合全部需求："}) + phrase(g.Language, c.Unmet))
	}
	sum := 0.0
	for _, k := range criteria {
		sum += k.of(c.Weights)
	}
	head := g.columns(Text{"offer", "方案"})
	weights := []datum{plain(g.in(Text{"weight (share of all)", "權重（占比）"}))}
	for _, k := range criteria {
		head = append(head, column{g.in(k.name), true})
		share := "–"
		if sum > 0 {
			share = fmt.Sprintf("%s (%.2f)", figureNumber(k.of(c.Weights)), k.of(c.Weights)/sum)
		}
		weights = append(weights, right(share))
	}
	rows := [][]datum{append(weights, right(""))}
	for i := range c.Offers {
		if o := &c.Offers[i]; o.Ranked {
			row := []datum{path(o.Name())}
			for _, k := range criteria {
				row = append(row, right(ratio(k.of(o.Scores))))
			}
			rows = append(rows, append(row, right(ratio(o.Score))))
		}
	}
	s.table(append(head, column{g.in(Text{"score", "評分"}), true}), rows)
	if len(c.Positions) > 0 {
		s.note(fmt.Sprintf(g.in(Text{"Cost is compared by the %d positions that every ranked offer prices, so that no offer gains by what is not known of it.", "費用以各評比方案均有價格之 %d 項比較，避免價格未知者得利。"}), len(c.Positions)))
	}
	if c.Winner != "" {
		s.heading(g.in(Text{"Where another offer would win", "轉折點"}))
		nothing := Text{"No change of a single weight or price makes another offer win.", "單一權重或價格之變動均不改變結果。"}
		if ranked(c.Offers) < 2 {
			nothing = Text{"There is no other offer to turn to until its prices are known.", "其他方案之價格取得前，無可比較之轉折點。"}
		}
		var turns []string
		for _, t := range c.Turns {
			turns = append(turns, turning(g, t))
		}
		s.listOr(turns, g.in(nothing))
	}
	if len(c.Conflicts) > 0 {
		s.heading(g.in(Text{"Requirements that no offer meets together", "無法同時符合之需求"}))
		for _, conflict := range c.Conflicts {
			s.text(strings.Join(conflict.Requirements, " + "))
			s.list(phrases(g.Language, conflict.Relax)...)
		}
	}
}

// turning writes a turning point.
func turning(g *page, t compare.Turn) string {
	if g.Language != TraditionalChinese {
		return t.Says
	}
	side := "低於"
	if t.Above {
		side = "高於"
	}
	what, at := phrase(g.Language, t.What), fmt.Sprintf("%.2f", t.At)
	for _, k := range criteria {
		if t.What == "weight of "+k.key {
			what = k.name.TW + "之權重占比"
		}
	}
	if offer, ok := strings.CutPrefix(t.What, "price of "); ok {
		what, at = offer+" 之每月費用（比較項目）", money(decimal.NewFromFloat(t.At))
	}
	return fmt.Sprintf("%s%s %s 時，改由 %s 勝出。", what, side, at, t.Winner)
}

func (p Proposal) choices(g *page) {
	s := g.section("choices", Text{"Why these types", "採購規格之選擇理由"})
	var rows [][]datum
	for _, c := range p.Chosen.Choices {
		var others []string
		for _, r := range c.RunnersUp {
			price := g.in(Unknown)
			if r.Monthly != nil {
				price = money(*r.Monthly)
			}
			others = append(others, fmt.Sprintf("%s (%s): %s", r.Type, price, phrase(g.Language, r.Reason)))
		}
		rows = append(rows, []datum{path(c.Component), plain(dash(c.Type)), plain(phrase(g.Language, c.Reason)), right(fmt.Sprint(c.Feasible)), plain(dash(strings.Join(others, "\n")))})
	}
	s.tableOr(g.columns(Text{"component", "元件"}, Text{"chosen", "選用"}, Text{"why", "理由"}, Text{"#feasible", "#可行數"}, Text{"runners-up (monthly, " + p.Chosen.Currency + ")", "次佳選項（每月，" + p.Chosen.Currency + "）"}), rows,
		g.in(Text{"Nothing was to be chosen.", "無須選擇。"}))
}

func (p Proposal) steps(g *page) {
	s := g.section("steps", Text{"What more or less would cost", "需求增減之費用"})
	var rows [][]datum
	for _, step := range p.Comparison.Steps {
		says := phrase(g.Language, step.Says)
		rows = append(rows, []datum{path(step.Requirement), plain(step.From + " → " + step.To), path(step.Offer), right(signedMoney(step.Monthly, g.Language)), plain(dash(says))})
	}
	s.tableOr(g.columns(Text{"requirement", "需求"}, Text{"change", "變更"}, Text{"offer", "方案"}, Text{"#difference a month (" + p.Comparison.Currency + ")", "#每月差額（" + p.Comparison.Currency + "）"}, Text{"remark", "說明"}), rows,
		g.in(Text{"No step was computed.", "未計算。"}))
}

func (p Proposal) risks(g *page) {
	s := g.section("risks", Text{"Risks", "風險"})
	var rows [][]datum
	for _, r := range p.Risks {
		rows = append(rows, []datum{plain(g.in(r.What)), plain(g.in(r.Effect)), plain(g.in(r.Mitigation)), path(strings.Join(r.Requirements, "\n"))})
	}
	s.tableOr(g.columns(Text{"what", "風險"}, Text{"what it would do", "影響"}, Text{"what can be done", "因應措施"}, Text{"requirement", "需求"}), rows, g.in(Text{"None is known.", "無已知風險。"}))
}

// costChart draws the offers' costs as bars: full to the lower bound, hatched up to the upper one, and dashed on where there is none. It
// is nil when there are not two offers in one currency to hold against each other.
func (p Proposal) costChart(g *page) *chart {
	var shown []*compare.Offer
	most := decimal.Decimal{}
	for i := range p.Comparison.Offers {
		o := &p.Comparison.Offers[i]
		if o.Infeasible != "" || o.Currency != p.Comparison.Currency || o.Total.Low.IsZero() {
			continue
		}
		shown = append(shown, o)
		most = decimal.Max(most, o.Total.Low, o.Total.High)
	}
	budget := p.Objectives.Budget
	if budget != nil && budget.Currency == p.Comparison.Currency {
		most = decimal.Max(most, decimalOf(budget.Monthly))
	}
	if len(shown) < 2 {
		return nil
	}
	const width, left, right, top, bar, gap = 720.0, 170.0, 150.0, 26.0, 18.0, 14.0
	c := &chart{Label: g.in(Text{"monthly cost of each offer", "各方案每月費用"})}
	x := linear(0, most.InexactFloat64(), left, width-right)
	height := top + float64(len(shown))*(bar+gap) + 40
	foot := height - 40
	for _, v := range x.ticks() {
		c.line("grid", x.at(v), top-6, x.at(v), foot)
		c.text("tick", x.at(v), foot+16, "middle", figureNumber(v))
	}
	c.text("axis", (left+width-right)/2, height-6, "middle", g.in(Text{"a month, ", "每月，"})+p.Comparison.Currency)
	for i, o := range shown {
		y := top + float64(i)*(bar+gap)
		low, high := x.at(o.Total.Low.InexactFloat64()), x.at(o.Total.High.InexactFloat64())
		style := "cost"
		if o.Name() == p.Comparison.Winner {
			style = "cost won"
		}
		c.text("", left-8, y+bar-5, "end", o.Name())
		c.rect(style, left, y, low-left, bar)
		end := low
		switch {
		case o.Total.Open:
			end = min(low+26, width-right+30)
			c.line("open", low, y+bar/2, end, y+bar/2)
		case high > low:
			c.rect("range", low, y, high-low, bar)
			end = high
		}
		c.text("tick", end+6, y+bar-5, "start", bounds(g.Language, o.Total))
	}
	if budget != nil && budget.Currency == p.Comparison.Currency {
		at := x.at(budget.Monthly)
		c.line("limit", at, top-8, at, foot)
		c.text("tick", at, top-12, "middle", g.in(Text{"budget ", "預算 "})+money(decimalOf(budget.Monthly)))
	}
	c.Width, c.Height = tenth(width), tenth(height)
	return c
}
