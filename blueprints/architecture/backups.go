package architecture

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
)

// changePerCopy is the share of what is copied that is taken to have changed from one kept copy to the next. Copies share what is
// equal in them, so that only this share is stored again. It is an assumption of ours until the bucket's growth is measured.
const changePerCopy = 0.1

// serverCopy is what the configuration and the program of one server instance are taken to need: a Debian /etc has a few MiB, and a
// statically linked program some ten.
const serverCopy = 256 * mebibyte

// backups gives each backup a bucket of its own, apart from what it copies: whoever may read or delete the data by its everyday grant
// may not touch the copies.
func (d *designer) backups() {
	for _, name := range blueprints.SortedKeys(d.spec.Backups) {
		s, id := d.spec.Backups[name], "backups."+name
		// The dot keeps names apart: no name that an author may choose has one.
		c := Component{ID: id, Kind: KindBucket, Name: id, Instances: 1, Requirements: d.leaves[id]}
		c.Bucket = &BucketComponent{Grants: []Grant{}}
		c.Backup = &BackupComponent{Name: name, Every: s.Every, Keep: s.Retention(), Sources: []BackupSource{}}
		for i, of := range s.Of {
			source := BackupSource{Component: of, Requirements: d.only(fmt.Sprintf("%s.of[%d]", id, i))}
			if !d.hasComponent(of) || slices.ContainsFunc(c.Backup.Sources, func(b BackupSource) bool { return b.Component == of }) {
				continue // the checks on the spec report both
			}
			c.Backup.Sources = append(c.Backup.Sources, source)
			c.Bucket.Grants = append(c.Bucket.Grants, Grant{To: of, Requirements: source.Requirements})
		}
		c.Size.Disk = d.backupSize(id, c.Backup)
		d.decideBackup(id, s, c.Backup)
		d.add(c)
	}
}

// backupGrants lets each backup that copies a bucket read it.
func (d *designer) backupGrants(bucket string) []Grant {
	var grants []Grant
	for _, name := range blueprints.SortedKeys(d.spec.Backups) {
		if i := slices.Index(d.spec.Backups[name].Of, bucket); i >= 0 {
			id := "backups." + name
			grants = append(grants, Grant{To: id, Requirements: d.only(fmt.Sprintf("%s.of[%d]", id, i))})
		}
	}
	return grants
}

// hasComponent tells whether the spec has a server group, database or bucket of that ID.
func (d *designer) hasComponent(id string) bool {
	section, name, _ := strings.Cut(id, ".")
	var there bool
	switch section {
	case "servers":
		_, there = d.spec.Servers[name]
	case "databases":
		_, there = d.spec.Databases[name]
	case "buckets":
		_, there = d.spec.Buckets[name]
	}
	return there
}

// backupSize gives the room that the kept copies need: all of what is copied once, and changePerCopy of it for each further copy.
// It is 0, unlimited, when a bucket without a size is among what is copied.
func (d *designer) backupSize(id string, b *BackupComponent) blueprints.Bytes {
	var whole blueprints.Bytes
	ids := []string{id + ".keep"}
	for _, source := range b.Sources {
		ids = append(ids, source.Requirements...)
		part, knobs := d.copySize(source.Component)
		if part == 0 {
			d.decide(id, "disk", "unlimited", "as its source", source.Component+" has no size, so that its copies have none either", ids...)
			return 0
		}
		whole += part
		ids = append(ids, knobs...)
	}
	copies := b.Copies()
	size := blueprints.Bytes(math.Ceil(float64(whole)*(1+changePerCopy*float64(copies-1))/float64(mebibyte))) * mebibyte
	d.decide(id, "disk", size.String(), fmt.Sprintf("what is copied × (1 + %g × (%d copies kept − 1))", changePerCopy, copies),
		fmt.Sprintf("copies share what is equal in them; that %g %% changes between two kept ones is surety's own cautious rule until growth is measured", changePerCopy*100), ids...)
	return size
}

// copySize gives the most that one copy of a component holds, and the requirements that it follows from. 0 is not known.
func (d *designer) copySize(of string) (blueprints.Bytes, []string) {
	section, name, _ := strings.Cut(of, ".")
	switch section {
	case "servers":
		return serverCopy * blueprints.Bytes(d.spec.Servers[name].Instances()), []string{of + ".count"}
	case "databases":
		if disk := d.spec.Databases[name].Size.Disk; disk > 0 {
			return disk, []string{of + ".size.disk"}
		}
		return databaseSize.Disk, nil
	}
	return d.spec.Buckets[name].Size, []string{of + ".size"}
}

// decideBackup records when copies are made and how long they are kept.
func (d *designer) decideBackup(id string, s blueprints.Backup, b *BackupComponent) {
	d.decide(id, "every", b.Every.String(), "as required", "the spec asks for it; the first copy is made at once, so that there is never none", id+".every")
	keep := fmt.Sprintf("%d daily, %d weekly, %d monthly", b.Keep.Daily, b.Keep.Weekly, b.Keep.Monthly)
	if s.Keep != (blueprints.Keep{}) {
		d.decide(id, "keep", keep, "as required", "the spec asks for it", id+".keep")
	} else {
		d.decide(id, "keep", keep, "default", "a week to notice a mistake; no retention is required")
	}
	d.decide(id, "encryption", "on", "always", "copies hold what their sources hold, secrets included; the key is made for this backup and kept in the state, encrypted", id+".of[0]")
	for _, source := range b.Sources {
		if name, ok := strings.CutPrefix(source.Component, "databases."); ok && d.spec.Databases[name].Engine == "postgres" {
			d.decide(id, "log of "+source.Component, "kept continuously", "point-in-time recovery",
				"PostgreSQL documentation, chapter Backup and Restore: a base copy and the log since restore any moment, not only those at which a copy was made", source.Requirements...)
		}
	}
}

// BackupComponent is what is particular to a backup. Its Component is a bucket, in which the copies are kept.
type BackupComponent struct {
	Name    string              `json:"name"` // as in the spec: "nightly"
	Every   blueprints.Duration `json:"every"`
	Keep    blueprints.Keep     `json:"keep"` // defaults applied
	Sources []BackupSource      `json:"sources"`
}

// BackupSource is one thing that a backup copies.
type BackupSource struct {
	Component    string   `json:"component"` // "databases.main"
	Requirements []string `json:"requirements"`
}

// Copies is how many copies are kept in the end, at least 1.
func (b *BackupComponent) Copies() int { return max(b.Keep.Daily+b.Keep.Weekly+b.Keep.Monthly, 1) }

// Interval is the time from one copy to the next.
func (b *BackupComponent) Interval() time.Duration { return b.Every.Std() }

// backupFlows gives the way of each copy: from the hosts of what is copied to the bucket.
func (d *designer) backupFlows(c *Component) []Flow {
	var flows []Flow
	for _, source := range c.Backup.Sources {
		flows = append(flows, Flow{From: source.Component, To: c.ID, Port: BucketPort, Speaks: "s3",
			Reason: c.ID + " copies " + source.Component, Requirements: source.Requirements})
	}
	return flows
}
