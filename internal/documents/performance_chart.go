package documents

import (
	"math"
	"strconv"
)

// chart is a picture as a list of shapes, drawn by the template as inline SVG, so that every text in it is escaped there.
type chart struct {
	Width, Height string
	Label         string // what the picture shows, for those who cannot see it
	Shapes        []shape
}

// shape is a line, rectangle, path, circle or text. Coordinates are rounded to a tenth, so that the bytes depend on nothing else.
type shape struct {
	Kind           string // "line", "rect", "path", "circle", "text"
	Class          string // its style in the sheet
	X, Y, X2, Y2   string // of a rectangle X2 and Y2 are its width and height, of a circle X2 its radius
	D              string // of a path
	Anchor, Rotate string // of a text: "start", "middle", "end"; a transformation
	Text           string
}

func tenth(v float64) string {
	v = math.Round(v*10) / 10
	if v == 0 {
		v = 0 // no negative zero
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (c *chart) line(class string, x, y, x2, y2 float64) {
	c.Shapes = append(c.Shapes, shape{Kind: "line", Class: class, X: tenth(x), Y: tenth(y), X2: tenth(x2), Y2: tenth(y2)})
}

func (c *chart) rect(class string, x, y, width, height float64) {
	c.Shapes = append(c.Shapes, shape{Kind: "rect", Class: class, X: tenth(x), Y: tenth(y), X2: tenth(max(0, width)), Y2: tenth(max(0, height))})
}

func (c *chart) circle(class string, x, y, radius float64) {
	c.Shapes = append(c.Shapes, shape{Kind: "circle", Class: class, X: tenth(x), Y: tenth(y), X2: tenth(radius)})
}

func (c *chart) text(class string, x, y float64, anchor, text string) {
	c.Shapes = append(c.Shapes, shape{Kind: "text", Class: class, X: tenth(x), Y: tenth(y), Anchor: anchor, Text: text})
}

// upright writes a text from below to above, centred at its point.
func (c *chart) upright(x, y float64, text string) {
	c.Shapes = append(c.Shapes, shape{Kind: "text", Class: "axis", X: tenth(x), Y: tenth(y), Anchor: "middle", Text: text, Rotate: "rotate(-90 " + tenth(x) + " " + tenth(y) + ")"})
}

// path joins points by straight lines.
func (c *chart) path(class string, points [][2]float64) {
	d := ""
	for i, p := range points {
		command := " L"
		if i == 0 {
			command = "M"
		}
		d += command + tenth(p[0]) + " " + tenth(p[1])
	}
	if len(points) > 1 {
		c.Shapes = append(c.Shapes, shape{Kind: "path", Class: class, D: d})
	}
}

// scale maps values to a coordinate, linearly or by logarithm.
type scale struct {
	low, high float64 // of the values
	from, to  float64 // of the coordinates
	log       bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		return s.from + (s.to-s.from)*(math.Log(max(v, s.low))-math.Log(s.low))/(math.Log(s.high)-math.Log(s.low))
	}
	return s.from + (s.to-s.from)*(v-s.low)/(s.high-s.low)
}

// linear makes a scale that holds the values and ends at a tick.
func linear(low, high, from, to float64) scale {
	if high <= low {
		high = low + 1
	}
	step := tickStep(high - low)
	return scale{low: math.Floor(low/step+1e-9) * step, high: math.Ceil(high/step-1e-9) * step, from: from, to: to}
}

// logarithmic makes a scale that holds the positive values and ends at 1, 2 or 5 of a decade.
func logarithmic(low, high, from, to float64) scale {
	return scale{low: roundTick(low, false), high: roundTick(max(high, low*1.001), true), from: from, to: to, log: true}
}

// roundTick gives the nearest of 1, 2, 5 times a power of ten, above or below a positive value, or the value itself when it is one.
func roundTick(v float64, above bool) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)+1e-9))
	for i, m := range []float64{1, 2, 5, 10} {
		at := m * decade
		if math.Abs(v-at) < 1e-9*at {
			return at
		}
		if at > v {
			if above {
				return at
			}
			return []float64{1, 2, 5, 10}[i-1] * decade
		}
	}
	return 10 * decade
}

// tickStep gives a step of 1, 2 or 5 times a power of ten that divides a range into four to ten parts.
func tickStep(span float64) float64 {
	raw := span / 6
	decade := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*decade*1.0000001 {
			return m * decade
		}
	}
	return 10 * decade
}

// ticks are the values that the axis names.
func (s scale) ticks() []float64 {
	var out []float64
	if !s.log {
		step := tickStep(s.high - s.low)
		for i := 0; i <= 20; i++ {
			if v := s.low + float64(i)*step; v <= s.high+step/1e6 {
				out = append(out, math.Round(v/step)*step)
			}
		}
		return out
	}
	sparse := s.high/s.low > 1000 // then whole decades only
	for v, n := s.low, 0; v <= s.high*1.0000001 && n < 60; n++ {
		if first := v / math.Pow(10, math.Floor(math.Log10(v)+1e-9)); !sparse || first < 1.5 || v == s.low {
			out = append(out, v)
		}
		v = roundTick(v*1.01, true)
	}
	return out
}

// plot is a chart with two axes around an inner field.
type plot struct {
	chart
	x, y                     scale
	left, right, top, bottom float64
}

// newPlot draws the frame, the grid and the axes' names.
func newPlot(label string, width, height float64, x, y func(from, to float64) scale, xName, yName string) *plot {
	p := &plot{chart: chart{Width: tenth(width), Height: tenth(height), Label: label}, left: 62, right: width - 14, top: 30, bottom: height - 46}
	p.x, p.y = x(p.left, p.right), y(p.bottom, p.top)
	for _, v := range p.y.ticks() {
		p.line("grid", p.left, p.y.at(v), p.right, p.y.at(v))
		p.text("tick", p.left-6, p.y.at(v)+4, "end", figureNumber(v))
	}
	for _, v := range p.x.ticks() {
		p.line("grid", p.x.at(v), p.top, p.x.at(v), p.bottom)
		p.text("tick", p.x.at(v), p.bottom+16, "middle", figureNumber(v))
	}
	p.line("frame", p.left, p.bottom, p.right, p.bottom)
	p.line("frame", p.left, p.top, p.left, p.bottom)
	p.text("axis", (p.left+p.right)/2, height-8, "middle", xName)
	p.upright(14, (p.top+p.bottom)/2, yName)
	return p
}

// legend names the styles above the field, from the left.
func (p *plot) legend(entries ...[2]string) {
	x := p.left
	for _, e := range entries {
		if e[0] == "hollow" {
			p.circle(e[0], x+16, 14, 3.5)
		} else {
			p.line(e[0], x, 14, x+22, 14)
		}
		p.text("tick", x+27, 18, "start", e[1])
		x += 27 + 10
		for _, r := range e[1] {
			if r > 0x2e80 { // an ideograph is about twice as wide as a letter
				x += 12
			} else {
				x += 6
			}
		}
	}
}
