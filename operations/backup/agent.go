package backup

import (
	"context"
	"time"
)

// Status is what the agent says of itself.
type Status struct {
	Job    string `json:"job"`    // NAME of SOURCE
	Config string `json:"config"` // service.Digest of the Job in force
	Phase  string `json:"phase"`  // "copying", "waiting", "standby", "retrying"
	// Newest is the newest copy; nil when there is none, or the agent has not looked yet.
	Newest *Copy     `json:"newest,omitempty"`
	Next   time.Time `json:"next,omitzero"` // when the next run begins
	// Failure is why the last run failed, Failures how many did since the last that succeeded.
	Failure  string    `json:"failure,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Archive  *Archived `json:"archive,omitempty"` // of the write-ahead log
}

// Archived says how far the write-ahead log is archived.
type Archived struct {
	Segments int       `json:"segments"` // since the agent started
	LSN      string    `json:"lsn"`
	Covered  time.Time `json:"covered,omitzero"` // all that was committed before is in the repository
	Failure  string    `json:"failure,omitempty"`
}

// Serve runs the agent until ctx ends or SIGTERM comes: it copies at once when a copy is due, then every Every, retries with growing
// pauses after a failure, archives the write-ahead log, and answers on the status socket. The file is read again on SIGHUP.
// On a standby it copies nothing until the standby is promoted.
func Serve(ctx context.Context, config string) error { return errUnfinished }
