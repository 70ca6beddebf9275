package documents

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/catalog"
	"surety/blueprints/compare"
)

// Proposal is all that the build proposal (建置方案書) says: the sheet of what is proposed, and why it is. It is plain data.
type Proposal struct {
	Sheet
	Architecture architecture.Architecture `json:"architecture"`
	Comparison   compare.Comparison        `json:"comparison"`
	Chosen       compare.Offer             `json:"chosen"`
	Bills        []Bill                    `json:"bills"` // of every offer that was compared in full
	Risks        []Risk                    `json:"risks"`
}

// Risk is what may go otherwise than proposed, with what it would do and what can be done.
type Risk struct {
	What         Text     `json:"what"`
	Effect       Text     `json:"effect"`
	Mitigation   Text     `json:"mitigation"`
	Requirements []string `json:"requirements"`
}

// staleAfter is the age from which a price is named as a risk. Providers change list prices seldom, but they do within half a year.
const staleAfter = 183 * 24 * time.Hour

// ProposalFrom puts a proposal together.
func ProposalFrom(c Considered) (Proposal, error) {
	o, err := c.offer()
	if err != nil {
		return Proposal{}, fmt.Errorf("write build proposal: %w", err)
	}
	s, err := SheetFrom(c)
	if err != nil {
		return Proposal{}, err
	}
	p := Proposal{Sheet: s, Architecture: c.Architecture, Comparison: c.Comparison, Chosen: o}
	p.SignOff = []Text{{"Written by", "撰寫人"}, {"Checked by", "複核人"}, {"Information technology", "資訊單位"}, {"Management", "管理階層"}}
	for _, each := range c.Comparison.Offers {
		if each.Infeasible == "" {
			p.Bills = append(p.Bills, billOf(each, &sources{taken: c.Comparison.Taken}))
		}
	}
	p.Risks = risks(c, o)
	return p, nil
}

// risks gathers what the comparison and the architecture leave open or exposed. Nothing is guessed: each names the figure behind it.
func risks(c Considered, o compare.Offer) []Risk {
	all := []Risk{}
	add := func(what, effect, mitigation Text, requirements ...string) {
		all = append(all, Risk{what, effect, mitigation, requirements})
	}
	for _, j := range o.Judgements {
		if j.State == compare.Breached {
			add(Text{j.Requirement + ": " + j.Says, j.Requirement + "：" + phrase(TraditionalChinese, j.Says)}, Text{"The requirement is breached if this is built.", "依此建置將不符合該項需求。"},
				Text{"Relax the requirement, or choose another offer.", "放寬需求，或改選其他方案。"}, j.Requirement)
		}
	}
	for _, s := range c.Architecture.SinglePoints {
		add(Text{s.Component + " is a single point of failure", s.Component + " 為單點故障"},
			Text{"Its loss stops " + orAll(s.Stops, English) + ".", "其故障將使 " + orAll(s.Stops, TraditionalChinese) + " 中斷服務。"},
			Text{"Write " + s.Mend, "於規格設定 " + s.Mend}, s.Component)
	}
	for _, u := range unproven(o.Terms) {
		add(Text{u.components + ": whether its service level holds here is not shown: " + u.why, u.components + "：服務等級是否適用未證實：" + phrase(TraditionalChinese, u.why)},
			Text{"The promised availability may not apply, and no credit be due.", "承諾之可用性可能不適用，亦無服務抵減。"}, Text{"Have the provider confirm it in writing before the contract.", "簽約前請服務商書面確認。"}, "objectives.availability")
	}
	if len(o.Unknown) > 0 {
		add(Text{fmt.Sprintf("%d items have no known price", len(o.Unknown)), fmt.Sprintf("%d 項價格未知", len(o.Unknown))}, Text{"The total is a lower bound.", "合計僅為下限。"},
			Text{"Ask the provider for a quotation and put it into a price book.", "向服務商詢價，並納入價目表。"}, budgetOf(c.Document)...)
	}
	ranged := 0
	for _, l := range o.Lines {
		if l.QuantityHigh != nil || l.QuantityOpen {
			ranged++
		}
	}
	if ranged > 0 {
		add(Text{fmt.Sprintf("%d items depend on usage that the specification does not state", ranged), fmt.Sprintf("%d 項費用取決於規格未載明之用量", ranged)},
			Text{"The bill moves between the bounds, and beyond where nothing bounds it.", "實際費用於上下限間變動；無上限者可能更高。"}, Text{"State the expected usage, and set a budget alert.", "載明預期用量，並設定預算告警。"}, budgetOf(c.Document)...)
	}
	if t := c.Comparison.Taken; !o.OldestPrice.IsZero() && t.Sub(o.OldestPrice) > staleAfter {
		months := int(t.Sub(o.OldestPrice).Hours() / 24 / 30.44)
		date := o.OldestPrice.UTC().Format("2006-01-02")
		add(Text{fmt.Sprintf("The oldest price used is of %s, %d months before this document", date, months), fmt.Sprintf("最舊之價格資料日期為 %s，距本文件 %d 個月", date, months)},
			Text{"Today's price may differ.", "現行價格可能已變動。"}, Text{"Refresh the catalogue (surety catalog refresh) and compare again before ordering.", "採購前更新目錄（surety catalog refresh）並重新比較。"}, budgetOf(c.Document)...)
	}
	if n := count(o.Lines, catalog.Fitted); n > 0 {
		add(Text{fmt.Sprintf("%d prices are computed from published figures and not published themselves", n), fmt.Sprintf("%d 項價格由公告數據推算，非直接公告", n)},
			Text{"They may be off by the error that their source states.", "誤差如來源所載。"}, Text{"Confirm them with the provider's calculator.", "以服務商計價工具確認。"}, budgetOf(c.Document)...)
	}
	if n := count(o.Lines, catalog.Secondary); n > 0 {
		add(Text{fmt.Sprintf("%d prices are quoted from third parties", n), fmt.Sprintf("%d 項價格引自第三方", n)},
			Text{"A third party may have erred or be late.", "第三方資料可能有誤或延遲。"}, Text{"Confirm them with the provider's price list.", "以服務商價目表確認。"}, budgetOf(c.Document)...)
	}
	for _, d := range c.Architecture.Decisions {
		if d.What == "recovery" && strings.Contains(d.Value, "nothing") {
			add(Text{d.Component + ": recovery " + d.Value, d.Component + "：復原方式 " + phrase(TraditionalChinese, d.Value)}, Text{"What is lost is lost.", "資料遺失後無法復原。"},
				Text{"Add a standby against the loss of a host, and a backup against the loss of data.", "增設備援節點以因應主機故障，並設定備份以因應資料遺失。"}, d.Requirements...)
		}
	}
	return all
}

func orAll(component string, l Language) string {
	if component == "" {
		return Text{"the whole", "整體"}.in(l)
	}
	return component
}

// budgetOf names the budget when one is required.
func budgetOf(doc *blueprints.Document) []string {
	if doc.Spec.Objectives.Budget != nil {
		return []string{"objectives.budget"}
	}
	return nil
}

// count counts the lines whose price is of a kind.
func count(lines []compare.Line, kind catalog.Kind) int {
	return len(slices.DeleteFunc(slices.Clone(lines), func(l compare.Line) bool { return l.UnitPrice == nil || l.UnitPrice.Origin.Kind != kind }))
}

// doubt is why the service level of some components is not shown to hold.
type doubt struct{ components, why string }

// unproven gathers the terms that are not shown to hold, those with one reason together.
func unproven(terms []compare.Term) []doubt {
	var all []doubt
	for _, t := range terms {
		if !t.Unproven {
			continue
		}
		if i := slices.IndexFunc(all, func(d doubt) bool { return d.why == t.Condition }); i >= 0 {
			all[i].components += ", " + t.Component
			continue
		}
		all = append(all, doubt{t.Component, t.Condition})
	}
	return all
}
