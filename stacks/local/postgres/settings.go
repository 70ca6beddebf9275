package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// defaults are settings that Config.Parameters may override. Those of replication let a standby join and follow quickly.
func (a *agent) defaults() map[string]string {
	d := map[string]string{
		"wal_level":                    "replica",
		"max_wal_senders":              "10",
		"max_replication_slots":        "10",
		"max_slot_wal_keep_size":       "1GB", // a standby that is away must not fill the primary's disk; one further behind has to clone again
		"wal_receiver_status_interval": "1s",  // how stale a standby's reported position may be
		"wal_retrieve_retry_interval":  "200ms",
		"password_encryption":          "scram-sha-256",
		"log_line_prefix":              "%m [%p] ",
		"log_timezone":                 "UTC",
		"timezone":                     "UTC",
	}
	if fi, err := os.Stat("/dev/shm"); err != nil || !fi.IsDir() {
		d["dynamic_shared_memory_type"] = "mmap" // POSIX shared memory needs /dev/shm
	}
	return d
}

// fixed are settings that the agent relies on; nothing overrides them.
func (a *agent) fixed() map[string]string {
	f := map[string]string{
		"listen_addresses":        a.conf.Listen,
		"port":                    strconv.Itoa(a.conf.Port),
		"unix_socket_directories": a.conf.SocketDir,
		"hba_file":                filepath.Join(a.conf.DataDir, "pg_hba.conf"),
		"ident_file":              filepath.Join(a.conf.DataDir, "pg_ident.conf"),
		"logging_collector":       "off", // the supervisor keeps the log
		"hot_standby":             "on",
		"fsync":                   "on",
		"full_page_writes":        "on",
	}
	if a.conf.Synchronous {
		f["synchronous_standby_names"], f["wal_sender_timeout"] = a.synchronousNames(), senderTimeout
	}
	if a.conf.Primary != "" && a.conf.Role == Standby {
		f["primary_conninfo"] = a.primaryConninfo()
		f["primary_slot_name"] = a.conf.Slot
	}
	return f
}

// primaryConninfo is how the standby's receiver reaches its primary. The timeouts bound how long a silent primary goes unnoticed.
func (a *agent) primaryConninfo() string {
	host, port, _ := net.SplitHostPort(a.conf.Primary) // checked when the password file was written
	quote := func(v string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
	}
	return strings.Join([]string{"host=" + quote(host), "port=" + quote(port), "user=" + replicationRole, "application_name=" + a.conf.Slot,
		"passfile=" + quote(filepath.Join(a.agentDir(), passFile)), "sslmode=disable", "connect_timeout=5", "tcp_user_timeout=10000"}, " ")
}

// serverConf is the text of postgresql.conf.
func (a *agent) serverConf() string {
	all := a.defaults()
	maps.Copy(all, a.conf.Parameters)
	maps.Copy(all, a.fixed())
	var b strings.Builder
	b.WriteString("# Written by surety; changes are overwritten at the next start or reload.\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(all[name]))
	}
	return b.String()
}

// hba is the text of pg_hba.conf: the owner role and standbys from Allow with a password, the agent by its system user, nobody else.
func (a *agent) hba() string {
	lines := []string{
		"# Written by surety; changes are overwritten at the next start or reload.",
		"local all postgres peer map=agent",
		"local replication postgres peer map=agent", // what archives the log, as the system's own users
		fmt.Sprintf("local %s %s scram-sha-256", a.conf.Database, a.conf.User),
		fmt.Sprintf("host %s %s %s scram-sha-256", a.conf.Database, a.conf.User, a.conf.Allow),
	}
	if a.conf.ReplicationPassword != "" {
		lines = append(lines, fmt.Sprintf("host replication %s %s scram-sha-256", replicationRole, a.conf.Allow))
	}
	return strings.Join(lines, "\n") + "\n"
}

// ident maps the system users root and the server's own to the superuser for local connections.
func (a *agent) ident() string {
	return "agent root postgres\nagent \"" + a.owner.name + "\" postgres\n"
}

// writeSettings writes the server's configuration files into its data directory.
func (a *agent) writeSettings() error {
	if a.conf.Role == Standby {
		if err := a.writePass(); err != nil {
			return fmt.Errorf("write the replication password: %w", err)
		}
	}
	for name, text := range map[string]string{"postgresql.conf": a.serverConf(), "pg_hba.conf": a.hba(), "pg_ident.conf": a.ident()} {
		if err := a.write(filepath.Join(a.conf.DataDir, name), []byte(text)); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// replaceable refuses a new configuration that would need another agent.
func (a *agent) replaceable(next Config) error {
	var changed []string
	for name, differs := range map[string]bool{
		"dataDir": next.DataDir != a.conf.DataDir, "socket": next.Socket != a.conf.Socket, "socketDir": next.SocketDir != a.conf.SocketDir,
		"runAs": next.RunAs != a.conf.RunAs, "version": next.Version != a.conf.Version,
	} {
		if differs {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("%s cannot change while the agent runs; restart it", strings.Join(changed, ", "))
	}
	return nil
}

// reload puts a new configuration in force. It tells whether the server is up afterwards; when it is not, it is to be brought up
// with the new configuration. When the server refuses the new settings the old ones are put back.
func (a *agent) reload(ctx context.Context, next Config) (up bool, err error) {
	if err := a.replaceable(next); err != nil {
		return true, err
	}
	before := a.conf
	a.use(next)
	todo, err := a.decide()
	if err != nil {
		a.use(before)
		return true, err
	}
	if todo == stepClone { // a primary becomes a standby; bringUp stops it and copies the new primary
		return false, nil
	}
	restart, err := a.applySettings(ctx)
	if err != nil {
		a.use(before)
		return true, errors.Join(err, a.writeSettings())
	}
	if restart {
		return false, nil
	}
	if todo == stepPromote {
		if err := a.promote(ctx); err != nil {
			return true, err
		}
	}
	return true, a.settle(ctx)
}

// applySettings writes the settings, has the server read them, and tells whether some need a restart.
func (a *agent) applySettings(ctx context.Context) (restart bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := a.connect(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := a.checkSettings(ctx); err != nil {
		return false, err
	}
	if err := a.writeSettings(); err != nil {
		return false, err
	}
	var before, now time.Time
	if err := conn.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&before); err != nil {
		return false, err
	}
	if err := syscall.Kill(a.server.pid, syscall.SIGHUP); err != nil {
		return false, fmt.Errorf("have the server read its settings: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for now = before; !now.After(before); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, fmt.Errorf("have the server read its settings: %w", ctx.Err())
		}
		if err := conn.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&now); err != nil {
			return false, err
		}
	}
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_settings WHERE pending_restart)").Scan(&restart)
	return restart, err
}

// checkSettings has the server's own program read the settings as they would be, before they replace those in force. The running server
// is not asked: its view of a file does not tell a value that needs a restart from one that no restart would accept.
func (a *agent) checkSettings(ctx context.Context) error {
	candidate := filepath.Join(a.agentDir(), "candidate.conf")
	if err := a.write(candidate, []byte(a.serverConf())); err != nil {
		return err
	}
	err := a.run(ctx, "postgres", "-D", a.conf.DataDir, "-c", "config_file="+candidate, "-C", "port")
	if err != nil {
		return fmt.Errorf("the server refuses the settings: %w", err)
	}
	return os.Remove(candidate)
}
