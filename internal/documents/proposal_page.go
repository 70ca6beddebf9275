package documents

import (
	"fmt"
	"slices"
	"strings"

	"surety/blueprints/architecture"
)

// proposalIndicators are quoted from the standard (T1.1, T1.2).
var proposalIndicators = []indicator{
	{"P1.1.1", Text{"Review the organisation's needs; confirm the technical specifications of servers, databases and storage.", "檢視組織整體需求，確認雲端伺服器、資料庫、儲存空間的技術規格。"}, []string{"needs", "sizes"}},
	{"P1.1.2", Text{"Help to analyse business processes and the dependencies of systems; plan an integrated architecture.", "協助分析業務流程與系統相依性，制定整合式架構規劃。"}, []string{"architecture", "flows", "schedule", "availability"}},
	{"P1.1.3", Text{"Assess the compatibility of existing systems with cloud services, and help to write the build proposal.", "評估現有系統與雲端服務的相容性需求並協助撰寫建置方案書。"}, []string{"summary", "compatibility", "risks"}},
	{"P1.2.1", sheetIndicators[0].text, []string{"alternatives", "decision", "choices", "bill"}},
	{"P1.2.2", sheetIndicators[1].text, []string{"alternatives", "sla", "support"}},
	{"P1.2.3", sheetIndicators[2].text, []string{"bill", "steps", "signoff"}},
}

// ProposalHTML renders the build proposal as one HTML file that loads nothing and prints on A4. The error is a fault of ours.
func ProposalHTML(p Proposal, l Language) (string, error) {
	laid, err := p.page(l)
	if err != nil {
		return "", err
	}
	return laid.html()
}

// ProposalMarkdown renders the build proposal as Markdown, with the D2 source in place of the picture.
func ProposalMarkdown(p Proposal, l Language) (string, error) {
	laid, err := p.page(l)
	if err != nil {
		return "", err
	}
	return laid.markdown(), nil
}

func (p Proposal) page(l Language) (*page, error) {
	g := &page{Language: l, Title: Text{"Build proposal", "建置方案書"}.in(l) + " – " + p.Environment,
		Lead: Text{"T1.1 Analyse needs and confirm specifications · Competency standard IIS3513-009v1", "T1.1 協助分析需求與確認規格 · 職能基準代碼 IIS3513-009v1"}.in(l)}
	g.Facts = p.facts(g)
	g.State, g.Banner = verdictOf(g, p.Judgements, p.Infeasible, bounds(l, p.Bill.Total)+" "+p.Bill.Currency)
	g.Notes = []string{g.in(Text{"A month is 730 hours. “≥” marks a lower bound: something in it has no known price. A figure that is not known is written “unknown”, and is in no total.",
		"每月以 730 小時計。「≥」表示下限：其中含價格未知之項目。未知之數據一律標示「未知」，不計入合計。"})}
	p.summary(g)
	p.needs(g)
	g.section("compatibility", Text{"Compatibility of existing systems", "現有系統相容性"}).text(g.in(Text{
		"This proposal is made from the specification alone. What carries over from existing systems, what changes and what blocks is said by the assessment of their inventory: surety assess.",
		"本方案書依需求規格編製。現有系統可沿用、須調整及無法移轉之項目，由系統清冊評估（surety assess）產出。"}))
	if err := p.picture(g); err != nil {
		return nil, err
	}
	p.sizes(g)
	p.flows(g)
	p.schedule(g)
	p.exposure(g)
	p.alternatives(g)
	p.decision(g)
	p.choices(g)
	p.steps(g)
	g.bill(g.section("bill", Text{"Bill of materials", "採購項目明細（物料清單）"}), p.Bill)
	p.agreement(g)
	p.support(g)
	p.residency(g)
	g.judgements(p.Judgements, p.Requirements)
	p.risks(g)
	g.section("preflight", Text{"To settle before building", "建置前確認事項"}).listOr(phrases(l, p.Preflight), g.in(Text{"The catalogue knows of nothing.", "目錄中無已知事項。"}))
	g.sourceList(p.Sources)
	g.indicators(proposalIndicators)
	g.sign(Text{"Sign-off", "簽核"}, Text{"The signatories agree to the proposal, its costs with what is unknown of them, and its risks.", "簽核人同意本方案、其費用（含未知項目）與風險。"}, p.SignOff)
	return g, nil
}

func (p Proposal) summary(g *page) {
	s := g.section("summary", Text{"Summary", "摘要"})
	l := g.Language
	switch {
	case p.Infeasible != "":
		s.text(g.in(Text{"Nothing can be proposed in ", "無法於此提出方案："}) + p.Offer + g.in(Text{": ", "："}) + phrase(l, p.Infeasible))
	case p.Winner == p.Offer && p.alone(g) != "":
		s.text(fmt.Sprintf(g.in(Text{"%s in %s is proposed, at %s %s a month.", "建議採用 %s（%s），每月 %s %s。"}), p.Provider, p.Region, bounds(l, p.Bill.Total), p.Bill.Currency))
		s.text(p.alone(g))
	case p.Winner == p.Offer:
		s.text(fmt.Sprintf(g.in(Text{"%s in %s is proposed, at %s %s a month: of all that meet the requirements it is the best by the weights in section %d.",
			"建議採用 %s（%s），每月 %s %s：於符合需求之方案中，依第 %[5]d 節之權重為最佳。"}), p.Provider, p.Region, bounds(l, p.Bill.Total), p.Bill.Currency, p.at("decision")))
	case p.Winner == "":
		s.text(g.in(Text{"No offer meets all requirements: ", "無方案符合全部需求："}) + phrase(l, p.Unmet))
		near := Text{"%s in %s comes nearest, at %s %s a month. What would have to give way is in section %d.", "最接近者為 %s（%s），每月 %s %s；須放寬之需求見第 %d 節。"}
		if !p.Chosen.Ranked {
			near = Text{"Most is known of %s in %s, at %s %s a month: it is described here until prices of the rest are known. What is missing is in section %d and below.",
				"%s（%s）之已知資料最多，每月 %s %s，於其餘價格取得前以此方案說明；缺漏項目見第 %d 節及以下各節。"}
		}
		if !p.Chosen.Ranked && len(p.Comparison.Conflicts) > 0 {
			near = Text{"Most is known of %s in %s, at %s %s a month: it is described here. Which requirements exclude each other, and the ways out with their costs, is in section %d.",
				"%s（%s）之已知資料最多，每月 %s %s，以此方案說明；互斥之需求與放寬方式及費用見第 %d 節。"}
		}
		s.text(fmt.Sprintf(g.in(near), p.Provider, p.Region, bounds(l, p.Bill.Total), p.Bill.Currency, p.at("decision")))
	default:
		s.text(fmt.Sprintf(g.in(Text{"%s in %s was chosen by hand, at %s %s a month. By the weights in section %d the comparison prefers %s.",
			"本案人工指定 %s（%s），每月 %s %s；依第 %d 節之權重，比較結果之最佳方案為 %s。"}), p.Provider, p.Region, bounds(l, p.Bill.Total), p.Bill.Currency, p.at("decision"), p.Winner))
	}
	var items []string
	servers, databases, buckets := 0, 0, 0
	for _, c := range p.Components {
		switch c.Kind {
		case architecture.KindServer:
			servers += c.Instances
		case architecture.KindDatabase:
			databases++
		case architecture.KindBucket:
			buckets++
		}
	}
	items = append(items, fmt.Sprintf(g.in(Text{"To build: %d servers, %d databases, %d buckets, %d allowed connections.", "建置範圍：雲端伺服器 %d 台、資料庫 %d 座、儲存空間 %d 個、允許之連線 %d 條。"}), servers, databases, buckets, len(p.Architecture.Flows)))
	for _, f := range g.composed(p.Availability, p.AtMost, p.Minutes, p.Formula, float64(p.Objectives.Availability)) {
		if f.Value != dash("") {
			items = append(items, f.Name+g.in(Text{": ", "："})+f.Value)
		}
	}
	items = append(items, fmt.Sprintf(g.in(Text{"Risks named: %d. Single points of failure: %d.", "已列風險 %d 項；單點故障 %d 處。"}), len(p.Risks), len(p.Architecture.SinglePoints)))
	s.list(items...)
}

// order is the proposal's sections by key, for references forward.
var order = []string{"summary", "needs", "compatibility", "architecture", "sizes", "flows", "schedule", "availability", "alternatives", "decision"}

func (p Proposal) at(key string) int {
	for i, k := range order {
		if k == key {
			return i + 1
		}
	}
	return 0
}

func (p Proposal) needs(g *page) {
	s := g.section("needs", Text{"Needs", "需求"})
	o, none := p.Objectives, g.in(Text{"not required", "未要求"})
	or := func(required bool, text string) string {
		if required {
			return text
		}
		return none
	}
	facts := []pair{{g.in(Text{"Availability", "可用性"}), or(o.Availability > 0, availabilityOf(float64(o.Availability)))},
		{g.in(Text{"Recovery time objective (RTO)", "服務恢復時間目標 (RTO)"}), or(o.RTO > 0, g.span(o.RTO.Std()))},
		{g.in(Text{"Recovery point objective (RPO)", "資料復原點目標 (RPO)"}), or(o.RPO > 0, g.span(o.RPO.Std()))},
		{g.in(Text{"Data residency", "資料落地"}), or(len(o.Residency) > 0, strings.Join(o.Residency, ", "))}}
	budget, support := none, none
	if o.Budget != nil {
		budget = fmt.Sprintf("%s %s", money(decimalOf(o.Budget.Monthly)), o.Budget.Currency)
	}
	if o.Support != nil && o.Support.Critical > 0 {
		support = g.span(o.Support.Critical.Std())
	}
	s.facts(append(facts, pair{g.in(Text{"Budget a month", "每月預算"}), budget}, pair{g.in(Text{"Support: first response, critical", "技術支援：最高等級首次回應時間"}), support})...)
	var rows [][]datum
	for _, r := range p.Requirements {
		if !strings.HasPrefix(r.ID, "objectives.") && strings.Contains(r.ID, ".") && !strings.Contains(r.ID, ".env.") && !strings.Contains(r.ID, ".files.") {
			rows = append(rows, []datum{path(r.ID), plain(r.Value)})
		}
	}
	s.heading(g.in(Text{"Requirements of the parts", "各元件需求"}))
	s.tableOr(g.columns(Text{"requirement", "需求"}, Text{"as written", "要求值"}), rows, none)
}

func (p Proposal) picture(g *page) error {
	s := g.section("architecture", Text{"Architecture", "整合式架構規劃"})
	drawn, err := architecturePicture(p.Architecture, g.Language)
	if err != nil {
		return err
	}
	s.picture(drawn)
	s.note(g.in(Text{"Arrows are the only connections that are allowed, beside those between a database's primary and standby. The source in D2 follows.",
		"箭號為僅有之允許連線（資料庫主節點與備援節點間之同步連線未繪出）；D2 原始碼如下。"}))
	s.code(ArchitectureD2(p.Architecture, g.Language))
	return nil
}

func (p Proposal) sizes(g *page) {
	s := g.section("sizes", Text{"Components, sizes and reasons", "元件、技術規格與理由"})
	var rows [][]datum
	parameters := map[string]bool{}
	for _, c := range p.Architecture.Components {
		if c.Database != nil {
			for name := range c.Database.Parameters {
				parameters[c.ID+" "+name] = true
			}
		}
	}
	for _, d := range p.Architecture.Decisions {
		if parameters[d.Component+" "+d.What] {
			continue
		}
		reason := phrase(g.Language, d.Reason)
		if d.Rule != "" {
			reason = phrase(g.Language, d.Rule) + g.in(Text{": ", "："}) + reason
		}
		rows = append(rows, []datum{path(d.Component), plain(phrase(g.Language, d.What)), plain(phrase(g.Language, d.Value)), plain(reason), path(strings.Join(d.Requirements, "\n"))})
	}
	s.table(g.columns(Text{"component", "元件"}, Text{"what", "項目"}, Text{"value", "值"}, Text{"rule and reason", "規則與理由"}, Text{"requirement", "需求"}), rows)
	if len(parameters) > 0 {
		s.note(fmt.Sprintf(g.in(Text{"%d settings of the database engines follow from these sizes; they are part of the host configuration, and surety plan -v lists each with its reason.",
			"另有 %d 項資料庫參數由上列規格推得，屬主機組態，其理由見 surety plan -v。"}), len(parameters)))
	}
}

func (p Proposal) flows(g *page) {
	s := g.section("flows", Text{"Connections and security groups", "網路連接與安全群組"})
	var rows [][]datum
	for _, f := range p.Architecture.Flows {
		from := f.From
		if f.From == architecture.Internet {
			from = g.in(Text{"internet", "網際網路"}) + " " + f.CIDR
		}
		rows = append(rows, []datum{path(from), path(f.To), right(fmt.Sprint(f.Port)), plain(f.Speaks), path(strings.Join(f.Requirements, "\n"))})
	}
	s.tableOr(g.columns(Text{"from", "來源"}, Text{"to", "目的"}, Text{"#port", "#連接埠"}, Text{"protocol", "協定"}, Text{"requirement", "需求"}), rows, g.in(Text{"None.", "無。"}))
	s.note(g.in(Text{"Each is one rule. Everything else is refused.", "每條連線對應一則規則，其餘一律拒絕。"}))
}

func (p Proposal) schedule(g *page) {
	s := g.section("schedule", Text{"Schedule: the order of building", "建置時程：啟動順序"})
	kinds := map[string]architecture.Component{}
	for _, c := range p.Architecture.Components {
		kinds[c.ID] = c
	}
	before := p.Architecture.Dependencies() // not the flows: what is copied sends to its backup, and stands before it
	rows := [][]datum{{right("1"), plain(g.in(Text{"network, security groups, secrets", "網路、安全群組、機密"})), plain("–"), plain(g.in(Text{"every allowed connection has its rule, and no other", "允許之連線均有規則，別無其他"}))}}
	for i, layer := range p.Architecture.StartOrder {
		var proofs, needs []string
		for _, id := range layer {
			proofs = append(proofs, id+g.in(Text{": ", "："})+proofOf(g, kinds[id]))
			for _, other := range before[id] {
				if !slices.Contains(needs, other) {
					needs = append(needs, other)
				}
			}
		}
		rows = append(rows, []datum{right(fmt.Sprint(i + 2)), path(strings.Join(layer, "\n")), path(dash(strings.Join(needs, "\n"))), plain(strings.Join(proofs, "\n"))})
	}
	rows = append(rows, []datum{right(fmt.Sprint(len(p.Architecture.StartOrder) + 2)), plain(g.in(Text{"verification, and hand-over or roll-back", "驗證，交付或回滾"})), plain(g.in(Text{"all of the above", "上列全部"})), plain(g.in(Text{"each requirement ends as met, breached or unproven", "各項需求判定為符合、不符合或未證實"}))})
	s.table(g.columns(Text{"#step", "#步驟"}, Text{"what is built", "建置項目"}, Text{"waits for", "相依項目"}, Text{"proven before the next step by", "進入下一步驟前之驗證"}), rows)
	s.note(g.in(Text{"Parts of one step may be built at the same time. No durations are given: none was measured with this provider.", "同一步驟之項目可同時建置。未列工期：尚無於該服務商量測之數據。"}))
}

func proofOf(g *page, c architecture.Component) string {
	switch {
	case c.Server != nil && c.Server.Runs.Health != "":
		return fmt.Sprintf(g.in(Text{"HTTP %s answers on port %d", "HTTP %s 於連接埠 %d 正常回應"}), c.Server.Runs.Health, c.Server.Runs.Port)
	case c.Server != nil && c.Server.Runs.Port > 0:
		return fmt.Sprintf(g.in(Text{"port %d is open", "連接埠 %d 已開啟"}), c.Server.Runs.Port)
	case c.Server != nil:
		return g.in(Text{"its program runs", "程式執行中"})
	case c.Database != nil && c.Database.Standby:
		return g.in(Text{"it answers a query in the version asked; the standby follows", "可查詢且版本正確；備援節點已同步"})
	case c.Database != nil:
		return g.in(Text{"it answers a query in the version asked", "可查詢且版本正確"})
	case c.Bucket != nil:
		return g.in(Text{"its users read and write, others are refused", "授權者可讀寫，其餘拒絕"})
	case c.Balancer != nil:
		return fmt.Sprintf(g.in(Text{"requests to port %d reach every healthy server", "連接埠 %d 之請求送達各健康之伺服器"}), c.Balancer.Port)
	}
	return "–"
}

func (p Proposal) exposure(g *page) {
	s := g.section("availability", Text{"Single points of failure", "單點故障"})
	var rows [][]datum
	for _, x := range p.Architecture.SinglePoints {
		rows = append(rows, []datum{path(x.Component), path(orAll(x.Stops, g.Language)), plain(x.Mend)})
	}
	s.tableOr(g.columns(Text{"component", "元件"}, Text{"stops", "影響服務"}, Text{"what to write", "改善設定"}), rows, g.in(Text{"None: the loss of any one instance stops no service.", "無：任一執行個體故障均不中斷服務。"}))
}
