package baseline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"surety/benchmarks"
)

// Direction says which way a quantity is better.
type Direction string

// Latency is better when lower, throughput when higher.
const (
	Lower  Direction = "lower"
	Higher Direction = "higher"
)

// Quantity is what a plan measures again and again.
type Quantity struct {
	Name         string    `json:"name"` // as "servers.web p95": the same name in every record
	Unit         string    `json:"unit"` // as "ms", "op/s", "MiB/s"
	Better       Direction `json:"better"`
	Requirements []string  `json:"requirements,omitempty"` // IDs it serves
	How          string    `json:"how,omitempty"`          // how it is measured, in a sentence
	// Margin is the relative change that matters, as 0.05; the comparison's default when 0.
	Margin float64 `json:"margin,omitempty"`
	// Absolute is the change that matters in the unit itself, for quantities that can be 0, as a share of errors. It replaces Margin.
	Absolute float64 `json:"absolute,omitempty"`
	// Control marks a quantity that depends on the environment alone, not on what is judged, as a fixed piece of computing. When it
	// moves, the environment has moved, and no change of the others can be laid to the system.
	Control bool `json:"control,omitempty"`
}

// Plan is the test plan: which quantities, how often, in which order.
type Plan struct {
	Quantities []Quantity `json:"quantities"`
	WarmUp     int        `json:"warmUp"` // runs of each quantity that are thrown away first
	Runs       int        `json:"runs"`   // runs of each quantity that count
}

// DefaultRuns are enough for a distribution-free interval at 95 % over ten quantities together, and for the noise to be seen.
const DefaultRuns = 12

// Turn is one run of one quantity.
type Turn struct {
	Round    int // from 0; negative while warming up
	Quantity Quantity
}

// Order interleaves the quantities: each round measures every quantity once, so that a slow drift of the machine touches all alike,
// and each round starts one further and turns about, so that none always follows the same other.
func (p Plan) Order() []Turn {
	var turns []Turn
	for round := -p.WarmUp; round < p.Runs; round++ {
		n, step := len(p.Quantities), round+p.WarmUp
		for i := range n {
			if step%2 == 1 {
				i = n - 1 - i
			}
			turns = append(turns, Turn{Round: round, Quantity: p.Quantities[(i+step/2)%n]})
		}
	}
	return turns
}

// Check says what is wrong with a plan.
func (p Plan) Check() error {
	if len(p.Quantities) == 0 || p.Runs < 1 || p.WarmUp < 0 {
		return fmt.Errorf("plan of %d quantities, %d runs and %d warm-up runs: nothing to measure", len(p.Quantities), p.Runs, p.WarmUp)
	}
	seen := map[string]bool{}
	for _, q := range p.Quantities {
		switch {
		case q.Name == "" || seen[q.Name]:
			return fmt.Errorf("plan: quantity %q is there twice or has no name", q.Name)
		case q.Better != Lower && q.Better != Higher:
			return fmt.Errorf("plan: quantity %q is better %q, which is neither %q nor %q", q.Name, q.Better, Lower, Higher)
		case q.Margin < 0 || q.Margin >= 1 || q.Absolute < 0:
			return fmt.Errorf("plan: quantity %q has a margin of %v (absolute %v); a share below 1 and nothing negative is wanted", q.Name, q.Margin, q.Absolute)
		}
		seen[q.Name] = true
	}
	return nil
}

// Measure takes one run of one quantity.
type Measure func(context.Context, Quantity) (benchmarks.Measurement, error)

// Run measures as planned. A quantity that fails is not measured again; the record says why. The error is of the plan or the
// context, or a change of the environment between two runs.
func (p Plan) Run(ctx context.Context, name string, measure Measure) (Record, error) {
	records, err := p.run(ctx, []string{name}, []Measure{measure})
	if err != nil {
		return Record{}, err
	}
	return records[0], nil
}

// RunPair measures two systems run by run in turn, first one then the other and the next time the other way round, so that what
// the machine does meanwhile falls on both. The two records share a session, and Compare treats their runs as pairs.
func (p Plan) RunPair(ctx context.Context, oldName, newName string, old, new Measure) (Record, Record, error) {
	records, err := p.run(ctx, []string{oldName, newName}, []Measure{old, new})
	if err != nil {
		return Record{}, Record{}, err
	}
	session := records[0].Taken.UTC().Format(time.RFC3339Nano)
	records[0].Session, records[1].Session = session, session
	return records[0], records[1], nil
}

func (p Plan) run(ctx context.Context, names []string, sides []Measure) ([]Record, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	records := make([]Record, len(sides))
	for i, name := range names {
		records[i] = Record{Name: name, WarmUp: p.WarmUp}
		for _, q := range p.Quantities {
			records[i].Series = append(records[i].Series, Series{Quantity: q})
		}
	}
	for at, turn := range p.Order() {
		for i := range sides {
			if at/len(p.Quantities)%2 == 1 {
				i = len(sides) - 1 - i
			}
			series := records[i].find(turn.Quantity.Name)
			if series.Missing != "" {
				continue
			}
			m, err := sides[i](ctx, turn.Quantity)
			if ctx.Err() != nil {
				return nil, fmt.Errorf("measure %s, round %d: %w", turn.Quantity.Name, turn.Round, errors.Join(ctx.Err(), err))
			}
			if err != nil {
				series.Missing = fmt.Sprintf("run %d of %d: %v", turn.Round+p.WarmUp+1, p.Runs+p.WarmUp, err)
				continue
			}
			if turn.Round < 0 {
				continue
			}
			if err := records[i].add(series, m); err != nil {
				return nil, err
			}
		}
	}
	return records, nil
}
