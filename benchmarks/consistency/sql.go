package consistency

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is one client's connection to PostgreSQL, opened when it is needed and again after it broke. It is used by one goroutine.
type session struct {
	url  string
	conn *pgx.Conn
	// alone is set when the server says that a commit is not on the standby that it was to wait for.
	alone atomic.Bool
}

func (s *session) connect(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return nil
	}
	c, err := pgx.ParseConfig(s.url)
	if err != nil {
		return fmt.Errorf("%w: database address: %w", ErrRefused, err)
	}
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		// "The transaction has already committed locally, but might not have been replicated to the standby": class 01, a warning.
		if n.Code == "01000" && n.SeverityUnlocalized == "WARNING" {
			s.alone.Store(true)
		}
	}
	s.conn, err = pgx.ConnectConfig(ctx, c)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

func (s *session) Close() {
	if s.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.conn.Close(ctx)
		s.conn = nil
	}
}

var errAlone = errors.New("committed, but not on the standby")

// errAbandon makes transact roll back without an error.
var errAbandon = errors.New("abandon the transaction")

// transact runs one transaction. An error before the commit is sent means that nothing happened, and so does the server's refusal of
// the commit; any other failure of the commit leaves the outcome unknown.
func (s *session) transact(ctx context.Context, o pgx.TxOptions, run func(tx pgx.Tx) error) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	tx, err := s.conn.BeginTx(ctx, o)
	if err != nil {
		return fmt.Errorf("%w: begin: %w", ErrRefused, err)
	}
	if err := run(tx); err != nil {
		_ = tx.Rollback(ctx) // a connection on which this fails is closed, and the server rolls back
		if errors.Is(err, errAbandon) {
			return nil
		}
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	s.alone.Store(false)
	err = tx.Commit(ctx)
	switch {
	case err == nil && s.alone.Load():
		return errAlone
	case err == nil:
		return nil
	case rolledBack(err):
		return fmt.Errorf("%w: commit: %w", ErrRefused, err)
	}
	return fmt.Errorf("commit: %w", err)
}

// rolledBack reports whether a failed commit certainly did not happen. An answer of the server says so, except where it ends the
// connection or the server itself: SQLSTATE classes 08, 57, 58, XX and code 40003 (PostgreSQL's documentation, appendix A).
func rolledBack(err error) bool {
	if errors.Is(err, pgx.ErrTxCommitRollback) {
		return true
	}
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code[:min(2, len(answer.Code))] {
	case "08", "57", "58", "XX", "":
		return false
	}
	return answer.Code != "40003"
}

// levels are the isolation levels that a Config may name.
var levels = map[string]pgx.TxIsoLevel{"read committed": pgx.ReadCommitted, "repeatable read": pgx.RepeatableRead, "serializable": pgx.Serializable}

// options gives how transactions and, on ReadURL, reads are isolated: a standby offers no serializable ones.
func (d *Database) options() (write, read pgx.TxOptions, err error) {
	level, ok := levels[d.Isolation]
	if !ok {
		return write, read, fmt.Errorf("isolation %q is not one of read committed, repeatable read, serializable", d.Isolation)
	}
	write, read = pgx.TxOptions{IsoLevel: level}, pgx.TxOptions{IsoLevel: level, AccessMode: pgx.ReadOnly}
	if d.ReadURL != d.URL && level == pgx.Serializable {
		read.IsoLevel = pgx.RepeatableRead
	}
	return write, read, nil
}

// setUp runs statements at URL, each a transaction of its own.
func (d *Database) setUp(ctx context.Context, limit time.Duration, statements ...string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &session{url: d.URL}
	defer s.Close()
	if err := s.connect(ctx); err != nil {
		return err
	}
	for _, q := range statements {
		if _, err := s.conn.Exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// awaitTable waits until a table with at least so many rows can be read where reads go.
func (d *Database) awaitTable(ctx context.Context, table string, rows int, limit time.Duration) error {
	if d.ReadURL == d.URL {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &session{url: d.ReadURL}
	defer s.Close()
	for {
		n, err := -1, s.connect(ctx)
		if err == nil {
			err = s.conn.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n)
		}
		if err == nil && n >= rows {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the new table was not to be read within %s: %w", limit, err)
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// table is the name of a run's table, in a schema of its own, so that nothing of the database's user is in reach of a slip.
type table string

func newTable() table { return table(unique("_") + ".t") }

// name is that of the table's schema.
func (t table) name() string { name, _, _ := strings.Cut(string(t), "."); return name }

// schema is the statement that makes the table's schema.
func (t table) schema() string { return "CREATE SCHEMA " + t.name() }

// drop removes a table and its schema, with a deadline of its own, because the run's may be over.
func (d *Database) drop(t table) error {
	if err := d.setUp(context.Background(), 15*time.Second, "DROP SCHEMA IF EXISTS "+t.name()+" CASCADE"); err != nil {
		return fmt.Errorf("schema %s is left: %w", t.name(), err)
	}
	return nil
}
