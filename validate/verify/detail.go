package verify

import (
	"time"

	"surety/benchmarks"
	"surety/benchmarks/baseline"
	"surety/benchmarks/consistency"
	"surety/benchmarks/knee"
)

// Effort says how much is measured. The zero value measures what takes a moment and drives no load.
type Effort struct {
	// Load is how long each load run lasts; 0 drives none, and what only load proves is unproven. In a suite that runs in full 0 is 30 s,
	// and a negative Load drives none.
	Load time.Duration
	// Full measures what takes long as well: the knee, the hosts' own figures, concurrent histories, restores, baselines.
	Full bool
}

// Detail is a measurement in full, behind the verdicts: what documents and later comparisons are made of. Kind says which field is set.
type Detail struct {
	Check        string    `json:"check"` // ID of the check that made it
	Suite        string    `json:"suite"`
	Subject      string    `json:"subject"` // "servers.web", or a host's name for figures of a host
	From         string    `json:"from"`    // host that measured
	How          string    `json:"how"`     // in a sentence
	At           time.Time `json:"at"`
	Requirements []string  `json:"requirements,omitempty"`

	Load        *LoadDetail              `json:"load,omitempty"`
	Knee        *KneeDetail              `json:"knee,omitempty"`
	Figures     []benchmarks.Measurement `json:"figures,omitempty"`
	Consistency *consistency.Result      `json:"consistency,omitempty"`
	Baseline    *baseline.Comparison     `json:"baseline,omitempty"`
}

// LoadDetail is one run at the required rate. Rates are in Unit, as "req/s", "tx/s" or "MiB/s".
type LoadDetail struct {
	Unit     string             `json:"unit"`
	Required Limits             `json:"required"`
	Offered  float64            `json:"offered"` // 0 of a closed loop
	Rate     float64            `json:"rate"`    // that ended well, in Unit, as it was judged
	RateLow  float64            `json:"rateLow"` // of its 95 % interval
	RateHigh float64            `json:"rateHigh"`
	Outcome  benchmarks.Outcome `json:"outcome"`
	Result   benchmarks.Result  `json:"result"`
	Usage    knee.Usage         `json:"usage"` // of every host meanwhile
}

// Limits are what the spec requires; zero is nothing.
type Limits struct {
	Rate   float64       `json:"rate,omitempty"`
	P95    time.Duration `json:"p95,omitempty"`
	Errors float64       `json:"errors,omitempty"` // share, 0 to 1
}

// KneeDetail is a search for the highest rate that holds the limits.
type KneeDetail struct {
	Unit      string          `json:"unit"`
	Required  Limits          `json:"required"`
	Knee      knee.Knee       `json:"knee"`
	Saturated knee.Saturation `json:"saturated"`
}
