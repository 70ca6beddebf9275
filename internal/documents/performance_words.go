package documents

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"surety/validate"
)

// performanceWords are the fixed words of the host performance check. The Chinese ones are those of the competency standard
// IIS3513-009v1 (雲端系統維運人員職能基準) where it has them; the sentences of the indicators are quoted as they stand there.
var performanceWords = map[string]Text{
	"title":    {"Host performance check", "主機效能查核"},
	"output":   {"Work output O1.4.1", "工作產出 O1.4.1"},
	"task":     {"T1.4 Verify the cloud architecture", "T1.4 驗證雲端架構"},
	"standard": {"Competency standard IIS3513-009v1", "職能基準代碼 IIS3513-009v1"},

	"environment": {"Environment", "受查環境"}, "release": {"Release", "版本"}, "taken": {"Measured", "量測時間"}, "took": {"Duration", "量測歷時"}, "tool": {"Tool", "工具"},
	"result": {"Result", "查核結果"}, "colon": {": ", "："},
	"counted": {"%d requirements: %d met, %d breached, %d unproven", "需求共 %d 項：符合 %d 項、不符合 %d 項、未證實 %d 項"},

	"s.environment":  {"Environment of the measurements", "量測環境"},
	"s.requirements": {"Verdict per requirement", "各項需求之查核結果"},
	"s.load":         {"Load test: latency against rate", "負載測試：延遲與速率曲線"},
	"s.latency":      {"Distribution of latencies", "延遲分布"},
	"s.figures":      {"Performance of servers, databases and storage", "雲端伺服器、資料庫與儲存空間效能"},
	"s.consistency":  {"Data consistency", "資料一致性"},
	"s.baseline":     {"Comparison with the baseline", "與基準值比較"},
	"s.work":         {"Corrective uploads and backup jobs", "修正上傳與備份作業"},
	"s.unproven":     {"What is unproven, and why", "未證實項目與原因"},
	"s.indicators":   {"Performance indicators and where they are answered", "行為指標對照"},
	"s.signoff":      {"Sign-off", "簽核"},

	"requirement": {"requirement", "需求"}, "wanted": {"required", "要求值"}, "verdict": {"verdict", "結果"}, "measured": {"measured", "量測值"},
	"interval": {"95 % interval", "95 % 信賴區間"}, "how": {"how it was measured", "量測方式"}, "why": {"reason", "原因"}, "samples": {"samples", "樣本數"},
	"item": {"item", "項目"}, "value": {"value", "值"}, "conditions": {"Conditions", "量測條件"}, "subject": {"subject", "對象"}, "quantity": {"quantity", "量測項目"},
	"met": {"met", "符合"}, "breached": {"breached", "不符合"}, "unproven": {"unproven", "未證實"},

	"offered": {"offered", "施加速率"}, "achieved": {"achieved", "達成速率"}, "errors": {"errors", "錯誤率"}, "within": {"within limits", "符合限制"}, "yes": {"yes", "是"}, "no": {"no", "否"},
	"knee": {"Knee (highest rate within the limits)", "膝點（符合限制之最高速率）"}, "kneeShort": {"knee", "膝點"}, "noKnee": {"not found", "未測得"}, "noSearch": {"not looked for", "未搜尋"}, "bracket": {"held … did not hold", "符合 … 不符合"}, "saturated": {"Saturated resource", "飽和資源"},
	"limit": {"p95 limit", "p95 上限"}, "required": {"required rate", "要求速率"}, "maxErrors": {"permitted errors", "容許錯誤率"},
	"latencyAxis": {"latency (ms)", "延遲 (ms)"}, "rateAxis": {"offered rate", "施加速率"}, "shareAxis": {"share of operations (%)", "操作占比 (%)"},
	"intended": {"Latency counts from the intended start of each operation.", "延遲自每次操作之預定開始時間起算。"}, "outside": {"outside the limits", "超出限制"}, "max": {"maximum", "最大值"},

	"host": {"Servers", "雲端伺服器"}, "database": {"Databases", "資料庫"}, "storage": {"Storage", "儲存空間"}, "network": {"Network", "網路"},

	"property": {"property", "性質"}, "operations": {"operations", "操作數"}, "clients": {"clients", "用戶端數"}, "anomaly": {"Smallest history that shows the anomaly", "顯示異常之最小歷程"},

	"baseline": {"Baseline", "基準值"}, "margin": {"Margin", "容許變動幅度"}, "method": {"Method", "統計方法"}, "before": {"before", "先前"}, "now": {"now", "本次"}, "change": {"change", "變動"},
	"runs": {"runs", "次數"}, "p": {"p (corrected)", "p 值（已校正）"}, "changeAxis": {"change against the baseline (%)", "相對於基準值之變動 (%)"},
	"differs": {"The environments differ; no change below can be laid to the system alone", "兩次量測環境不同，下列變動不能單獨歸因於系統"}, "lowerBetter": {"lower is better", "愈低愈好"}, "higherBetter": {"higher is better", "愈高愈好"},

	"indicator": {"indicator", "行為指標"}, "section": {"answered in section", "對應章節"}, "proof": {"proof", "佐證"}, "work": {"work", "作業"},
	"role": {"role", "角色"}, "name": {"name", "姓名"}, "signature": {"signature", "簽名"}, "date": {"date", "日期"}, "remarks": {"Remarks", "備註"},
	"none": {"Nothing was measured.", "未進行量測。"}, "noBaseline": {"There is no baseline to compare with.", "尚無可比較之基準值。"}, "noWork": {"No corrective upload and no backup job is part of this check.", "本次查核未包含修正上傳與備份作業。"},
	"allProven":  {"Nothing: every item was judged.", "無，所有項目皆已判定。"},
	"signedFor":  {"The signatories confirm that they read the figures above and how they were measured.", "簽核人確認已閱讀上述數據及其量測方式。"},
	"figureNote": {"Every figure was measured at the time and in the environment stated here, unless its row says otherwise.", "除另有註明外，所有數據均於上述時間與環境量測；佐證文句依原始紀錄列示，不另翻譯。"},
}

// performanceIndicators are quoted from the standard; the sections are those that answer them.
var performanceIndicators = []struct {
	id       string
	text     Text
	sections []string
}{
	{"P1.4.1", Text{"Verify connectivity and performance of cloud servers and databases.", "驗證雲端伺服器與資料庫的连接性與效能。"}, []string{"s.requirements", "s.figures"}},
	{"P1.4.2", Text{"Test read and write performance and data consistency of storage.", "測試儲存空間的讀寫效能與資料一致性。"}, []string{"s.figures", "s.consistency"}},
	{"P1.4.3", Text{"Test the baselines of cloud services from the test plan, and record the results.", "根據測試計畫，測試雲端服務基準值，並記錄結果。"}, []string{"s.baseline"}},
	{"P1.4.4", Text{"Upload what the mending of a problem needs changed or added.", "上傳修正問題所需變更或新增程式。"}, []string{"s.work"}},
	{"P1.4.5", Text{"Set up backup jobs of host configuration, programs and databases to cloud storage.", "設定雲端伺服器組態及程式、資料庫備份作業至雲端儲存空間。"}, []string{"s.work"}},
	{"P1.4.6", Text{"Verify the system's capacity by load tests.", "進行負載測試驗證系統承載能力。"}, []string{"s.load", "s.latency"}},
}

// factNames are the names of a fingerprint's values in Chinese; others stand as they are.
var factNames = map[string]string{
	"processor": "處理器", "processors": "處理器數", "usable processors": "可用處理器數", "memory": "記憶體", "kernel": "作業系統核心", "os": "作業系統",
	"architecture": "架構", "go": "Go 版本", "governor": "處理器調頻策略", "target": "建置目標", "cpus": "處理器數", "cpu": "處理器", "arch": "架構",
}

func factName(l Language, name string) string {
	if known, ok := factNames[name]; ok && l == TraditionalChinese {
		return known
	}
	return name
}

// say gives a fixed word in a language. An unknown key is an error of the template.
func say(l Language, key string) (string, error) {
	t, ok := performanceWords[key]
	if !ok {
		return "", fmt.Errorf("document: no word for %q", key)
	}
	return t.in(l), nil
}

// stateWord is the ledger's word for a state.
func stateWord(s validate.State) string {
	switch s {
	case validate.Pass:
		return "met"
	case validate.Fail:
		return "breached"
	}
	return "unproven"
}

// figureNumber prints four significant digits, thousands apart by a narrow space, and never an exponent.
func figureNumber(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v < 0:
		return "−" + figureNumber(-v)
	case v >= 1000:
		digits := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
		for at := len(digits) - 3; at > 0; at -= 3 {
			digits = digits[:at] + "\u202f" + digits[at:]
		}
		return digits
	case v == 0:
		return "0"
	}
	decimals := max(0, 3-int(math.Floor(math.Log10(v))))
	text := strconv.FormatFloat(v, 'f', min(decimals, 9), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// percent prints a share, as 0.1 % for 0.001.
func percent(share float64) string { return figureNumber(100*share) + " %" }

// signedPercent prints a change with its sign and one decimal, as it matters.
func signedPercent(share float64) string {
	text := fmt.Sprintf("%.1f %%", math.Abs(100*share))
	switch {
	case text == "0.0 %":
		return text
	case share < 0:
		return "−" + text
	}
	return "+" + text
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// lasting prints a duration in hours, minutes and seconds, leaving out what is zero at the front.
func lasting(l Language, d time.Duration) string {
	units := [3]string{"h", "min", "s"}
	if l == TraditionalChinese {
		units = [3]string{"時", "分", "秒"}
	}
	seconds, text := int(d.Round(time.Second)/time.Second), ""
	for i, n := range [3]int{seconds / 3600, seconds / 60 % 60, seconds % 60} {
		if n > 0 || text != "" || i == 2 {
			text += fmt.Sprintf(" %d %s", n, units[i])
		}
	}
	return strings.TrimSpace(text)
}

// chanceOf prints a p-value.
func chanceOf(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}
