package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// connect opens the agent's own connection: as superuser over the server's unix socket, by peer authentication.
func (a *agent) connect(ctx context.Context) (*pgx.Conn, error) {
	conf, err := pgx.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	conf.Host, conf.Port, conf.User, conf.Database = a.conf.SocketDir, uint16(a.conf.Port), "postgres", "postgres"
	conf.Password, conf.Fallbacks, conf.ConnectTimeout = "", nil, 5*time.Second
	// What the agent itself writes waits for no standby: the first of it is the role with which the standby signs in.
	conf.RuntimeParams = map[string]string{"application_name": "surety agent", "synchronous_commit": "local"}
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec // one round trip; nothing is worth preparing
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("connect to the server: %w", err)
	}
	return conn, nil
}

// ensure makes roles, passwords and database as declared. It writes only what differs, and may be cut off at any point and run again.
func (a *agent) ensure(ctx context.Context) error {
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := ensureRole(ctx, conn, a.conf.User, a.conf.Password, false); err != nil {
		return err
	}
	if a.conf.ReplicationPassword != "" {
		if err := ensureRole(ctx, conn, replicationRole, a.conf.ReplicationPassword, true); err != nil {
			return err
		}
	}
	return ensureDatabase(ctx, conn, a.conf.Database, a.conf.User)
}

func ensureRole(ctx context.Context, conn *pgx.Conn, name, password string, replication bool) error {
	var verifier string
	var asDeclared bool
	err := conn.QueryRow(ctx, `SELECT coalesce(rolpassword, ''),
		rolcanlogin AND rolreplication = $2 AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls) AND coalesce(rolvaliduntil, 'infinity') = 'infinity'
		FROM pg_authid WHERE rolname = $1`, name, replication).Scan(&verifier, &asDeclared)
	verb := "ALTER"
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		verb = "CREATE"
	case err != nil:
		return fmt.Errorf("read role %s: %w", name, err)
	case asDeclared && scramMatches(verifier, password):
		return nil
	}
	if !scramMatches(verifier, password) {
		if verifier, err = scramVerifier(password, rand.Reader); err != nil {
			return err
		}
	}
	attributes := "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION"
	if replication {
		attributes = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS REPLICATION"
	}
	if verb == "ALTER" {
		attributes += " VALID UNTIL 'infinity'"
	}
	_, err = conn.Exec(ctx, fmt.Sprintf("%s ROLE %s %s PASSWORD '%s'", verb, pgx.Identifier{name}.Sanitize(), attributes, verifier))
	if err != nil {
		return fmt.Errorf("set role %s: %w", name, err)
	}
	return nil
}

func ensureDatabase(ctx context.Context, conn *pgx.Conn, name, owner string) error {
	var has string
	err := conn.QueryRow(ctx, `SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = $1`, name).Scan(&has)
	db, to := pgx.Identifier{name}.Sanitize(), pgx.Identifier{owner}.Sanitize()
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		_, err = conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s", db, to))
	case err == nil && has != owner:
		_, err = conn.Exec(ctx, fmt.Sprintf("ALTER DATABASE %s OWNER TO %s", db, to))
	}
	if err != nil {
		return fmt.Errorf("set database %s: %w", name, err)
	}
	return nil
}

// inRecovery tells whether the server is a standby.
func inRecovery(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var standby bool
	if err := conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return false, fmt.Errorf("ask the server for its role: %w", err)
	}
	return standby, nil
}

// promote makes a standby primary and returns when it takes writes. A primary is left alone.
func (a *agent) promote(ctx context.Context) error {
	conn, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	standby, err := inRecovery(ctx, conn)
	if err != nil || !standby {
		return err
	}
	if a.conf.Role == Standby {
		if err := a.writePromotion(); err != nil {
			return err
		}
	}
	var promoted bool
	if err := conn.QueryRow(ctx, "SELECT pg_promote(wait => true, wait_seconds => 60)").Scan(&promoted); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	if !promoted {
		return errors.New("promote: the server is still a standby after 60 seconds")
	}
	return a.ensure(ctx)
}
