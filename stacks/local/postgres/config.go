// Package postgres runs one real PostgreSQL server, primary or streaming standby, under an agent that is itself a supervised
// process of a local-cloud host. The agent makes the data directory, writes the server's configuration, keeps the owner role and
// database as declared, promotes, and reports over a control socket. It never changes fsync: what is committed survives a crash.
package postgres

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"surety/stacks/local/service"
)

// Role is what a server is, or is asked to be.
type Role string

// A primary takes writes; a standby replays the primary's log and answers reads.
const (
	Primary Role = "primary"
	Standby Role = "standby"
)

// Config is everything the agent needs. It is read from a JSON file and read again on SIGHUP.
type Config struct {
	// Version is the wanted major or full version, as "15" or "15.18"; empty takes the newest installed.
	Version string `json:"version,omitempty"`
	// BinDir holds the programs of that version; empty: found by Version.
	BinDir string `json:"binDir,omitempty"`
	// DataDir is the cluster's directory, absolute. DataDir+".tmp" and DataDir+".agent" beside it belong to the agent too.
	DataDir string `json:"dataDir"`
	// Listen is the address the server listens on: an IP address, or a comma-separated list, or "*".
	Listen string `json:"listen"`
	Port   int    `json:"port"`
	// Role is what the server shall be. A standby that was promoted stays primary although its Role still says standby, as long as
	// Primary names the server it followed when it was promoted; naming another primary makes it clone that one.
	Role Role `json:"role"`
	// Primary is "host:port" of the server a standby follows.
	Primary string `json:"primary,omitempty"`
	// User owns Database and signs in with Password from Allow only.
	User                string `json:"user"`
	Database            string `json:"database"`
	Password            string `json:"password"`
	ReplicationPassword string `json:"replicationPassword,omitempty"` // empty: no standby can connect
	Allow               string `json:"allow"`                         // CIDR of callers
	// Parameters are server settings. They win over the agent's defaults and lose against what the agent needs (listen address,
	// port, file locations, fsync).
	Parameters map[string]string `json:"parameters,omitempty"`
	// Synchronous has a primary acknowledge a commit when its standby has written it, too, so that the loss of the primary loses
	// nothing that was acknowledged. With no standby for some seconds commits go on without.
	Synchronous bool `json:"synchronous,omitempty"`
	// RunAs is the system user that runs the server when the agent is root; "postgres" when empty.
	RunAs string `json:"runAs,omitempty"`
	// Socket is the control socket (HTTP).
	Socket string `json:"socket"`
	// SocketDir is where the server puts its own unix socket; "/run/postgresql" when empty, where psql looks for it.
	SocketDir string `json:"socketDir,omitempty"`
	// Slot is the name of the replication slot a standby uses on its primary; made from the host name when empty.
	Slot string `json:"slot,omitempty"`
	// JoinTimeout is how long an empty standby waits for its primary before the agent gives up; a minute when 0.
	JoinTimeout time.Duration `json:"joinTimeout,omitempty"`
}

// replicationRole is the role standbys sign in as.
const replicationRole = "surety_replication"

var (
	identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	slotName   = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)
	setting    = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.]*$`)
)

// Load reads a Config from a JSON file, with defaults applied. Unknown fields are an error.
func Load(path string) (Config, error) { return service.Load(path, Config.complete) }

// complete applies defaults and refuses what cannot work.
func (c Config) complete() (Config, error) {
	c.Role = orDefault(c.Role, Primary)
	c.RunAs = orDefault(c.RunAs, "postgres")
	c.SocketDir = orDefault(c.SocketDir, "/run/postgresql")
	c.JoinTimeout = orDefault(c.JoinTimeout, time.Minute)
	c.Port = orDefault(c.Port, 5432)
	if c.Slot == "" {
		name, err := os.Hostname()
		if err != nil {
			return c, fmt.Errorf("name the replication slot: %w", err)
		}
		c.Slot = regexp.MustCompile(`[^a-z0-9_]`).ReplaceAllString(strings.ToLower(name), "_")
	}
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!filepath.IsAbs(c.DataDir) || filepath.Clean(c.DataDir) == "/", "dataDir %q is not an absolute path below the root", c.DataDir)
	refuse(!filepath.IsAbs(c.Socket), "socket %q is not an absolute path", c.Socket)
	refuse(c.Role != Primary && c.Role != Standby, "role %q is neither primary nor standby", c.Role)
	refuse(c.Role == Standby && c.Primary == "", "a standby needs primary")
	refuse(c.Role == Standby && c.ReplicationPassword == "", "a standby needs replicationPassword")
	refuse(c.Listen == "", "listen is empty")
	refuse(c.Port < 1 || c.Port > 65535, "port %d is out of range", c.Port)
	refuse(!identifier.MatchString(c.User) || c.User == "postgres" || c.User == replicationRole || strings.HasPrefix(c.User, "pg_"),
		"user %q is not a plain lower-case name or is reserved", c.User)
	refuse(!identifier.MatchString(c.Database) || slices.Contains([]string{"postgres", "template0", "template1"}, c.Database),
		"database %q is not a plain lower-case name or is reserved", c.Database)
	refuse(!printable(c.Password) || c.Password == "", "password is empty or holds characters outside printable ASCII")
	refuse(!printable(c.ReplicationPassword), "replicationPassword holds characters outside printable ASCII")
	refuse(!slotName.MatchString(c.Slot), "slot %q is not made of a-z, 0-9 and _", c.Slot)
	_, err := netip.ParsePrefix(c.Allow)
	refuse(err != nil, "allow: %v", err)
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		refuse(!setting.MatchString(name), "parameter %q is not a setting's name", name)
		refuse(strings.ContainsAny(c.Parameters[name], "\n\r\x00"), "parameter %s holds a line break", name)
	}
	return c, errors.Join(errs...)
}

// Digest names a configuration's content, so that a caller can see in Status.Applied that what it wrote is in force.
// It is the same before and after defaults were applied.
func (c Config) Digest() string {
	if full, err := c.complete(); err == nil {
		c = full
	}
	c.BinDir, c.Slot = "", "" // found on the host when left out
	return service.Digest(c)
}

// printable tells whether s is printable ASCII, for which SASLprep (RFC 4013) changes nothing.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
