package documents

import "math"

// loadChart draws latency against offered rate: p50, p95 with its interval, p99, the limit, the required rate and the knee.
func loadChart(l Language, c LoadCurve) (*chart, error) {
	if len(c.Points) == 0 {
		return nil, nil
	}
	words, err := sayAll(l, "s.load", "latencyAxis", "rateAxis", "limit", "required", "kneeShort", "outside")
	if err != nil {
		return nil, err
	}
	low, high, most := math.Inf(1), c.Limit, c.Required
	for _, p := range c.Points {
		for _, v := range []float64{p.P50, p.P95Low} {
			if v > 0 {
				low = min(low, v)
			}
		}
		high, most = max(high, p.P99, p.P95, p.P95High), max(most, p.Offered)
	}
	if math.IsInf(low, 0) {
		low = 0
	}
	y := func(from, to float64) scale { return linear(0, high*1.02, from, to) }
	if low > 0 && high/low > 15 {
		y = func(from, to float64) scale { return logarithmic(low*0.9, high*1.1, from, to) }
	}
	p := newPlot(words["s.load"]+", "+c.Subject, 720, 330, func(from, to float64) scale { return linear(0, most*1.02, from, to) }, y,
		words["rateAxis"]+" ("+c.RateUnit+")", words["latencyAxis"])
	legend := [][2]string{{"p50", "p50"}, {"p95", "p95"}, {"p99", "p99"}}
	if c.Limit > 0 {
		p.line("limit", p.left, p.y.at(c.Limit), p.right, p.y.at(c.Limit))
		legend = append(legend, [2]string{"limit", words["limit"]})
	}
	if c.Required > 0 {
		p.line("required", p.x.at(c.Required), p.top, p.x.at(c.Required), p.bottom)
		legend = append(legend, [2]string{"required", words["required"]})
	}
	if c.Knee != nil {
		if c.Knee.High > c.Knee.Low {
			p.rect("kneeband", p.x.at(c.Knee.Low), p.top, p.x.at(c.Knee.High)-p.x.at(c.Knee.Low), p.bottom-p.top)
		}
		p.line("knee", p.x.at(c.Knee.Value), p.top, p.x.at(c.Knee.Value), p.bottom)
		legend = append(legend, [2]string{"knee", words["kneeShort"] + " " + figureNumber(c.Knee.Value) + " " + c.RateUnit})
	}
	for _, series := range []struct {
		class string
		of    func(LoadPoint) float64
	}{{"p99", func(p LoadPoint) float64 { return p.P99 }}, {"p50", func(p LoadPoint) float64 { return p.P50 }}, {"p95", func(p LoadPoint) float64 { return p.P95 }}} {
		var line [][2]float64
		for i, at := range c.Points {
			if i+1 < len(c.Points) && c.Points[i+1].Offered == at.Offered {
				continue // of repeated trials the line takes the last; all have their dots
			}
			line = append(line, [2]float64{p.x.at(at.Offered), p.y.at(series.of(at))})
		}
		p.path(series.class, line)
	}
	outside := false
	for _, at := range c.Points {
		outside = outside || !at.Within
		x := p.x.at(at.Offered)
		if at.P95High > at.P95Low {
			p.line("whisker", x, p.y.at(at.P95Low), x, p.y.at(at.P95High))
		}
		class := "dot"
		if !at.Within {
			class = "hollow"
		}
		p.circle(class, x, p.y.at(at.P95), 3.5)
	}
	if outside {
		legend = append(legend, [2]string{"hollow", words["outside"]})
	}
	p.legend(legend...)
	return &p.chart, nil
}

// histogramChart draws the share of operations by latency, with the percentiles and the limit.
func histogramChart(l Language, h Histogram) (*chart, error) {
	words, err := sayAll(l, "s.latency", "latencyAxis", "shareAxis", "limit")
	if err != nil {
		return nil, err
	}
	total, low, high, tallest := int64(0), math.Inf(1), max(h.Limit, h.P99), int64(0)
	for _, b := range h.Buckets {
		if b.Count > 0 {
			low, high, tallest, total = min(low, b.From), max(high, b.To), max(tallest, b.Count), total+b.Count
		}
	}
	if total == 0 {
		return nil, nil
	}
	x := func(from, to float64) scale { return linear(max(0, low), high, from, to) }
	if low > 0 && high/low > 15 {
		x = func(from, to float64) scale { return logarithmic(low, high, from, to) }
	}
	share := func(n int64) float64 { return 100 * float64(n) / float64(total) }
	p := newPlot(words["s.latency"]+", "+h.Subject, 720, 280, x, func(from, to float64) scale { return linear(0, share(tallest)*1.05, from, to) },
		words["latencyAxis"], words["shareAxis"])
	for _, b := range h.Buckets {
		if b.Count > 0 {
			left, right, top := p.x.at(b.From), p.x.at(b.To), p.y.at(share(b.Count))
			p.rect("bar", left, top, right-left, p.bottom-top)
		}
	}
	legend := [][2]string{}
	for _, q := range []struct {
		class string
		at    float64
	}{{"p50", h.P50}, {"p95", h.P95}, {"p99", h.P99}} {
		if q.at > 0 {
			p.line(q.class, p.x.at(q.at), p.top, p.x.at(q.at), p.bottom)
			legend = append(legend, [2]string{q.class, q.class + " " + figureNumber(q.at) + " ms"})
		}
	}
	if h.Limit > 0 {
		p.line("limit", p.x.at(h.Limit), p.top, p.x.at(h.Limit), p.bottom)
		legend = append(legend, [2]string{"limit", words["limit"] + " " + figureNumber(h.Limit) + " ms"})
	}
	p.legend(legend...)
	return &p.chart, nil
}

// changeChart draws each quantity's change with its interval beside the margin.
func changeChart(l Language, b BaselineComparison) (*chart, error) {
	words, err := sayAll(l, "s.baseline", "changeAxis", "lowerBetter", "higherBetter", "margin")
	if err != nil {
		return nil, err
	}
	var changes []BaselineChange
	edge := 100 * b.Margin
	for _, c := range b.Changes {
		if !c.Unmeasured {
			changes = append(changes, c)
			edge = max(edge, math.Abs(100*c.Low), math.Abs(100*c.High))
		}
	}
	if len(changes) == 0 {
		return nil, nil
	}
	const row, names = 30.0, 220.0
	edge = min(edge, 200) // what lies further out runs to the edge
	height := 42 + row*float64(len(changes)) + 46
	p := &plot{chart: chart{Width: "720", Height: tenth(height), Label: words["s.baseline"]}, left: names, right: 700, top: 30, bottom: height - 46}
	p.x = linear(-edge*1.05, edge*1.05, p.left, p.right)
	inside := func(share float64) float64 { return min(max(p.x.at(100*share), p.left), p.right) }
	p.rect("marginband", inside(-b.Margin), p.top, inside(b.Margin)-inside(-b.Margin), p.bottom-p.top)
	for _, v := range p.x.ticks() {
		p.line("grid", p.x.at(v), p.top, p.x.at(v), p.bottom)
		p.text("tick", p.x.at(v), p.bottom+16, "middle", figureNumber(v))
	}
	p.line("frame", p.left, p.bottom, p.right, p.bottom)
	p.line("frame", p.x.at(0), p.top, p.x.at(0), p.bottom)
	p.text("axis", (p.left+p.right)/2, height-8, "middle", words["changeAxis"])
	for i, c := range changes {
		y := p.top + row*(float64(i)+0.6)
		way := words["higherBetter"]
		if c.LowerIsBetter {
			way = words["lowerBetter"]
		}
		p.text("name", names-8, y, "end", c.Quantity)
		p.text("tick", names-8, y+12, "end", way)
		p.line("whisker "+stateWord(c.State), inside(c.Low), y, inside(c.High), y)
		p.circle("dot "+stateWord(c.State), inside(c.Change), y, 4)
	}
	p.rect("marginband", p.left, 8, 22, 12)
	p.text("tick", p.left+27, 18, "start", words["margin"]+" ±"+percent(b.Margin))
	return &p.chart, nil
}

func sayAll(l Language, keys ...string) (map[string]string, error) {
	words := map[string]string{}
	for _, k := range keys {
		w, err := say(l, k)
		if err != nil {
			return nil, err
		}
		words[k] = w
	}
	return words, nil
}
