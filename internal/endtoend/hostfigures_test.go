package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"surety/stacks/local/network"
)

// TestHostFigures measures what hosts give, by both ways in, and leaves neither file nor open port.
func TestHostFigures(t *testing.T) {
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs SURETY_MEASURE=1: it measures disks, processors and the network of every host for some minutes")
	}
	b := newBench(t, "reader")
	b.must(0, "up", "--yes")
	rules := func() (open int) {
		router, err := network.Open(filepath.Join(b.state(), "cloud"))
		if err != nil {
			t.Fatal(err)
		}
		all, err := router.Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.Comment == network.Measurement {
				open++
			}
		}
		return open
	}
	for _, way := range []string{"namespace", "ssh"} {
		seen := make(chan bool, 1)
		done := make(chan struct{})
		go func() {
			found := false
			for {
				select {
				case <-done:
					seen <- found
					return
				case <-time.After(100 * time.Millisecond):
					found = found || rules() > 0
				}
			}
		}()
		r := b.must(0, "verify", "--suite", "host", "--over", way, "--json")
		close(done)
		if !<-seen || rules() != 0 {
			t.Errorf("over %s: the opening for a measurement was never there, or is still: %d", way, rules())
		}
		var report struct {
			Results []struct {
				Check, State, Summary string
				Requirements          []string
			}
			Measurements []struct {
				Check, Subject string
				Requirements   []string
				Figures        []struct {
					Quantity, Unit   string
					Value, Low, High float64
				}
			}
		}
		if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
			t.Fatal(err)
		}
		figures := 0
		for _, result := range report.Results {
			if !strings.Contains(result.Check, "/figures/") {
				continue
			}
			figures++
			t.Logf("%s %s: %s %v", result.State, result.Check, result.Summary, result.Requirements)
			if result.State != "pass" || len(result.Requirements) == 0 {
				t.Errorf("%s is %s: %s", result.Check, result.State, result.Summary)
			}
		}
		if figures < 15 {
			t.Errorf("over %s there are %d figures", way, figures)
		}
		kinds := map[string]int{}
		for _, m := range report.Measurements {
			for _, f := range m.Figures {
				kinds[strings.Split(f.Quantity, "/")[0]]++
				if f.Value <= 0 || f.Low > f.Value || f.High < f.Value || f.Unit == "" || len(m.Requirements) == 0 {
					t.Errorf("%s %s: %+v for %v", m.Check, m.Subject, f, m.Requirements)
				}
			}
		}
		for _, kind := range []string{"cpu", "memory", "disk", "network"} {
			if kinds[kind] == 0 {
				t.Errorf("over %s nothing of %s was measured: %v", way, kind, kinds)
			}
		}
		t.Logf("over %s in %v: %v", way, r.took, kinds)
	}
	if r := b.surety("exec", "web-0", "--", "sh", "-c", "ls -A /var/tmp"); strings.TrimSpace(r.stdout) != "" {
		t.Errorf("left in /var/tmp: %s", r.stdout)
	}
	var ledger []entry
	b.read(&ledger, 0, "ledger")
	for _, e := range ledger {
		if strings.HasPrefix(e.Requirement, "servers.web.size.") && e.State != "met" {
			t.Errorf("%s is %s: %s", e.Requirement, e.State, e.Evidence)
		}
	}
}
