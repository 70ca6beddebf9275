// Package cloud is the local cloud's control plane: the daemon that owns an environment's network, hosts and services,
// its API over a unix socket, and the client of that API.
package cloud

// Kind is a kind of thing the control plane keeps. Each has PUT (create or update, idempotent), GET and DELETE (idempotent) at /v1/KIND/NAME.
type Kind string

// Kinds, in the order in which they can be made.
const (
	KindNetwork       Kind = "networks"
	KindSecurityGroup Kind = "security-groups"
	KindObjectStore   Kind = "object-stores"
	KindBucket        Kind = "buckets"
	KindGrant         Kind = "grants"
	KindDatabase      Kind = "databases"
	KindServer        Kind = "servers"
	KindBalancer      Kind = "balancers"
	KindBackupJob     Kind = "backup-jobs"
)

// Network is the environment's network: a router namespace and the host "outside", which stands for the world beyond it.
type Network struct {
	Name string            `json:"name"`
	CIDR string            `json:"cidr"` // "10.77.0.0/16"; hosts get addresses from it
	Tags map[string]string `json:"tags,omitempty"`
	// Read back:
	Outside      string `json:"outside,omitempty"`      // address of the host that stands for the outside
	Running      bool   `json:"running,omitempty"`      // the router filters and the outside host runs
	ForeignRules []Rule `json:"foreignRules,omitempty"` // what is open, or gone, and belongs to no security group: somebody else's doing
}

// SecurityGroup is the set of rules for traffic *to* the hosts of a group. What no rule lets in is rejected by the router.
type SecurityGroup struct {
	Name    string `json:"name"` // the group: a component ID, as "servers.web"
	Ingress []Rule `json:"ingress"`
}

// Rule lets TCP connections in. Exactly one of FromGroup and CIDR is set; a CIDR rule is for callers beyond the environment.
type Rule struct {
	FromGroup string `json:"fromGroup,omitempty"`
	CIDR      string `json:"cidr,omitempty"`
	Port      int    `json:"port"`
	Reason    string `json:"reason,omitempty"` // requirement IDs, kept as the rule's comment
}

// Limits are what a host may use. Disk is the size of the host's own file system.
type Limits struct {
	CPU    float64 `json:"cpu"`    // virtual CPUs
	Memory int64   `json:"memory"` // bytes
	Disk   int64   `json:"disk"`   // bytes
}

// Server is one host running one piece of software under the supervisor.
type Server struct {
	Name     string            `json:"name"`  // "web-0"; also its host name
	Group    string            `json:"group"` // security group: "servers.web"
	Limits   Limits            `json:"limits"`
	OS       string            `json:"os,omitempty"`      // wanted; the local cloud offers the machine's own only
	Program  *Program          `json:"program,omitempty"` // placed at /opt/bin/<base name>
	Package  string            `json:"package,omitempty"`
	Command  []string          `json:"command"`
	Env      map[string]string `json:"env,omitempty"`
	Files    map[string]string `json:"files,omitempty"`
	Port     int               `json:"port,omitempty"`
	Health   string            `json:"health,omitempty"`   // HTTP path; PUT returns when healthy, or fails after Deadline
	Deadline float64           `json:"deadline,omitempty"` // seconds to become healthy; 30 when 0
	Tags     map[string]string `json:"tags,omitempty"`
	// Read back:
	Address  string          `json:"address,omitempty"`
	ActualOS string          `json:"actualOS,omitempty"`
	Enforced map[string]bool `json:"enforced,omitempty"` // cpu, memory, disk, pids
	Running  bool            `json:"running,omitempty"`
	// Unsettled says that the last request has not come to its end: whether the server is healthy with what it was given, nobody knows.
	Unsettled bool `json:"unsettled,omitempty"`
}

// Program is a file to place on a host.
type Program struct {
	Source string `json:"source"` // path on the machine
	SHA256 string `json:"sha256"` // of its content; on read back, of what is on the host
}

// Database is a managed PostgreSQL: one host, or a primary and a streaming standby behind one address that follows the primary.
type Database struct {
	Name    string `json:"name"`
	Group   string `json:"group"`
	Engine  string `json:"engine"`
	Version string `json:"version,omitempty"`
	Limits  Limits `json:"limits"`
	Standby bool   `json:"standby"`
	// Synchronous has commits wait for the standby, as long as there is one.
	Synchronous bool              `json:"synchronous,omitempty"`
	Parameters  map[string]string `json:"parameters,omitempty"`
	Password    string            `json:"password,omitempty"` // of the owner role; never logged, not returned by GET unless asked
	Tags        map[string]string `json:"tags,omitempty"`
	// Read back:
	Address       string          `json:"address,omitempty"` // of the service; follows the primary
	Port          int             `json:"port,omitempty"`
	User          string          `json:"user,omitempty"`     // owner role
	Database      string          `json:"database,omitempty"` // database name
	Primary       string          `json:"primary,omitempty"`  // host name
	Standbys      []string        `json:"standbys,omitempty"` // host names
	ActualVersion string          `json:"actualVersion,omitempty"`
	Enforced      map[string]bool `json:"enforced,omitempty"`
	Running       bool            `json:"running,omitempty"`
}

// ObjectStore is the host that serves the S3 API for all buckets of an environment.
type ObjectStore struct {
	Name   string            `json:"name"`
	Group  string            `json:"group"` // "buckets"
	Limits Limits            `json:"limits"`
	Tags   map[string]string `json:"tags,omitempty"`
	// Read back:
	Address  string `json:"address,omitempty"`
	Port     int    `json:"port,omitempty"`
	Endpoint string `json:"endpoint,omitempty"` // http://address:port
	Region   string `json:"region,omitempty"`
	Running  bool   `json:"running,omitempty"`
}

// Bucket is one bucket.
type Bucket struct {
	Name       string            `json:"name"` // S3 bucket name
	Store      string            `json:"store"`
	Versioning bool              `json:"versioning"`
	Tags       map[string]string `json:"tags,omitempty"`
	// Read back:
	Available bool     `json:"available,omitempty"` // its store answers; when not, the rest is what was asked for
	Users     []string `json:"users,omitempty"`     // access keys that the store lets in, "*" for everybody
	Strangers []string `json:"strangers,omitempty"` // those of Users that no grant speaks of: somebody let them in by hand; a PUT puts them out
}

// Grant lets one user (a server group) read and write one bucket.
type Grant struct {
	Name      string `json:"name"`
	Store     string `json:"store"`
	Bucket    string `json:"bucket"`
	AccessKey string `json:"accessKey"` // the user: chosen by the caller
	SecretKey string `json:"secretKey,omitempty"`
	// Read back:
	Available bool `json:"available,omitempty"` // its store answers; when not, the rest is what was asked for
	Altered   bool `json:"altered,omitempty"`   // the user's secret or rights in the store are not as granted: changed by hand
}

// Balancer is an L7 proxy with health checks.
type Balancer struct {
	Name     string            `json:"name"`
	Group    string            `json:"group"` // "balancers.web"
	Limits   Limits            `json:"limits"`
	Port     int               `json:"port"`
	Backends []Backend         `json:"backends"`
	Health   string            `json:"health,omitempty"` // HTTP path; empty: an open port is healthy
	Tags     map[string]string `json:"tags,omitempty"`
	// Read back:
	Address string `json:"address,omitempty"`
	Entry   string `json:"entry,omitempty"` // "http://127.0.0.1:41000": the entry point on the machine's loopback, reached as if from outside
	Running bool   `json:"running,omitempty"`
}

// Backend is one server behind a balancer.
type Backend struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Port    int    `json:"port"`
}
