package documents

import (
	"time"

	"surety/blueprints"
	"surety/validate"
)

// Language is one that documents are rendered in.
type Language string

// The languages by their BCP 47 tags.
const (
	English            Language = "en"
	TraditionalChinese Language = "zh-TW"
)

// Text is a sentence in the languages of documents. A missing translation falls back to English.
type Text struct{ EN, TW string }

// Same is a text that reads alike in every language, as a host's name or what a program printed.
func Same(s string) Text { return Text{EN: s} }

func (t Text) in(l Language) string {
	if l == TraditionalChinese && t.TW != "" {
		return t.TW
	}
	return t.EN
}

// Performance is all that the host performance check (O1.4.1 主機效能查核) says. It is plain data: rendering computes nothing but
// the layout, so that every figure on paper is one that was handed in.
type Performance struct {
	Environment string    // name of what was checked
	Release     string    // as "release 7"; empty when none is known
	Taken       time.Time // when the measurements began; shown in UTC
	Took        time.Duration
	Tool        string // name and version of the program

	Fingerprint  []Fact // of the environment, in the order to show
	Conditions   []Text // what held while measuring, as the load average or what is not enforced
	Requirements []RequirementVerdict
	Load         []LoadCurve
	Latencies    []Histogram
	Figures      []FigureGroup
	Consistency  []ConsistencyVerdict
	Baseline     *BaselineComparison // nil when there is none to compare with
	Work         []WorkDone          // corrective uploads and backup jobs (P1.4.4, P1.4.5)
	Open         []Unproven          // what was not measured at all, though the check asks for it, and what to type
	SignOff      []Text              // the roles that sign
}

// Fact is a named value.
type Fact struct{ Name, Value string }

// Figure is a measured value with its 95 % interval in a unit. Without an interval Low and High equal Value.
type Figure struct {
	Value, Low, High float64
	Unit             string // as "ms", "op/s", "MiB/s"
	Count            int    // samples behind it; 0 when that says nothing
	Open             bool   // there were too few samples to bound it from above: it may lie above High
}

// RequirementVerdict is one requirement's end.
type RequirementVerdict struct {
	ID     string // path in the spec
	Wanted string // as "≤ 150 ms"
	State  validate.State
	Figure *Figure               // nil when nothing was measured
	How    Text                  // how it was measured, in a sentence
	Why    Text                  // why it is breached or unproven
	Places []blueprints.Position // where it stands in the spec, for SARIF; may be empty
}

// LoadCurve is latency against rate, in the order of the offered rates.
type LoadCurve struct {
	Subject   string // as "servers.web"
	RateUnit  string // as "req/s"
	Points    []LoadPoint
	Limit     float64 // the required p95 in ms; 0 when none is
	Required  float64 // the required rate; 0 when none is
	MaxErrors float64 // the permitted share of failed operations, as 0.001
	Knee      *Figure // the highest rate that met the limits, up to the lowest that did not; nil when none was found
	Searched  bool    // the knee was looked for
	Saturated Text    // what was exhausted at the knee
	How       Text
}

// LoadPoint is one step of the load test. Latencies are in ms, from the intended start of each operation.
type LoadPoint struct {
	Offered, Achieved float64 // per second
	P50, P95, P99     float64
	P95Low, P95High   float64 // 95 % interval of P95; equal to it when unknown
	Errors            float64 // share, as 0.001
	Within            bool    // the limits were met
}

// Histogram is the distribution of latencies of one run, in ms.
type Histogram struct {
	Subject       string
	Buckets       []Bucket // by rising From; those with no count may be left out
	P50, P95, P99 float64
	Max           float64
	Limit         float64 // the required p95; 0 when none is
	How           Text
}

// Bucket counts the latencies in [From, To) ms.
type Bucket struct {
	From, To float64
	Count    int64
}

// FigureGroup are measured figures of one kind.
type FigureGroup struct {
	Kind FigureKind
	Rows []FigureRow
}

// FigureKind is what figures are of.
type FigureKind string

// The kinds of figures, in the order of the document.
const (
	HostFigures     FigureKind = "host"
	DatabaseFigures FigureKind = "database"
	StorageFigures  FigureKind = "storage"
	NetworkFigures  FigureKind = "network"
)

// FigureRow is one measured quantity of one subject.
type FigureRow struct {
	Subject  string // as "web-0"
	Quantity Text   // as "sequential read"
	Figure   Figure
	How      Text
}

// ConsistencyVerdict is what concurrent histories showed.
type ConsistencyVerdict struct {
	Subject      string // as "buckets.media"
	Property     Text   // as "linearizable register"
	State        validate.State
	Operations   int
	Clients      int
	How          Text
	Why          Text     // the finding, or why it is unproven
	Requirements []string // IDs it serves
	Anomaly      []string // a minimal history that shows a breach, one operation a line
}

// BaselineComparison is this check against a stored one.
type BaselineComparison struct {
	Old      string // name of the baseline
	OldTaken time.Time
	State    validate.State
	Margin   float64 // as 0.05
	Method   Text
	Differs  []string // how the environments differ
	Changes  []BaselineChange
}

// BaselineChange is one quantity's. Change, Low and High are relative, as 0.15.
type BaselineChange struct {
	Quantity          string
	Unit              string
	LowerIsBetter     bool
	Old, New          float64
	Change, Low, High float64
	P                 float64 // corrected for the number of quantities
	OldRuns, NewRuns  int
	State             validate.State
	Why               Text     // why it is breached or unproven, as "3 more runs needed"
	Unmeasured        bool     // the figures could not be compared; only Why counts
	Requirements      []string // IDs it serves
}

// WorkDone is a piece of work with its proof: a corrective upload (P1.4.4) or a backup job and its restore (P1.4.5).
type WorkDone struct {
	Indicator    string // "P1.4.4" or "P1.4.5"
	What         Text
	State        validate.State
	Proof        Text
	Requirements []string // IDs it serves
}

// Unproven is what could not be judged, with the reason, in the order of the document.
type Unproven struct{ What, Why Text }

// Unproven gathers everything that the check leaves open.
func (p Performance) Unproven() []Unproven {
	var out []Unproven
	add := func(state validate.State, what, why Text) {
		if state != validate.Pass && state != validate.Fail {
			if why == (Text{}) {
				why = Text{EN: "no reason was recorded", TW: "未記錄原因"}
			}
			out = append(out, Unproven{what, why})
		}
	}
	for _, r := range p.Requirements {
		add(r.State, Same(r.ID), r.Why)
	}
	for _, c := range p.Consistency {
		add(c.State, Text{c.Subject + ", " + c.Property.in(English), c.Subject + "，" + c.Property.in(TraditionalChinese)}, c.Why)
	}
	if p.Baseline != nil {
		for _, c := range p.Baseline.Changes {
			add(c.State, Same(c.Quantity), c.Why)
		}
	}
	for _, w := range p.Work {
		add(w.State, Text{w.Indicator + " " + w.What.in(English), w.Indicator + " " + w.What.in(TraditionalChinese)}, w.Proof)
	}
	return append(out, p.Open...)
}
