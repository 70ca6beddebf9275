package consistency

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxRows bounds what one writer of a durability run writes.
const maxRows = 200_000

// row is one that a writer tried to write.
type row struct {
	writer, number int
	acknowledged   bool
	at             time.Duration // when the answer came
}

// journal is what the writers of a durability run did, in order for each writer.
type journal struct {
	start time.Time
	mu    sync.Mutex
	rows  [][]row // by writer
	last  time.Duration
	acks  []time.Duration // of all writers, in order
	// lastError is of a write that failed.
	lastError error
}

// Durability writes numbered rows from several clients, calls fault while they go on, waits until rows are acknowledged again, and
// looks which acknowledged ones are missing. What it loses in time is the measured RPO. fault returns when what it does is done, as
// when a standby has been promoted; its error, like that of everything else that kept the run from measuring, is returned.
func Durability(ctx context.Context, c Config, fault func(ctx context.Context) error) (Result, error) {
	c, err := c.complete()
	if err == nil && c.Database == nil {
		err = errors.New("no database is given")
	}
	if err != nil {
		return Result{}, fmt.Errorf("durability: %w", err)
	}
	began, table, d := time.Now(), newTable(), c.Database
	if err := d.setUp(ctx, c.Timeout, table.schema(), "CREATE TABLE "+string(table)+" (writer int, number int, check_sum text NOT NULL, PRIMARY KEY (writer, number))"); err != nil {
		return Result{}, errors.Join(fmt.Errorf("durability: %w", err), d.drop(table))
	}
	j := &journal{start: time.Now(), rows: make([][]row, c.Clients)}
	writing, stop := context.WithCancel(ctx)
	defer stop()
	var writers sync.WaitGroup
	for w := range c.Clients {
		writers.Go(func() { j.write(writing, c, string(table), w) })
	}
	pause(ctx, d.Before)
	before := j.acknowledged()
	struck := time.Since(j.start)
	err = fault(ctx)
	done := time.Since(j.start)
	revived := false
	for err == nil && ctx.Err() == nil && time.Since(j.start)-done < d.Revive {
		if revived = j.after(done); revived {
			pause(ctx, d.After)
			break
		}
		pause(ctx, 10*time.Millisecond)
	}
	stop()
	writers.Wait()
	switch {
	case err != nil:
		err = fmt.Errorf("the fault: %w", err)
	case ctx.Err() != nil:
		err = ctx.Err()
	case before == 0:
		err = fmt.Errorf("no row was acknowledged before the fault; the last error: %w", j.lastError)
	}
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("durability: %w", err), d.drop(table))
	}
	found, missing := d.readRows(ctx, string(table), max(c.Timeout, 10*time.Second))
	left := d.drop(table)
	return result(c.Seed, began, withLeft(j.judge(c, found, missing, struck, revived), left)), nil
}

func (j *journal) acknowledged() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.acks)
}

// after reports whether a row was acknowledged after a moment.
func (j *journal) after(moment time.Duration) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last > moment
}

// write is one writer: a row at a time, each with the next number whatever became of the one before.
func (j *journal) write(ctx context.Context, c Config, table string, w int) {
	s := &session{url: c.Database.URL}
	defer s.Close()
	for n := 1; n <= maxRows && ctx.Err() == nil; n++ {
		within, cancel := context.WithTimeout(ctx, c.Timeout)
		err := s.transact(within, pgx.TxOptions{}, func(tx pgx.Tx) error {
			_, err := tx.Exec(within, "INSERT INTO "+table+" VALUES ($1, $2, $3)", w, n, checkSum(w, n))
			return err
		})
		cancel()
		at := time.Since(j.start)
		j.mu.Lock()
		j.rows[w] = append(j.rows[w], row{w, n, err == nil, at})
		if err == nil {
			j.acks, j.last = append(j.acks, at), at
		} else if ctx.Err() == nil {
			j.lastError = err
		}
		j.mu.Unlock()
		if err != nil {
			s.Close() // the primary may be another one now
			pause(ctx, 20*time.Millisecond)
		}
		pause(ctx, time.Millisecond)
	}
}

func checkSum(writer, number int) string {
	sum := md5.Sum(fmt.Appendf(nil, "%d/%d", writer, number))
	return hex.EncodeToString(sum[:])
}

// readRows gives the check sum of each row that is there. Where the table itself is gone, so are all its rows.
func (d *Database) readRows(ctx context.Context, table string, limit time.Duration) (map[[2]int]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &session{url: d.URL}
	defer s.Close()
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	var there bool
	if err := s.conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there); err != nil || !there {
		return nil, err
	}
	rows, err := s.conn.Query(ctx, "SELECT writer, number, check_sum FROM "+table)
	if err != nil {
		return nil, err
	}
	found := map[[2]int]string{}
	var w, n int
	var sum string
	_, err = pgx.ForEachRow(rows, []any{&w, &n, &sum}, func() error {
		found[[2]int{w, n}] = sum
		return nil
	})
	return found, err
}
