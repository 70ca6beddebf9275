package releases

import (
	"encoding/json"
	"time"
)

// evidenceSuffix names the folder of evidence after that of the records.
const evidenceSuffix = "-evidence"

// Evidence is what was measured of a release at one time: when it was made, or later, by a verification, drill or backup. It is kept
// apart from the release's record, which never changes, and tied to it by its hash. Among themselves pieces of evidence form a
// hash chain of their own; since each release names the newest evidence of its time, the end of the chain cannot be cut off unnoticed
// once another release was made. It holds no secret.
type Evidence struct {
	head

	Release     int    `json:"release"`     // number of the release
	ReleaseHash string `json:"releaseHash"` // hash of its record

	Made        time.Time         `json:"made"`
	Cause       string            `json:"cause"` // the command, as "verify --suite load"
	By          string            `json:"by"`    // user@host
	Tool        string            `json:"tool"`  // version of surety
	Fingerprint map[string]string `json:"fingerprint,omitempty"`
	// Conditions are what held meanwhile that is no part of the environment's identity, as "load average before": "0.21 0.30 0.28".
	Conditions map[string]string `json:"conditions,omitempty"`
	// Results are the verdicts, as written by validate; absent when the release's own record has them.
	Results json.RawMessage `json:"results,omitempty"`
	// Details are the measurements behind them, as written by validate/verify.
	Details json.RawMessage `json:"details,omitempty"`
}
