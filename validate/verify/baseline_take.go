package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/baseline"
	"surety/benchmarks/machine"
	"surety/validate/verify/measure"
)

// Bounds of what a run may go through and still count.
const (
	baselineWarmRuns = 1
	mostFailed       = 0.01                   // share of operations
	mostRefused      = 0.5                    // the same of a run that is more than the target can do
	controlRun       = 500 * time.Millisecond // the shortest that machine takes; it does four kinds of computing
	baselineAttempts = 2                      // of a run that was the generator's, or failed
)

// BaselineProgress says how far a baseline is.
type BaselineProgress struct {
	Done, Total int // runs
	Doing       string
	Left        time.Duration // estimate, from the runs so far; 0 while there is none
}

// Take measures as planned, so many runs of each quantity in turn, and gives the record. What was made in databases and buckets is
// removed, also when ctx ends; the error is then ctx's and there is no record.
func (p *BaselinePlan) Take(ctx context.Context, name string, runs int, tell func(BaselineProgress)) (record baseline.Record, err error) {
	if len(p.Quantities) == 0 {
		return record, errors.New("take a baseline: there is nothing in this environment that could be measured")
	}
	t := &baselineTaking{plan: p, tell: tell, started: time.Now(), sessions: map[*baselineSource]*measure.Session{}, waiting: map[string]benchmarks.Measurement{},
		seen: map[string]benchmarks.Fingerprint{}, total: len(p.sources) * (runs + baselineWarmRuns)}
	defer func() {
		for _, s := range t.sessions {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := t.place(ctx); err != nil {
		return record, err
	}
	record, err = baseline.Plan{Quantities: p.Quantities, WarmUp: baselineWarmRuns, Runs: runs}.Run(ctx, name, t.measure)
	if err != nil {
		return record, err
	}
	for i := range record.Series {
		record.Series[i].Missing = p.hide(record.Series[i].Missing)
	}
	record.Notes = map[string]string{}
	for what, why := range p.NotMeasured {
		record.Notes["not measured: "+what] = why
	}
	if t.flawed > 0 {
		record.Notes["generator"] = fmt.Sprintf("the generator was the limit in %d of %d runs, also when they were repeated: %s", t.flawed, t.done, t.flaw)
	}
	return record, nil
}

// baselineTaking is a baseline under way.
type baselineTaking struct {
	plan     *BaselinePlan
	tell     func(BaselineProgress)
	sessions map[*baselineSource]*measure.Session
	waiting  map[string]benchmarks.Measurement // by quantity: what a run of another one gave along
	// Figures of one environment have one fingerprint: that of the host which the spec does not size, or where there is none of the first
	// that measured. seen has every measuring host's own, to find out when one changes.
	environment benchmarks.Fingerprint
	seen        map[string]benchmarks.Fingerprint
	started     time.Time
	done, total int
	flawed      int
	flaw        string
}

// place finds the environment's fingerprint by a first control run, whose figure is not kept.
func (t *baselineTaking) place(ctx context.Context) error {
	for _, source := range t.plan.sources {
		if source.control {
			t.total++
			if _, err := t.control(ctx, source); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			t.done++
		}
	}
	return nil
}

// measure takes one run of a quantity, or what a run of another gave of it.
func (t *baselineTaking) measure(ctx context.Context, q baseline.Quantity) (benchmarks.Measurement, error) {
	if m, ok := t.waiting[q.Name]; ok {
		delete(t.waiting, q.Name)
		return m, nil
	}
	for _, source := range t.plan.sources {
		if !slices.ContainsFunc(source.figures, func(f baselineFigure) bool { return f.Name == q.Name }) {
			continue
		}
		t.report(source)
		took, err := t.run(ctx, source)
		t.done++
		if err != nil {
			return benchmarks.Measurement{}, err
		}
		for _, m := range took {
			t.waiting[m.Quantity] = m
		}
		m := t.waiting[q.Name]
		delete(t.waiting, q.Name)
		return m, nil
	}
	return benchmarks.Measurement{}, fmt.Errorf("nothing measures %s", q.Name)
}

func (t *baselineTaking) report(source *baselineSource) {
	if t.tell == nil {
		return
	}
	p := BaselineProgress{Done: t.done, Total: t.total, Doing: source.names()}
	if t.done > 0 {
		p.Left = time.Since(t.started) / time.Duration(t.done) * time.Duration(t.total-t.done)
	}
	t.tell(p)
}

// run does one run. One that the generator limited is repeated, and then counts: it is the comparison that says what the noise allows.
func (t *baselineTaking) run(ctx context.Context, source *baselineSource) ([]benchmarks.Measurement, error) {
	if source.control {
		return t.control(ctx, source)
	}
	for attempt := 1; ; attempt++ {
		result, err := t.drive(ctx, source)
		total := result.Result.Total
		most := mostFailed
		if source.overload {
			most = mostRefused
		}
		if err == nil && total.ErrorRate() > most {
			err = fmt.Errorf("%d of %d operations failed: %s", total.Failed, total.Count, classes(total))
		}
		if err == nil && total.Count == 0 {
			err = errors.New("nothing was answered in the time of a run")
		}
		why := result.Outcome.Bottleneck()
		if ctx.Err() == nil && attempt < baselineAttempts && (err != nil || why != "") {
			continue
		}
		if err != nil {
			return nil, err
		}
		if why != "" {
			t.flawed, t.flaw = t.flawed+1, why
		}
		if err := t.fingerprint(source.host.Name, result.Fingerprint); err != nil {
			return nil, err
		}
		all := make([]benchmarks.Measurement, len(source.figures))
		for i, f := range source.figures {
			all[i] = benchmarks.Measurement{Quantity: f.Name, Unit: f.Unit, Value: f.of(result), Count: total.Count, At: result.Outcome.Started, How: f.How, Fingerprint: t.environment}
			all[i].Low, all[i].High = all[i].Value, all[i].Value
		}
		return all, nil
	}
}

// drive runs a source in its session, which is opened when it is first needed.
func (t *baselineTaking) drive(ctx context.Context, source *baselineSource) (result measure.Result, err error) {
	session := t.sessions[source]
	if session == nil {
		if session, err = measure.Open(ctx, source.host.Way, source.setup); err != nil {
			return result, err
		}
		if source.anew {
			defer func() { err = errors.Join(err, session.Close()) }()
		} else {
			t.sessions[source] = session
		}
	}
	return session.Run(ctx, source.run, nil)
}

func (t *baselineTaking) control(ctx context.Context, source *baselineSource) ([]benchmarks.Measurement, error) {
	figures, err := measure.Machine(ctx, source.host.Way, machine.Request{CPU: &machine.CPUOptions{Each: controlRun}})
	if err != nil {
		return nil, err
	}
	for _, m := range figures {
		if m.Quantity != "cpu/integer/all" {
			continue
		}
		if t.environment == nil {
			t.environment = m.Fingerprint
		}
		if err := t.fingerprint(source.host.Name, m.Fingerprint); err != nil {
			return nil, err
		}
		m.Quantity, m.Fingerprint = source.figures[0].Name, t.environment
		return []benchmarks.Measurement{m}, nil
	}
	return nil, fmt.Errorf("%s gave no figure of its processors", source.host.Name)
}

// fingerprint checks that a host is the one that it was.
func (t *baselineTaking) fingerprint(host string, f benchmarks.Fingerprint) error {
	if t.environment == nil { // without a control: what a quota of the spec leaves of the machine is not the environment's
		t.environment = maps.Clone(f)
		delete(t.environment, "usable processors")
	}
	was, known := t.seen[host]
	t.seen[host] = f
	if differs := was.Differs(f); known && len(differs) > 0 {
		return fmt.Errorf("%s changed while it was measured: %v", host, differs)
	}
	return nil
}
