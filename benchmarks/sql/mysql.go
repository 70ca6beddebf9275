package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-sql-driver/mysql"
)

// closing is how long a connection's orderly end may take.
const closing = 2 * time.Second

// dialect tells which kind of database a target is.
func (t Target) dialect() (dialect, error) {
	scheme, _, _ := strings.Cut(t.URL, ":")
	switch scheme {
	case "postgres", "postgresql":
		return postgres, nil
	case "mysql", "mariadb":
		return mysql, nil
	}
	return 0, fmt.Errorf("a database's URL begins with postgres: or mysql:, not with %q", scheme)
}

// mysqlConfig reads a URL of ours as the driver's configuration.
func mysqlConfig(raw string) (*driver.Config, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("the database's URL cannot be read") // the cause would print the password
	}
	c := driver.NewConfig()
	c.User, c.DBName = u.User.Username(), strings.TrimPrefix(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = u.Hostname() + ":3306"
	}
	for key, values := range u.Query() {
		switch key {
		case "socket":
			c.Net, c.Addr = "unix", values[0]
		case "tls":
			c.TLSConfig = values[0]
		default:
			return nil, fmt.Errorf("the database's URL has %q: only socket and tls are known", key)
		}
	}
	c.Logger = silent{} // failures come back as errors, and are counted
	return c, nil
}

type silent struct{}

func (silent) Print(...any) {}

// myConn is one connection, taken out of the pool for good.
type myConn struct {
	pool       *sql.DB
	c          *sql.Conn
	statements []*sql.Stmt // nil for one without placeholders, which needs no preparing: BEGIN cannot be prepared everywhere
	args       []any
	row        []sql.RawBytes
	into       []any
}

func connectMySQL(ctx context.Context, raw string, statements []statement) (conn, error) {
	config, err := mysqlConfig(raw)
	if err != nil {
		return nil, err
	}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return nil, err
	}
	m := &myConn{pool: sql.OpenDB(connector)}
	if m.c, err = m.pool.Conn(ctx); err != nil {
		m.close()
		return nil, err
	}
	for _, s := range statements {
		var prepared *sql.Stmt
		if len(s.uses) > 0 {
			if prepared, err = m.c.PrepareContext(ctx, s.text); err != nil {
				m.close()
				return nil, fmt.Errorf("prepare %q: %w", s.text, err)
			}
		}
		m.statements = append(m.statements, prepared)
	}
	return m, nil
}

func (m *myConn) run(ctx context.Context, n int, s *statement, values []int64) (int64, error) {
	m.args = m.args[:0]
	for _, v := range s.uses {
		m.args = append(m.args, values[v])
	}
	var rows *sql.Rows
	var err error
	if prepared := m.statements[n]; prepared != nil {
		rows, err = prepared.QueryContext(ctx, m.args...)
	} else {
		rows, err = m.c.QueryContext(ctx, s.text)
	}
	if err != nil {
		return 0, mysqlClass(err)
	}
	bytes, err := m.read(rows)
	return bytes, mysqlClass(errors.Join(err, rows.Close()))
}

// read takes all rows and counts their bytes.
func (m *myConn) read(rows *sql.Rows) (bytes int64, err error) {
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	for len(m.row) < len(columns) {
		m.row = append(m.row, nil)
	}
	m.into = m.into[:0]
	for i := range columns {
		m.into = append(m.into, &m.row[i])
	}
	for rows.Next() {
		if err := rows.Scan(m.into...); err != nil {
			return bytes, err
		}
		for i := range columns {
			bytes += int64(len(m.row[i]))
		}
	}
	return bytes, rows.Err()
}

func mysqlClass(err error) error {
	if answer, ok := errors.AsType[*driver.MySQLError](err); ok {
		return refused("mysql "+strconv.Itoa(int(answer.Number)), err)
	}
	return err
}

func (m *myConn) settle(ctx context.Context) error {
	_, err := m.c.ExecContext(ctx, "ROLLBACK")
	return err
}

func (m *myConn) close() {
	for _, s := range m.statements {
		if s != nil {
			_ = s.Close()
		}
	}
	if m.c != nil {
		_ = m.c.Close()
	}
	_ = m.pool.Close()
}
