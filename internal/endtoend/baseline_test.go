package endtoend

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"surety/benchmarks/baseline"
)

// TestBaselineOfARelease compares a release with itself, and with one whose every answer costs ten times the computing. The margin is wide,
// so that the rest of a small machine's work leaves it decided; what the gate tells apart on a quiet one is measured in benchmarks/baseline.
func TestBaselineOfARelease(t *testing.T) {
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs a quiet machine for minutes, and SURETY_MEASURE=1")
	}
	b := newRollingBench(t)
	b.build("-X main.work=20")
	b.must(0, "up", "--yes", "--load", "0s")
	t.Log(b.must(0, "baseline", "save", "before").stdout)

	compare := func() (c baseline.Comparison, code int) {
		r := b.surety("baseline", "compare", "before", "--margin", "50%", "--json")
		if err := json.Unmarshal([]byte(r.stdout), &c); err != nil {
			t.Fatalf("compare ended with %d: %v\n%s", r.code, err, r.stderr)
		}
		for _, change := range c.Changes {
			t.Log(change.Summary)
		}
		return c, r.code
	}
	if c, code := compare(); c.Verdict == baseline.Fail || code != 0 {
		t.Errorf("unchanged, it ends as %s with %d", c.Verdict, code)
	}

	b.build("-X main.work=200")
	b.must(0, "deploy", "servers.web", "--yes")
	c, code := compare()
	if c.Verdict != baseline.Fail || code != 3 {
		t.Errorf("with ten times the work it ends as %s with %d", c.Verdict, code)
	}
	for _, change := range c.Changes {
		if change.Name == "servers.web most requests" && change.Verdict != baseline.Fail {
			t.Errorf("%s: %s", change.Verdict, change.Summary)
		}
	}
	if r := b.must(0, "show", "2"); !strings.Contains(r.stdout, "baseline compare before") {
		t.Errorf("the comparison is not kept:\n%s", r.stdout)
	}
}
