package documents

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"surety/blueprints"
	"surety/validate"
)

var update = flag.Bool("update", false, "write the goldens anew")

// example is a check with every kind of section and end in it. Its figures are made up.
func example() Performance {
	p := Performance{
		Environment: "reader", Release: "release 7", Taken: time.Date(2026, 3, 1, 4, 30, 0, 0, time.UTC), Took: 14*time.Minute + 12*time.Second, Tool: "surety 0.2",
		Fingerprint: []Fact{{"processor", "Example CPU @ 2.10GHz"}, {"processors", "2"}, {"memory", "24.0 GiB"}, {"kernel", "6.1.0"}, {"target", "local"}},
		Conditions: []Text{{"Load average before the run: 0.21 0.30 0.28.", "量測前系統平均負載：0.21 0.30 0.28。"},
			{"Block I/O limits are not enforced on this machine.", "本機未強制執行磁碟 I/O 上限。"}},
		Requirements: []RequirementVerdict{
			{ID: "servers.web.expects.rps", Wanted: "≥ 200 req/s", State: validate.Pass, Figure: &Figure{412, 395, 424, "req/s", 3, false}, How: Text{"highest rate within p95 and error limits, three searches", "三次搜尋中符合 p95 與錯誤率限制之最高速率"}},
			{ID: "servers.web.expects.p95", Wanted: "≤ 150 ms", State: validate.Pass, Figure: &Figure{38.42, 36.9, 40.1, "ms", 12000, false}, How: Text{"open loop at 200 req/s for 60 s, after 10 s of warm-up", "開放迴路，200 req/s，60 秒，暖機 10 秒"}},
			{ID: "databases.main.expects.p95", Wanted: "≤ 30 ms", State: validate.Fail, Figure: &Figure{41.7, 39.2, 45.0, "ms", 18000, false}, How: Text{"TPC-B-like mix, 8 clients, 60 s", "類 TPC-B 混合交易，8 個用戶端，60 秒"},
				Places: []blueprints.Position{{File: "surety.yaml", Line: 21, Column: 12}},
				Why:    Text{"the whole interval lies above the limit", "整個信賴區間皆高於上限"}},
			{ID: "objectives.rto", Wanted: "≤ 15 min", State: validate.Unproven, Why: Text{"no drill has been run", "尚未進行演練"}},
		},
		Load: []LoadCurve{{Subject: "servers.web", RateUnit: "req/s", Limit: 150, Required: 200, MaxErrors: 0.001, Searched: true, Knee: &Figure{412, 395, 424, "req/s", 3, false},
			Saturated: Text{"CPU of web-0 and web-1 (98 % and 97 %)", "web-0 與 web-1 之 CPU（98 % 與 97 %）"}, How: Text{"Steps of 15 s through the balancer.", "經負載平衡器，每階 15 秒。"},
			Points: []LoadPoint{
				{100, 100, 6.1, 14.2, 20.4, 13.8, 14.9, 0, true}, {200, 200, 7.8, 38.4, 61.2, 36.9, 40.1, 0, true}, {300, 300, 9.9, 61.5, 96.8, 58.0, 66.3, 0, true},
				{400, 399.6, 16.4, 128.9, 214.7, 119.5, 141.0, 0.0004, true}, {450, 431.2, 402.5, 1310.4, 1822, 1242.0, 1391.5, 0.0123, false}, {500, 433.8, 1804, 3410, 3920, 3300, 3533, 0.0871, false},
			}}},
		Latencies: []Histogram{{Subject: "servers.web, 200 req/s", P50: 7.8, P95: 38.4, P99: 61.2, Max: 143.6, Limit: 150, How: Text{"12 000 operations.", "12 000 次操作。"}}},
		Figures: []FigureGroup{
			{HostFigures, []FigureRow{
				{"web-0", Text{"single-thread computing", "單執行緒運算"}, Figure{1423, 1410, 1437, "op/s", 12, false}, Text{"SHA-256 of 16 KiB blocks", "16 KiB 區塊 SHA-256"}},
				{"web-0", Text{"memory bandwidth, copy", "記憶體複製頻寬"}, Figure{9.84, 9.71, 9.9, "GiB/s", 12, false}, Same("STREAM")}}},
			{DatabaseFigures, []FigureRow{{"databases.main", Text{"transactions", "交易速率"}, Figure{318.2, 309.9, 326.0, "tps", 12, false}, Text{"TPC-B-like mix, 8 clients", "類 TPC-B 混合交易，8 個用戶端"}}}},
			{StorageFigures, []FigureRow{
				{"buckets.media", Text{"write, objects of 16 MiB", "寫入，16 MiB 物件"}, Figure{301, 288, 310, "MiB/s", 12, false}, Text{"4 clients", "4 個用戶端"}},
				{"buckets.media", Text{"read, objects of 16 MiB", "讀取，16 MiB 物件"}, Figure{1120, 1120, 1120, "MiB/s", 0, false}, Text{"4 clients", "4 個用戶端"}}}},
			{NetworkFigures, []FigureRow{{"web-0 → main-0", Text{"round trip, median", "往返時間中位數"}, Figure{0.0431, 0.0429, 0.0436, "ms", 5000, false}, Text{"TCP, 64 bytes", "TCP，64 位元組"}}}},
		},
		Consistency: []ConsistencyVerdict{
			{Subject: "buckets.media", Property: Text{"linearizable register", "可線性化暫存器"}, State: validate.Pass, Operations: 4000, Clients: 8, Requirements: []string{"buckets.media.expects.consistency"}, How: Text{"reads, writes and deletes on 20 keys", "對 20 個鍵進行讀取、寫入與刪除"}},
			{Subject: "databases.main", Property: Text{"reads on the standby are current", "備援節點讀取為最新值"}, State: validate.Fail, Operations: 900, Clients: 4, Why: Text{"a read returned a value that had been replaced", "讀取傳回已被取代之值"},
				Anomaly: []string{"client 1   write x = 2      0.0 ms … 1.4 ms   ok", "client 3   read  x → 1      2.1 ms … 2.3 ms   stale: 2 was acknowledged 0.7 ms before"}},
		},
		Baseline: &BaselineComparison{Old: "release 6", OldTaken: time.Date(2026, 2, 20, 2, 0, 0, 0, time.UTC), State: validate.Fail, Margin: 0.05,
			Method: Text{"medians; change by Hodges-Lehmann with the interval of the Mann-Whitney test; p corrected by Holm", "中位數；變動以 Hodges-Lehmann 估計，區間由 Mann-Whitney 檢定反推；p 值以 Holm 法校正"},
			Changes: []BaselineChange{
				{"servers.web p95", "ms", true, 37.9, 38.4, 0.0131, -0.011, 0.034, 0.62, 12, 12, validate.Pass, Text{}, false, []string{"servers.web.expects.p95"}},
				{"databases.main p95", "ms", true, 35.2, 41.7, 0.185, 0.142, 0.221, 0.0002, 12, 12, validate.Fail, Text{"worse by more than 5 %", "劣化超過 5 %"}, false, []string{"databases.main.expects.p95"}},
				{"databases.main rate", "tps", false, 344, 318.2, -0.075, -0.103, -0.021, 0.031, 12, 12, validate.Unproven, Text{"too noisy to tell; 9 more runs of each needed", "雜訊過大無法判定；各需再量測 9 次"}, false, []string{"databases.main.expects.tps"}},
				{"buckets.media put", "MiB/s", false, 0, 0, 0, 0, 0, 1, 12, 2, validate.Unproven, Text{"too few runs; 4 more needed", "次數不足；需再量測 4 次"}, true, []string{"buckets.media.expects.put"}},
			}},
		Work: []WorkDone{
			{"P1.4.4", Text{"web: program replaced on 2 hosts, one after the other", "web：逐台更換 2 台主機之程式"}, validate.Pass, Text{"digest 3f9a… before, 77c1… after on web-0 and web-1; 0 of 2 412 requests failed", "web-0 與 web-1 之摘要由 3f9a… 變為 77c1…；2 412 次請求無失敗"}, nil},
			{"P1.4.5", Text{"nightly backup of databases.main", "databases.main 每夜備份"}, validate.Unproven, Text{"set up; not yet restored", "已設定；尚未還原驗證"}, []string{"backups.nightly"}},
		},
		Open:    []Unproven{{Text{"P1.4.2 data consistency", "P1.4.2 資料一致性"}, Text{"no concurrent clients were run", "未以並行用戶端測試"}}},
		SignOff: []Text{{"Measured by", "量測人"}, {"Checked by", "複核人"}, {"Approved by", "核准人"}},
	}
	from := 4.0
	for _, n := range []int64{40, 410, 1650, 2610, 2320, 1610, 1080, 730, 520, 380, 250, 170, 110, 70, 40, 10} {
		p.Latencies[0].Buckets = append(p.Latencies[0].Buckets, Bucket{from, from * 1.25, n})
		from *= 1.25
	}
	return p
}

func TestPerformanceGoldens(t *testing.T) {
	for _, l := range []Language{English, TraditionalChinese} {
		for form, render := range map[string]func(Performance, Language) (string, error){"html": PerformanceHTML, "md": PerformanceMarkdown} {
			got, err := render(example(), l)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := render(example(), l); err != nil || again != got {
				t.Errorf("%s in %s: the same data gave other bytes (%v)", form, l, err)
			}
			golden(t, "performance."+string(l)+"."+form, []byte(got))
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed; look at the difference and run the test with -update", name)
	}
}

// An empty check renders too: it says of every section that nothing was measured, and ends unproven.
func TestPerformanceOfNothing(t *testing.T) {
	for _, l := range []Language{English, TraditionalChinese} {
		html, err := PerformanceHTML(Performance{}, l)
		if err != nil {
			t.Fatal(err)
		}
		md, err := PerformanceMarkdown(Performance{}, l)
		if err != nil {
			t.Fatal(err)
		}
		none, open := performanceWords["none"].in(l), performanceWords["unproven"].in(l)
		if n := strings.Count(html, none); n != 6 {
			t.Errorf("%s: %q stands %d times in the HTML, want 6", l, none, n)
		}
		if n := strings.Count(md, none); n != 6 {
			t.Errorf("%s: %q stands %d times in the Markdown, want 6", l, none, n)
		}
		if !strings.Contains(html, `<p class="banner unproven">`) || !strings.Contains(md, open) {
			t.Errorf("%s: an empty check is not unproven", l)
		}
	}
}

// Whatever a host or a program says stays text, in the page and in its pictures.
func TestPerformanceEscapes(t *testing.T) {
	const hostile = `"><script>alert(1)</script><img src=x onerror=y>|` + "`*_[a](javascript:b)\n# c"
	p := example()
	p.Environment, p.Tool, p.Release = hostile, hostile, hostile
	p.Fingerprint = []Fact{{hostile, hostile}}
	p.Requirements[0].ID, p.Requirements[0].Wanted, p.Requirements[0].Figure.Unit, p.Requirements[0].How = hostile, hostile, hostile, Same(hostile)
	p.Load[0].Subject, p.Load[0].RateUnit, p.Load[0].Saturated = hostile, hostile, Same(hostile)
	p.Latencies[0].Subject = hostile
	p.Figures[0].Rows[0].Subject = hostile
	p.Consistency[1].Anomaly = []string{hostile, "```"}
	p.Baseline.Changes[0].Quantity, p.Baseline.Differs = hostile, []string{hostile}
	p.Work[0].Indicator = hostile
	p.SignOff = []Text{Same(hostile)}
	for _, l := range []Language{English, TraditionalChinese} {
		html, err := PerformanceHTML(p, l)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(html, "<script") || strings.Contains(html, "<img") {
			t.Errorf("%s: markup came through", l)
		}
		md, err := PerformanceMarkdown(p, l)
		if err != nil {
			t.Fatal(err)
		}
		md = regexp.MustCompile(`(?m)^    .*$`).ReplaceAllString(md, "") // an indented block is shown as it is
		if strings.Contains(md, "<script") || strings.Contains(md, "<img") || regexp.MustCompile(`(?m)^# c`).MatchString(md) || strings.Contains(md, "[a](") {
			t.Errorf("%s: markup came through in Markdown", l)
		}
	}
}

// The page loads nothing from anywhere, and runs nothing.
func TestPerformanceIsSelfContained(t *testing.T) {
	for _, l := range []Language{English, TraditionalChinese} {
		html, err := PerformanceHTML(example(), l)
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{"http://", "https://", "url(", "src=", "href=", "@import", "<script", "<link"} {
			if strings.Contains(html, forbidden) {
				t.Errorf("%s: the page has %q", l, forbidden)
			}
		}
		if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "NaN") || strings.Contains(html, "Inf") {
			t.Errorf("%s: the page has an unsafe value or no number", l)
		}
	}
}

// Every fixed word has both languages.
func TestPerformanceWordsAreComplete(t *testing.T) {
	han := regexp.MustCompile(`\p{Han}`)
	for key, text := range performanceWords {
		if text.EN == "" || text.TW == "" || key != "colon" && !han.MatchString(text.TW) || han.MatchString(text.EN) {
			t.Errorf("%s: %+v", key, text)
		}
	}
	for _, i := range performanceIndicators {
		if i.text.EN == "" || !han.MatchString(i.text.TW) {
			t.Errorf("%s: %+v", i.id, i.text)
		}
	}
}

func TestFigureNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.04312: "0.04312", 1: "1", 12.345: "12.35", 150: "150", 999.4: "999.4", 1234.5: "1\u202f235", 1234567: "1\u202f234\u202f567", -5.5: "−5.5", 1e-12: "0"} {
		if got := figureNumber(v); got != want {
			t.Errorf("%v is printed as %q, want %q", v, got, want)
		}
	}
}
