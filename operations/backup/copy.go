package backup

import (
	"slices"
	"time"
)

// Kind is what a copy is of.
type Kind string

// The three kinds of sources.
const (
	Files   Kind = "files"
	Cluster Kind = "postgres"
	Bucket  Kind = "bucket"
)

// Copy is one finished copy, as it was recorded when it was made: what a restore is held against.
type Copy struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Source string `json:"source"`
	Host   string `json:"host"`
	Kind   Kind   `json:"kind"`
	// Taken is the moment whose state the copy gives back; of a cluster that of its restore point.
	Taken time.Time     `json:"taken"`
	Took  time.Duration `json:"took"`
	// Files and Bytes count regular files (of a bucket: objects) and their content; Links and Folders are beside them.
	Files   int64 `json:"files"`
	Links   int64 `json:"links"`
	Folders int64 `json:"folders"`
	Bytes   int64 `json:"bytes"`
	// Digest is the SHA-256 of the copy's listing: name, mode, owners, size, SHA-256 of the content and metadata of each entry.
	Digest string `json:"digest"`
	// Tables are what a cluster's tables held at Point, by "database.schema.table".
	Tables map[string]Table `json:"tables,omitempty"`
	// Unsettled says why Tables could not be tied to Point; a drill then leaves tables and rows unproven.
	Unsettled string `json:"unsettled,omitempty"`
	// Point is where in the write-ahead log a cluster's copy ends.
	Point *Point `json:"point,omitempty"`
}

// Settled gives which of copies, newest first, is the newest that is not Unsettled; the newest of all when none is. -1 without any.
func Settled(copies []Copy) int {
	if len(copies) == 0 {
		return -1
	}
	return max(0, slices.IndexFunc(copies, func(c Copy) bool { return c.Unsettled == "" }))
}

// Table is what one table held.
type Table struct {
	Rows int64 `json:"rows"`
	// Checksum does not depend on the order of rows: the sum of the first 8 bytes of the MD5 of each row as text, modulo 2^64, in hexadecimal.
	Checksum string `json:"checksum"`
}

// Point is a place in the write-ahead log of a cluster.
type Point struct {
	System   string `json:"system"` // the cluster's system identifier
	Timeline int    `json:"timeline"`
	Start    string `json:"start"` // LSN from which the log is needed
	LSN      string `json:"lsn"`   // of the restore point
	Name     string `json:"name"`  // of the restore point
	Segment  int64  `json:"segmentBytes"`
	Version  string `json:"version"` // of the server, as "15.18"
}

// Restored tells what a restore gave.
type Restored struct {
	Copy Copy   `json:"copy"`
	Into string `json:"into"` // folder: "data" in it holds a cluster's data directory, "files" files below their paths, "objects" a bucket's
	// Reached is up to when a cluster's changes were replayed: the commit time of the last transaction, or Copy.Taken.
	Reached time.Time     `json:"reached"`
	LSN     string        `json:"lsn,omitempty"`
	Files   int64         `json:"files"`
	Bytes   int64         `json:"bytes"`
	Took    time.Duration `json:"took"`
}

// Verdict is what a drill found.
type Verdict string

// A drill that could not be held is unproven, with the reason; never met.
const (
	Met      Verdict = "met"
	Breached Verdict = "breached"
	Unproven Verdict = "unproven"
)

// Finding is the outcome of a drill.
type Finding struct {
	Verdict   Verdict  `json:"verdict"`
	Sentences []string `json:"sentences"` // what was found, worst first
	Figures   Figures  `json:"figures"`
	Copy      *Copy    `json:"copy,omitempty"` // whose tables were compared: the newest, or the newest settled
	// PassedOver is the newest copy when it is Unsettled and an older one is not: only its files were compared.
	PassedOver *Copy `json:"passedOver,omitempty"`
}

// Figures are what a drill measured. Ages are zero when there is nothing to measure.
type Figures struct {
	Copies   int           `json:"copies"`
	Files    int64         `json:"files"`
	Bytes    int64         `json:"bytes"`
	Tables   int           `json:"tables"`
	Rows     int64         `json:"rows"`
	Segments int           `json:"segments"` // of archived log that were read
	Age      time.Duration `json:"age"`      // of the newest copy
	// Restore is from nothing to the data being there, and for a cluster to the server taking writes: the RTO of this source, measured.
	Restore time.Duration `json:"restore"`
	// Lost is how far back the newest state is that can be restored, as of now: the RPO of this source, measured.
	Lost time.Duration `json:"lost"`
	Took time.Duration `json:"took"` // of the whole drill, comparison included
}
