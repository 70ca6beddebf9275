// Package blueprints holds what is asked for: the requirement spec, its JSON Schema, the loader
// that keeps the position of every leaf, and the diagnostics that name them.
package blueprints

// Spec is a requirement spec as a person wrote it, with defaults not yet applied.
// Maps are keyed by the name the author chose; iterate them with SortedKeys for a stable order.
type Spec struct {
	// Surety is the version of the spec language, always "v1".
	Surety string `yaml:"surety" json:"surety"`
	// Name names the environment: one lower-case DNS label.
	Name string `yaml:"name" json:"name"`
	// Owner is who answers for the environment; it is put on every resource as a tag.
	Owner Owner `yaml:"owner" json:"owner,omitzero"`
	// Objectives are what the environment as a whole must meet.
	Objectives Objectives `yaml:"objectives" json:"objectives,omitzero"`
	// Secrets are generated once, kept encrypted in the state and referred to as ${secrets.NAME}.
	Secrets   map[string]Secret   `yaml:"secrets" json:"secrets,omitempty"`
	Servers   map[string]Server   `yaml:"servers" json:"servers,omitempty"`
	Databases map[string]Database `yaml:"databases" json:"databases,omitempty"`
	Buckets   map[string]Bucket   `yaml:"buckets" json:"buckets,omitempty"`
	Backups   map[string]Backup   `yaml:"backups" json:"backups,omitempty"`
}

// Owner says who answers for the environment.
type Owner struct {
	Team    string `yaml:"team" json:"team,omitempty"`
	Contact string `yaml:"contact" json:"contact,omitempty"`
}

// Objectives are required of the whole environment. A zero value means "not required".
type Objectives struct {
	// Availability is the required share of time in service, in percent of a 30-day month.
	Availability Percent `yaml:"availability" json:"availability,omitempty"`
	// RTO is the longest acceptable time from failure to service (recovery time objective).
	RTO Duration `yaml:"rto" json:"rto,omitempty"`
	// RPO is the longest acceptable span of lost writes (recovery point objective).
	RPO       Duration `yaml:"rpo" json:"rpo,omitempty"`
	Budget    *Budget  `yaml:"budget" json:"budget,omitempty"`
	Residency []string `yaml:"residency" json:"residency,omitempty"` // ISO 3166-1 alpha-2 country codes
	Support   *Support `yaml:"support" json:"support,omitempty"`
}

// Budget is the most that may be spent in a month.
type Budget struct {
	Monthly  float64 `yaml:"monthly" json:"monthly"`
	Currency string  `yaml:"currency" json:"currency"` // ISO 4217
}

// Support is the provider's required first response time.
type Support struct {
	Critical Duration `yaml:"critical" json:"critical,omitempty"`
}

// Secret is a generated random secret.
type Secret struct {
	// Length is its number of characters, 16 to 128; 24 when left out.
	Length int `yaml:"length" json:"length,omitempty"`
}

// Server is a group of equal hosts that run one piece of software.
type Server struct {
	Count   int               `yaml:"count" json:"count,omitempty"` // 1 when left out
	Size    Size              `yaml:"size" json:"size,omitzero"`
	OS      string            `yaml:"os" json:"os,omitempty"` // distribution-version, as "debian-12"
	Runs    Software          `yaml:"runs" json:"runs"`
	Env     map[string]string `yaml:"env" json:"env,omitempty"`     // may hold ${…} references
	Files   map[string]string `yaml:"files" json:"files,omitempty"` // absolute path → content, may hold ${…} references
	Uses    []string          `yaml:"uses" json:"uses,omitempty"`   // "databases.main", "buckets.media", "servers.api"
	Public  *Public           `yaml:"public" json:"public,omitempty"`
	Expects ServerExpects     `yaml:"expects" json:"expects,omitzero"`
}

// Software is what a server group runs. Exactly one of Package and Program is set.
type Software struct {
	// Package is a distribution package that provides the command.
	Package string `yaml:"package" json:"package,omitempty"`
	// Program is a file, relative to the spec, that is placed on each host in /opt/bin.
	Program string `yaml:"program" json:"program,omitempty"`
	// Version is the required version; a measured version meets it when it is equal or continues it at a dot ("2.8" is met by "2.8.2").
	Version string `yaml:"version" json:"version,omitempty"`
	// VersionCommand prints the version; for a Package it defaults to asking the package manager.
	VersionCommand []string `yaml:"versionCommand" json:"versionCommand,omitempty"`
	Command        []string `yaml:"command" json:"command"`
	Port           int      `yaml:"port" json:"port,omitempty"`
	// Health is an HTTP path that answers 2xx when the software can serve; without it an open port is health.
	Health string `yaml:"health" json:"health,omitempty"`
}

// Kind names a request among a mix: its method and path.
func (r Request) Kind() string {
	method := r.Method
	if method == "" {
		method = "GET"
	}
	return method + " " + r.Path
}

// Size is the least a component must be given.
type Size struct {
	CPU    float64 `yaml:"cpu" json:"cpu,omitempty"` // virtual CPUs
	Memory Bytes   `yaml:"memory" json:"memory,omitempty"`
	Disk   Bytes   `yaml:"disk" json:"disk,omitempty"`
}

// Public opens a server group to callers outside the environment, through a balancer.
type Public struct {
	Port int    `yaml:"port" json:"port"`
	From string `yaml:"from" json:"from,omitempty"` // CIDR, 0.0.0.0/0 when left out
}

// ServerExpects are load requirements on a server group that others call.
type ServerExpects struct {
	RPS    float64  `yaml:"rps" json:"rps,omitempty"` // requests per second
	P95    Duration `yaml:"p95" json:"p95,omitempty"`
	Errors Percent  `yaml:"errors" json:"errors,omitempty"` // largest share of failed requests
	// Requests are what is asked for under load; the health path, or / without one, when left out.
	Requests []Request `yaml:"requests" json:"requests,omitempty"`
}

// Limited tells whether anything is required: requests by themselves require nothing.
func (e ServerExpects) Limited() bool { return e.RPS > 0 || e.P95 > 0 || e.Errors > 0 }

// Request is one kind of HTTP request in a mix.
type Request struct {
	Path   string `yaml:"path" json:"path"`               // with its query
	Method string `yaml:"method" json:"method,omitempty"` // GET when left out
	Weight int    `yaml:"weight" json:"weight,omitempty"` // its share, against the others' weights; 1 when left out
	Body   string `yaml:"body" json:"body,omitempty"`     // sent as it is
}

// Database is a managed database.
type Database struct {
	Engine           string          `yaml:"engine" json:"engine"` // postgres, mariadb, redis
	Version          string          `yaml:"version" json:"version,omitempty"`
	Size             Size            `yaml:"size" json:"size,omitzero"`
	HighAvailability bool            `yaml:"highAvailability" json:"highAvailability,omitempty"` // a standby that can be promoted
	Expects          DatabaseExpects `yaml:"expects" json:"expects,omitzero"`
}

// DatabaseExpects are load requirements on a database.
type DatabaseExpects struct {
	TPS float64  `yaml:"tps" json:"tps,omitempty"` // transactions per second
	P95 Duration `yaml:"p95" json:"p95,omitempty"`
	// Transaction is a file of SQL, relative to the spec, that is one transaction; a mix in the manner of TPC-B when left out.
	Transaction string `yaml:"transaction" json:"transaction,omitempty"`
}

// Bucket is object storage.
type Bucket struct {
	Size       Bytes         `yaml:"size" json:"size,omitempty"` // data expected to be stored
	Versioning bool          `yaml:"versioning" json:"versioning,omitempty"`
	Expects    BucketExpects `yaml:"expects" json:"expects,omitzero"`
}

// BucketExpects are load and consistency requirements on a bucket.
type BucketExpects struct {
	Put         Throughput `yaml:"put" json:"put,omitempty"`
	Get         Throughput `yaml:"get" json:"get,omitempty"`
	Consistency string     `yaml:"consistency" json:"consistency,omitempty"` // linearizable, read-after-write, eventual
}

// Backup is a scheduled copy of components into object storage.
type Backup struct {
	Of    []string `yaml:"of" json:"of"`
	Every Duration `yaml:"every" json:"every"`
	Keep  Keep     `yaml:"keep" json:"keep,omitzero"`
}

// Keep is the retention of a backup, in copies of each age.
type Keep struct {
	Daily   int `yaml:"daily" json:"daily,omitempty"`
	Weekly  int `yaml:"weekly" json:"weekly,omitempty"`
	Monthly int `yaml:"monthly" json:"monthly,omitempty"`
}
