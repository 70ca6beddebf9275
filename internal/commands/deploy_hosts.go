package commands

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"surety/internal/terminal"
	"surety/stacks"
	"surety/stacks/releases"
	"surety/validate/verify"
)

// programDir is where a spec's program is placed on a host, by the contract of blueprints.Software.
const programDir = "/opt/bin"

// holdings reads from the hosts of a deploy what they hold, and knows what they shall hold.
type holdings struct {
	hosts  map[string]stacks.Host
	asks   map[string]verify.Holdings
	wanted map[string]map[string]string // host → path → SHA-256, of what the Graph gives literally
}

func newHoldings(ctx context.Context, d *deployment) (*holdings, error) {
	stands, err := d.env.engine.Deployment(ctx)
	if err != nil {
		return nil, err
	}
	all, err := d.env.target.Hosts(stands)
	if err != nil {
		return nil, fmt.Errorf("reach hosts: %w", err)
	}
	h := &holdings{hosts: map[string]stacks.Host{}, asks: map[string]verify.Holdings{}, wanted: map[string]map[string]string{}}
	key := rand.Text()
	released := map[string]stacks.Resource{}
	for _, r := range d.current.Graph.Resources {
		released[r.Name] = r
	}
	for _, step := range d.changed {
		for _, r := range d.graph.Resources {
			if r.Name != step.Name {
				continue
			}
			name, _ := r.Inputs["name"].(string)
			at := slices.IndexFunc(all, func(one stacks.Host) bool { return one.Name() == name })
			if at < 0 {
				return nil, fault("there is no way in to host %s of %s", name, d.group)
			}
			h.hosts[name] = all[at]
			h.wanted[name] = literal(r)
			ask := verify.Holdings{Key: key, Programs: programs(released[r.Name], r), Files: files(released[r.Name], r)}
			ask.Port, _ = r.Inputs["port"].(int)
			h.asks[name] = ask
		}
	}
	return h, nil
}

// programs and files list the paths of what either of two forms of a server places.
func programs(forms ...stacks.Resource) []string {
	places := map[string]bool{}
	for _, r := range forms {
		if place, _ := placed(r); place != "" {
			places[place] = true
		}
	}
	return slices.Sorted(maps.Keys(places))
}

func files(forms ...stacks.Resource) []string {
	places := map[string]bool{}
	for _, r := range forms {
		content, _ := r.Inputs["files"].(map[string]any)
		for place := range content {
			places[place] = true
		}
	}
	return slices.Sorted(maps.Keys(places))
}

// placed gives the path and digest of a server's program; empty when it has none of its own.
func placed(r stacks.Resource) (place, sum string) {
	program, ok := r.Inputs["program"].(map[string]any)
	if !ok {
		return "", ""
	}
	name, _ := program["name"].(string)
	if name == "" {
		source, _ := program["source"].(string)
		name = filepath.Base(source)
	}
	sum, _ = program["sha256"].(string)
	return path.Join(programDir, name), sum
}

// literal gives the digests that are known beforehand. A file with a reference in it has its content only when that is resolved;
// verification compares it after the last step.
func literal(r stacks.Resource) map[string]string {
	sums := map[string]string{}
	if place, sum := placed(r); place != "" {
		sums[place] = sum
	}
	content, _ := r.Inputs["files"].(map[string]any)
	for place, value := range content {
		if text, ok := value.(string); ok {
			sum := sha256.Sum256([]byte(text))
			sums[place] = hex.EncodeToString(sum[:])
		}
	}
	return sums
}

// read asks all hosts at once.
func (h *holdings) read(ctx context.Context) (map[string][]releases.Holding, error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	var failure error
	all := map[string][]releases.Holding{}
	for name, host := range h.hosts {
		group.Go(func() {
			held, err := h.asks[name].Read(ctx, host)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failure = err
			}
			for _, one := range held {
				all[name] = append(all[name], releases.Holding(one))
			}
		})
	}
	group.Wait()
	return all, failure
}

// good compares what a host holds, and what runs on it, with what was planned.
func (h *holdings) good(host string, holds []releases.Holding) error {
	running := false
	for _, one := range holds {
		want, known := h.wanted[host][one.Of]
		switch {
		case one.Kind == "running program":
			running = true
			if want, ours := h.wanted[host][path.Join(programDir, one.Of)]; ours && one.SHA256 != want {
				return fmt.Errorf("another build of %s runs than was put there (%.12s, planned %.12s)", one.Of, one.SHA256, want)
			}
		case !known:
		case one.SHA256 == "":
			return fmt.Errorf("%s is not there", one.Of)
		case one.SHA256 != want:
			return fmt.Errorf("%s is not what was planned (%.12s, planned %.12s)", one.Of, one.SHA256, want)
		}
	}
	if !running {
		return fmt.Errorf("no program of its service runs")
	}
	return nil
}

// showRolled shows what a step did to its hosts.
func (a *app) showRolled(hosts []releases.RolledHost) {
	s := a.screen()
	for _, h := range hosts {
		back := slices.ContainsFunc(h.Digests, func(d releases.HoldingDigest) bool { return d.Back != "" })
		switch {
		case back:
			s.Line("  %s %s has back what it had", s.Paint(terminal.Yellow, "↩"), h.Host)
		case h.Good:
			s.Line("  %s %s is healthy with what was planned, after %s", s.Paint(terminal.Green, "✔"), h.Host, terminal.Took(h.Took))
		}
		for _, d := range h.Digests {
			s.Line("      %s", digestLine(d, back))
		}
	}
}

// digestLine tells what became of one thing on a host. The digest of what may hold secrets is keyed anew each time, so that only
// whether it changed is worth saying.
func digestLine(d releases.HoldingDigest, back bool) string {
	what := terminal.Pad(d.Kind+" "+d.Of, 36)
	keyed := d.Kind == "command line" || d.Kind == "environment"
	show := func(sum string) string {
		if sum == "" {
			return "(not there)"
		}
		return fmt.Sprintf("%.12s", sum)
	}
	switch {
	case keyed && back && d.Back != d.Before:
		return what + "  differs from before"
	case keyed && d.Before == d.After:
		return what + "  unchanged"
	case keyed && back:
		return what + "  as before"
	case keyed:
		return what + "  changed"
	case back && d.Before == d.Back:
		return fmt.Sprintf("%s  %s → %s → %s, as before", what, show(d.Before), show(d.After), show(d.Back))
	case back:
		return fmt.Sprintf("%s  %s → %s → %s, not as it was found", what, show(d.Before), show(d.After), show(d.Back))
	case d.Before == d.After:
		return fmt.Sprintf("%s  %s unchanged", what, show(d.After))
	}
	return fmt.Sprintf("%s  %s → %s", what, show(d.Before), show(d.After))
}
