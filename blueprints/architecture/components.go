package architecture

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints"
)

// BucketPort is where the S3 API of an environment's object store listens, one for all its buckets.
const BucketPort = 7070

const (
	mebibyte blueprints.Bytes = 1 << 20
	gibibyte blueprints.Bytes = 1 << 30
)

var (
	serverSize   = blueprints.Size{CPU: 1, Memory: 512 * mebibyte, Disk: 10 * gibibyte}
	databaseSize = blueprints.Size{CPU: 1, Memory: gibibyte, Disk: 10 * gibibyte}
	balancerSize = blueprints.Size{CPU: 0.5, Memory: 128 * mebibyte, Disk: gibibyte}
)

func (d *designer) servers() {
	for _, name := range blueprints.SortedKeys(d.spec.Servers) {
		s, id := d.spec.Servers[name], "servers."+name
		c := Component{ID: id, Kind: KindServer, Name: name, Instances: max(s.Instances(), 1), Requirements: d.leaves[id]}
		if s.Count > 0 {
			d.decide(id, "instances", strconv.Itoa(s.Count), "as required", "the spec asks for it", id+".count")
		} else {
			d.decide(id, "instances", "1", "default", "no count is required")
		}
		c.Size = d.size(id, s.Size, serverSize, "the least that runs a small web service; nothing in the spec asks for more")
		if s.OS == "" {
			d.decide(id, "os", s.System(), "default", "no operating system is required")
		} else {
			d.decide(id, "os", s.OS, "as required", "the spec asks for it", id+".os")
		}
		server := &ServerComponent{OS: s.System(), Runs: s.Runs, Env: s.Env, Files: s.Files, Expects: s.Expects}
		for _, u := range d.usedFrom[id] {
			if to := entryOf(u.to); !slices.Contains(server.Uses, to) {
				server.Uses = append(server.Uses, to)
			}
		}
		c.Server = server
		d.add(c)
	}
}

// entryOf gives the component that answers for what a use names: a server group answers through its balancer.
func entryOf(to string) string {
	if name, ok := strings.CutPrefix(to, "servers."); ok {
		return "balancers." + name
	}
	return to
}

func (d *designer) databases() {
	for _, name := range blueprints.SortedKeys(d.spec.Databases) {
		s, id := d.spec.Databases[name], "databases."+name
		c := Component{ID: id, Kind: KindDatabase, Name: name, Instances: s.Instances(), Requirements: d.leaves[id]}
		ha := id + ".highAvailability"
		switch {
		case s.HighAvailability:
			d.decide(id, "instances", "2", "primary + standby", "a standby that can be promoted is required", ha)
		case d.written[ha]:
			d.decide(id, "instances", "1", "as required", "the spec refuses a standby", ha)
		default:
			d.decide(id, "instances", "1", "default", "no standby is required")
		}
		c.Size = d.size(id, s.Size, databaseSize,
			"1 GiB is where the PostgreSQL documentation's memory rule begins (chapter Resource Consumption)")
		engine := s.Engine
		c.Database = &DatabaseComponent{Engine: engine, Version: s.Version, Standby: s.HighAvailability, Port: s.Port()}
		if s.Version != "" {
			d.decide(id, "version", s.Version, "as required", "the spec asks for it", id+".version")
		}
		switch engine {
		case "postgres":
			c.Database.Parameters = d.postgres(id, c.Size, s.HighAvailability)
		case "mariadb":
			c.Database.Parameters = d.mariadb(id, c.Size)
		case "redis":
			c.Database.Parameters = d.redis(id, c.Size)
		default:
			d.report(id+".engine", fmt.Sprintf("no rule sizes a database of engine %q", engine), "use postgres, mariadb or redis")
		}
		d.decide(id, "port", strconv.Itoa(c.Database.Port), "well-known port", "the port registered for "+engine, id+".engine")
		d.add(c)
	}
}

func (d *designer) buckets() {
	for _, name := range blueprints.SortedKeys(d.spec.Buckets) {
		s, id := d.spec.Buckets[name], "buckets."+name
		c := Component{ID: id, Kind: KindBucket, Name: name, Instances: 1, Requirements: d.leaves[id]}
		c.Size.Disk = s.Size
		if s.Size > 0 {
			d.decide(id, "disk", s.Size.String(), "as required", "the data expected to be stored", id+".size")
		} else {
			d.decide(id, "disk", "unlimited", "default", "object storage grows with what is stored; no size is required")
		}
		if s.Versioning {
			d.decide(id, "versioning", "on", "as required", "the spec asks for it", id+".versioning")
		}
		b := &BucketComponent{Versioning: s.Versioning, Grants: []Grant{}}
		for _, u := range d.usedBy[id] {
			if n := len(b.Grants); n > 0 && b.Grants[n-1].To == u.from {
				b.Grants[n-1].Requirements = append(b.Grants[n-1].Requirements, d.only(u.id)...)
				continue
			}
			b.Grants = append(b.Grants, Grant{To: u.from, Requirements: d.only(u.id)})
		}
		b.Grants = append(b.Grants, d.backupGrants(id)...)
		c.Bucket = b
		d.add(c)
	}
}

// balancers gives one to each server group that is public or used by another group.
func (d *designer) balancers() {
	for _, name := range blueprints.SortedKeys(d.spec.Servers) {
		s, group, id := d.spec.Servers[name], "servers."+name, "balancers."+name
		users := d.usedBy[group]
		if s.Public == nil && len(users) == 0 {
			continue
		}
		public := group + ".public"
		if s.Runs.Port == 0 {
			d.report(public, "the group listens on no port, so it cannot be public", "give "+group+".runs a port")
			continue
		}
		ids := make([]string, 0, len(users)+1)
		for _, u := range users {
			ids = append(ids, u.id)
		}
		b := &BalancerComponent{For: group, TargetPort: s.Runs.Port, Health: s.Runs.Health}
		if s.Public != nil {
			ids = append([]string{public}, ids...)
			b.Port, b.From = s.Public.Port, s.Public.Source()
			d.decide(id, "port", strconv.Itoa(b.Port), "as required", "the spec asks for it; callers inside use the same port", public)
			if s.Public.From == "" {
				d.decide(id, "from", b.From, "default", "public without a narrower network", public)
			}
		} else {
			b.Port, b.Internal = s.Runs.Port, true
			d.decide(id, "port", strconv.Itoa(b.Port), "the group's own port", "only callers inside the environment use it", ids...)
		}
		c := Component{ID: id, Kind: KindBalancer, Name: name, Instances: 1, Requirements: d.only(ids...), Balancer: b}
		c.Size = d.balancerSize(id, s, ids)
		d.decide(id, "instances", "1", "managed service",
			"clouds sell a balancer as one redundant service; the local cloud runs one process for it", ids...)
		d.add(c)
	}
}

// balancerSize adds to the default what a required request rate needs.
func (d *designer) balancerSize(id string, s blueprints.Server, ids []string) blueprints.Size {
	size := balancerSize
	rule, reason := "default", "a proxy that moves requests without reading them needs little"
	if s.Expects.RPS > 0 {
		// One virtual CPU per 2,000 requests a second is deliberately low for a proxy, and is not a promise:
		// whether it suffices is for a load measurement to say.
		size.CPU = max(size.CPU, math.Ceil(s.Expects.RPS/balancerRPSPerCPU*2)/2)
		rule = fmt.Sprintf("rps / %d, in halves, at least %g", balancerRPSPerCPU, balancerSize.CPU)
		reason, ids = "surety's own cautious rule, unproven until load is measured", append(ids[:len(ids):len(ids)], d.groupID(id, "expects.rps"))
	}
	d.decide(id, "cpu", number(size.CPU), rule, reason, ids...)
	d.decide(id, "memory", size.Memory.String(), "default", "room for some thousand open connections", ids...)
	d.decide(id, "disk", size.Disk.String(), "default", "only logs are written", ids...)
	return size
}

const balancerRPSPerCPU = 2000

func (d *designer) groupID(balancer, leaf string) string {
	return "servers." + strings.TrimPrefix(balancer, "balancers.") + "." + leaf
}

// size takes what is required and fills the rest from the default.
func (d *designer) size(id string, want, fallback blueprints.Size, why string) blueprints.Size {
	const asked, reason = "as required", "the spec asks for it"
	got := want
	if want.CPU > 0 {
		d.decide(id, "cpu", number(want.CPU), asked, reason, id+".size.cpu")
	} else {
		got.CPU = fallback.CPU
		d.decide(id, "cpu", number(got.CPU), "default", why)
	}
	if want.Memory > 0 {
		d.decide(id, "memory", want.Memory.String(), asked, reason, id+".size.memory")
	} else {
		got.Memory = fallback.Memory
		d.decide(id, "memory", got.Memory.String(), "default", why)
	}
	if want.Disk > 0 {
		d.decide(id, "disk", want.Disk.String(), asked, reason, id+".size.disk")
	} else {
		got.Disk = fallback.Disk
		d.decide(id, "disk", got.Disk.String(), "default", why)
	}
	return got
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
