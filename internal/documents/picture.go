package documents

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"oss.terrastruct.com/d2/d2compiler"
	"oss.terrastruct.com/d2/d2exporter"
	"oss.terrastruct.com/d2/d2layouts/d2dagrelayout"
	"oss.terrastruct.com/d2/d2target"
	"oss.terrastruct.com/d2/lib/geo"
	"oss.terrastruct.com/d2/lib/log"
	"oss.terrastruct.com/d2/lib/textmeasure"

	"surety/blueprints/architecture"
)

// The architecture is drawn in two steps. D2 compiles the source and lays it out with dagre; we draw the result with the shapes of the
// other charts. D2's own renderer is left out on purpose: with it a program starts 20 ms later, a picture carries its own fonts, and
// Chinese is measured by a font that has none of it. Here the boxes are sized by us and the browser's fonts are used.

// nodeHeight and the widths of letters are in pixels, of 12 px text.
const (
	nodeLine    = 17.0
	nodePad     = 14.0
	latinWidth  = 6.9
	hanWidth    = 12.2
	cylinderLid = 9.0   // half the height of a cylinder's lid
	nodeLeast   = 110.0 // a narrower box would not hold its text by D2's own measure, which then puts it beside the box
)

// ArchitectureD2 writes an architecture as D2 source, as the picture is made of it: internet on top, each flow an arrow with its port.
func ArchitectureD2(arch architecture.Architecture, l Language) string {
	var out strings.Builder
	out.WriteString("direction: down\n")
	node := func(id string, lines []string, more string) {
		width := 0.0
		for _, line := range lines {
			width = max(width, textWidth(line))
		}
		fmt.Fprintf(&out, "%s: %s {%swidth: %.0f; height: %.0f; style.font-size: 12}\n", quoted(id), quoted(strings.Join(lines, "\n")), more, math.Max(nodeLeast, math.Ceil(width+2*nodePad)), nodeLine*float64(len(lines))+2*nodePad)
	}
	for _, f := range arch.Flows {
		if f.From == architecture.Internet {
			node(architecture.Internet, []string{Text{"internet", "網際網路"}.in(l)}, "style.stroke-dash: 3; ")
			break
		}
	}
	for _, c := range arch.Components {
		more := ""
		if c.Kind == architecture.KindDatabase || c.Kind == architecture.KindBucket {
			more = "shape: cylinder; "
		}
		node(c.ID, nodeLines(c, l), more)
	}
	for _, f := range arch.Flows {
		if f.From == f.To {
			continue // replication: one box stands for both
		}
		fmt.Fprintf(&out, "%s -> %s: %s\n", quoted(f.From), quoted(f.To), quoted(fmt.Sprintf("%d %s", f.Port, f.Speaks)))
	}
	return out.String()
}

// nodeLines are what a component's box says.
func nodeLines(c architecture.Component, l Language) []string {
	kind := kindName[c.Kind].in(l)
	if c.Instances > 1 {
		kind += " × " + strconv.Itoa(c.Instances)
	}
	lines := []string{c.ID, kind}
	switch {
	case c.Bucket != nil && c.Size.Disk > 0:
		lines = append(lines, sizeOf(int64(c.Size.Disk), false))
	case c.Server != nil || c.Database != nil:
		if c.Database != nil {
			lines = append(lines, strings.TrimSpace(c.Database.Engine+" "+c.Database.Version))
		}
		lines = append(lines, fmt.Sprintf("%s vCPU · %s · %s", figureNumber(c.Size.CPU), sizeOf(int64(c.Size.Memory), false), sizeOf(int64(c.Size.Disk), false)))
	}
	return lines
}

// textWidth estimates a text's width in pixels.
func textWidth(text string) float64 {
	width := 0.0
	for _, r := range text {
		if r > 0x2e80 {
			width += hanWidth
		} else {
			width += latinWidth
		}
	}
	return width
}

// quoted writes a D2 string. Nothing in it is a key, a substitution or the end of the string.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "$", `\$`).Replace(text) + `"`
}

// architecturePicture lays an architecture out and draws it. The error is a fault of ours, or of D2's.
func architecturePicture(arch architecture.Architecture, l Language) (*chart, error) {
	d, err := layOut(ArchitectureD2(arch, l))
	if err != nil {
		return nil, fmt.Errorf("draw architecture: %w", err)
	}
	label := Text{"architecture: components and the connections that are allowed between them", "架構圖：元件與允許之連線"}.in(l)
	c := &chart{Label: label}
	lines, class := map[string][]string{}, map[string]string{}
	lines[quotedID(architecture.Internet)] = []string{Text{"internet", "網際網路"}.in(l)}
	class[quotedID(architecture.Internet)] = "node outside"
	for _, part := range arch.Components {
		lines[quotedID(part.ID)], class[quotedID(part.ID)] = nodeLines(part, l), "node "+string(part.Kind)
	}
	left, top, width, height := extent(d)
	const margin = 8
	x := func(v float64) float64 { return v - left + margin }
	y := func(v float64) float64 { return v - top + margin }
	for i := range d.Connections {
		c.flow(&d.Connections[i], x, y)
	}
	for i := range d.Shapes {
		s := &d.Shapes[i]
		c.node(class[s.ID], lines[s.ID], x(float64(s.Pos.X)), y(float64(s.Pos.Y)), float64(s.Width), float64(s.Height), s.Type)
	}
	for i := range d.Connections { // over everything
		f := &d.Connections[i]
		at := middle(f)
		c.text("flowname", x(at[0]), y(at[1])+4, "middle", f.Label)
	}
	c.Width, c.Height = tenth(width+2*margin), tenth(height+2*margin)
	return c, nil
}

// quotedID is how D2 names a shape whose key was quoted.
func quotedID(id string) string {
	if strings.Contains(id, ".") {
		return `"` + id + `"`
	}
	return id
}

// layOut compiles D2 source and gives every shape its place.
func layOut(source string) (*d2target.Diagram, error) {
	ctx := log.With(context.Background(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	g, _, err := d2compiler.Compile("", strings.NewReader(source), nil)
	if err != nil {
		return nil, fmt.Errorf("compile D2: %w", err)
	}
	ruler, err := textmeasure.NewRuler()
	if err != nil {
		return nil, fmt.Errorf("measure text: %w", err)
	}
	if err := g.SetDimensions(nil, ruler, nil, nil); err != nil {
		return nil, fmt.Errorf("measure shapes: %w", err)
	}
	if err := d2dagrelayout.DefaultLayout(ctx, g); err != nil {
		return nil, fmt.Errorf("lay out: %w", err)
	}
	d, err := d2exporter.Export(ctx, g, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	touch(d)
	return d, nil
}

// touch moves the ends of the connections from the outline that D2 gives a shape to the one that we draw: D2's cylinders have a deeper
// lid, so that an arrow beside the middle of one would end behind ours, its head cut off.
func touch(d *d2target.Diagram) {
	shapes := map[string]*d2target.Shape{}
	for i := range d.Shapes {
		shapes[d.Shapes[i].ID] = &d.Shapes[i]
	}
	for i := range d.Connections {
		c := &d.Connections[i]
		if len(c.Route) < 2 {
			continue
		}
		for id, end := range map[string]*geo.Point{c.Src: c.Route[0], c.Dst: c.Route[len(c.Route)-1]} {
			if s := shapes[id]; s != nil && s.Type == d2target.ShapeCylinder {
				if edge := nearer(end.Y, s, end.X); math.Abs(edge-end.Y) <= 2*cylinderLid { // else it ends at a side
					end.Y = edge
				}
			}
		}
	}
}

// nearer gives the height at which the outline of a shape is drawn at x: of its top and its bottom the one that is nearer to y.
func nearer(y float64, s *d2target.Shape, x float64) float64 {
	top, bottom := float64(s.Pos.Y), float64(s.Pos.Y+s.Height)
	if s.Type == d2target.ShapeCylinder {
		half := float64(s.Width) / 2
		from := min(math.Abs(x-float64(s.Pos.X)-half)/half, 1)
		fall := cylinderLid * (1 - math.Sqrt(1-from*from))
		top, bottom = top+fall, bottom-fall
	}
	if math.Abs(y-top) <= math.Abs(y-bottom) {
		return top
	}
	return bottom
}

// extent gives the box around everything, labels of flows included.
func extent(d *d2target.Diagram) (left, top, width, height float64) {
	left, top = math.Inf(1), math.Inf(1)
	right, bottom := math.Inf(-1), math.Inf(-1)
	grow := func(x, y float64) {
		left, top, right, bottom = min(left, x), min(top, y), max(right, x), max(bottom, y)
	}
	for i := range d.Shapes {
		s := &d.Shapes[i]
		grow(float64(s.Pos.X), float64(s.Pos.Y))
		grow(float64(s.Pos.X+s.Width), float64(s.Pos.Y+s.Height))
	}
	for i := range d.Connections {
		for _, p := range d.Connections[i].Route {
			grow(p.X, p.Y)
		}
		at, half := middle(&d.Connections[i]), textWidth(d.Connections[i].Label)/2
		grow(at[0]-half, at[1])
		grow(at[0]+half, at[1])
	}
	if len(d.Shapes) == 0 {
		return 0, 0, 0, 0
	}
	return left, top, right - left, bottom - top
}

// bezier gives the point at t of a cubic curve.
func bezier(p [4][2]float64, t float64) [2]float64 {
	u := 1 - t
	var at [2]float64
	for i := range at {
		at[i] = u*u*u*p[0][i] + 3*u*u*t*p[1][i] + 3*u*t*t*p[2][i] + t*t*t*p[3][i]
	}
	return at
}

// middle gives the point half way along a connection.
func middle(f *d2target.Connection) [2]float64 {
	n := len(f.Route)
	if n == 0 {
		return [2]float64{}
	}
	if !f.IsCurve || n < 4 {
		a, b := f.Route[(n-1)/2], f.Route[n/2]
		return [2]float64{(a.X + b.X) / 2, (a.Y + b.Y) / 2}
	}
	curves := (n - 1) / 3
	first := (curves / 2) * 3
	if curves%2 == 0 {
		return [2]float64{f.Route[first].X, f.Route[first].Y}
	}
	var p [4][2]float64
	for i := range p {
		p[i] = [2]float64{f.Route[first+i].X, f.Route[first+i].Y}
	}
	return bezier(p, 0.5)
}

// flow draws a connection with its arrow head.
func (c *chart) flow(f *d2target.Connection, x, y func(float64) float64) {
	n := len(f.Route)
	if n < 2 {
		return
	}
	at := func(i int) string { return tenth(x(f.Route[i].X)) + " " + tenth(y(f.Route[i].Y)) }
	d := "M" + at(0)
	if f.IsCurve {
		for i := 1; i+2 < n; i += 3 {
			d += " C" + at(i) + " " + at(i+1) + " " + at(i+2)
		}
	} else {
		for i := 1; i < n; i++ {
			d += " L" + at(i)
		}
	}
	c.Shapes = append(c.Shapes, shape{Kind: "path", Class: "flow", D: d})
	from, to := f.Route[n-2], f.Route[n-1]
	length := math.Hypot(to.X-from.X, to.Y-from.Y)
	if length == 0 {
		return
	}
	ux, uy := (to.X-from.X)/length, (to.Y-from.Y)/length
	const long, half = 10.0, 4.5
	corner := func(side float64) string {
		return tenth(x(to.X-long*ux+side*half*uy)) + " " + tenth(y(to.Y-long*uy-side*half*ux))
	}
	c.Shapes = append(c.Shapes, shape{Kind: "path", Class: "arrow", D: "M" + at(n-1) + " L" + corner(1) + " L" + corner(-1) + " Z"})
}

// node draws a component's box and what it says.
func (c *chart) node(class string, lines []string, x, y, width, height float64, kind string) {
	const lid = cylinderLid
	switch kind {
	case d2target.ShapeCylinder:
		arc := func(sweep string) string {
			return " A" + tenth(width/2) + " " + tenth(lid) + " 0 0 " + sweep + " "
		}
		d := "M" + tenth(x) + " " + tenth(y+lid) + arc("1") + tenth(x+width) + " " + tenth(y+lid) + " L" + tenth(x+width) + " " + tenth(y+height-lid) + arc("1") + tenth(x) + " " + tenth(y+height-lid) + " Z"
		c.Shapes = append(c.Shapes, shape{Kind: "path", Class: class, D: d},
			shape{Kind: "path", Class: "lid", D: "M" + tenth(x) + " " + tenth(y+lid) + arc("0") + tenth(x+width) + " " + tenth(y+lid)})
		y += lid / 2
	default:
		c.rect(class, x, y, width, height)
	}
	first := y + height/2 - nodeLine*float64(len(lines)-1)/2 + 4
	for i, line := range lines {
		style := ""
		if i == 0 {
			style = "name"
		}
		c.text(style, x+width/2, first+nodeLine*float64(i), "middle", line)
	}
}
