// Package measure runs long measurements inside hosts: load on what is served there, the host's own figures, histories of concurrent
// clients, and how full each resource is meanwhile. The same program is started on a host over the target's way in and speaks JSON
// lines over its standard input and output; it judges nothing.
//
// What travels to a host carries credentials and goes over standard input only; what comes back carries none.
package measure

import (
	"time"

	"surety/benchmarks"
	"surety/benchmarks/objects"
	"surety/benchmarks/redis"
	"surety/benchmarks/sql"
	"surety/benchmarks/web"
)

// Command is the program that is run on a host: the tool's own binary, which each target places there.
var Command = []string{"/run/surety/surety", "measure"}

// Setup says what a session drives. Exactly one field is set.
type Setup struct {
	Web     *Web             `json:"web,omitempty"`
	SQL     *SQL             `json:"sql,omitempty"`
	Redis   *redis.Options   `json:"redis,omitempty"`
	Objects *objects.Options `json:"objects,omitempty"`
	// Workers bounds the operations under way at once in every run of the session; 0 is 64.
	Workers int `json:"workers,omitempty"`
}

// Web drives an HTTP server.
type Web struct {
	Requests    []web.Request `json:"requests"`
	Connections int           `json:"connections,omitempty"` // 0: one for each worker
}

// SQL drives a database in a schema (MariaDB: tables) of its own, which the session makes and removes.
type SQL struct {
	URL   string `json:"url"`
	Scale int    `json:"scale,omitempty"` // of the TPC-B-like tables; 0 when only Transactions are run
	// ReadOnly runs one SELECT by key instead of the TPC-B-like transaction.
	ReadOnly bool `json:"readOnly,omitempty"`
	// Transactions replace the built-in ones; they run on the user's own tables.
	Transactions sql.Mix `json:"transactions,omitempty"`
}

// Run is one run of a session.
type Run struct {
	Rate    float64       `json:"rate"`           // operations per second, open loop; 0 is a closed loop
	Ramp    []float64     `json:"ramp,omitempty"` // instead of Rate: steps of equal length
	For     time.Duration `json:"for"`
	WarmUp  time.Duration `json:"warmUp,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"` // of one operation; 10 s when 0
	Workers int           `json:"workers,omitempty"` // at most Setup.Workers; 0: as many
	Raw     bool          `json:"raw,omitempty"`     // give the samples back as well
}

// Result is what a run found.
type Result struct {
	Outcome     benchmarks.Outcome     `json:"outcome"`
	Result      benchmarks.Result      `json:"result"`
	Fingerprint benchmarks.Fingerprint `json:"fingerprint"`
	Samples     []byte                 `json:"samples,omitempty"` // for benchmarks.ReadSamples, when Raw was asked for
}
