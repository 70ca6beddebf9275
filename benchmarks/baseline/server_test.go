package baseline

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"surety/benchmarks"
)

// needsQuiet skips what measures for a minute and demands that every run be told apart, which a machine busy with something else denies.
func needsQuiet(t *testing.T) {
	t.Helper()
	if os.Getenv("SURETY_MEASURE") == "" {
		t.Skip("needs a quiet machine for minutes: make measure")
	}
}

// server is a real HTTP server on the loopback whose answers cost a number of rounds of hashing.
func server(t *testing.T, rounds int) *httptest.Server {
	t.Helper()
	block := make([]byte, 16<<10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sum [sha256.Size]byte
		for range rounds {
			sum = sha256.Sum256(block)
		}
		fmt.Fprintf(w, "%x", sum)
	}))
	t.Cleanup(s.Close)
	return s
}

// latency measures a server's median latency over a short run of requests, one after the other.
func latency(s *httptest.Server, requests int) Measure {
	machine := benchmarks.ThisMachine()
	return func(ctx context.Context, q Quantity) (benchmarks.Measurement, error) {
		took := make([]float64, requests)
		for i := range took {
			began := time.Now()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
			if err != nil {
				return benchmarks.Measurement{}, err
			}
			answer, err := s.Client().Do(request)
			if err != nil {
				return benchmarks.Measurement{}, err
			}
			_, err = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if err != nil {
				return benchmarks.Measurement{}, err
			}
			took[i] = time.Since(began).Seconds() * 1000
		}
		slices.Sort(took)
		return benchmarks.Measurement{Quantity: q.Name, Unit: "ms", Value: middle(took), Count: requests, Fingerprint: machine, At: time.Now()}, nil
	}
}

const (
	repeats  = 20
	work     = 100 // rounds of hashing an answer costs: about a millisecond
	requests = 10  // of one short run
)

// Old and new measured in turn, as a release beside the one it replaces: 20 times unchanged, 20 times with 15 % more work.
func TestServerInTurn(t *testing.T) {
	needsQuiet(t)
	plan := Plan{Quantities: []Quantity{{Name: "p50", Unit: "ms", Better: Lower}}, WarmUp: 1, Runs: 32}
	old, same, slow := server(t, work), server(t, work), server(t, work*115/100)
	for _, c := range []struct {
		name string
		new  *httptest.Server
		want Verdict
	}{{"unchanged", same, Pass}, {"15 % slower", slow, Fail}} {
		count, effects := map[Verdict]int{}, []float64{}
		for range repeats {
			before, after, err := plan.RunPair(t.Context(), "old", "new", latency(old, requests), latency(c.new, requests))
			if err != nil {
				t.Fatal(err)
			}
			got := Compare(before, after, Options{})
			count[got.Verdict]++
			effects = append(effects, 100*got.Changes[0].Effect.Center)
			if got.Verdict != c.want {
				t.Logf("%s: %s", c.name, got.Changes[0].Summary)
			}
			if c.want == Pass && got.Verdict == Fail || c.want == Fail && got.Verdict != Fail {
				t.Errorf("%s: the verdict is %s, not %s", c.name, got.Verdict, c.want)
			}
		}
		slices.Sort(effects)
		t.Logf("%-12s %d fail, %d pass, %d unproven of %d; change between %+.1f and %+.1f %%, median %+.1f %%; load average %s",
			c.name, count[Fail], count[Pass], count[Unproven], repeats, effects[0], effects[repeats-1], middle(effects), loadAverage())
	}
}

// A stored baseline against 20 later sessions of the unchanged server. The machine may change between them, which a control tells: a
// reference server that no release has part in.
func TestServerAgainstStored(t *testing.T) {
	needsQuiet(t)
	plan := Plan{Quantities: []Quantity{{Name: "p50", Unit: "ms", Better: Lower}, {Name: "reference p50", Unit: "ms", Better: Lower, Control: true}}, WarmUp: 1, Runs: 32}
	s, reference := server(t, work), server(t, work)
	measure := func(ctx context.Context, q Quantity) (benchmarks.Measurement, error) {
		if q.Control {
			return latency(reference, requests)(ctx, q)
		}
		return latency(s, requests)(ctx, q)
	}
	store := Open(t.TempDir())
	first, err := plan.Run(t.Context(), "first", measure)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Save(first); err != nil {
		t.Fatal(err)
	}
	count := map[Verdict]int{}
	for i := range repeats {
		later, err := plan.Run(t.Context(), fmt.Sprintf("later %d", i), measure)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := store.Load("first")
		if err != nil {
			t.Fatal(err)
		}
		c := Compare(stored.Record, later, Options{})
		count[c.Verdict]++
		if c.Verdict != Pass {
			t.Log(c.Changes[0].Summary)
		}
		if c.Verdict == Fail {
			t.Errorf("a false alarm: %s; control: %s", c.Changes[0].Summary, c.Changes[1].Summary)
		}
	}
	t.Logf("unchanged against a stored baseline: %d fail, %d pass, %d unproven of %d; load average %s", count[Fail], count[Pass], count[Unproven], repeats, loadAverage())
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
