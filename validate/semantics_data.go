package validate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/blueprints"
)

// Limits of one instance. The largest are those of the largest instances on offer in 2026 (24 TiB of memory, 64 TiB of a
// volume); the smallest are what Debian starts in.
const (
	leastMemory = blueprints.Bytes(64 << 20)
	mostMemory  = blueprints.Bytes(24 << 40)
	leastDisk   = blueprints.Bytes(1 << 30)
	mostDisk    = blueprints.Bytes(64 << 40)
)

// engineMemory is the least in which an engine starts with its own defaults: PostgreSQL and MariaDB each reserve 128 MiB
// for their buffers and need about as much beside them.
var engineMemory = map[string]blueprints.Bytes{"postgres": 256 << 20, "mariadb": 256 << 20, "redis": 64 << 20}

func (j *judge) size(id string, s blueprints.Size) {
	j.within(id+".size.memory", s.Memory, leastMemory, mostMemory)
	j.within(id+".size.disk", s.Disk, leastDisk, mostDisk)
}

func (j *judge) within(id string, b, least, most blueprints.Bytes) {
	if !j.doc.Written(id) {
		return
	}
	if b < least {
		j.fault(id, fmt.Sprintf("%s is too small for an instance", b), fmt.Sprintf("write at least %s, or leave it out", least))
	} else if b > most {
		j.fault(id, fmt.Sprintf("%s is more than any one instance has", b), fmt.Sprintf("write at most %s", most))
	}
}

func (j *judge) database(name string, d blueprints.Database) {
	id := "databases." + name
	j.size(id, d.Size)
	if least := engineMemory[d.Engine]; d.Size.Memory >= leastMemory && d.Size.Memory < least {
		j.fault(id+".size.memory", fmt.Sprintf("%s is too little for %s", d.Size.Memory, d.Engine), fmt.Sprintf("write at least %s", least), id+".engine", id+".size.memory")
	}
	if numbers := strings.Split(d.Version, "."); d.Engine == "postgres" && len(numbers) > 2 && len(numbers[0]) > 1 {
		j.fault(id+".version", fmt.Sprintf("%q is no PostgreSQL version: they have two numbers since 10", d.Version), fmt.Sprintf("write %q or %q", numbers[0], strings.Join(numbers[:2], ".")))
	}
	at := id + ".expects"
	j.asksNothing(at+".p95", d.Expects.P95 == 0, "p95: 30ms")
	j.transaction(at+".transaction", d)
	switch {
	case d.Expects.TPS > 0 && d.Expects.P95 == 0 && j.leftOut(at+".p95"):
		j.warn(at+".tps", "a rate without a transaction time is met however late they end", "add p95: 30ms")
	case d.Expects.TPS == 0 && d.Expects.P95 > 0 && j.leftOut(at+".tps"):
		j.warn(at+".p95", "a transaction time without a rate is measured on an idle database", "add tps: 300")
	}
}

func (j *judge) bucket(name string, b blueprints.Bucket) {
	id := "buckets." + name
	j.asksNothing(id+".size", b.Size == 0, "size: 200GiB")
	j.asksNothing(id+".expects.put", b.Expects.Put == 0, "put: 50MiB/s")
	j.asksNothing(id+".expects.get", b.Expects.Get == 0, "get: 100MiB/s")
}

func (j *judge) backup(name string, b blueprints.Backup) {
	id := "backups." + name
	for i, target := range b.Of {
		j.exists(fmt.Sprintf("%s.of[%d]", id, i), target)
	}
	j.asksNothing(id+".every", b.Every == 0, "every: 24h")
	if j.doc.Written(id+".keep") && b.Keep == (blueprints.Keep{}) {
		j.fault(id+".keep", "no copy is kept", "write keep: {daily: 7}, or leave keep out")
	}
	if day := blueprints.Duration(24 * time.Hour); b.Every > day && b.Keep.Daily > 0 {
		j.warn(id+".keep", fmt.Sprintf("daily copies are kept of a backup that is made every %s", b.Every), "write every: 24h, or keep weekly copies")
	}
}

func (j *judge) objectives() {
	o := j.spec.Objectives
	if at := "objectives.availability"; j.doc.Written(at) {
		switch {
		case o.Availability >= 100:
			j.fault(at, "100 % cannot be promised of anything", "write what is needed, as in 99.9 (43 minutes without service in a month) or 99.99 (4 minutes)")
		case o.Availability < 50:
			j.fault(at, fmt.Sprintf("%s of the time is less than half", o.Availability), "write the share in percent, as in 99.9")
		}
	}
	j.asksNothing("objectives.rto", o.RTO == 0, "rto: 15m")
	j.asksNothing("objectives.support.critical", o.Support != nil && o.Support.Critical == 0, "critical: 1h")
	if j.doc.Written("objectives.rpo") && j.sound("objectives.rpo", "databases", "backups") {
		for _, name := range blueprints.SortedKeys(j.spec.Databases) {
			j.recoveryPoint("databases."+name, j.spec.Databases[name], o.RPO)
		}
	}
}

// recoveryPoint judges whether the writes of a database can be recovered as far as required: from a standby, or else from
// the last backup, which is as old as backups are apart.
func (j *judge) recoveryPoint(id string, d blueprints.Database, rpo blueprints.Duration) {
	if d.HighAvailability {
		return
	}
	standby, at := id+".highAvailability", "objectives.rpo"
	if rpo == 0 {
		j.fault(at, fmt.Sprintf("no write may be lost, and %s has no standby", id), fmt.Sprintf("set %s: true, or relax rpo to the time between backups", standby), at, standby)
		return
	}
	best, by := blueprints.Duration(0), ""
	for _, name := range blueprints.SortedKeys(j.spec.Backups) {
		if b := j.spec.Backups[name]; slices.Contains(b.Of, id) && b.Every > 0 && (by == "" || b.Every < best) {
			best, by = b.Every, "backups."+name+".every"
		}
	}
	switch {
	case by == "":
		j.fault(at, fmt.Sprintf("%s may lose at most %s of writes, and has neither a standby nor a backup", id, rpo),
			fmt.Sprintf("set %s: true, or back it up every %s", standby, rpo), at, standby)
	case best > rpo:
		j.fault(at, fmt.Sprintf("%s may lose at most %s of writes, and is backed up every %s without a standby", id, rpo, best),
			fmt.Sprintf("set %s: true, write %s: %s, or relax rpo to %s", standby, by, rpo, best), at, standby, by)
	}
}
