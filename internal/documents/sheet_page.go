package documents

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/blueprints/compare"
)

// sheetIndicators are quoted from the standard (T1.2).
var sheetIndicators = []indicator{
	{"P1.2.1", Text{"Help to choose the provider by the build proposal; judge whether the costs of servers, databases and storage are reasonable.", "依據建置方案建議書，協助選擇雲服務提供商，評估雲端伺服器、資料庫、儲存服務的建置等費用合理性。"}, []string{"bill", "cost"}},
	{"P1.2.2", Text{"Analyse service level agreements (SLA) and support plans.", "分析不同服務等級協議 ( SLA ) 與技術支援方案。"}, []string{"sla", "support"}},
	{"P1.2.3", Text{"Confirm budget and technical detail with management and the departments concerned; help with procurement.", "與組織管理階層及相關部門確認預算與技術細節，並協助執行採購。"}, []string{"bill", "cost", "signoff"}},
	{"P1.2.4", Text{"Build the cloud services on the platform to the specification, and record their specification.", "依據需求規格到雲端管理平台建置雲端服務，記錄雲端服務規格。"}, []string{"specification", "built"}},
}

// SheetHTML renders the specification sheet as one HTML file that loads nothing and prints on A4. The error is a fault of ours.
func SheetHTML(s Sheet, l Language) (string, error) { return s.page(l).html() }

// SheetMarkdown renders the specification sheet as Markdown.
func SheetMarkdown(s Sheet, l Language) (string, error) { return s.page(l).markdown(), nil }

func (s Sheet) page(l Language) *page {
	p := &page{Language: l, Title: Text{"Cloud service specification sheet", "雲端服務規格表"}.in(l) + " – " + s.Environment,
		Lead: Text{"Work output O1.2.1 · T1.2 Evaluate and select the cloud provider · Competency standard IIS3513-009v1", "工作產出 O1.2.1 · T1.2 協助評估雲端服務商遴選 · 職能基準代碼 IIS3513-009v1"}.in(l)}
	p.Facts = s.facts(p)
	p.State, p.Banner = verdictOf(p, s.Judgements, s.Infeasible, bounds(l, s.Bill.Total)+" "+s.Bill.Currency)
	p.Notes = []string{p.in(Text{"A month is 730 hours. “≥” marks a lower bound: something in it has no known price. A figure that is not known is written “unknown”, and is in no total.",
		"每月以 730 小時計。「≥」表示下限：其中含價格未知之項目。未知之數據一律標示「未知」，不計入合計。"})}
	s.specification(p)
	s.built(p)
	p.bill(p.section("bill", Text{"Bill of materials", "採購項目明細（物料清單）"}), s.Bill)
	s.cost(p)
	s.agreement(p)
	s.support(p)
	s.residency(p)
	p.judgements(s.Judgements, s.Requirements)
	p.section("preflight", Text{"To settle before building", "建置前確認事項"}).listOr(phrases(l, s.Preflight), p.in(Text{"The catalogue knows of nothing.", "目錄中無已知事項。"}))
	p.sourceList(s.Sources)
	p.indicators(sheetIndicators)
	p.sign(Text{"Approval", "簽核"}, Text{"The signatories confirm the specification, the costs with what is unknown of them, and the terms above.", "簽核人確認上列規格、費用（含未知項目）與服務條款。"}, s.SignOff)
	return p
}

func (s Sheet) facts(p *page) []pair {
	facts := []pair{{p.in(Text{"Environment", "環境名稱"}), s.Environment}}
	if owner := strings.TrimSpace(s.Owner.Team + " " + s.Owner.Contact); owner != "" {
		facts = append(facts, pair{p.in(Text{"Owner", "負責單位"}), owner})
	}
	where := s.Region
	if s.Location != "" {
		where += ", " + s.Location
	}
	if s.Country != "" {
		where += " (" + s.Country + ")"
	}
	chosen := Text{"the best of " + fmt.Sprint(s.Compared) + " offers compared", fmt.Sprintf("比較 %d 個方案後之最佳方案", s.Compared)}
	switch {
	case s.Winner == "":
		chosen = Text{"none of " + fmt.Sprint(s.Compared) + " offers compared meets all requirements: " + s.Unmet, fmt.Sprintf("比較 %d 個方案，均無法符合全部需求：%s", s.Compared, phrase(TraditionalChinese, s.Unmet))}
	case s.Winner != s.Offer:
		chosen = Text{"chosen by hand; the comparison prefers " + s.Winner, "人工指定；比較結果之最佳方案為 " + s.Winner}
	}
	return append(facts, pair{p.in(Text{"Provider", "雲服務提供商"}), s.Provider}, pair{p.in(Text{"Region", "區域"}), where}, pair{p.in(Text{"How chosen", "選定方式"}), p.in(chosen)},
		pair{p.in(Text{"As of", "基準日"}), day(p.Language, s.Taken)}, pair{p.in(Text{"Tool", "工具"}), s.Tool})
}

// verdictOf gives the banner: the worst state of the requirements, the count of each, and the total.
func verdictOf(p *page, all []compare.Judgement, infeasible, total string) (state, banner string) {
	count := map[compare.State]int{}
	for _, j := range all {
		count[j.State]++
	}
	state = string(compare.Met)
	switch {
	case count[compare.Breached] > 0 || infeasible != "":
		state = string(compare.Breached)
	case count[compare.Unproven] > 0 || len(all) == 0:
		state = string(compare.Unproven)
	}
	if infeasible != "" {
		return state, p.in(Text{"Cannot be offered here: ", "此區域無法提供："}) + phrase(p.Language, infeasible)
	}
	return state, fmt.Sprintf(p.in(Text{"%s a month. Of the requirements that a catalogue can judge: %d met, %d breached, %d unproven.", "每月 %s。可依目錄判定之需求：符合 %d 項、不符合 %d 項、未證實 %d 項。"}),
		total, count[compare.Met], count[compare.Breached], count[compare.Unproven])
}

func (s Sheet) specification(p *page) {
	sec := p.section("specification", Text{"Service specification", "雲端服務規格"})
	var rows [][]datum
	for _, c := range s.Components {
		bought := p.in(Text{"managed service", "代管服務"})
		switch {
		case c.Type != "":
			bought = c.Type
		case c.Kind == architecture.KindServer || c.Kind == architecture.KindDatabase:
			bought = p.in(Text{"none could be chosen", "無法選定"})
		}
		if c.Reason != "" {
			bought += "\n" + phrase(p.Language, c.Reason)
		}
		rows = append(rows, []datum{path(c.ID), plain(p.in(kindName[c.Kind])), right(fmt.Sprint(c.Instances)), right(cpuOf(c.Component)), right(sizeOf(int64(c.Size.Memory), c.Kind == architecture.KindBucket)),
			right(sizeOf(int64(c.Size.Disk), false)), plain(softwareOf(p, c.Component)), plain(bought)})
	}
	sec.table(p.columns(Text{"component", "元件"}, Text{"kind", "類別"}, Text{"#instances", "#數量"}, Text{"#vCPU", "#vCPU"}, Text{"#memory", "#記憶體"}, Text{"#disk", "#磁碟空間"},
		Text{"software", "軟體與版本"}, Text{"what is bought, and why", "採購規格與理由"}), rows)
	sec.note(p.in(Text{"Sizes are the least that each instance must have.", "規格為每一執行個體之最低需求。"}))
}

// kindName names a component's kind, in the standard's words where it has them.
var kindName = map[architecture.Kind]Text{architecture.KindServer: {"cloud server", "雲端伺服器"}, architecture.KindDatabase: {"database", "資料庫"},
	architecture.KindBucket: {"object storage", "儲存空間"}, architecture.KindBalancer: {"load balancer", "負載平衡器"}}

func cpuOf(c architecture.Component) string {
	if c.Kind == architecture.KindBucket {
		return "–"
	}
	return figureNumber(c.Size.CPU)
}

// sizeOf writes an amount of bytes, or a dash where none is asked.
func sizeOf(bytes int64, without bool) string {
	if bytes <= 0 || without {
		return "–"
	}
	const mebibyte, gibibyte, tebibyte = 1 << 20, 1 << 30, 1 << 40
	switch {
	case bytes >= tebibyte && bytes%tebibyte == 0:
		return fmt.Sprintf("%d TiB", bytes/tebibyte)
	case bytes >= gibibyte && bytes%(gibibyte/4) == 0:
		return figureNumber(float64(bytes)/gibibyte) + " GiB"
	case bytes%mebibyte == 0:
		return fmt.Sprintf("%d MiB", bytes/mebibyte)
	}
	return figureNumber(float64(bytes)/mebibyte) + " MiB"
}

func softwareOf(p *page, c architecture.Component) string {
	switch {
	case c.Server != nil:
		runs := c.Server.Runs
		name := strings.TrimSpace(runs.Package + runs.Program + " " + runs.Version)
		if runs.Port > 0 {
			name += fmt.Sprintf(p.in(Text{", port %d", "，連接埠 %d"}), runs.Port)
		}
		return c.Server.OS + "\n" + name
	case c.Database != nil:
		text := strings.TrimSpace(c.Database.Engine + " " + c.Database.Version)
		if c.Database.Standby {
			text += p.in(Text{"\nwith a standby", "\n含備援節點"})
		}
		return text
	case c.Bucket != nil && c.Bucket.Versioning:
		return p.in(Text{"versioning on", "啟用版本控管"})
	case c.Balancer != nil:
		return fmt.Sprintf(p.in(Text{"port %d to %s", "連接埠 %d，導向 %s"}), c.Balancer.Port, c.Balancer.For)
	}
	return "–"
}

func (s Sheet) built(p *page) {
	sec := p.section("built", Text{"What was really built", "實際建置規格"})
	b := s.Built
	if b == nil {
		sec.text(p.in(Text{"Nothing has been built yet: this sheet says what is to be bought.", "尚未建置：本表為擬採購之規格。"}))
		return
	}
	sec.facts(pair{p.in(Text{"Release", "版本"}), fmt.Sprintf("%d, %s", b.Release, b.Hash[:min(12, len(b.Hash))])}, pair{p.in(Text{"Target", "建置目標"}), b.Target}, pair{p.in(Text{"Built", "建置時間"}), moment(b.Made)})
	if b.Target == "local" {
		sec.note(p.in(Text{"It was built on the local cloud, which proves the specification and costs nothing. The bill of materials below is for the provider named above.",
			"本環境建置於本機雲端，用以驗證規格，不產生費用；後列採購項目明細係針對上列雲服務提供商。"}))
	}
	if b.Changed {
		sec.text(p.in(Text{"The specification was changed since: this is what stands, and the other sections are what is asked for now.", "需求規格於建置後已變更：本節為現況，其餘各節為目前之需求。"}))
	}
	var rows [][]datum
	for _, r := range b.Results {
		state := stateWord(r.State)
		word, _ := say(p.Language, state)
		if len(r.Evidence) == 0 {
			rows = append(rows, []datum{plain(r.Check), plain("–"), plain(r.Summary), {word, state}, path(strings.Join(r.Requirements, "\n"))})
		}
		for _, e := range r.Evidence {
			where := phrase(p.Language, e.What)
			if e.From != "" {
				where += "\n" + p.in(Text{"seen by ", "觀測自 "}) + phrase(p.Language, e.From)
			}
			rows = append(rows, []datum{plain(r.Check + "\n" + where), plain(dash(phrase(p.Language, e.Want))), plain(dash(phrase(p.Language, e.Got))), {word, state}, path(strings.Join(r.Requirements, "\n"))})
		}
	}
	sec.tableOr(p.columns(Text{"what was read back", "讀回項目"}, Text{"specified", "規格值"}, Text{"found", "實際值"}, Text{"verdict", "結果"}, Text{"requirement", "需求"}), rows,
		p.in(Text{"The release has no record of what was read back: its sizes and versions are unproven.", "該版本無讀回紀錄，規格與版本未證實。"}))
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func (s Sheet) cost(p *page) {
	sec := p.section("cost", Text{"Cost and budget", "費用與預算"})
	var rows [][]datum
	for _, t := range s.Totals {
		name := t.Component
		if name == "" {
			name = p.in(Text{"the whole", "整體"})
		}
		rows = append(rows, []datum{path(name), right(bounds(p.Language, t.Monthly))})
	}
	rows = append(rows, []datum{plain(p.in(Text{"total", "合計"})), right(bounds(p.Language, s.Bill.Total))})
	sec.table(p.columns(Text{"component", "元件"}, Text{"#monthly (" + s.Bill.Currency + ")", "#每月費用（" + s.Bill.Currency + "）"}), rows)
	budget := p.in(Text{"No budget is required.", "未設定預算。"})
	if b := s.Objectives.Budget; b != nil {
		budget = fmt.Sprintf(p.in(Text{"Budget: %s %s a month. %s", "預算：每月 %s %s。%s"}), money(decimalOf(b.Monthly)), b.Currency, p.verdictOn(s.Judgements, "objectives.budget"))
	}
	sec.text(budget)
}

func (s Sheet) agreement(p *page) {
	sec := p.section("sla", Text{"Service level agreement (SLA)", "服務等級協議 ( SLA )"})
	var rows [][]datum
	for _, t := range s.Terms {
		percent := p.in(Unknown)
		if t.Percent > 0 {
			percent = availabilityOf(t.Percent)
		}
		condition := phrase(p.Language, t.Condition)
		if t.Unproven {
			condition = strings.TrimSpace(condition + "\n" + p.in(Text{"(unproven)", "（未證實）"}))
		}
		var credits []string
		for _, c := range t.Credits {
			credits = append(credits, fmt.Sprintf(p.in(Text{"below %s: %s %%", "低於 %s：退還 %s %%"}), availabilityOf(c.Below), figureNumber(c.Percent)))
		}
		source := p.in(Unknown)
		if t.Source > 0 {
			source = fmt.Sprintf("[%d] %s", t.Source, day(p.Language, t.Origin.Date))
		}
		rows = append(rows, []datum{path(t.Component), plain(dash(strings.TrimSpace(t.Service + "\n" + t.Scope))), right(percent), plain(condition), plain(dash(strings.Join(credits, "\n"))), whole(source)})
	}
	sec.tableOr(p.columns(Text{"component", "元件"}, Text{"service and scope, as published", "服務與適用條件（依公告原文）"}, Text{"#promised", "#承諾"}, Text{"condition here", "本案是否符合條件"}, Text{"credits", "服務抵減"}, Text{"source, date", "來源與日期"}), rows,
		p.in(Text{"No published term is known.", "無已知之服務條款。"}))
	sec.facts(p.composed(s.Availability, s.AtMost, s.Minutes, s.Formula, float64(s.Objectives.Availability))...)
}

// composed writes the availability of the whole.
func (p *page) composed(percent, atMost, minutes float64, formula string, required float64) []pair {
	value, lost := p.in(Unknown), p.in(Unknown)
	if percent > 0 {
		value, lost = availabilityOf(percent), figureNumber(minutes)+p.in(Text{" minutes", " 分鐘"})
	} else if atMost > 0 && atMost < 100 {
		value = fmt.Sprintf(p.in(Text{"unknown; at most %s by the terms that are known", "未知；依已知條款至多 %s"}), availabilityOf(atMost))
	}
	facts := []pair{{p.in(Text{"Composed availability", "組合可用性"}), value}, {p.in(Text{"Composed of", "計算式"}), dash(formula)}, {p.in(Text{"Expected without service in a month of 30 days", "每月（30 日）預期中斷時間"}), lost}}
	if required > 0 {
		facts = append(facts, pair{p.in(Text{"Required", "要求值"}), availabilityOf(required)})
	}
	return facts
}

// availabilityOf writes a percentage with as many digits as its distance from 100 needs, and never rounds a promise up.
func availabilityOf(percent float64) string {
	d := decimal.NewFromFloat(percent).Truncate(5)
	return d.String() + " %"
}

func (s Sheet) support(p *page) {
	sec := p.section("support", Text{"Support plan", "技術支援方案"})
	required := p.in(Text{"none", "未要求"})
	if r := s.Objectives.Support; r != nil && r.Critical > 0 {
		required = p.span(r.Critical.Std())
	}
	facts := []pair{{p.in(Text{"Required first response, critical", "要求之最高等級首次回應時間"}), required}}
	switch {
	case s.Support == nil && s.Objectives.Support == nil:
		facts = append(facts, pair{p.in(Text{"Plan", "方案"}), p.in(Text{"none", "無"})})
	case s.Support == nil:
		facts = append(facts, pair{p.in(Text{"Plan", "方案"}), p.in(Text{"no plan is known that answers as required", "無已知符合要求之方案"})})
	default:
		promised := p.in(Text{"none promised", "未承諾"})
		if s.Support.Critical > 0 {
			promised = p.span(s.Support.Critical)
		}
		facts = append(facts, pair{p.in(Text{"Plan", "方案"}), s.Support.Plan}, pair{p.in(Text{"Promised first response, critical", "承諾之最高等級首次回應時間"}), promised},
			pair{p.in(Text{"Monthly", "每月費用"}), bounds(p.Language, s.Support.Monthly) + " " + s.Bill.Currency})
		if s.Support.Says != "" {
			facts = append(facts, pair{p.in(Text{"How it is counted", "計算方式"}), phrase(p.Language, s.Support.Says)})
		}
	}
	sec.facts(facts...)
}

// span writes a duration in hours and minutes, without what is zero.
func (p *page) span(d time.Duration) string {
	text := lasting(p.Language, d)
	for _, zero := range []string{" 0 s", " 0 秒", " 0 min", " 0 分"} {
		text = strings.TrimSuffix(text, zero)
	}
	return text
}

func (s Sheet) residency(p *page) {
	sec := p.section("residency", Text{"Data residency", "資料落地"})
	allowed := p.in(Text{"not restricted", "未限制"})
	if len(s.Objectives.Residency) > 0 {
		allowed = strings.Join(s.Objectives.Residency, ", ")
	}
	facts := []pair{{p.in(Text{"Countries allowed", "允許之國家"}), allowed}, {p.in(Text{"Country of the region", "區域所在國家"}), dash(s.Country)}}
	if verdict := p.verdictOn(s.Judgements, "objectives.residency"); verdict != "" {
		facts = append(facts, pair{p.in(Text{"Verdict", "結果"}), verdict})
	}
	sec.facts(facts...)
}

// verdictOn gives the verdict on a requirement, or nothing when none was given.
func (p *page) verdictOn(all []compare.Judgement, requirement string) string {
	for _, j := range all {
		if j.Requirement == requirement || strings.HasPrefix(j.Requirement, requirement+".") {
			word, _ := say(p.Language, string(j.State))
			return word + p.in(Text{": ", "："}) + phrase(p.Language, j.Says)
		}
	}
	return ""
}

// judgements writes the verdict on each requirement that a catalogue can judge.
func (p *page) judgements(all []compare.Judgement, asked []blueprints.Requirement) {
	sec := p.section("requirements", Text{"Requirements against this offer", "各項需求與本方案之對照"})
	var rows [][]datum
	for _, j := range all {
		word, _ := say(p.Language, string(j.State))
		rows = append(rows, []datum{path(j.Requirement), plain(dash(valueOf(asked, j.Requirement))), {word, string(j.State)}, plain(phrase(p.Language, j.Says))})
	}
	sec.tableOr(p.columns(Text{"requirement", "需求"}, Text{"required", "要求值"}, Text{"verdict", "結果"}, Text{"by which figures", "依據"}), rows,
		p.in(Text{"None was judged.", "無判定項目。"}))
	sec.note(p.in(Text{"What only a running system can show is judged by measurement, and not here: see the host performance check.", "須於系統運轉時驗證之需求以量測判定，不列於此，詳見主機效能查核。"}))
}

func decimalOf(f float64) decimal.Decimal { return decimal.NewFromFloat(f) }

// valueOf gives what a requirement asks, as written.
func valueOf(all []blueprints.Requirement, id string) string {
	for _, r := range all {
		if r.ID == id {
			return r.Value
		}
	}
	return ""
}
