package verify

import (
	"context"
	"slices"
	"time"

	"surety/validate"
	"surety/validate/verify/facts"
)

const (
	// longTimeout is how long a long check may take that does not say.
	longTimeout = 10 * time.Minute
	// longGrace is how long a long check may take to remove what it made when it is stopped.
	longGrace = 20 * time.Second
	// fullLoad is how long a load run lasts in a suite that runs in full, unless Effort says.
	fullLoad = 30 * time.Second
)

// longCheck is a measurement that takes longer than a question: it has the environment to itself meanwhile.
type longCheck struct {
	id, suite    string
	requirements []string
	also         []string      // other suites in which it runs when they are named
	timeout      time.Duration // longTimeout when 0
	// run measures and judges. When ctx ends it stops, removes what it made, and returns. It may tell measurements in full, from one
	// goroutine, and progress with Input.progress.
	run func(ctx context.Context, measured func(Detail)) verdict
}

// full tells whether a suite measures what takes long as well.
func (in Input) full(suite string) bool { return in.Effort.Full || slices.Contains(in.Only, suite) }

// load is how long each load run of a suite lasts; 0 drives none.
func (in Input) load(suites ...string) time.Duration {
	if in.Effort.Load == 0 && slices.ContainsFunc(suites, in.full) {
		return fullLoad
	}
	return max(0, in.Effort.Load)
}

// progress tells what a long check does.
func (in Input) progress(check, text string) {
	if in.Progress != nil {
		in.Progress(check, text)
	}
}

// long derives the long checks from the architecture, as plan does the quick ones. Each is in one suite, so that it runs once.
func (in Input) long(s *facts.Subject) []longCheck {
	var checks []longCheck
	for _, suite := range suites {
		for _, long := range suite.long {
			for _, c := range long(s, in) {
				c.suite, c.requirements = suite.name, named(s, c.requirements)
				if len(in.Only) == 0 || slices.ContainsFunc(append(c.also, c.suite), func(name string) bool { return slices.Contains(in.Only, name) }) {
					checks = append(checks, c)
				}
			}
		}
	}
	return checks
}

// measure runs the long checks.
func (in Input) measure(ctx context.Context, s *facts.Subject, sink func(validate.Result)) []validate.Result {
	return in.run(ctx, s, in.long(s), sink)
}

// run runs long checks one after the other, each for as long as it may take.
func (in Input) run(ctx context.Context, s *facts.Subject, checks []longCheck, sink func(validate.Result)) []validate.Result {
	var results []validate.Result
	for _, c := range checks {
		timeout := first(c.timeout, longTimeout)
		runner := validate.Runner{Parallel: 1, Timeout: timeout, Grace: longGrace, Now: in.Now, Sink: sink, Locate: in.Document.At}
		run := func(ctx context.Context) validate.Result {
			return result(s, c.run(ctx, func(d Detail) { in.tell(s, c, d) }), 0)
		}
		results = append(results, runner.Run(ctx, []validate.Check{{ID: c.id, Suite: c.suite, Requirements: c.requirements, Run: run}})...)
	}
	return results
}

// tell hands a measurement on, with what is the same for all of a check.
func (in Input) tell(s *facts.Subject, c longCheck, d Detail) {
	if in.Measured == nil {
		return
	}
	d.Check, d.Suite, d.How = c.id, c.suite, s.Hide(d.How)
	if d.Requirements = s.Known(d.Requirements...); len(d.Requirements) == 0 {
		d.Requirements = c.requirements
	}
	if d.At.IsZero() {
		now := time.Now
		if in.Now != nil {
			now = in.Now
		}
		d.At = now()
	}
	in.Measured(d)
}
