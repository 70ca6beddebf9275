package servers

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"

	driver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres starts a PostgreSQL with its own defaults, fsync on, and room for 200 connections, on a unix socket only.
// User and database are both postgres.
func Postgres(ctx context.Context) (*Server, error) {
	postgres, err := program("/usr/lib/postgresql/*/bin/postgres", "postgres")
	if err != nil {
		return nil, err
	}
	s, who, err := begin("postgres")
	if err != nil {
		return s.fail(err)
	}
	data := filepath.Join(s.Dir, "data")
	if err := s.once(ctx, who, filepath.Join(filepath.Dir(postgres), "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"); err != nil {
		return s.fail(err)
	}
	s.URL = "postgres:///postgres?" + url.Values{"host": {s.Dir}, "user": {"postgres"}}.Encode()
	ready := func(ctx context.Context) error {
		c, err := pgconn.Connect(ctx, s.URL)
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}
	if err := s.run(ctx, who, ready, postgres, "-D", data, "-k", s.Dir, "-c", "listen_addresses=", "-c", "max_connections=200"); err != nil {
		return s.fail(err)
	}
	return s, nil
}

// PostgresProgram finds a program of the PostgreSQL that Postgres starts, as pgbench.
func PostgresProgram(name string) (string, error) {
	return program("/usr/lib/postgresql/*/bin/"+name, name)
}

// MariaDB starts a MariaDB with its own defaults on a unix socket only, with an empty database named load. The user is root, without a password.
func MariaDB(ctx context.Context) (*Server, error) {
	mariadbd, err := program("mariadbd", "/usr/sbin/mariadbd*")
	if err != nil {
		return nil, err
	}
	install, err := program("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	s, who, err := begin("mysql")
	if err != nil {
		return s.fail(err)
	}
	data, socket := filepath.Join(s.Dir, "data"), filepath.Join(s.Dir, "socket")
	if err := s.once(ctx, who, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return s.fail(err)
	}
	s.URL = "mysql://root@localhost/load?" + url.Values{"socket": {socket}}.Encode()
	conf := driver.NewConfig()
	conf.User, conf.Net, conf.Addr = "root", "unix", socket
	ready := func(ctx context.Context) error {
		if err := answers(socket)(ctx); err != nil {
			return err
		}
		connector, err := driver.NewConnector(conf)
		if err != nil {
			return err
		}
		pool := sql.OpenDB(connector)
		defer pool.Close()
		_, err = pool.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS `load`")
		return err
	}
	if err := s.run(ctx, who, ready, mariadbd, "--no-defaults", "--datadir="+data, "--socket="+socket, "--skip-networking", "--pid-file="+filepath.Join(s.Dir, "pid")); err != nil {
		return s.fail(err)
	}
	return s, nil
}

// Redis starts a Redis that keeps nothing on disk, on a unix socket only.
func Redis(ctx context.Context) (*Server, error) {
	redis, err := program("redis-server")
	if err != nil {
		return nil, err
	}
	s, who, err := begin("")
	if err != nil {
		return s.fail(err)
	}
	socket := filepath.Join(s.Dir, "socket")
	s.URL = "unix://" + socket
	if err := s.run(ctx, who, answers(socket), redis, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", s.Dir); err != nil {
		return s.fail(err)
	}
	return s, nil
}
