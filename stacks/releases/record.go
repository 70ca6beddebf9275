// Package releases keeps what was released, when, why and with which proof, and puts an earlier release back.
//
// A release is the unit a person thinks in: the spec, the Graph that was built from it, what the engine did, what was
// measured and how each requirement ended. Records are append-only and form a hash chain, so that a record that was
// changed or dropped is noticed.
package releases

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"surety/stacks"
	"surety/stacks/engine"
)

// State is how a release ended.
type State string

// States of a release.
const (
	Kept       State = "kept"        // it serves, or served until the next one
	RolledBack State = "rolled back" // it failed, and the release before it was put back
	Failed     State = "failed"      // it failed, and there was none to put back or that failed too
	Destroyed  State = "destroyed"   // not a release: the environment was removed at this point of the history
)

// Record is one release. It holds no secret: Graph and Plan carry secrets as references, and Verdict never quotes one.
type Record struct {
	head // hash, previous, number

	Made    time.Time      `json:"made"`
	Took    time.Duration  `json:"took"`
	Cause   string         `json:"cause"` // "up", "rollback to 3"
	By      string         `json:"by"`    // user@host
	Tool    string         `json:"tool"`  // version of surety
	State   State          `json:"state"`
	Reason  string         `json:"reason,omitempty"` // why it was not kept
	File    string         `json:"file"`             // of the spec, as named by the user
	Spec    string         `json:"spec"`             // its text
	Graph   stacks.Graph   `json:"graph"`
	Changes engine.Outcome `json:"changes"` // what the engine did to bring it about
	Verdict Verdict        `json:"verdict"`
	// Fingerprint names the machine and software that it was measured on.
	Fingerprint map[string]string `json:"fingerprint,omitempty"`
	// Service is what a caller at the entry points saw while the release was made.
	Service *Service `json:"service,omitempty"`
	// Rollout is what was put on which host, when hosts were changed in steps.
	Rollout *Rolled `json:"rollout,omitempty"`
	// Back is the return to the release before, when there was one.
	Back *Back `json:"back,omitempty"`
	// Evidence is the hash of the newest evidence when this was recorded, so that none can be dropped from before it.
	Evidence string `json:"evidence,omitempty"`
}

// Verdict is what verification found.
type Verdict struct {
	Met      int `json:"met"`
	Breached int `json:"breached"`
	Unproven int `json:"unproven"`
	// Breaches are the IDs of the breached requirements.
	Breaches []string        `json:"breaches,omitempty"`
	Results  json.RawMessage `json:"results,omitempty"` // as written by validate
	Ledger   json.RawMessage `json:"ledger,omitempty"`
}

// Back tells how the release before was put back.
type Back struct {
	To      int           `json:"to"`
	Took    time.Duration `json:"took"`
	Verdict Verdict       `json:"verdict"`
	Problem string        `json:"problem,omitempty"` // why it did not succeed
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
