package consistency

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

func (l *ledger) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastError = err
	if errors.Is(err, ErrRefused) {
		l.refused++
	} else {
		l.unknown++
	}
}

// transfers is what one client of the bank does.
func (l *ledger) transfers(ctx context.Context, c Config, o pgx.TxOptions, table string, id int) {
	s := &session{url: c.Database.URL}
	defer s.Close()
	r := rand.New(rand.NewPCG(c.Seed, uint64(id)))
	for range c.Operations {
		if ctx.Err() != nil || time.Since(l.start) > c.Limit {
			return
		}
		p := r.Perm(c.Keys)
		m := move{client: id, from: side{account: p[0]}, to: side{account: p[1]}, amount: 1 + r.Int64N(20), called: time.Since(l.start)}
		moved := false
		within, cancel := context.WithTimeout(ctx, c.Timeout)
		err := s.transact(within, o, func(tx pgx.Tx) error {
			for _, a := range []*side{&m.from, &m.to} {
				if err := tx.QueryRow(within, "SELECT balance, version FROM "+table+" WHERE id = $1", a.account).Scan(&a.balance, &a.version); err != nil {
					return err
				}
			}
			if moved = m.from.balance >= m.amount; !moved {
				return errAbandon
			}
			after := []struct {
				side
				balance int64
			}{{m.from, m.from.balance - m.amount}, {m.to, m.to.balance + m.amount}}
			if m.from.account > m.to.account { // in one order for all, or they would wait for each other
				after[0], after[1] = after[1], after[0]
			}
			for _, a := range after {
				if _, err := tx.Exec(within, "UPDATE "+table+" SET balance = $2, version = $3 WHERE id = $1", a.account, a.balance, a.version+1); err != nil {
					return err
				}
			}
			return nil
		})
		cancel()
		m.done = time.Since(l.start)
		if err != nil {
			l.failed(err)
			pause(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
			continue
		}
		if moved {
			l.mu.Lock()
			l.moves = append(l.moves, m)
			l.mu.Unlock()
		}
	}
}

// watch reads snapshots until ctx ends and calls ready after the first.
func (l *ledger) watch(ctx context.Context, c Config, o pgx.TxOptions, table string, id int, ready func()) {
	s := &session{url: c.Database.ReadURL}
	defer s.Close()
	l.look(ctx, c, s, o, table, id)
	ready()
	for ctx.Err() == nil && time.Since(l.start) < c.Limit {
		l.look(ctx, c, s, o, table, id)
		pause(ctx, 2*time.Millisecond)
	}
}

// look reads all accounts one by one in one transaction.
func (l *ledger) look(ctx context.Context, c Config, s *session, o pgx.TxOptions, table string, id int) {
	shot := snapshot{client: id, balances: make([]int64, c.Keys), called: time.Since(l.start)}
	within, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	err := s.transact(within, o, func(tx pgx.Tx) error {
		for i := range shot.balances {
			if err := tx.QueryRow(within, "SELECT balance FROM "+table+" WHERE id = $1", i).Scan(&shot.balances[i]); err != nil {
				return err
			}
		}
		return nil
	})
	shot.done = time.Since(l.start)
	if err != nil {
		if ctx.Err() == nil {
			l.failed(err)
		}
		return
	}
	for _, b := range shot.balances {
		shot.sum += b
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapshots = append(l.snapshots, shot)
}
