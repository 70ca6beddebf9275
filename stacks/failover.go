package stacks

import "context"

// Kill is how a host's loss is brought about.
type Kill string

// Kills.
const (
	// KillHost ends everything that runs on the host at once, as a power cut does. Nothing starts it again by itself.
	KillHost Kill = "host"
	// KillProcess ends the database's main process (SIGKILL). What supervises it may start it again at any moment.
	KillProcess Kill = "process"
)

// Roles is which hosts of a database do what, as read back from the running servers.
type Roles struct {
	Primary  string   `json:"primary"`            // host that takes writes; empty when none does
	Standbys []string `json:"standbys,omitempty"` // hosts that follow it
	// Streaming tells that a standby receives the primary's log now, so that it could take over.
	Streaming bool `json:"streaming"`
}

// Failover is what a Target offers, as well, when it can lose a database's primary on purpose and put the standby in its place.
// A resource is named as in the Graph. The methods are called one at a time for one database, with the environment locked.
type Failover interface {
	// Roles reads the roles back. It changes nothing.
	Roles(ctx context.Context, d Deployment, resource string) (Roles, error)
	// Kill strikes a host of the database, and returns when it is dead: nothing that it had not written or sent by then will be. A
	// host that is dead already is a success. A real fault: what was in memory only is lost, and the data directory is as after a crash.
	Kill(ctx context.Context, d Deployment, resource, host string, how Kill) error
	// Promote makes the standby primary, fences the host from, whatever state that is in, and has callers of the database's address
	// reach the new primary. It returns when that takes writes and, where from is alive, when from follows it. Idempotent: when from
	// is no longer the primary, or a call was cut off anywhere, it carries the same promotion through and never promotes back. When
	// there is no standby that runs it fails and has changed nothing. An ended ctx does not stop a promotion that has begun.
	Promote(ctx context.Context, d Deployment, resource, from string) error
	// Mend brings the database back to what the deployment declares, with whichever host is primary now: dead hosts are started,
	// a former primary that cannot follow is copied anew, and its writes that were never replicated are given up. It returns when the
	// standby streams. Idempotent; after a failure it goes on from what is there.
	Mend(ctx context.Context, d Deployment, resource string) error
}
