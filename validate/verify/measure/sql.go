package measure

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"surety/benchmarks/sql"
)

// abandoned is how old what an earlier session left must be to be removed: the sessions of others are under way meanwhile.
const abandoned = time.Hour

// begun is the date in a name.
const begun = "20060102t150405"

// fresh makes a name that nobody else uses and that tells when it was made: prefix, date and a random part.
func fresh(prefix, separator string) string {
	raw := make([]byte, 4)
	_, _ = rand.Read(raw) // never fails
	return prefix + time.Now().UTC().Format(begun) + separator + hex.EncodeToString(raw)
}

// stale tells whether a name that begins with prefix was made long ago. Names of another form are not ours.
func stale(name, prefix string, now time.Time) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok || len(rest) < len(begun) {
		return false
	}
	made, err := time.Parse(begun, rest[:len(begun)])
	return err == nil && now.Sub(made) > abandoned
}

// schemaPrefix begins the name of every schema of ours; runs of benchmarks/consistency make theirs by themselves.
const (
	schemaPrefix      = "surety_measure_"
	consistencyPrefix = "surety_consistency_"
)

// schema is a PostgreSQL schema of our own. The connection that made it holds an advisory lock on its name for as long as it is in
// use; the kernel closes it when we die, however we die.
type schema struct {
	url, name string
	keeper    *pgx.Conn
}

// openSchema makes a schema, after removing those that sessions left which died.
func openSchema(ctx context.Context, url string) (_ *schema, err error) {
	s := &schema{url: url, name: fresh(schemaPrefix, "_")}
	if s.keeper, err = pgx.Connect(ctx, url); err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := sweepSchemas(ctx, s.keeper); err != nil {
		return nil, err
	}
	if err := claim(ctx, s.keeper, s.name); err != nil {
		return nil, err
	}
	if _, err := s.keeper.Exec(ctx, "CREATE SCHEMA "+s.name); err != nil {
		if answer, ok := errors.AsType[*pgconn.PgError](err); ok && answer.Code == "42501" {
			return nil, fmt.Errorf("make a schema to measure in: the user may not; GRANT CREATE ON DATABASE … lets it: %w", err)
		}
		return nil, fmt.Errorf("make a schema to measure in: %w", err)
	}
	return s, nil
}

// claim takes the advisory lock of a name for the connection's life.
func claim(ctx context.Context, c *pgx.Conn, name string) error {
	var ours bool
	err := c.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name).Scan(&ours)
	if err == nil && !ours {
		err = errors.New("another session uses it")
	}
	if err != nil {
		return fmt.Errorf("claim %s: %w", name, err)
	}
	return nil
}

// sweepSchemas drops the user's schemas that were made by sessions which began long ago and whose connection is gone.
func sweepSchemas(ctx context.Context, c *pgx.Conn) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("remove what earlier sessions left in the database: %w", err)
		}
	}()
	for _, prefix := range []string{schemaPrefix, consistencyPrefix} {
		rows, err := c.Query(ctx, "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, $1) AND pg_has_role(nspowner, 'USAGE')", prefix)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, name := range names {
			if !stale(name, prefix, time.Now()) || claim(ctx, c, name) != nil {
				continue
			}
			if _, err := c.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE"); err != nil {
				return err
			}
		}
	}
	return nil
}

// inside gives an address whose connections have their tables in the schema.
func (s *schema) inside(url string) string {
	before, query, _ := strings.Cut(url, "?")
	return strings.TrimSuffix(before+"?search_path="+s.name+"&"+query, "&") // the first of several wins
}

// remove drops the schema, over a connection of its own: that which made it may be broken, as after a fail-over.
func (s *schema) remove(ctx context.Context) error {
	defer s.close()
	c, err := pgx.Connect(ctx, s.url)
	if err == nil {
		defer c.Close(ctx)
		_, err = c.Exec(ctx, "DROP SCHEMA IF EXISTS "+s.name+" CASCADE")
	}
	if err != nil {
		return fmt.Errorf("schema %s is left; DROP SCHEMA %s CASCADE removes it, and so does the next measurement after an hour: %w", s.name, s.name, err)
	}
	return nil
}

func (s *schema) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.keeper.Close(ctx)
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres:") || strings.HasPrefix(url, "postgresql:")
}

// openSQL connects every worker. The tables of the built-in mixes are made and filled first; on MariaDB, which has no schemas inside a
// database, they bear names of their own (see benchmarks/sql) and replace those that an earlier session left.
func openSQL(ctx context.Context, q SQL, workers int) (_ *target, err error) {
	at, mix := sql.Target{URL: q.URL}, q.Transactions
	t := &target{}
	defer func() {
		if err != nil {
			t.close = func() {}
			err = errors.Join(err, t.end(ctx))
		}
	}()
	if len(mix) == 0 {
		if isPostgres(q.URL) {
			s, err := openSchema(ctx, q.URL)
			if err != nil {
				return nil, err
			}
			t.remove, at.URL = s.remove, s.inside(q.URL)
		} else {
			t.remove = func(ctx context.Context) error {
				if err := sql.Remove(ctx, at); err != nil {
					return fmt.Errorf("tables surety_branch, surety_teller, surety_account and surety_history may be left: %w", err)
				}
				return nil
			}
		}
		if err := sql.Prepare(ctx, at, q.Scale); err != nil {
			return nil, fmt.Errorf("make the tables to measure on: %w", err)
		}
		if mix = sql.TPCB(q.Scale); q.ReadOnly {
			mix = sql.SelectOnly(q.Scale)
		} else {
			t.refresh = func(ctx context.Context) error { return sql.Refresh(ctx, at) }
		}
	}
	d, err := sql.Open(ctx, at, mix, workers, 1)
	if err != nil {
		return nil, err
	}
	t.operation, t.close = d.Operation, d.Close
	return t, nil
}
