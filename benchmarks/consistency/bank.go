package consistency

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// opening is what each account begins with.
const opening = 100

// move is one committed transfer.
type move struct {
	client       int
	from, to     side
	amount       int64
	called, done time.Duration
}

// side is what a transfer read of one account. Each transfer that changes an account raises its version by one.
type side struct {
	account int
	balance int64
	version int64
}

// snapshot is what one reading transaction saw of all accounts.
type snapshot struct {
	client       int
	balances     []int64
	sum          int64
	called, done time.Duration
}

// ledger is what the bank's clients did.
type ledger struct {
	start     time.Time
	mu        sync.Mutex
	moves     []move
	snapshots []snapshot
	refused   int
	unknown   int
	lastError error
}

// Bank checks that concurrent transfers between the rows of a table keep their sum: transactions read two balances and write both
// back, and others read all of them one by one in one snapshot. It breaks where isolation is weaker than "repeatable read", where a
// transaction is done by half, and where an update is lost. The error says why nothing could be measured.
func Bank(ctx context.Context, c Config) (Result, error) {
	c, err := c.complete()
	if err == nil && c.Database == nil {
		err = errors.New("no database is given")
	}
	if err != nil {
		return Result{}, fmt.Errorf("bank: %w", err)
	}
	if c.Keys < 2 {
		return Result{}, errors.New("bank: a transfer needs two keys")
	}
	began, table := time.Now(), newTable()
	write, read, err := c.Database.options()
	if read.IsoLevel == pgx.ReadCommitted {
		read.IsoLevel = pgx.RepeatableRead // a snapshot of several statements
	}
	if err == nil {
		err = c.Database.setUp(ctx, c.Timeout, table.schema(), "CREATE TABLE "+string(table)+" (id int PRIMARY KEY, balance bigint NOT NULL, version bigint NOT NULL)",
			fmt.Sprintf("INSERT INTO %s SELECT i, %d, 0 FROM generate_series(0, %d) AS i", table, opening, c.Keys-1))
	}
	if err == nil {
		err = c.Database.awaitTable(ctx, string(table), c.Keys, max(c.Settle, c.Timeout))
	}
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("bank: %w", err), c.Database.drop(table))
	}
	l := &ledger{start: time.Now()}
	var all, readers sync.WaitGroup
	working, stop := context.WithCancel(ctx)
	// Transfers begin when every reader has seen one snapshot, so that none of them is still connecting when they are over.
	var ready sync.WaitGroup
	for i := range max(c.Clients/3, 1) {
		ready.Add(1)
		readers.Go(func() { l.watch(working, c, read, string(table), c.Clients+i, ready.Done) })
	}
	ready.Wait()
	for i := range c.Clients {
		all.Go(func() { l.transfers(ctx, c, write, string(table), i) })
	}
	all.Wait()
	stop()
	readers.Wait()
	// The last look is at the primary: what stands there in the end must add up too.
	s := &session{url: c.Database.URL}
	defer s.Close()
	l.look(ctx, c, s, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, string(table), -1)
	left := c.Database.drop(table)
	if err := ctx.Err(); err != nil {
		return Result{}, errors.Join(fmt.Errorf("bank: %w", err), left)
	}
	return result(c.Seed, began, withLeft(l.judge(c), left)), nil
}
