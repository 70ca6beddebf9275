// Package architecture turns a requirement spec into sized components, flows, a start order and an availability figure,
// with the rule and reason of each decision, and keeps the ledger that joins requirements to what proves them.
package architecture

import (
	"time"

	"surety/blueprints"
)

// Kind is what a component is.
type Kind string

// Kinds of component. A Balancer is derived: each server group that is public or used by another group gets one. So is the bucket of
// each backup.
const (
	KindServer   Kind = "server"
	KindDatabase Kind = "database"
	KindBucket   Kind = "bucket"
	KindBalancer Kind = "balancer"
)

// Internet is the flow end that stands for callers outside the environment.
const Internet = "internet"

// Architecture is what is to be built, independent of any provider. It is a pure function of the spec.
type Architecture struct {
	Name         string                `json:"name"`
	Owner        blueprints.Owner      `json:"owner"`
	Objectives   blueprints.Objectives `json:"objectives"`
	Secrets      []SecretComponent     `json:"secrets,omitempty"`
	Components   []Component           `json:"components"` // in start order, then by ID
	Flows        []Flow                `json:"flows"`      // sorted
	StartOrder   [][]string            `json:"startOrder"` // component IDs; those in one layer may start together
	SinglePoints []SinglePoint         `json:"singlePoints"`
	Availability Availability          `json:"availability"`
	Decisions    []Decision            `json:"decisions"` // each figure, with its rule and reason
}

// SecretComponent is a generated secret.
type SecretComponent struct {
	Name         string   `json:"name"`
	Length       int      `json:"length"`
	Requirements []string `json:"requirements"`
}

// Component is one sized part. Exactly one of Server, Database, Bucket and Balancer is set, by Kind; Backup is set beside Bucket in a
// bucket that keeps copies.
type Component struct {
	ID           string             `json:"id"` // "servers.web", "databases.main", "buckets.media", "balancers.web", "backups.nightly"
	Kind         Kind               `json:"kind"`
	Name         string             `json:"name"` // "web"
	Instances    int                `json:"instances"`
	Size         blueprints.Size    `json:"size"` // of each instance, defaults applied
	Requirements []string           `json:"requirements"`
	Server       *ServerComponent   `json:"server,omitempty"`
	Database     *DatabaseComponent `json:"database,omitempty"`
	Bucket       *BucketComponent   `json:"bucket,omitempty"`
	Balancer     *BalancerComponent `json:"balancer,omitempty"`
	Backup       *BackupComponent   `json:"backup,omitempty"`
}

// ServerComponent is what is particular to a server group.
type ServerComponent struct {
	OS    string              `json:"os"`
	Runs  blueprints.Software `json:"runs"`
	Env   map[string]string   `json:"env,omitempty"`   // references unresolved
	Files map[string]string   `json:"files,omitempty"` // references unresolved
	// Uses are the component IDs that the group connects to. A use of "servers.api" stands here as "balancers.api".
	Uses    []string                 `json:"uses,omitempty"`
	Expects blueprints.ServerExpects `json:"expects,omitzero"`
}

// DatabaseComponent is what is particular to a database. Instances of its Component is 2 with a standby, else 1.
type DatabaseComponent struct {
	Engine  string `json:"engine"`
	Version string `json:"version"` // empty: whatever the target offers
	Standby bool   `json:"standby"`
	// Synchronous tells that a write is acknowledged when the standby has it, too; with no standby for some seconds, without.
	Synchronous bool              `json:"synchronous,omitempty"`
	Port        int               `json:"port"`
	Parameters  map[string]string `json:"parameters,omitempty"` // engine settings computed from the size; reasons are in Decisions
}

// BucketComponent is what is particular to a bucket.
type BucketComponent struct {
	Versioning bool    `json:"versioning"`
	Grants     []Grant `json:"grants"` // one per use
}

// Grant lets a component's hosts read and write a bucket.
type Grant struct {
	To           string   `json:"to"` // component ID: of a server group, of what is copied into the bucket, or of a backup that copies the bucket
	Requirements []string `json:"requirements"`
}

// BalancerComponent is the entry of a server group: for callers outside, for other groups, or for both.
// A public one listens on public.port for everybody; an internal one listens on the group's own port.
type BalancerComponent struct {
	For        string `json:"for"` // component ID of the server group
	Port       int    `json:"port"`
	Internal   bool   `json:"internal,omitempty"` // no caller from outside
	From       string `json:"from"`               // CIDR of callers from outside; empty when Internal
	TargetPort int    `json:"targetPort"`
	Health     string `json:"health"`
}

// Flow is a permitted connection, and the only kind of connection there is: each becomes one security group rule,
// one positive test, and everything not listed becomes a negative test.
type Flow struct {
	From         string   `json:"from"` // component ID, or Internet
	To           string   `json:"to"`   // component ID
	Port         int      `json:"port"`
	CIDR         string   `json:"cidr,omitempty"` // of the caller, when From is Internet
	Speaks       string   `json:"speaks"`         // http, postgres, s3, tcp
	Reason       string   `json:"reason"`
	Requirements []string `json:"requirements"`
}

// SinglePoint is a component whose loss of one instance stops a public entry.
type SinglePoint struct {
	Component string `json:"component"`
	Stops     string `json:"stops"` // the component whose service ends
	Mend      string `json:"mend"`
}

// Availability is the composite availability of the worst public entry (or of all components in series when none is public).
type Availability struct {
	// Entry is the component whose service the figure describes; empty when it describes all components in series.
	Entry    string  `json:"entry,omitempty"`
	Percent  float64 `json:"percent"`
	Required float64 `json:"required,omitempty"` // 0: not required
	Formula  string  `json:"formula"`            // readable, as "balancer × web(1 of 2) × main(1 of 2)"
	Terms    []Term  `json:"terms"`
	// DownPerMonth is the expected time without service in a 30-day month.
	DownPerMonth time.Duration `json:"downPerMonth"`
}

// Term is one factor of the composite availability.
type Term struct {
	Component string  `json:"component"`
	Each      float64 `json:"each"` // percent, of one instance
	Need      int     `json:"need"` // k of n
	Of        int     `json:"of"`
	Percent   float64 `json:"percent"` // of the group
	Source    string  `json:"source"`  // where Each comes from
}

// Decision is one figure or choice with why it was made.
type Decision struct {
	Component    string   `json:"component"`
	What         string   `json:"what"` // "memory", "shared_buffers", "instances"
	Value        string   `json:"value"`
	Rule         string   `json:"rule"` // the rule's name or formula
	Reason       string   `json:"reason"`
	Requirements []string `json:"requirements,omitempty"` // empty: a default, no requirement asked for it
}
