package architecture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
)

const (
	rtoID = "objectives.rto"
	rpoID = "objectives.rpo"
	// StandbyLoss is the span of writes that the loss of a primary is taken to cost at most when its standby streams
	// asynchronously: an assumption, since a standby that replays slowly or a network that is full lag more. Drills on an idle machine
	// lost up to 11 ms of writes. An objective below it has writes wait for the standby.
	StandbyLoss = 10 * time.Second
)

// recovery checks rto and rpo against what could bring a database back. What is assumed:
//   - a streaming standby covers the loss of a host, with at most StandbyLoss of writes, or with none where writes wait for it; it
//     replays a mistaken deletion too;
//   - a backup covers both, and loses up to the span between two copies;
//   - a single instance comes back only from a backup: its disk is not taken to outlive it;
//   - buckets are kept redundantly by their service, and server groups keep nothing that is not in a database or bucket.
//
// How long a restore or a promotion takes is not known before it is measured, so that rto is refused only where nothing could meet it.
func (d *designer) recovery() {
	rto, rpo := d.spec.Objectives.RTO, d.spec.Objectives.RPO
	if rto <= 0 && rpo <= 0 && !d.doc.Written(rpoID) { // an rpo of 0 is written: no write may be lost
		return
	}
	for _, name := range blueprints.SortedKeys(d.spec.Databases) {
		id := "databases." + name
		copies := d.backupsOf(id)
		part := d.component(id)
		if part.Database.Standby {
			d.synchronous(id, rpo)
		}
		d.decideRecovery(id, copies)
		if part.Database.Standby {
			continue
		}
		standby := fmt.Sprintf("%s: true (+ a standby of %s)", part.knob(), sizeOf(part.Size))
		if len(copies) == 0 {
			d.unrecoverable(id, standby, rto, rpo)
			continue
		}
		d.checkInterval(id, standby, copies, rpo)
	}
}

// copied is a backup that covers a database.
type copied struct {
	id    string // requirement ID of its interval
	every blueprints.Duration
}

// backupsOf lists the backups of a component.
func (d *designer) backupsOf(id string) []copied {
	var copies []copied
	for _, name := range blueprints.SortedKeys(d.spec.Backups) {
		if b := d.spec.Backups[name]; slices.Contains(b.Of, id) && b.Every > 0 {
			copies = append(copies, copied{"backups." + name + ".every", b.Every})
		}
	}
	return copies
}

// closest gives the backup with the least time between two copies; of equal ones the first.
func closest(copies []copied) copied {
	return slices.MinFunc(copies, func(a, b copied) int { return cmp.Compare(a.every, b.every) })
}

// unrecoverable reports objectives for a database that nothing can bring back: no standby and no backup.
func (d *designer) unrecoverable(id, standby string, rto, rpo blueprints.Duration) {
	backup := fmt.Sprintf("a backup of %s", id)
	if rto > 0 {
		d.report(rtoID, fmt.Sprintf("%s cannot be met: %s has one instance and no backup, so that nothing brings it back", rto, id),
			fmt.Sprintf("relax one (%s): drop %s; or %s; or add %s", costUnknown, rtoID, standby, backup), rtoID, id+".highAvailability")
	}
	if rpo > 0 {
		d.report(rpoID, fmt.Sprintf("%s cannot be met: %s has one instance and no backup, so that its loss loses every write", rpo, id),
			fmt.Sprintf("relax one (%s): drop %s; or %s; or add %s, every %s or more often", costUnknown, rpoID, standby, backup, rpo), rpoID, id+".highAvailability")
	}
}

// checkInterval reports a single-instance database whose backups are all further apart than the writes that may be lost.
func (d *designer) checkInterval(id, standby string, copies []copied, rpo blueprints.Duration) {
	best := closest(copies)
	if rpo <= 0 || best.every <= rpo {
		return
	}
	conflict := []string{rpoID, id + ".highAvailability"}
	var intervals []string
	for _, c := range copies {
		conflict = append(conflict, c.id)
		intervals = append(intervals, fmt.Sprintf("%s: %s (%s now)", c.id, rpo, c.every))
	}
	d.report(rpoID, fmt.Sprintf("%s cannot be met: %s has one instance, and the closest backups are %s apart", rpo, id, best.every),
		fmt.Sprintf("relax one (%s): %s to %s; or %s, which covers the loss of a host; or %s", costUnknown, rpoID, best.every, standby, strings.Join(intervals, "; or ")),
		conflict...)
}

// synchronous has writes wait for the standby where the rpo is less than an asynchronous one is taken to lag, and warns where the engine
// cannot.
func (d *designer) synchronous(id string, rpo blueprints.Duration) {
	if rpo <= 0 && !d.doc.Written(rpoID) || rpo.Std() >= StandbyLoss {
		return
	}
	db := d.component(id).Database // shared with the architecture
	if db.Engine == "postgres" {
		db.Synchronous = true
		d.decide(id, "synchronous", "true", fmt.Sprintf("rpo below %s", StandbyLoss),
			pgReplication+": synchronous replication; an acknowledged write is on both hosts, for one more round trip and flush per commit. With no standby for some seconds writes go on without, so that its loss is not the primary's",
			rpoID, id+".highAvailability")
		return
	}
	d.diags = append(d.diags, blueprints.Diagnostic{
		Severity: blueprints.Warning, Requirement: rpoID, Position: d.doc.At(rpoID),
		Summary: fmt.Sprintf("%s is less than the standby of %s is taken to lag behind at worst (%s, an assumption until it is measured)", rpo, id, StandbyLoss),
		Mend:    fmt.Sprintf("accept %s %s, or expect this to stay unproven", rpoID, StandbyLoss),
	})
}

// decideRecovery records what covers which loss.
func (d *designer) decideRecovery(id string, copies []copied) {
	host, data := "nothing", "nothing"
	ids := []string{rtoID, rpoID}
	if len(copies) > 0 {
		best := closest(copies)
		data = fmt.Sprintf("backup every %s", best.every)
		host, ids = data, append(ids, best.id)
	}
	how := fmt.Sprintf("streams asynchronously and is taken to lag at most %s", StandbyLoss)
	if db := d.component(id).Database; db.Standby {
		if host, ids = "standby", append(ids, id+".highAvailability"); db.Synchronous {
			how = "has each write before it is acknowledged"
		}
	}
	d.decide(id, "recovery", fmt.Sprintf("of a host: %s; of data: %s", host, data), "standby for a host, backup for data",
		fmt.Sprintf("a standby %s; it repeats a mistaken deletion, which only a backup undoes; how long either takes is to be measured", how), ids...)
}
