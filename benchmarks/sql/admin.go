package sql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// admin is one connection for making and checking the tables.
type admin struct {
	engine string
	exec   func(ctx context.Context, statement string) error
	row    func(ctx context.Context, query string, into ...any) error
	fill   func(ctx context.Context, table string, columns []string, rows int, row func(n int) []any) error
	vacuum string
	close  func(ctx context.Context)
}

func (t Target) administer(ctx context.Context) (*admin, error) {
	kind, err := t.dialect()
	if err != nil {
		return nil, err
	}
	if kind == mysql {
		return administerMySQL(ctx, t.URL)
	}
	c, err := pgx.Connect(ctx, t.URL)
	if err != nil {
		return nil, err
	}
	return &admin{
		vacuum: "VACUUM ANALYZE ",
		exec: func(ctx context.Context, s string) error {
			_, err := c.Exec(ctx, s)
			return err
		},
		row: func(ctx context.Context, q string, into ...any) error { return c.QueryRow(ctx, q).Scan(into...) },
		fill: func(ctx context.Context, table string, columns []string, rows int, row func(int) []any) error {
			n := 0
			_, err := c.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
				if n++; n > rows {
					return nil, nil
				}
				return row(n), nil
			}))
			return err
		},
		close: func(ctx context.Context) { _ = c.Close(context.WithoutCancel(ctx)) },
	}, nil
}

func administerMySQL(ctx context.Context, raw string) (*admin, error) {
	config, err := mysqlConfig(raw)
	if err != nil {
		return nil, err
	}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(connector)
	exec := func(ctx context.Context, s string) error {
		_, err := pool.ExecContext(ctx, s)
		return err
	}
	return &admin{
		engine: " ENGINE=InnoDB",
		vacuum: "ANALYZE TABLE ",
		exec:   exec,
		row: func(ctx context.Context, q string, into ...any) error {
			return pool.QueryRowContext(ctx, q).Scan(into...)
		},
		fill: func(ctx context.Context, table string, columns []string, rows int, row func(int) []any) error {
			for from := 1; from <= rows; from += batch {
				var text strings.Builder
				fmt.Fprintf(&text, "INSERT INTO %s (%s) VALUES ", table, strings.Join(columns, ", "))
				for n := from; n <= min(rows, from+batch-1); n++ {
					if n > from {
						text.WriteByte(',')
					}
					for i, v := range row(n) {
						text.WriteByte("(,"[min(i, 1)])
						if s, ok := v.(string); ok {
							v = "'" + s + "'" // texts of ours, without quotes
						}
						fmt.Fprint(&text, v)
					}
					text.WriteByte(')')
				}
				if err := exec(ctx, text.String()); err != nil {
					return err
				}
			}
			return nil
		},
		close: func(context.Context) { _ = pool.Close() },
	}, nil
}

// batch is how many rows one INSERT carries: some 100 KB of SQL, below every server's limit.
const batch = 4000

func (a *admin) remove(ctx context.Context) error {
	for _, table := range tables {
		if err := a.exec(ctx, "DROP TABLE IF EXISTS "+table.name); err != nil {
			return fmt.Errorf("remove %s: %w", table.name, err)
		}
	}
	return nil
}

func (a *admin) refresh(ctx context.Context) error {
	for _, table := range tables {
		if err := a.exec(ctx, a.vacuum+table.name); err != nil {
			return fmt.Errorf("renew what is known of %s: %w", table.name, err)
		}
	}
	return nil
}
