package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres connects, does a round trip in a temporary table (which is gone with the connection) and reads the version.
type Postgres struct {
	URL    string `json:"url"`              // with the password
	Rounds int    `json:"rounds,omitempty"` // reads to time; 20 when 0
}

// PostgresSeen is what a database showed.
type PostgresSeen struct {
	Version   string        `json:"version"`   // SHOW server_version
	RoundTrip bool          `json:"roundTrip"` // a row was inserted, read back equal and deleted
	Rounds    int           `json:"rounds"`    // reads timed
	P50       time.Duration `json:"p50"`       // nanoseconds: median of the timed reads
	Standby   bool          `json:"standby"`   // the server is in recovery: it follows another
	Code      string        `json:"code,omitempty"`
}

func (p *Postgres) do(ctx context.Context) (*PostgresSeen, error) {
	seen := &PostgresSeen{}
	conn, err := connect(ctx, p.URL)
	if err != nil {
		seen.Code = sqlState(err)
		return seen, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version'), pg_is_in_recovery()").Scan(&seen.Version, &seen.Standby); err != nil {
		return seen, fmt.Errorf("read version: %w", err)
	}
	if seen.Standby {
		return seen, nil // it takes no writes
	}
	if err := p.roundTrip(ctx, conn, seen); err != nil {
		seen.Code = sqlState(err)
		return seen, err
	}
	return seen, nil
}

func (p *Postgres) roundTrip(ctx context.Context, conn *pgx.Conn, seen *PostgresSeen) error {
	if _, err := conn.Exec(ctx, "CREATE TEMPORARY TABLE surety_probe (id int PRIMARY KEY, value text NOT NULL)"); err != nil {
		return fmt.Errorf("create temporary table: %w", err)
	}
	wrote := fmt.Sprintf("written %d", time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "INSERT INTO surety_probe VALUES (1, $1)", wrote); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	rounds := p.Rounds
	if rounds <= 0 {
		rounds = 20
	}
	took := make([]time.Duration, 0, rounds)
	for range rounds {
		var read string
		started := time.Now()
		if err := conn.QueryRow(ctx, "SELECT value FROM surety_probe WHERE id = 1").Scan(&read); err != nil {
			return fmt.Errorf("select: %w", err)
		}
		took = append(took, time.Since(started))
		if read != wrote {
			return errors.New("select: the row read is not the row written")
		}
	}
	tag, err := conn.Exec(ctx, "DELETE FROM surety_probe WHERE id = 1")
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("delete: %d rows were deleted, not 1", tag.RowsAffected())
	}
	slices.Sort(took)
	seen.RoundTrip, seen.Rounds, seen.P50 = true, rounds, took[len(took)/2]
	return nil
}

// Replication makes the primary write its log and waits until the standby has replayed it.
// It leaves nothing behind: an assigned transaction number is written to the log, no table is touched.
type Replication struct {
	Primary string `json:"primary"` // URL
	Standby string `json:"standby"` // URL
}

// ReplicationSeen is how far a standby followed.
type ReplicationSeen struct {
	InRecovery bool          `json:"inRecovery"`     // the standby really is one
	Written    string        `json:"written"`        // log position on the primary
	Replayed   bool          `json:"replayed"`       // the standby reached it before the deadline
	Position   string        `json:"position"`       // last log position the standby reached
	Behind     int64         `json:"behind"`         // bytes
	Lag        time.Duration `json:"lag"`            // nanoseconds from the write to its replay
	Side       string        `json:"side,omitempty"` // which side a failure came from: primary, standby
}

func (r *Replication) do(ctx context.Context) (*ReplicationSeen, error) {
	seen := &ReplicationSeen{Side: "primary"}
	primary, err := connect(ctx, r.Primary)
	if err != nil {
		return seen, fmt.Errorf("primary: %w", err)
	}
	defer primary.Close(context.WithoutCancel(ctx))
	seen.Side = "standby"
	standby, err := connect(ctx, r.Standby)
	if err != nil {
		return seen, fmt.Errorf("standby: %w", err)
	}
	defer standby.Close(context.WithoutCancel(ctx))
	if err := standby.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&seen.InRecovery); err != nil {
		return seen, fmt.Errorf("standby: %w", err)
	}
	if !seen.InRecovery {
		return seen, nil
	}
	seen.Side = "primary"
	if _, err := primary.Exec(ctx, "SELECT pg_current_xact_id()"); err != nil {
		return seen, fmt.Errorf("primary: write: %w", err)
	}
	if err := primary.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&seen.Written); err != nil {
		return seen, fmt.Errorf("primary: read log position: %w", err)
	}
	seen.Side = ""
	return seen, seen.follow(ctx, standby)
}

// follow asks the standby until it has replayed what was written or the deadline is over.
func (s *ReplicationSeen) follow(ctx context.Context, standby *pgx.Conn) error {
	started := time.Now()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		err := standby.QueryRow(ctx, `SELECT coalesce(pg_last_wal_replay_lsn(), '0/0')::text,
			pg_wal_lsn_diff($1::text::pg_lsn, coalesce(pg_last_wal_replay_lsn(), '0/0'))::bigint`, s.Written).Scan(&s.Position, &s.Behind)
		s.Lag = time.Since(started)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil // the deadline: what was seen last stands, Replayed stays false
		case err != nil:
			s.Side = "standby"
			return fmt.Errorf("standby: read log position: %w", err)
		case s.Behind <= 0:
			s.Replayed = true
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// connect opens one connection. Errors of pgx name user, database and address, never the password;
// a URL that does not parse is not quoted at all.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL does not parse")
	}
	config.RuntimeParams["application_name"] = "surety probe"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, &connectError{err}
	}
	return conn, nil
}

// connectError says in one line why a session did not come about: pgx tells of each of its attempts, the last one counts.
type connectError struct{ cause error }

func (e *connectError) Unwrap() error { return e.cause }

func (e *connectError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.cause.Error()), "\n")
	return "connect: " + strings.TrimSpace(lines[len(lines)-1])
}

// sqlState is the server's five-character error code, or empty when the server did not answer.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
