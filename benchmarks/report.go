package benchmarks

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is a fold that sums a run up: rates, errors and latencies, in total, by kind of operation, and second by second.
type Report struct {
	warmUp, until, last time.Duration
	total               *group
	byOp                map[string]*group
	lastOp              string // of the group below: most samples have the same kind as the last
	lastGroup           *group
	second              *hdrhistogram.Histogram // of the second under way
	now                 Second
	series              []Second
}

// Result is what a Report found. Operations of the warm-up are in no figure.
type Result struct {
	From   time.Duration    `json:"from"` // offsets between which it counts
	To     time.Duration    `json:"to"`
	Total  Group            `json:"total"`
	ByOp   map[string]Group `json:"byOp"` // by Sample.Op; of a run with one unnamed kind only "" is here
	Series []Second         `json:"series"`
}

// Group sums up operations of a kind, failed ones too, whose latency is the time until they failed.
type Group struct {
	Count      int            `json:"count"`
	Failed     int            `json:"failed"`
	Errors     map[string]int `json:"errors"` // by class
	Bytes      int64          `json:"bytes"`
	Rate       float64        `json:"rate"`       // operations that went well, per second
	Throughput float64        `json:"throughput"` // bytes per second
	Latency    Latency        `json:"latency"`
}

// ErrorRate is the share of operations that failed, 0 to 1.
func (g Group) ErrorRate() float64 {
	if g.Count == 0 {
		return 0
	}
	return float64(g.Failed) / float64(g.Count)
}

// Second is what ended within one second of the run.
type Second struct {
	At     int           `json:"at"` // whole seconds since the run's start
	Count  int           `json:"count"`
	Failed int           `json:"failed"`
	Bytes  int64         `json:"bytes"`
	P50    time.Duration `json:"p50"`
	P95    time.Duration `json:"p95"`
	P99    time.Duration `json:"p99"`
	Max    time.Duration `json:"max"`
}

type group struct {
	Group
	latency *distribution
}

func newGroup() *group { return &group{latency: newDistribution()} }

func (g *group) add(s Sample, from time.Duration) {
	g.Count++
	g.Bytes += s.Bytes
	if s.Class != "" {
		g.Failed++
		if g.Errors == nil {
			g.Errors = map[string]int{}
		}
		g.Errors[s.Class]++
	}
	g.latency.add(s.Intended-from, s.Latency())
}

// NewReport makes a report that leaves out what was intended to start before warmUp.
func NewReport(warmUp time.Duration) *Report {
	return &Report{warmUp: warmUp, total: newGroup(), byOp: map[string]*group{}, second: newHistogram(2)}
}

// Until says how long the schedule was, so that rates count to its end when the last operation was over earlier.
func (r *Report) Until(length time.Duration) *Report {
	r.until = length
	return r
}

// Add counts a sample. It allocates only for kinds, error classes and seconds it has not seen.
func (r *Report) Add(s Sample) {
	if s.Intended < r.warmUp {
		return
	}
	r.last = max(r.last, s.Ended)
	r.total.add(s, r.warmUp)
	if r.lastGroup == nil || r.lastOp != s.Op {
		g, ok := r.byOp[s.Op]
		if !ok {
			g = newGroup()
			r.byOp[s.Op] = g
		}
		r.lastOp, r.lastGroup = s.Op, g
	}
	r.lastGroup.add(s, r.warmUp)

	if at := int(s.Ended / time.Second); at > r.now.At || r.now.Count == 0 {
		r.turn()
		r.now.At = at
	}
	r.now.Count++
	r.now.Bytes += s.Bytes
	if s.Class != "" {
		r.now.Failed++
	}
	_ = r.second.RecordValue(clip(s.Latency()))
}

// turn ends the second under way.
func (r *Report) turn() {
	if r.now.Count > 0 {
		r.series = append(r.series, r.current())
		r.second.Reset()
	}
	r.now = Second{}
}

func (r *Report) current() Second {
	s := r.now
	at := func(percent float64) time.Duration { return time.Duration(r.second.ValueAtPercentile(percent)) }
	s.P50, s.P95, s.P99, s.Max = at(50), at(95), at(99), time.Duration(r.second.Max())
	return s
}

// Result sums up what was added so far.
func (r *Report) Result() Result {
	result := Result{From: r.warmUp, To: max(r.until, r.last, r.warmUp), ByOp: map[string]Group{}}
	seconds := (result.To - result.From).Seconds()
	result.Total = r.total.result(seconds)
	for op, g := range r.byOp {
		result.ByOp[op] = g.result(seconds)
	}
	result.Series = append(result.Series, r.series...)
	if r.now.Count > 0 {
		result.Series = append(result.Series, r.current())
	}
	return result
}

func (g *group) result(seconds float64) Group {
	result := g.Group
	result.Errors = map[string]int{}
	for class, n := range g.Errors {
		result.Errors[class] = n
	}
	if seconds > 0 {
		result.Rate = float64(g.Count-g.Failed) / seconds
		result.Throughput = float64(g.Bytes) / seconds
	}
	result.Latency = g.latency.result()
	return result
}
