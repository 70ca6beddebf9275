package documents

import (
	"fmt"
	"strings"

	"surety/benchmarks"
	"surety/benchmarks/baseline"
	"surety/benchmarks/consistency"
	"surety/validate"
	"surety/validate/verify"
)

// figures groups measured quantities by what they are of. Load on databases and buckets gives figures of these, too.
func figures(details []taken) []FigureGroup {
	rows := map[FigureKind][]FigureRow{}
	for _, d := range details {
		if d.Suite == verify.Backup { // in the proof of the work done
			continue
		}
		for _, f := range d.Figures {
			kind := kindOf(d.Suite, f.Quantity)
			subject := d.Subject
			if kind == NetworkFigures && d.From != "" && d.From != d.Subject {
				subject = d.From + " → " + d.Subject
			}
			rows[kind] = append(rows[kind], FigureRow{Subject: subject, Quantity: quantity(f.Quantity), Figure: scaled(f), How: Same(f.How)})
		}
		if d.Load != nil && !strings.HasPrefix(d.Subject, "servers.") {
			kind := kindOf(d.Suite, d.Subject)
			for _, f := range loadRows(d) {
				f.Subject, f.How = d.Subject, Text{d.How, driven(d)}
				rows[kind] = append(rows[kind], f)
			}
		}
	}
	var out []FigureGroup
	for _, kind := range []FigureKind{HostFigures, DatabaseFigures, StorageFigures, NetworkFigures} {
		if len(rows[kind]) > 0 {
			out = append(out, FigureGroup{kind, rows[kind]})
		}
	}
	return out
}

// kindOf tells what a quantity is of, by its path or subject and else by the suite that measured it.
func kindOf(suite, path string) FigureKind {
	switch {
	case strings.HasPrefix(path, "network/"):
		return NetworkFigures
	case suite == verify.Databases, strings.HasPrefix(path, "databases."):
		return DatabaseFigures
	case suite == verify.Storage, strings.HasPrefix(path, "buckets."):
		return StorageFigures
	}
	return HostFigures
}

// loadRows are a load run's rate and latencies. Those of a closed loop are service times: no user waits for them at a given rate.
func loadRows(d taken) []FigureRow {
	g, what := d.Load.Result.Total, Text{}
	for op := range d.Load.Result.ByOp {
		if len(d.Load.Result.ByOp) == 1 && op != "" {
			what = quantity(op)
		}
	}
	name := func(en, tw string) Text {
		if what == (Text{}) {
			return Text{en, tw}
		}
		return Text{what.in(English) + " / " + en, what.in(TraditionalChinese) + " / " + tw}
	}
	rows := []FigureRow{{Quantity: name("rate", "速率"), Figure: Figure{Value: d.Load.Rate, Low: d.Load.RateLow, High: d.Load.RateHigh, Unit: d.Load.Unit, Count: g.Count}}}
	for _, q := range []benchmarks.Quantile{g.Latency.P50, g.Latency.P95, g.Latency.P99} {
		of := name("latency p"+figureNumber(q.Percent), "延遲 p"+figureNumber(q.Percent))
		if d.Load.Outcome.Closed {
			of = name("service time p"+figureNumber(q.Percent), "服務時間 p"+figureNumber(q.Percent))
		}
		rows = append(rows, FigureRow{Quantity: of, Figure: percentile(q, g.Latency.Count)})
	}
	return rows
}

// scaled gives a measurement in a unit that people read. Its figures are those of the evidence.
func scaled(m benchmarks.Measurement) Figure {
	by, unit := 1.0, m.Unit
	switch {
	case m.Unit == "B/s" && m.Value >= 1<<30:
		by, unit = 1<<30, "GiB/s"
	case m.Unit == "B/s":
		by, unit = 1<<20, "MiB/s"
	case m.Unit == "FLOP/s":
		by, unit = 1e9, "GFLOP/s"
	}
	return Figure{Value: m.Value / by, Low: m.Low / by, High: m.High / by, Unit: unit, Count: m.Count}
}

// quantity names a quantity, whose path stays recognisable in Chinese.
func quantity(path string) Text {
	var en, tw []string
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		en = append(en, part)
		if known, ok := quantityNames[part]; ok {
			part = known
		} else if depth, ok := strings.CutPrefix(part, "depth"); ok {
			part = "深度 " + depth
		} else if streams, ok := strings.CutPrefix(part, "streams"); ok {
			part = streams + " 條連線"
		}
		tw = append(tw, part)
	}
	return Text{strings.Join(en, " / "), strings.Join(tw, " / ")}
}

var quantityNames = map[string]string{
	"disk": "磁碟", "cpu": "處理器", "memory": "記憶體", "network": "網路", "throughput": "吞吐量", "rate": "速率", "latency": "延遲", "max": "最大值",
	"sequential-read": "循序讀取", "sequential-write": "循序寫入", "random-read": "隨機讀取", "random-write": "隨機寫入",
	"random-write-fdatasync": "隨機寫入並同步", "sequential-write-fdatasync": "循序寫入並同步", "round-trip": "往返時間",
	"copy": "複製", "scale": "縮放", "add": "相加", "triad": "三元運算", "one": "單核心", "all": "全部核心", "put": "寫入", "get": "讀取", "list": "列舉", "delete": "刪除",
}

// histories gives the verdict of each part of a consistency run.
func histories(d verify.Detail) []ConsistencyVerdict {
	var out []ConsistencyVerdict
	for _, part := range d.Consistency.Parts {
		v := ConsistencyVerdict{Subject: d.Subject, Property: property(part.Name), Requirements: d.Requirements, How: Same(d.How), Why: Same(part.Says)}
		switch part.Verdict {
		case consistency.Met:
			v.State = validate.Pass
		case consistency.Breached:
			v.State = validate.Fail
		default:
			v.State = validate.Unproven
		}
		for _, f := range part.Figures {
			if operations[f.Name] {
				v.Operations += int(f.Value)
			}
		}
		for _, a := range part.Anomalies {
			v.Anomaly = append(v.Anomaly, strings.Split(strings.TrimRight(a.Text, "\n"), "\n")...)
		}
		out = append(out, v)
	}
	return out
}

// operations are the figures of a consistency run that count operations, each once.
var operations = map[string]bool{"reads": true, "writes acknowledged": true, "transfers": true, "snapshots": true, "rows acknowledged": true,
	"listings after a write or delete": true, "objects the same": true, "objects that differ": true}

func property(part string) Text {
	if tw, ok := map[string]string{"registers": "並行讀寫之暫存器", "listing": "寫入與刪除後之列舉", "read-back": "物件回讀", "bank": "並行轉帳總和不變", "durability": "已確認寫入之耐久性"}[part]; ok {
		return Text{part, tw}
	}
	return Same(part)
}

// comparison gives the newest comparison with a baseline; several of the same session become one.
func comparison(details []taken) *BaselineComparison {
	var out *BaselineComparison
	for _, d := range details {
		if d.Baseline == nil {
			continue
		}
		c := d.Baseline
		if out == nil {
			out = &BaselineComparison{Old: c.Old, State: validate.State(c.Verdict), Differs: c.Differs, Method: methodOf(c)}
		} else if out.State != validate.Fail && validate.State(c.Verdict) != validate.Pass {
			out.State = validate.State(c.Verdict)
		}
		for _, ch := range c.Changes {
			if ch.Control {
				continue
			}
			out.Changes = append(out.Changes, change(ch))
			if ch.Absolute == 0 {
				out.Margin = max(out.Margin, ch.Limit)
			}
		}
	}
	return out
}

// change gives a quantity's change as a share. One that was judged in its unit is given as a share of the older median.
func change(c baseline.Change) BaselineChange {
	out := BaselineChange{Quantity: c.Name, Unit: c.Unit, LowerIsBetter: c.Better == baseline.Lower, Old: c.Old.Center, New: c.New.Center, Change: c.Effect.Center,
		Low: c.Effect.Low, High: c.Effect.High, P: c.Adjusted, OldRuns: c.OldRuns, NewRuns: c.NewRuns, State: validate.State(c.Verdict), Requirements: c.Requirements}
	out.Unmeasured = c.Effect.Confidence == 0
	if c.Absolute > 0 {
		if c.Old.Center == 0 {
			out.Unmeasured = true
		} else {
			out.Change, out.Low, out.High = out.Change/c.Old.Center, out.Low/c.Old.Center, out.High/c.Old.Center
		}
	}
	if out.State != validate.Pass || out.Unmeasured {
		out.Why = Same(c.Summary)
	}
	return out
}

func methodOf(c *baseline.Comparison) Text {
	t := Text{EN: c.Method, TW: fmt.Sprintf("中位數；變動以 Hodges-Lehmann 估計，區間由 Mann-Whitney 檢定反推；合併信心水準 %s（Bonferroni），p 值以 Holm 法校正", percent(1-c.Alpha))}
	if c.Paired {
		t.TW = fmt.Sprintf("輪流量測並逐對比較；變動為各對比值之中位數，以符號檢定判定；合併信心水準 %s（Bonferroni），p 值以 Holm 法校正", percent(1-c.Alpha))
	}
	return t
}
