package documents

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"surety/benchmarks/knee"
	"surety/validate/verify"
)

// curves gathers load runs and knee searches of the same subject and unit into one curve each, by rising rate.
func curves(details []taken) []LoadCurve {
	var out []LoadCurve
	at := map[string]int{}
	of := func(d verify.Detail, unit string, required verify.Limits) *LoadCurve {
		key := d.Subject + "\x00" + unit
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, LoadCurve{Subject: d.Subject, RateUnit: unit})
		}
		c := &out[i]
		c.Limit, c.Required, c.MaxErrors = cmp.Or(c.Limit, ms(required.P95)), cmp.Or(c.Required, required.Rate), cmp.Or(c.MaxErrors, required.Errors)
		return c
	}
	for _, d := range details {
		if d.Load == nil || d.Load.Offered == 0 { // a closed loop has no rate of its own, and its latencies are service times
			continue
		}
		c := of(d.Detail, d.Load.Unit, d.Load.Required)
		trial := knee.Judge(d.Load.Offered, d.Load.Outcome, d.Load.Result)
		trial.Achieved = d.Load.Rate
		c.Points = append(c.Points, point(trial, d.Load.Required))
		c.How = joined(c.How, Text{d.How, driven(d)})
		if trial.Generator != "" {
			c.How = joined(c.How, Text{"the generator was the limit of this run: " + trial.Generator, "此次量測受限於負載產生器：" + trial.Generator})
		}
	}
	for _, d := range details {
		if d.Knee == nil {
			continue
		}
		c, k := of(d.Detail, d.Knee.Unit, d.Knee.Required), d.Knee.Knee
		c.Searched = true
		for _, trial := range k.Trials {
			c.Points = append(c.Points, point(trial, d.Knee.Required))
		}
		if k.Rate > 0 {
			c.Knee = &Figure{k.Rate, k.Rate, max(k.Rate, k.Above), d.Knee.Unit, len(k.Trials), k.Open != ""}
		}
		c.How = joined(c.How, Text{d.How, fmt.Sprintf("搜尋膝點，共 %d 次試驗", len(k.Trials))})
		if k.Open != "" {
			c.How = joined(c.How, Text{"the knee may be higher: " + k.Open, "膝點可能更高：" + k.Open})
		}
		if k.Breach != "" {
			c.How = joined(c.How, Text{fmt.Sprintf("at %s %s: %s", figureNumber(k.Above), d.Knee.Unit, k.Breach), fmt.Sprintf("於 %s %s：%s", figureNumber(k.Above), d.Knee.Unit, k.Breach)})
		}
		if s := d.Knee.Saturated; s.Evidence != "" {
			c.Saturated = Same(s.Evidence)
		}
	}
	for i := range out {
		out[i].How = Text{out[i].How.in(English) + ".", out[i].How.in(TraditionalChinese) + "。"}
		slices.SortStableFunc(out[i].Points, func(a, b LoadPoint) int { return cmp.Compare(a.Offered, b.Offered) })
	}
	return out
}

func point(t knee.Trial, required verify.Limits) LoadPoint {
	return LoadPoint{Offered: t.Rate, Achieved: t.Achieved, P50: ms(t.P50), P95: ms(t.P95), P99: ms(t.P99), P95Low: ms(t.P95Low), P95High: ms(t.P95High),
		Errors: t.Errors, Within: knee.Limits{P95: required.P95, Errors: required.Errors}.Holds(t)}
}

// driven says how a load run was made, in Chinese, from the run itself.
func driven(d taken) string {
	r := d.Load
	if r.Outcome.Closed {
		return fmt.Sprintf("由 %s 以封閉迴路施加負載，歷時 %s", d.From, lasting(TraditionalChinese, r.Outcome.Took))
	}
	return fmt.Sprintf("由 %s 以開放迴路施加 %s %s，歷時 %s", d.From, figureNumber(r.Offered), r.Unit, lasting(TraditionalChinese, r.Outcome.Took))
}

func joined(a, b Text) Text {
	if a == (Text{}) {
		return b
	}
	return Text{a.in(English) + "; " + b.in(English), a.in(TraditionalChinese) + "；" + b.in(TraditionalChinese)}
}

// barsPerDecade is how fine the histograms of load runs are.
const barsPerDecade = 10

// histograms gives the distribution of latencies of each load run.
func histograms(details []taken) []Histogram {
	var out []Histogram
	for _, d := range details {
		if d.Load == nil || d.Load.Offered == 0 || len(d.Load.Result.Total.Latency.Bars) == 0 {
			continue
		}
		l := d.Load.Result.Total.Latency
		h := Histogram{Subject: fmt.Sprintf("%s, %s %s", d.Subject, figureNumber(d.Load.Offered), d.Load.Unit), P50: ms(l.P50.Value), P95: ms(l.P95.Value),
			P99: ms(l.P99.Value), Max: ms(l.Max), Limit: ms(d.Load.Required.P95),
			How: Text{fmt.Sprintf("%s; %s operations", d.How, figureNumber(float64(l.Count))), fmt.Sprintf("%s；%s 次操作", driven(d), figureNumber(float64(l.Count)))}}
		from := ms(l.Bars[0].To) / math.Pow(10, 1.0/barsPerDecade)
		for _, b := range l.Bars {
			h.Buckets = append(h.Buckets, Bucket{from, ms(b.To), b.Count})
			from = ms(b.To)
		}
		out = append(out, h)
	}
	return out
}
