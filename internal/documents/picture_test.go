package documents

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"surety/blueprints/architecture"
)

// Every arrow begins and ends at the edge of a box, and every component and flow is in the picture.
func TestArrowsTouchTheirBoxes(t *testing.T) {
	for _, name := range cases {
		arch := considered(t, name).Architecture
		for _, l := range []Language{English, TraditionalChinese} {
			d, err := layOut(ArchitectureD2(arch, l))
			if err != nil {
				t.Fatal(err)
			}
			flows := 0
			for _, f := range arch.Flows {
				if f.From != f.To {
					flows++
				}
			}
			outside := 0
			if strings.Contains(ArchitectureD2(arch, l), `"internet"`) {
				outside = 1
			}
			if len(d.Connections) != flows || len(d.Shapes) != len(arch.Components)+outside {
				t.Errorf("%s: %d shapes and %d connections", name, len(d.Shapes), len(d.Connections))
			}
			for _, c := range d.Connections {
				for end, id := range map[int]string{0: c.Src, len(c.Route) - 1: c.Dst} {
					for i := range d.Shapes {
						s, p := &d.Shapes[i], c.Route[end]
						if s.ID == id && (math.Abs(p.Y-nearer(p.Y, s, p.X)) > 2 || p.X < float64(s.Pos.X)-2 || p.X > float64(s.Pos.X+s.Width)+2) {
							t.Errorf("%s: %s ends at %.0f, %.0f, away from %s at %v of %d × %d", name, c.ID, p.X, p.Y, id, s.Pos, s.Width, s.Height)
						}
					}
				}
			}
		}
	}
}

// What a specification says cannot end a string of the D2 source.
func TestD2IsQuoted(t *testing.T) {
	arch := architecture.Architecture{Components: []architecture.Component{{ID: "databases.main", Kind: architecture.KindDatabase, Instances: 1,
		Database: &architecture.DatabaseComponent{Engine: "postgres", Version: "15\"; evil: ${x} \\"}}}}
	d, err := layOut(ArchitectureD2(arch, English))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Shapes) != 1 || !strings.Contains(d.Shapes[0].Label, "15\"; evil: ${x} \\") {
		t.Errorf("%d shapes, %q", len(d.Shapes), d.Shapes[0].Label)
	}
	drawn, err := architecturePicture(arch, English)
	if err != nil {
		t.Fatal(err)
	}
	if width, _ := strconv.ParseFloat(drawn.Width, 64); width < 100 {
		t.Errorf("the picture is %s wide", drawn.Width)
	}
}
