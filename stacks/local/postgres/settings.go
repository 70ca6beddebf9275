package postgres

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
