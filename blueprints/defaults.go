package blueprints

import (
	"cmp"
	"maps"
	"slices"
)

// Defaults of what a spec may leave out. Spec keeps what was written; whoever needs a value asks the methods below.
// Sizes have no default here: they are decided, with a reason, by the architecture.
const (
	DefaultInstances    = 1
	DefaultOS           = "debian-12"
	DefaultFrom         = "0.0.0.0/0"
	DefaultSecretLength = 24
	DefaultDailyCopies  = 7
)

// Ports on which the engines listen.
var enginePorts = map[string]int{"postgres": 5432, "mariadb": 3306, "redis": 6379}

// Instances is the number of hosts of the group.
func (s Server) Instances() int { return cmp.Or(s.Count, DefaultInstances) }

// System is the operating system of the group's hosts.
func (s Server) System() string { return cmp.Or(s.OS, DefaultOS) }

// Source is the address block that may call.
func (p Public) Source() string { return cmp.Or(p.From, DefaultFrom) }

// Characters is the length of the generated secret.
func (s Secret) Characters() int { return cmp.Or(s.Length, DefaultSecretLength) }

// Instances is the number of database hosts: 2 with a standby.
func (d Database) Instances() int {
	if d.HighAvailability {
		return 2
	}
	return 1
}

// Port is the port on which the engine listens, 0 for an unknown engine.
func (d Database) Port() int { return enginePorts[d.Engine] }

// Retention is how many copies of each age are kept.
func (b Backup) Retention() Keep {
	if b.Keep == (Keep{}) {
		return Keep{Daily: DefaultDailyCopies}
	}
	return b.Keep
}

// SortedKeys gives the keys of a map in order, so that what is made from it is the same each time.
func SortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
