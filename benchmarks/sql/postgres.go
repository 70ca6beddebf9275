package sql

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgConn speaks PostgreSQL's protocol through pgx's lower level: nothing between a statement and its round trip.
type pgConn struct {
	c      *pgconn.PgConn
	names  []string
	values [][]byte
	digits []byte
}

func connectPostgres(ctx context.Context, url string, statements []statement) (conn, error) {
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	p := &pgConn{c: c}
	for i, s := range statements {
		p.names = append(p.names, "surety_"+strconv.Itoa(i))
		if _, err := c.Prepare(ctx, p.names[i], s.text, nil); err != nil {
			p.close()
			return nil, fmt.Errorf("prepare %q: %w", s.text, err)
		}
	}
	return p, nil
}

func (p *pgConn) run(ctx context.Context, n int, s *statement, values []int64) (int64, error) {
	p.values, p.digits = p.values[:0], p.digits[:0]
	for _, v := range s.uses {
		from := len(p.digits)
		p.digits = strconv.AppendInt(p.digits, values[v], 10)
		p.values = append(p.values, p.digits[from:len(p.digits):len(p.digits)])
	}
	rows := p.c.ExecPrepared(ctx, p.names[n], p.values, nil, nil)
	bytes := int64(0)
	for rows.NextRow() {
		for _, v := range rows.Values() {
			bytes += int64(len(v))
		}
	}
	_, err := rows.Close()
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		err = refused("sqlstate "+answer.Code, err)
	}
	return bytes, err
}

func (p *pgConn) settle(ctx context.Context) error {
	switch {
	case p.c.IsClosed():
		return errClosed
	case p.c.TxStatus() == 'I':
		return nil
	}
	_, err := p.c.Exec(ctx, "ROLLBACK").ReadAll()
	return err
}

func (p *pgConn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	_ = p.c.Close(ctx)
}
