package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// On a pipe a long check says at most every five seconds how it goes, so that a log stays readable.
func TestLongChecksAreQuietOnAPipe(t *testing.T) {
	var out bytes.Buffer
	m := New(&out, Options{}).Measuring()
	at := time.Unix(0, 0)
	m.now = func() time.Time { return at }
	for i := range 100 { // 25 s, four times a second
		m.Tell("load/servers.web/p95", fmt.Sprintf("step %d", i))
		at = at.Add(250 * time.Millisecond)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 5 || !strings.Contains(lines[4], "step 80") || strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("printed %q", lines)
	}
	if check, text := m.Last(); check != "load/servers.web/p95" || text != "step 99" {
		t.Errorf("last is %q %q", check, text)
	}
}

func TestLongChecksSayNothingWhenQuiet(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{Quiet: true}).Measuring().Tell("a", "b")
	if out.Len() > 0 {
		t.Errorf("printed %q", out.String())
	}
}
