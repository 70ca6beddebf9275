// Package consistency measures what a store or database promises about data under concurrency and failure, from the place where
// it is used: histories of concurrent clients checked against a consistency model, sums that transfers must keep, read-back and
// listing of objects, and which acknowledged rows a fail-over loses.
//
// All clients of a run share one process and its monotonic clock, so that the order of their operations is known. Every run is
// bounded in operations and time, makes its own keys and tables, these in a schema of their own, and removes them. A run that could decide nothing is unproven.
package consistency

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Model is the promise that is checked; each is weaker than the one before.
type Model string

// Models.
const (
	Linearizable   Model = "linearizable"     // one order for all clients, as on a single copy
	ReadAfterWrite Model = "read-after-write" // each client sees at least its own writes, and all agree at last
	Eventual       Model = "eventual"         // all agree at last, within Settle
)

// Config says what to do and where. The zero value of a number is its default. It carries credentials; a Result carries none.
type Config struct {
	Model      Model  `json:"model,omitempty"` // Linearizable when empty
	Seed       uint64 `json:"seed"`            // chooses operations, keys, sizes and pauses
	Clients    int    `json:"clients,omitempty"`
	Keys       int    `json:"keys,omitempty"`       // registers, or accounts of the bank
	Operations int    `json:"operations,omitempty"` // per client

	Timeout time.Duration `json:"timeout,omitempty"` // of one operation, in nanoseconds as all durations here; 5 s
	Settle  time.Duration `json:"settle,omitempty"`  // within which a weaker model must agree; 10 s
	Check   time.Duration `json:"check,omitempty"`   // for deciding a history; 30 s
	Limit   time.Duration `json:"limit,omitempty"`   // no operation begins later; 2 min

	Store    *Store    `json:"store,omitempty"`
	Database *Database `json:"database,omitempty"`
}

// Store is an S3 bucket to which the keys may write, read, list and delete.
type Store struct {
	Endpoints []string `json:"endpoints"` // "http://address:port"; clients are spread over them
	Bucket    string   `json:"bucket"`
	Region    string   `json:"region,omitempty"` // "us-east-1" when empty
	AccessKey string   `json:"accessKey"`
	SecretKey string   `json:"secretKey"`
	Objects   int      `json:"objects,omitempty"` // to read back; 64
	MaxSize   int      `json:"maxSize,omitempty"` // of an object to read back, bytes; 1 MiB
}

// Database is a PostgreSQL database in which the user may create schemas.
type Database struct {
	URL       string `json:"url"`                 // "postgres://…", also with several hosts and target_session_attrs
	ReadURL   string `json:"readURL,omitempty"`   // where reads go when not to URL, as to a standby
	Isolation string `json:"isolation,omitempty"` // of transactions; "serializable" when empty

	// Of Durability alone.
	Before time.Duration `json:"before,omitempty"` // writing before the fault; 1 s
	After  time.Duration `json:"after,omitempty"`  // writing after the first acknowledgement that follows it; 0.5 s
	Revive time.Duration `json:"revive,omitempty"` // within which writing must be possible again after it; 60 s
	RPO    time.Duration `json:"rpo,omitempty"`    // what may be lost; 0 is nothing
}

// Bounds keep a faulty Config from exhausting the host it runs on.
const (
	maxClients    = 64
	maxOperations = 20000 // of all clients
	maxObjects    = 10000
	maxObjectSize = 64 << 20
)

func (c Config) complete() (Config, error) {
	c.Model = cmp.Or(c.Model, Linearizable)
	c.Clients, c.Keys, c.Operations = cmp.Or(c.Clients, 5), cmp.Or(c.Keys, 4), cmp.Or(c.Operations, 80)
	c.Timeout, c.Settle = cmp.Or(c.Timeout, 5*time.Second), cmp.Or(c.Settle, 10*time.Second)
	c.Check, c.Limit = cmp.Or(c.Check, 30*time.Second), cmp.Or(c.Limit, 2*time.Minute)
	switch {
	case c.Model != Linearizable && c.Model != ReadAfterWrite && c.Model != Eventual:
		return c, fmt.Errorf("model %q is not one of linearizable, read-after-write, eventual", c.Model)
	case c.Clients < 1 || c.Clients > maxClients || c.Keys < 1 || c.Keys > maxOperations || c.Operations < 1 || c.Clients*c.Operations > maxOperations:
		return c, fmt.Errorf("clients must be 1 to %d, keys and the operations of all clients at most %d", maxClients, maxOperations)
	case min(c.Timeout, c.Settle, c.Check, c.Limit) <= 0:
		return c, errors.New("a duration is negative")
	}
	if c.Store != nil {
		s := *c.Store
		s.Region, s.Objects, s.MaxSize = cmp.Or(s.Region, "us-east-1"), cmp.Or(s.Objects, 64), cmp.Or(s.MaxSize, 1<<20)
		if len(s.Endpoints) == 0 || s.Bucket == "" || s.Objects < 1 || s.Objects > maxObjects || s.MaxSize < 1 || s.MaxSize > maxObjectSize {
			return c, errors.New("the store needs endpoints and a bucket, and objects within bounds")
		}
		c.Store = &s
	}
	if c.Database != nil {
		d := *c.Database
		d.ReadURL, d.Isolation = cmp.Or(d.ReadURL, d.URL), cmp.Or(d.Isolation, "serializable")
		d.Before, d.After = cmp.Or(d.Before, time.Second), cmp.Or(d.After, time.Second/2)
		d.Revive = cmp.Or(d.Revive, time.Minute)
		if d.URL == "" || min(d.Before, d.After, d.Revive, d.RPO) < 0 {
			return c, errors.New("the database needs a URL, and durations that are not negative")
		}
		c.Database = &d
	}
	return c, nil
}

// unique makes a name that no other run uses. It tells when it was made, so that what a run leaves that was killed can be found and removed.
func unique(separator string) string {
	raw := make([]byte, 5)
	_, _ = rand.Read(raw) // never fails
	return "surety" + separator + "consistency" + separator + time.Now().UTC().Format("20060102t150405") + separator + hex.EncodeToString(raw)
}
