package consistency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Rows checks rows of a database as registers: reads, writes, deletes and compare-and-set of concurrent clients, each a transaction.
// With ReadURL reads go elsewhere, as to a standby. The error says why nothing could be measured.
func Rows(ctx context.Context, c Config) (Result, error) {
	c, err := c.complete()
	if err == nil && c.Database == nil {
		err = errors.New("no database is given")
	}
	if err != nil {
		return Result{}, fmt.Errorf("consistency of rows: %w", err)
	}
	began, table := time.Now(), newTable()
	write, read, err := c.Database.options()
	if err == nil {
		err = c.Database.setUp(ctx, c.Timeout, table.schema(), "CREATE TABLE "+string(table)+" (key text PRIMARY KEY, value text NOT NULL)")
	}
	if err == nil {
		err = c.Database.awaitTable(ctx, string(table), 0, max(c.Settle, c.Timeout))
	}
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("consistency of rows: %w", err), c.Database.drop(table))
	}
	clients := make([]Client, c.Clients)
	for i := range clients {
		r := &rowClient{table: string(table), write: write, read: read, main: &session{url: c.Database.URL}, reads: &session{url: c.Database.ReadURL}}
		if c.Database.ReadURL == c.Database.URL {
			r.reads = r.main
		}
		clients[i] = r
		defer r.Close()
	}
	rec, from, settled, err := exercise(ctx, c, rowMix, clients)
	left := c.Database.drop(table)
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("consistency of rows: %w", err), left)
	}
	return result(c.Seed, began, withLeft(judge(c, rec, from, settled), left)), nil
}

// rowClient reads and writes the rows of one table.
type rowClient struct {
	table       string
	write, read pgx.TxOptions
	main, reads *session
}

func (r *rowClient) Close() {
	r.main.Close()
	r.reads.Close()
}

func (r *rowClient) Read(ctx context.Context, key string) (value string, err error) {
	err = r.reads.transact(ctx, r.read, func(tx pgx.Tx) (err error) {
		value, err = r.find(ctx, tx, key, "")
		return err
	})
	return value, err
}

// find gives the value of a row, "" when it is not there.
func (r *rowClient) find(ctx context.Context, tx pgx.Tx, key, lock string) (value string, err error) {
	err = tx.QueryRow(ctx, "SELECT value FROM "+r.table+" WHERE key = $1 "+lock, key).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return value, err
}

func (r *rowClient) Write(ctx context.Context, key, value string) error {
	return r.main.transact(ctx, r.write, func(tx pgx.Tx) error { return r.set(ctx, tx, key, value) })
}

func (r *rowClient) set(ctx context.Context, tx pgx.Tx, key, value string) error {
	_, err := tx.Exec(ctx, "INSERT INTO "+r.table+" (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

func (r *rowClient) Delete(ctx context.Context, key string) error {
	return r.main.transact(ctx, r.write, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM "+r.table+" WHERE key = $1", key)
		return err
	})
}

func (r *rowClient) Swap(ctx context.Context, key, expected, value string) (found string, err error) {
	err = r.main.transact(ctx, r.write, func(tx pgx.Tx) (err error) {
		if found, err = r.find(ctx, tx, key, "FOR UPDATE"); err != nil {
			return err
		}
		switch {
		case found != expected:
			return errAbandon
		case found == "": // nothing is there to lock: two inserts must not both succeed
			_, err = tx.Exec(ctx, "INSERT INTO "+r.table+" (key, value) VALUES ($1, $2)", key, value)
			return err
		}
		return r.set(ctx, tx, key, value)
	})
	return found, err
}

// List is not used: a row is read by its key.
func (r *rowClient) List(context.Context) (map[string]string, error) {
	return nil, errors.Join(ErrRefused, errors.ErrUnsupported)
}
