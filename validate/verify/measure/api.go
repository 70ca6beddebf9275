package measure

import (
	"context"
	"errors"
	"io"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/consistency"
	"surety/benchmarks/knee"
	"surety/benchmarks/machine"
	"surety/stacks"
)

var errNotYet = errors.New("measure: being written")

// Main is what the hidden command "surety measure" runs.
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer) error { return errNotYet }

// Session drives one target from one host.
type Session struct{}

// Open starts a session on a host.
func Open(ctx context.Context, host stacks.Host, setup Setup) (*Session, error) {
	return nil, errNotYet
}

// Run does one run. progress may be nil.
func (s *Session) Run(ctx context.Context, run Run, progress func(benchmarks.Live)) (Result, error) {
	return Result{}, errNotYet
}

// Close ends the session and removes what it made.
func (s *Session) Close() error { return errNotYet }

// Machine measures a host itself.
func Machine(ctx context.Context, host stacks.Host, request machine.Request) ([]benchmarks.Measurement, error) {
	return nil, errNotYet
}

// Network measures between two hosts.
func Network(ctx context.Context, from, to stacks.Host, address string, options machine.NetworkOptions) (throughput, latency []benchmarks.Measurement, err error) {
	return nil, nil, errNotYet
}

// ConsistencyKind is what Consistency checks.
type ConsistencyKind string

// Kinds.
const (
	Objects    ConsistencyKind = "objects"
	Rows       ConsistencyKind = "rows"
	Bank       ConsistencyKind = "bank"
	Durability ConsistencyKind = "durability"
)

// Consistency runs a consistency check on a host.
func Consistency(ctx context.Context, host stacks.Host, kind ConsistencyKind, config consistency.Config, fault func(ctx context.Context) error) (consistency.Result, error) {
	return consistency.Result{}, errNotYet
}

// Watch samples how full the resources of hosts are until stop is called.
func Watch(ctx context.Context, hosts []stacks.Host, rate float64, interval time.Duration) (stop func() knee.Usage) {
	return func() knee.Usage { return knee.Usage{Rate: rate, Failed: 1, LastFail: errNotYet.Error()} }
}
