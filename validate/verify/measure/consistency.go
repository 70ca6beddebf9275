package measure

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"surety/benchmarks/consistency"
	"surety/benchmarks/objects"
	"surety/stacks"
)

// ConsistencyKind is what Consistency checks.
type ConsistencyKind string

// Kinds, each a function of benchmarks/consistency.
const (
	Objects    ConsistencyKind = "objects"
	Rows       ConsistencyKind = "rows"
	Bank       ConsistencyKind = "bank"
	Durability ConsistencyKind = "durability"
)

// Consistency runs concurrent clients on a host and gives what their histories say. For Durability, and for it alone, fault is called
// in this process when the host says that now is the moment; its error ends the run and is returned. When ctx ends, the error is that of
// ctx, and the host still removes what it made. The error says why nothing could be measured, or, beside a result, what is left there.
func Consistency(ctx context.Context, host stacks.Host, kind ConsistencyKind, config consistency.Config, fault func(ctx context.Context) error) (result consistency.Result, err error) {
	if (kind == Durability) != (fault != nil) {
		return result, fmt.Errorf("check %s from %s: a fault belongs to %s, and only to it", kind, host.Name(), Durability)
	}
	l, err := dial(ctx, host, request{Consistency: &consistencyRequest{Kind: kind, Config: config}})
	if err != nil {
		return result, err
	}
	var last reply
	defer func() { err = errors.Join(err, unless(last.End, l.close)) }()
	var faulted error
	for {
		if last, err = l.next(ctx); err != nil {
			return result, errors.Join(faulted, err)
		}
		switch {
		case last.Fault:
			o := order{Faulted: true}
			if faulted = fault(ctx); faulted != nil {
				o.Error = "the fault could not be brought about" // why is nothing that the host needs to know
			}
			if err := l.orders.write(o); err != nil {
				return result, errors.Join(faulted, l.lost())
			}
		case last.Consistency != nil:
			return *last.Consistency, nil
		}
	}
}

// consistency is the host's side. The run makes and removes what it needs by itself.
func (in *inside) consistency(ctx context.Context, q consistencyRequest) (err error) {
	if err := sweep(ctx, q.Config); err != nil {
		return err
	}
	config := q.Config
	var result consistency.Result
	switch q.Kind {
	case Objects:
		result, err = consistency.Objects(ctx, config)
	case Rows:
		result, err = consistency.Rows(ctx, config)
	case Bank:
		result, err = consistency.Bank(ctx, config)
	case Durability:
		result, err = consistency.Durability(ctx, config, in.fault)
	default:
		err = fmt.Errorf("the kind of consistency %q is not one of objects, rows, bank, durability", q.Kind)
	}
	if err == nil {
		in.tell(reply{Consistency: &result})
	}
	return err
}

// fault asks the caller for the fault and waits until it has happened.
func (in *inside) fault(ctx context.Context) error {
	in.tell(reply{Fault: true})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o, ok := <-in.orders:
			switch {
			case !ok:
				return errors.New("the caller is gone")
			case o.Faulted && o.Error != "":
				return errors.New(o.Error)
			case o.Faulted:
				return nil
			}
		}
	}
}

// sweep removes what runs left that died long ago.
func sweep(ctx context.Context, config consistency.Config) error {
	if d := config.Database; d != nil {
		c, err := pgx.Connect(ctx, d.URL)
		if err != nil {
			return fmt.Errorf("connect to the database: %w", err)
		}
		defer c.Close(ctx)
		return sweepSchemas(ctx, c)
	}
	if s := config.Store; s != nil && len(s.Endpoints) > 0 {
		return sweepObjects(ctx, objects.Options{Endpoint: s.Endpoints[0], AccessKey: s.AccessKey, SecretKey: s.SecretKey, Region: s.Region, Bucket: s.Bucket}, "")
	}
	return nil
}
