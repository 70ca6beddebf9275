package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Table is what a table held: its rows, and the sum of the first 8 bytes of the MD5 of each row as text, modulo 2^64, in hexadecimal.
type Table struct {
	Rows     int64
	Checksum string
}

// Settled is a moment in the log with the snapshots of every database that show exactly what was committed before it.
type Settled struct {
	At        time.Time
	LSN       LSN
	Unsettled string // why the snapshots are not known to be exact
	server    Server
	views     map[string]*pgx.Conn
	shapes    map[string]map[string]string // database → table → shape
}

const (
	lockWait = time.Second // that writers may be held up, at most, for the sake of an exact snapshot
	attempts = 2
)

// Settle makes a restore point. What a snapshot shows and what precedes a place in the log differ by the transactions that are just
// committing, so writers are held off for a moment: SHARE locks on all tables wait for those at work and stop new ones, the snapshots are
// taken, the restore point is written, the locks are let go. Tables made meanwhile are noticed and the attempt repeated. Where a long
// transaction keeps the locks from being had within a second twice, the moment is not exact, and says so.
func (b *Base) Settle(ctx context.Context, name string) (*Settled, error) {
	var why error
	for range attempts {
		var s *Settled
		if s, why = b.settle(ctx, name, true); why == nil {
			return s, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	s, err := b.settle(ctx, name, false)
	if err != nil {
		return nil, err
	}
	s.Unsettled = "writers could not be held off for a moment: " + why.Error()
	return s, nil
}

func (b *Base) settle(ctx context.Context, name string, exact bool) (s *Settled, err error) {
	s = &Settled{server: b.server, views: map[string]*pgx.Conn{}, shapes: map[string]map[string]string{}}
	var lockers []*pgx.Conn
	defer func() {
		for _, l := range lockers {
			_ = l.Close(context.WithoutCancel(ctx))
		}
		if err != nil {
			s.Close(ctx)
		}
	}()
	databases, err := Databases(ctx, b.conn)
	if err != nil {
		return s, err
	}
	for _, db := range databases {
		if !exact {
			break
		}
		c, err := b.server.Connect(ctx, db)
		if err != nil {
			return s, err
		}
		lockers = append(lockers, c)
		if s.shapes[db], err = tables(ctx, c); err != nil {
			return s, err
		}
		sql := fmt.Sprintf("BEGIN; SET LOCAL lock_timeout = %d", lockWait.Milliseconds())
		if names := slices.Sorted(maps.Keys(s.shapes[db])); len(names) > 0 {
			sql += "; LOCK TABLE ONLY " + strings.Join(names, ", ONLY ") + " IN SHARE MODE"
		}
		if _, err := c.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return s, fmt.Errorf("lock the tables of %s: %w", db, err)
		}
	}
	for _, db := range databases {
		c, err := b.server.Connect(ctx, db)
		if err != nil {
			return s, err
		}
		s.views[db] = c
		if _, err := c.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_current_snapshot()", pgx.QueryExecModeSimpleProtocol); err != nil {
			return s, fmt.Errorf("take a snapshot of %s: %w", db, err)
		}
	}
	var lsn string
	if err := b.conn.QueryRow(ctx, "SELECT pg_create_restore_point($1)::text, clock_timestamp()", name).Scan(&lsn, &s.At); err != nil {
		return s, fmt.Errorf("make a restore point: %w", err)
	}
	if s.LSN, err = ParseLSN(lsn); err != nil || !exact {
		return s, err
	}
	again, err := Databases(ctx, b.conn)
	if err != nil {
		return s, err
	}
	if !slices.Equal(again, databases) {
		return s, errors.New("a database was made or dropped meanwhile")
	}
	for i, db := range databases {
		now, err := tables(ctx, lockers[i])
		if err != nil {
			return s, err
		}
		seen, err := tables(ctx, s.views[db])
		if err != nil {
			return s, err
		}
		if !maps.Equal(now, s.shapes[db]) || !maps.Equal(seen, s.shapes[db]) {
			return s, fmt.Errorf("a table of %s was made or altered meanwhile", db)
		}
	}
	return s, nil
}

// Tables counts and sums up what the snapshots show, by "database.schema.table". A snapshot does not hold against TRUNCATE and against
// changes of a table's columns: they show in it at once. altered says which table that, or DROP, has befallen since; "" for none.
func (s *Settled) Tables(ctx context.Context) (all map[string]Table, altered string, err error) {
	all = map[string]Table{}
	for _, db := range slices.Sorted(maps.Keys(s.views)) {
		err := sumUp(ctx, s.views[db], db, all)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && (refused.Code == undefinedTable || refused.Code == undefinedColumn) {
			return all, db, nil
		}
		if err != nil {
			return nil, "", err
		}
	}
	for db, before := range s.shapes {
		c, err := s.server.Connect(ctx, db)
		if err != nil {
			return nil, "", err
		}
		after, err := tables(ctx, c)
		_ = c.Close(context.WithoutCancel(ctx))
		if err != nil {
			return nil, "", err
		}
		for name, shape := range before {
			if after[name] != shape {
				return all, db + "." + name, nil
			}
		}
	}
	return all, "", nil
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const undefinedTable, undefinedColumn = "42P01", "42703"

// Close lets go of the snapshots.
func (s *Settled) Close(ctx context.Context) {
	for _, c := range s.views {
		_ = c.Close(context.WithoutCancel(ctx))
	}
}

// Tables counts and sums up what a server shows now.
func (s Server) Tables(ctx context.Context) (map[string]Table, error) {
	conn, err := s.Connect(ctx, "postgres")
	if err != nil {
		return nil, err
	}
	databases, err := Databases(ctx, conn)
	_ = conn.Close(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	all := map[string]Table{}
	for _, db := range databases {
		c, err := s.Connect(ctx, db)
		if err != nil {
			return nil, err
		}
		err = sumUp(ctx, c, db, all)
		_ = c.Close(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Databases lists the databases that can hold anything of a user.
func Databases(ctx context.Context, c *pgx.Conn) ([]string, error) {
	rows, err := c.Query(ctx, "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1")
	if err != nil {
		return nil, fmt.Errorf("list the databases: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// tables lists the permanent tables and leaf partitions of users, quoted, each with its shape: the file that its rows are in, and its columns.
func tables(ctx context.Context, c *pgx.Conn) (map[string]string, error) {
	rows, err := c.Query(ctx, `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), coalesce(pg_relation_filenode(c.oid), 0) || ' ' ||
		coalesce((SELECT string_agg(a.attname || ':' || a.atttypid || ':' || a.attisdropped || ':' || a.atthasmissing, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	all := map[string]string{}
	var name, shape string
	_, err = pgx.ForEachRow(rows, []any{&name, &shape}, func() error {
		all[name] = shape
		return nil
	})
	return all, err
}

func sumUp(ctx context.Context, c *pgx.Conn, db string, into map[string]Table) error {
	shapes, err := tables(ctx, c)
	if err != nil {
		return err
	}
	// The text of a row depends on these.
	if _, err := c.Exec(ctx, `SET extra_float_digits = 1; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; SET timezone = 'UTC'`,
		pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("set up the comparison in %s: %w", db, err)
	}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		var t Table
		var sum string
		err := c.QueryRow(ctx, `SELECT count(*), coalesce(sum(('x' || substr(md5(surety_row::text), 1, 16))::bit(64)::bigint::numeric), 0)::text FROM ONLY `+name+` surety_row`).
			Scan(&t.Rows, &sum)
		if err != nil {
			return fmt.Errorf("sum up %s.%s: %w", db, name, err)
		}
		n, ok := new(big.Int).SetString(sum, 10)
		if !ok {
			return fmt.Errorf("sum up %s.%s: %q is no number", db, name, sum)
		}
		t.Checksum = fmt.Sprintf("%016x", n.And(n, new(big.Int).SetUint64(1<<64-1))) // two's complement: modulo 2^64
		into[db+"."+name] = t
	}
	return nil
}
