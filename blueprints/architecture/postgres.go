package architecture

import (
	"fmt"
	"strconv"

	"surety/blueprints"
)

// Sources of the rules below, named in each decision's reason.
const (
	pgResources   = "PostgreSQL documentation, chapter Resource Consumption"
	pgWAL         = "PostgreSQL documentation, chapter Write Ahead Log"
	pgReplication = "PostgreSQL documentation, chapter Replication"
	pgConnections = "PostgreSQL documentation, chapter Connections and Authentication"
	pgPlanning    = "PostgreSQL documentation, chapter Query Planning"
	pgWiki        = "PostgreSQL wiki, Tuning Your PostgreSQL Server"
)

const (
	// poolPerInstance is how many connections a server instance is given; 20 is a usual size of a connection pool.
	poolPerInstance = 20
	// reservedConnections are for superusers (3, PostgreSQL's own default), verification, backup and monitoring.
	reservedConnections = 13
)

// postgres computes PostgreSQL settings from the size of an instance and from who connects.
// Memory settings are in kB, the unit PostgreSQL itself keeps them in, so that a reading compares equal.
func (d *designer) postgres(id string, size blueprints.Size, standby bool) map[string]string {
	p := map[string]string{}
	set := func(name, value, rule, reason string, ids ...string) {
		p[name] = value
		d.decide(id, name, value, rule, reason, ids...)
	}
	memory, disk, cpus := id+".size.memory", id+".size.disk", max(int(size.CPU), 1)

	buffers, rule := size.Memory/4, "25 % of memory"
	if size.Memory < gibibyte {
		buffers, rule = size.Memory*15/100, "15 % of memory below 1 GiB"
	}
	set("shared_buffers", kilobytes(buffers), rule,
		pgResources+": 25 % is a reasonable start from 1 GiB on, a smaller share below it to leave room for the system", memory)
	set("effective_cache_size", kilobytes(size.Memory*3/4), "75 % of memory",
		pgWiki+": three quarters is reasonable where the database has the host to itself; it tells the planner and allocates nothing", memory)

	connections, users := d.connections(id)
	set("max_connections", strconv.Itoa(connections), fmt.Sprintf("%d × (instances that use it + 1 per group) + %d", poolPerInstance, reservedConnections),
		pgConnections+": set at start only, and some shared memory is sized by it; one more instance per group is counted for the time a replacement overlaps", users...)
	set("work_mem", kilobytes(max(size.Memory/4/blueprints.Bytes(connections), mebibyte)), "25 % of memory / max_connections, at least 1 MiB",
		pgResources+": each sort or hash of each session may take this much, so that the whole must be bounded by the sessions", memory)
	set("maintenance_work_mem", kilobytes(min(size.Memory/16, gibibyte)), "memory / 16, at most 1 GiB",
		pgResources+": may exceed work_mem, since few such operations run at once; up to three autovacuum workers take it each, and vacuum's list of dead rows used no more than 1 GiB before version 17", memory)

	set("max_parallel_workers", strconv.Itoa(cpus), "whole virtual CPUs, at least 1",
		pgResources+": workers beyond the CPUs only compete", id+".size.cpu")
	set("max_parallel_workers_per_gather", strconv.Itoa(min(cpus/2, 4)), "half the virtual CPUs, at most 4",
		pgResources+": leaves the other half to other sessions; 0 means no parallel query", id+".size.cpu")
	set("random_page_cost", "1.1", "solid-state storage",
		pgPlanning+": 1.1 models storage with cheap random reads")

	wal := min(max(size.Disk/10, 128*mebibyte), 4*gibibyte)
	set("max_wal_size", megabytes(wal), "10 % of disk, 128 MiB to 4 GiB",
		pgWAL+": bounds the log kept between checkpoints, so that it cannot fill the disk and checkpoints stay rare", disk)
	set("checkpoint_completion_target", "0.9", "spread over the interval",
		pgWAL+": completes a checkpoint shortly before the next and levels its writes")
	if standby {
		ha := id + ".highAvailability"
		set("wal_level", "replica", "needed by a standby", pgWAL+": the least level that a standby can replay", ha)
		set("hot_standby", "on", "needed by a standby", pgReplication+": lets the standby answer reads, by which it is checked", ha)
		set("max_wal_senders", "10", "1 standby, base backup, spare", pgReplication+": set at start only; an idle sender costs almost nothing", ha)
		set("max_replication_slots", "10", "as max_wal_senders", pgReplication+": a slot keeps the log that a standby has not yet received", ha)
		set("wal_keep_size", megabytes(min(max(size.Disk/20, 64*mebibyte), 2*gibibyte)), "5 % of disk, 64 MiB to 2 GiB",
			pgReplication+": lets a standby without a slot catch up after a short absence", ha, disk)
		set("max_slot_wal_keep_size", megabytes(min(max(size.Disk/10, 128*mebibyte), 8*gibibyte)), "10 % of disk, 128 MiB to 8 GiB",
			pgReplication+": a standby that stays away must not fill the primary's disk", ha, disk)
		set("wal_log_hints", "on", "needed to rejoin", "PostgreSQL documentation, pg_rewind: a former primary can be rewound only with this or with data checksums", ha)
	}
	return p
}

// connections gives max_connections for a database and the requirements it follows from.
func (d *designer) connections(id string) (int, []string) {
	n, ids := reservedConnections, []string(nil)
	counted := map[string]bool{}
	for _, u := range d.usedBy[id] {
		ids = append(ids, u.id)
		if !counted[u.from] {
			counted[u.from] = true
			n += poolPerInstance * (max(d.spec.Servers[u.from[len("servers."):]].Count, 1) + 1)
			ids = append(ids, u.from+".count")
		}
	}
	return n, ids
}

// mariadb computes MariaDB settings.
func (d *designer) mariadb(id string, size blueprints.Size) map[string]string {
	connections, users := d.connections(id)
	p := map[string]string{
		"innodb_buffer_pool_size": strconv.FormatInt(int64(size.Memory)*7/10, 10),
		"max_connections":         strconv.Itoa(connections),
	}
	d.decide(id, "innodb_buffer_pool_size", p["innodb_buffer_pool_size"], "70 % of memory",
		"MariaDB documentation, InnoDB Buffer Pool: up to 80 % where the database has the host to itself; 70 leaves room for connections", id+".size.memory")
	d.decide(id, "max_connections", p["max_connections"], fmt.Sprintf("%d × (instances that use it + 1 per group) + %d", poolPerInstance, reservedConnections),
		"one more instance per group is counted for the time a replacement overlaps", users...)
	return p
}

// redis computes Redis settings.
func (d *designer) redis(id string, size blueprints.Size) map[string]string {
	p := map[string]string{"maxmemory": strconv.FormatInt(int64(size.Memory)*3/4, 10), "maxmemory-policy": "noeviction"}
	d.decide(id, "maxmemory", p["maxmemory"], "75 % of memory",
		"Redis documentation, Memory optimization: leave room for fragmentation and for the copy made while saving", id+".size.memory")
	d.decide(id, "maxmemory-policy", p["maxmemory-policy"], "refuse rather than forget",
		"Redis documentation, Key eviction: a database must not drop what was written; a cache would choose otherwise")
	return p
}

func kilobytes(b blueprints.Bytes) string { return strconv.FormatInt(int64(b/1024), 10) + "kB" }
func megabytes(b blueprints.Bytes) string { return strconv.FormatInt(int64(b/mebibyte), 10) + "MB" }
