package sql

import (
	"context"
	"fmt"
)

// The tables of the TPC-B-like mix: accounts, tellers, branches and a history, with rows of the size that TPC Benchmark B (revision 2.0,
// clause 3.2) asks for and 100,000 accounts and 10 tellers for each branch, as in pgbench. They bear names of our own, so that they can
// be made and removed beside a user's tables and pgbench's.
const (
	accountsPerBranch = 100_000
	tellersPerBranch  = 10
	maxScale          = 20_000 // beyond that the number of an account no longer fits the column
)

var tables = []struct{ name, columns string }{
	{"surety_branch", "id integer NOT NULL, balance integer, filler char(88)"},
	{"surety_teller", "id integer NOT NULL, branch integer, balance integer, filler char(84)"},
	{"surety_account", "id integer NOT NULL, branch integer, balance integer, filler char(84)"},
	{"surety_history", "teller integer, branch integer, account integer, delta integer, at timestamp NULL, filler char(22)"},
}

// TPCB is pgbench's default transaction in words of our own: seven round trips that change one account, one teller and one branch by
// the same amount and note it. With a scale below the number of workers, they wait for each other at the branches, as they do there.
func TPCB(scale int) Mix {
	return Mix{{Name: "tpcb", Variables: map[string]Range{
		"account": {1, int64(scale) * accountsPerBranch}, "branch": {1, int64(scale)}, "teller": {1, int64(scale) * tellersPerBranch}, "delta": {-5000, 5000},
	}, Statements: []string{
		"BEGIN",
		"UPDATE surety_account SET balance = balance + :delta WHERE id = :account",
		"SELECT balance FROM surety_account WHERE id = :account",
		"UPDATE surety_teller SET balance = balance + :delta WHERE id = :teller",
		"UPDATE surety_branch SET balance = balance + :delta WHERE id = :branch",
		"INSERT INTO surety_history (teller, branch, account, delta, at) VALUES (:teller, :branch, :account, :delta, CURRENT_TIMESTAMP)",
		"COMMIT",
	}}}
}

// SelectOnly reads one account at random, one round trip, as pgbench -S does.
func SelectOnly(scale int) Mix {
	return Mix{{Name: "select", Variables: map[string]Range{"account": {1, int64(scale) * accountsPerBranch}},
		Statements: []string{"SELECT balance FROM surety_account WHERE id = :account"}}}
}

// Prepare makes the tables anew at a scale and fills them: about 15 MB of data for each. Tables of these names that are there are
// dropped. It may be repeated; after a failure, Prepare or Remove sets things right.
func Prepare(ctx context.Context, t Target, scale int) error {
	if scale < 1 || scale > maxScale {
		return fmt.Errorf("the scale %d is not between 1 and %d", scale, maxScale)
	}
	a, err := t.administer(ctx)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	if err := a.remove(ctx); err != nil {
		return err
	}
	for _, table := range tables {
		if err := a.exec(ctx, "CREATE TABLE "+table.name+" ("+table.columns+")"+a.engine); err != nil {
			return fmt.Errorf("make %s: %w", table.name, err)
		}
	}
	fill := []struct {
		table   string
		columns []string
		rows    int
		row     func(n int) []any
	}{
		{"surety_branch", []string{"id", "balance"}, scale, func(n int) []any { return []any{n, 0} }},
		{"surety_teller", []string{"id", "branch", "balance"}, scale * tellersPerBranch, func(n int) []any { return []any{n, (n-1)/tellersPerBranch + 1, 0} }},
		{"surety_account", []string{"id", "branch", "balance", "filler"}, scale * accountsPerBranch, func(n int) []any { return []any{n, (n-1)/accountsPerBranch + 1, 0, ""} }},
	}
	for _, f := range fill {
		if err := a.fill(ctx, f.table, f.columns, f.rows, f.row); err != nil {
			return fmt.Errorf("fill %s: %w", f.table, err)
		}
		if err := a.exec(ctx, "ALTER TABLE "+f.table+" ADD PRIMARY KEY (id)"); err != nil {
			return fmt.Errorf("index %s: %w", f.table, err)
		}
	}
	return a.refresh(ctx)
}

// Refresh vacuums the two small tables and empties the history, as pgbench does before each run. Check no longer holds after it.
func Refresh(ctx context.Context, t Target) error {
	a, err := t.administer(ctx)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	for _, s := range []string{a.vacuum + tables[0].name, a.vacuum + tables[1].name, "TRUNCATE TABLE " + tables[3].name} {
		if err := a.exec(ctx, s); err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
	}
	return nil
}

// Remove drops the tables. It may be repeated.
func Remove(ctx context.Context, t Target) error {
	a, err := t.administer(ctx)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	return a.remove(ctx)
}

// Check tells whether no transaction was lost, halved or doubled since Prepare: accounts, tellers, branches and history must add up to
// the same (TPC-B, clause 2.3, consistency), and the history must hold as many rows as were acknowledged. With acknowledged below 0 the
// history is not looked at, as after a Refresh.
func Check(ctx context.Context, t Target, acknowledged int) error {
	a, err := t.administer(ctx)
	if err != nil {
		return err
	}
	defer a.close(ctx)
	var accounts, tellers, branches, history, rows int64
	for _, q := range []struct {
		of   string
		into []any
	}{{"SUM(balance) FROM surety_account", []any{&accounts}}, {"SUM(balance) FROM surety_teller", []any{&tellers}},
		{"SUM(balance) FROM surety_branch", []any{&branches}}, {"COALESCE(SUM(delta), 0), COUNT(*) FROM surety_history", []any{&history, &rows}}} {
		if err := a.row(ctx, "SELECT "+q.of, q.into...); err != nil {
			return err
		}
	}
	if acknowledged < 0 {
		history = accounts
	} else if rows != int64(acknowledged) {
		return fmt.Errorf("%d transactions were acknowledged, and the history holds %d", acknowledged, rows)
	}
	if tellers != accounts || branches != accounts || history != accounts {
		return fmt.Errorf("the balances do not add up: accounts %d, tellers %d, branches %d, history %d", accounts, tellers, branches, history)
	}
	return nil
}
