package documents

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// Measured is what a host performance check is made of: what was recorded, and nothing else, so that the same records give the
// same document.
type Measured struct {
	Document *blueprints.Document // the released spec
	Records  []releases.Record    // the whole history
	Release  *releases.Record     // that is checked
	Ledger   []architecture.Entry // of the release, with all that was measured of it
	Results  []validate.Result    // of each check the newest
	Evidence []releases.Evidence  // of the release, oldest first
}

// taken is a measurement with the run that it comes from.
type taken struct {
	verify.Detail
	run int // index of the evidence
}

// FromEvidence puts a check together. Every figure in it is one of the evidence, at most in another unit; nothing is computed anew but
// how much was not measured. The error is of evidence that cannot be read.
func FromEvidence(m Measured) (Performance, error) {
	details, err := m.details()
	if err != nil {
		return Performance{}, err
	}
	p := Performance{Environment: m.Document.Spec.Name, Release: fmt.Sprintf("release %d, %s", m.Release.Number, m.Release.Hash[:min(12, len(m.Release.Hash))]),
		SignOff: []Text{{"Measured by", "量測人"}, {"Checked by", "複核人"}, {"Approved by", "核准人"}}}
	m.span(&p, details)
	m.environment(&p, details)
	for _, row := range m.Ledger {
		p.Requirements = append(p.Requirements, m.requirement(row, details))
	}
	p.Load = curves(details)
	p.Latencies = histograms(details)
	p.Figures = figures(details)
	for _, d := range details {
		if d.Consistency != nil {
			p.Consistency = append(p.Consistency, histories(d.Detail)...)
		}
	}
	p.Baseline = comparison(details)
	p.Work = append(m.uploads(), m.backups(details)...)
	p.Open = m.open(p, details)
	return p, nil
}

// details gives of each check the measurements of the newest run that has any, in the order of the suites.
func (m Measured) details() ([]taken, error) {
	var all []taken
	newer := map[string]bool{}
	for i, e := range slices.Backward(m.Evidence) {
		if len(e.Details) == 0 {
			continue
		}
		var made []verify.Detail
		if err := json.Unmarshal(e.Details, &made); err != nil {
			return nil, fmt.Errorf("read evidence %d: %w", e.Number, err)
		}
		for _, d := range made {
			if !newer[d.Check] {
				all = append(all, taken{d, i})
			}
		}
		for _, d := range made {
			newer[d.Check] = true
		}
	}
	slices.SortStableFunc(all, func(a, b taken) int {
		if order := slices.Index(verify.Suites, a.Suite) - slices.Index(verify.Suites, b.Suite); order != 0 {
			return order
		}
		return strings.Compare(a.Check, b.Check)
	})
	return all, nil
}

// span says when measuring began and how long after that the last figure was there.
func (m Measured) span(p *Performance, details []taken) {
	var last time.Time
	note := func(from, to time.Time) {
		if !from.IsZero() && (p.Taken.IsZero() || from.Before(p.Taken)) {
			p.Taken = from
		}
		if to.After(last) {
			last = to
		}
	}
	for _, r := range m.Results {
		note(r.Started, r.Started.Add(r.Took))
	}
	for _, d := range details {
		note(d.At, d.At)
	}
	if !p.Taken.IsZero() {
		p.Took = last.Sub(p.Taken)
	}
}

// environment names the tool, the machine, and what held in each run.
func (m Measured) environment(p *Performance, details []taken) {
	used := map[int]bool{}
	for _, d := range details {
		used[d.run] = true
	}
	fingerprint := benchmarks.Fingerprint(m.Release.Fingerprint)
	tools := []string{"surety " + m.Release.Tool}
	p.Conditions = append(p.Conditions, Text{
		fmt.Sprintf("Quick checks when the release was made: %s, by %s, %s.", m.Release.Cause, m.Release.By, moment(m.Release.Made)),
		fmt.Sprintf("版本建立時之快速檢查：%s，執行者 %s，%s。", m.Release.Cause, m.Release.By, moment(m.Release.Made))})
	for i, e := range m.Evidence {
		if len(e.Results) == 0 && !used[i] {
			continue
		}
		var en, tw string
		for _, name := range slices.Sorted(maps.Keys(e.Conditions)) {
			known, ok := conditionNames[name]
			if !ok {
				known = Same(name)
			}
			en += "; " + known.in(English) + " " + e.Conditions[name]
			tw += "；" + known.in(TraditionalChinese) + " " + e.Conditions[name]
		}
		p.Conditions = append(p.Conditions, Text{
			fmt.Sprintf("Evidence %d: %s, by %s, %s%s.", e.Number, e.Cause, e.By, moment(e.Made), en),
			fmt.Sprintf("佐證 %d：%s，執行者 %s，%s%s。", e.Number, e.Cause, e.By, moment(e.Made), tw)})
		if tool := "surety " + e.Tool; !slices.Contains(tools, tool) {
			tools = append(tools, tool)
		}
		if differs := fingerprint.Differs(e.Fingerprint); len(differs) > 0 {
			p.Conditions = append(p.Conditions, Text{
				fmt.Sprintf("Evidence %d was measured in another environment than the release: %s.", e.Number, strings.Join(differs, "; ")),
				fmt.Sprintf("佐證 %d 之量測環境與版本建立時不同：%s。", e.Number, strings.Join(differs, "；"))})
		}
	}
	p.Tool = strings.Join(tools, ", ")
	for _, name := range slices.Sorted(maps.Keys(fingerprint)) {
		p.Fingerprint = append(p.Fingerprint, Fact{name, fingerprint[name]})
	}
}

// conditionNames are what runs record of their circumstances.
var conditionNames = map[string]Text{
	"load average before": {"load average before", "量測前系統平均負載"},
	"load average after":  {"load average after", "量測後系統平均負載"},
	"not enforced":        {"limits not enforced here:", "本機未強制執行之上限："},
}

// open lists what the check asks for and nobody measured, apart from single requirements.
func (m Measured) open(p Performance, details []taken) []Unproven {
	var out []Unproven
	miss := func(missing bool, what, why Text) {
		if missing {
			out = append(out, Unproven{what, why})
		}
	}
	spec := m.Document.Spec
	knee := slices.ContainsFunc(p.Load, func(c LoadCurve) bool { return c.Searched })
	miss(!hasKind(p, HostFigures), Text{"P1.4.1 performance of servers", "P1.4.1 雲端伺服器效能"},
		Text{"not measured; measure it with: surety verify --suite host", "未量測；量測指令：surety verify --suite host"})
	miss(len(spec.Databases) > 0 && !hasKind(p, DatabaseFigures), Text{"P1.4.1 performance of databases", "P1.4.1 資料庫效能"},
		Text{"not measured; measure it with: surety verify --suite database", "未量測；量測指令：surety verify --suite database"})
	miss(len(spec.Buckets) > 0 && !hasKind(p, StorageFigures), Text{"P1.4.2 read and write performance of storage", "P1.4.2 儲存空間讀寫效能"},
		Text{"not measured; measure it with: surety verify --suite storage", "未量測；量測指令：surety verify --suite storage"})
	miss(len(spec.Buckets)+len(spec.Databases) > 0 && len(p.Consistency) == 0, Text{"P1.4.2 data consistency", "P1.4.2 資料一致性"},
		Text{"no concurrent clients were run; measure it with: surety verify --suite consistency", "未以並行用戶端測試；量測指令：surety verify --suite consistency"})
	miss(p.Baseline == nil, Text{"P1.4.3 comparison with a baseline", "P1.4.3 與基準值比較"},
		Text{"no baseline was compared; measure it with: surety baseline save, and later surety verify --suite baseline", "未與基準值比較；量測指令：surety baseline save，其後 surety verify --suite baseline"})
	miss(len(p.Load) == 0, Text{"P1.4.6 load test", "P1.4.6 負載測試"},
		Text{"no load was driven; measure it with: surety verify --suite load", "未施加負載；量測指令：surety verify --suite load"})
	miss(len(p.Load) > 0 && !knee, Text{"P1.4.6 highest rate within the limits", "P1.4.6 符合限制之最高速率"},
		Text{"load was driven at the required rate only; find the knee with: surety verify --suite load", "僅以要求速率施加負載；搜尋膝點之指令：surety verify --suite load"})
	return out
}

func hasKind(p Performance, kind FigureKind) bool {
	return slices.ContainsFunc(p.Figures, func(g FigureGroup) bool { return g.Kind == kind })
}
