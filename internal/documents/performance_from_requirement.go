package documents

import (
	"slices"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate"
)

// requirement turns a row of the ledger into its verdict, with the figure that the row was judged by where there is one.
func (m Measured) requirement(row architecture.Entry, details []taken) RequirementVerdict {
	v := RequirementVerdict{ID: row.Requirement, Wanted: wanted(row.Requirement, row.Value)}
	switch row.State {
	case architecture.Met:
		v.State = validate.Pass
	case architecture.Breached:
		v.State = validate.Fail
	default:
		v.State = validate.Unproven
	}
	if at := m.Document.At(row.Requirement); at != (blueprints.Position{}) && v.State != validate.Pass {
		v.Places = []blueprints.Position{at}
	}
	source := row.By
	if row.Cause != "" {
		source += ", " + row.Cause
	}
	if source != "" && !row.At.IsZero() && row.Source == architecture.SourceMeasured {
		source += ", " + moment(row.At)
	}
	switch evidence := translated(row.Evidence); {
	case v.State != validate.Pass:
		v.How, v.Why = Same(source), evidence
	case source == "":
		v.How = evidence
	default:
		v.How = Text{evidence.in(English) + " (" + source + ")", evidence.in(TraditionalChinese) + "（" + source + "）"}
	}
	for _, d := range details { // a run that the generator limited judges nothing; of the others the first is what the verdict quotes
		if d.Load != nil && d.Load.Outcome.Bottleneck() == "" && slices.Contains(d.Requirements, row.Requirement) {
			if v.Figure = loadFigure(d, row.Requirement); v.Figure != nil {
				break
			}
		}
	}
	return v
}

// loadFigure is what a load run says of one expectation, nil when it says nothing.
func loadFigure(d taken, requirement string) *Figure {
	name := requirement[strings.LastIndexByte(requirement, '.')+1:]
	g := d.Load.Result.Total
	if g.Count == 0 {
		return nil
	}
	switch name {
	case "p95":
		f := percentile(g.Latency.P95, g.Latency.Count)
		return &f
	case "errors":
		share := 100 * g.ErrorRate()
		return &Figure{Value: share, Low: share, High: share, Unit: "%", Count: g.Count}
	case "rps", "tps", "put", "get":
		return &Figure{Value: d.Load.Rate, Low: d.Load.RateLow, High: d.Load.RateHigh, Unit: d.Load.Unit, Count: g.Count}
	}
	return nil
}

func percentile(q benchmarks.Quantile, count int64) Figure {
	return Figure{ms(q.Value), ms(q.Low), ms(q.High), "ms", int(count), q.Open}
}

// wanted says what a requirement asks, as "≤ 150ms".
func wanted(id, value string) string {
	name := id[strings.LastIndexByte(id, '.')+1:]
	expects := strings.Contains(id, ".expects.")
	switch {
	case value == "":
		return "–"
	case expects && slices.Contains([]string{"rps", "tps", "put", "get"}, name):
		return "≥ " + value
	case expects && slices.Contains([]string{"p95", "errors"}, name), id == "objectives.rto", id == "objectives.rpo":
		return "≤ " + value
	case id == "objectives.availability":
		return "≥ " + value + " %"
	}
	const most = 80 // whole files are requirements, too
	if text := []rune(value); len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return value
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// translated gives a sentence of the ledger with its Chinese where it is one of those that never vary. What carries figures stays as
// it was recorded, in English, so that it is word for word the evidence.
func translated(sentence string) Text {
	if tw, ok := sentences[sentence]; ok {
		return Text{sentence, tw}
	}
	for _, o := range openings {
		if rest, ok := strings.CutPrefix(sentence, o.EN); ok {
			return Text{sentence, o.TW + rest}
		}
	}
	if rest, ok := strings.CutPrefix(sentence, "was to be proven by "); ok {
		if suite, ok := strings.CutSuffix(rest, ", which gave no verdict"); ok {
			return Text{sentence, "應由 " + suite + " 檢查，但未得到結果"}
		}
	}
	return Same(sentence)
}

var sentences = map[string]string{
	"a local target has no region":                                        "本地建置目標沒有區域",
	"a local target has no price":                                         "本地建置目標沒有價格",
	"a local target has no provider to answer":                            "本地建置目標沒有可回應之供應商",
	"no check serves this requirement":                                    "沒有任何檢查對應此項需求",
	"no price book is chosen":                                             "未選定價格表",
	"no catalogue of regions is chosen":                                   "未選定區域目錄",
	"no support plan is chosen":                                           "未選定支援方案",
	"no drill has measured a recovery":                                    "尚未以演練量測復原",
	"no drill has measured lost writes":                                   "尚未以演練量測遺失之寫入",
	"it is the data expected to be stored; nothing limits or reserves it": "此為預期儲存之資料量；未加以限制或保留",
	"all hosts share one machine, so its loss stops everything; the figure composed from the design is given instead": "所有主機共用一台機器，機器失效即全部停止；改列由設計推算之數值",
}

// openings are how sentences begin that end in a command.
var openings = []Text{
	{"no drill was made: measure it with ", "尚未進行演練，量測指令："},
	{"no load was driven: measure it with ", "未施加負載，量測指令："},
	{"no concurrent clients were run: measure it with ", "未以並行用戶端測試，量測指令："},
	{"no copy was looked at: measure it with ", "未檢視任何備份，量測指令："},
}
