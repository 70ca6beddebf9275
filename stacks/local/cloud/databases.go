package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"surety/stacks/local/host"
	"surety/stacks/local/postgres"
)

const (
	postgresPort   = 5432
	postgresConfig = "/etc/surety/postgres.json"
	postgresSocket = "/run/surety/postgres.sock"
	postgresData   = "/var/lib/surety/postgres"
	// databaseDeadline bounds the making of a database, a base backup included.
	databaseDeadline = 90 * time.Second
)

// binaryInside is where a host finds our executable.
const binaryInside = "/run/surety/surety"

func checkDatabase(name string, db *Database) error {
	if err := checkHost(name, db.Name, db.Group, db.Limits); err != nil {
		return err
	}
	if len(name) > 60 {
		return &Invalid{Field: "name", Message: "is longer than 60 characters", Mend: "its hosts' names add two"}
	}
	if db.Engine != "postgres" {
		return &Invalid{Field: "engine", Message: fmt.Sprintf("no engine %q here", db.Engine), Mend: "use postgres"}
	}
	if _, err := postgres.Find(db.Version); err != nil {
		return &Invalid{Field: "version", Message: err.Error(), Mend: fmt.Sprintf("use one of %s, or install it", strings.Join(postgres.Installed(), ", "))}
	}
	if strings.ContainsFunc(db.Password, func(r rune) bool { return r < ' ' || r > '~' }) {
		return &Invalid{Field: "password", Message: "holds characters outside printable ASCII"}
	}
	*db = Database{Name: db.Name, Group: db.Group, Engine: db.Engine, Version: db.Version, Limits: db.Limits, Standby: db.Standby, Synchronous: db.Synchronous,
		Parameters: db.Parameters, Password: db.Password, Tags: db.Tags}
	return nil
}

func changeDatabase(old, new Database) error {
	if old.Engine != new.Engine {
		return &Conflict{Message: fmt.Sprintf("the engine is %s and cannot become %s in place", old.Engine, new.Engine), Mend: "replace it", Replace: true}
	}
	if old.Version != new.Version {
		return &Conflict{Message: fmt.Sprintf("the version is %q and cannot become %q in place", old.Version, new.Version), Mend: "needs replacement", Replace: true}
	}
	return changeLimits(old.Limits, new.Limits)
}

// ownerRole is the name of a database's owner role, and of the database itself.
func ownerRole(name string) string {
	role := strings.ReplaceAll(name, "-", "_")
	if role[0] >= '0' && role[0] <= '9' || role == "postgres" || role == "template0" || role == "template1" || strings.HasPrefix(role, "pg_") || strings.HasPrefix(role, "surety_") {
		role = "db_" + role
	}
	return role
}

// databaseHosts splits a database's hosts into the primary and the standbys that its spec wants.
func databaseHosts(r record, db Database) (primary string, standbys []string) {
	primary = r.Primary
	if primary == "" {
		primary = db.Name + "-0"
	}
	if db.Standby {
		standby := db.Name + "-1"
		if primary == standby {
			standby = db.Name + "-0"
		}
		standbys = []string{standby}
	}
	return primary, standbys
}

func (d *daemon) putDatabase(act, waits context.Context, r *record, db Database) error {
	cidr, err := d.cidr()
	if err != nil {
		return err
	}
	primary, standbys := databaseHosts(*r, db)
	r.Primary = primary
	if err := d.book.claim(r, cidr, append([]string{primary}, standbys...), true); err != nil {
		return err
	}
	if err := d.dropHosts(act, r, append([]string{primary}, standbys...)); err != nil {
		return err
	}
	// All at once: an empty standby waits for its primary by itself.
	names := append([]string{primary}, standbys...)
	hosts, errs := make([]*host.Host, len(names)), make([]error, len(names))
	configs := make([]postgres.Config, len(names))
	for i, name := range names {
		if configs[i], err = d.databaseConfig(r, db, cidr, name); err != nil {
			return err
		}
	}
	waits, stop := context.WithTimeout(waits, databaseDeadline)
	defer stop()
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			if hosts[i], errs[i] = d.raiseDatabase(act, *r, db, name, configs[i]); errs[i] != nil {
				stop()
				return
			}
			if errs[i] = d.databaseReady(waits, hosts[i], configs[i]); errs[i] != nil {
				stop()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// dropHosts destroys the hosts that the spec no longer wants: a standby that was withdrawn.
func (d *daemon) dropHosts(ctx context.Context, r *record, wanted []string) error {
	for _, name := range r.hostNames() {
		if slices.Contains(wanted, name) {
			continue
		}
		if err := d.removeHost(ctx, *r, name); err != nil {
			return err
		}
		delete(r.Hosts, name)
		if err := d.book.save(*r); err != nil {
			return err
		}
	}
	return nil
}

// databaseConfig is the agent's configuration on one of a database's hosts.
func (d *daemon) databaseConfig(r *record, db Database, cidr netip.Prefix, name string) (postgres.Config, error) {
	password := db.Password
	var err error
	if password == "" {
		if password, err = d.secret(r, "password"); err != nil {
			return postgres.Config{}, err
		}
	}
	internal, err := d.secret(r, "replication")
	if err != nil {
		return postgres.Config{}, err
	}
	c := postgres.Config{
		Version: db.Version, DataDir: postgresData, Listen: "*", Port: postgresPort, Role: postgres.Primary,
		User: ownerRole(db.Name), Database: ownerRole(db.Name), Password: password, ReplicationPassword: internal,
		Allow: cidr.String(), Parameters: db.Parameters, Socket: postgresSocket, Synchronous: db.Synchronous,
	}
	if name != r.Primary {
		c.Role, c.Primary = postgres.Standby, net.JoinHostPort(r.Hosts[r.Primary].String(), strconv.Itoa(postgresPort))
	}
	return c, nil
}

// raiseDatabase brings one host up with its agent, and has a running agent read a changed configuration.
func (d *daemon) raiseDatabase(ctx context.Context, r record, db Database, name string, c postgres.Config) (*host.Host, error) {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode database configuration: %w", err)
	}
	var service netip.Addr
	if c.Role == postgres.Primary {
		service = r.Service
	}
	return d.raise(ctx, r, name, db.Limits, agentConfig("postgres", postgresConfig, raw, tags(db.Tags, r.Kind, db.Group)), service)
}

// agentConfig is the content of a host that runs one of our own services, which reads its file again on SIGHUP.
func agentConfig(command, path string, content []byte, tags map[string]string) host.Config {
	return host.Config{
		Files:    map[string]host.File{path: {Content: append(content, '\n'), Mode: 0o600}},
		Services: []host.Service{{Name: mainService, Command: []string{binaryInside, command, "--config", path}, Env: map[string]string{"PATH": searchPath}, Reload: "HUP"}},
		Tags:     tags,
	}
}

// databaseReady waits until the agent has the configuration in force and its server does what its role says.
func (d *daemon) databaseReady(ctx context.Context, h *host.Host, c postgres.Config) error {
	err := await(ctx, databaseDeadline, func(ctx context.Context) error {
		s, err := askAgent(ctx, h)
		switch {
		case err != nil:
			return err
		case s.Failure != "":
			return errors.New(s.Failure)
		case !s.Running || s.Applied != c.Digest():
			return fmt.Errorf("the agent is at %q", s.Phase)
		case s.Role != c.Role:
			return fmt.Errorf("it is %s, not %s", s.Role, c.Role)
		case s.Role == postgres.Standby && !s.Streaming:
			return errors.New("the standby does not stream from its primary")
		}
		return nil
	})
	if err != nil {
		return &Failed{Message: fmt.Sprintf("%s %v", h.Name(), err), Log: tail(h.Log(mainService), 20)}
	}
	return nil
}

// askAgent asks a database host's agent for its status.
func askAgent(ctx context.Context, h *host.Host) (postgres.Status, error) {
	if h == nil || !h.Running() {
		return postgres.Status{}, errors.New("the host does not run")
	}
	return postgres.Query(ctx, within(h), postgresSocket)
}

func (d *daemon) readDatabase(ctx context.Context, r record, db Database, secrets bool) (Database, error) {
	db.Address, db.Port, db.User, db.Database = "", postgresPort, ownerRole(db.Name), ownerRole(db.Name)
	if r.Service.IsValid() {
		db.Address = r.Service.String()
	}
	if db.Password == "" {
		db.Password = r.Secrets["password"]
	}
	if !secrets {
		db.Password = ""
	}
	asked := db.Limits
	db.Standby, db.Enforced = false, nil
	for _, name := range r.hostNames() {
		h, err := d.find(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return db, fmt.Errorf("find host %q: %w", name, err)
		}
		limits, enforced := d.limitsOf(h, asked)
		if db.Enforced == nil || limits != asked { // one host that differs is enough to differ
			db.Limits, db.Enforced = limits, enforced
		}
		once, cancel := context.WithTimeout(ctx, 2*time.Second)
		s, err := askAgent(once, h)
		cancel()
		if err != nil || !s.Running {
			continue
		}
		if s.Role == postgres.Standby {
			db.Standbys = append(db.Standbys, name)
			db.Standby = db.Standby || s.Streaming
			continue
		}
		if db.Primary == "" || name == r.Primary {
			db.Primary, db.Running, db.ActualVersion = name, true, s.Version
		}
		if raw, err := h.ReadFile(ctx, postgresConfig); err == nil {
			var c postgres.Config
			if json.Unmarshal(raw, &c) == nil && !maps.Equal(c.Parameters, db.Parameters) {
				db.Parameters = c.Parameters
			}
			db.Synchronous = db.Synchronous && c.Synchronous
		}
	}
	return db, nil
}

func (d *daemon) removeDatabase(ctx context.Context, r record) error {
	if router, err := d.theRouter(); err == nil && r.Service.IsValid() {
		if err := router.Withdraw(ctx, r.Service); err != nil {
			return fmt.Errorf("withdraw service address: %w", err)
		}
	}
	return d.removeHosts(ctx, r)
}
