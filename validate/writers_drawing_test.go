package validate

import (
	"bytes"
	"strings"
	"testing"
)

// A history is read by its columns: where its blanks are folded it says nothing.
func TestADrawingKeepsItsColumns(t *testing.T) {
	r := []Result{{Check: "consistency/media/objects", Suite: "consistency", State: Fail, Summary: "media: not linearizable", Evidence: []Evidence{{
		What: "least history of registers that breaks it", Got: "read 1 after 2 was written", From: "web-0",
		Drawing: "client 0  ├─ write 2 ─┤\nclient 1                \x1b[31m├─ read 1 ─┤ ✗\n",
	}}}}
	var text, junit bytes.Buffer
	if err := Text(&text, r, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := JUnit(&junit, r); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"text": text.String(), "junit": strings.ReplaceAll(junit.String(), "&#xA;", "\n")} {
		if !strings.Contains(out, "client 0  ├─ write 2 ─┤\n") || !strings.Contains(out, "client 1                [31m├─ read 1 ─┤ ✗") {
			t.Errorf("%s does not keep the columns:\n%s", name, out)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s passes a control character on", name)
		}
	}
}
