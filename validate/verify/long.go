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
	aside        bool          // it judges no requirement, so that the ledger does not know it
	// run measures and judges. When ctx ends it stops, removes what it made, and returns. It may tell measurements in full, from one
	// goroutine, and progress with Input.progress.
	run func(ctx context.Context, measured func(Detail)) verdict
	// parts are what one measurement judges one by one, instead of run: judge gives one verdict for each, in their order. Each is a result.
	parts []part
	judge func(ctx context.Context, measured func(Detail)) []verdict
}

// part is one of several questions that a long check answers.
type part struct {
	id           string
	requirements []string
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
				if c.suite = suite.name; !c.aside {
					c.requirements = named(s, c.requirements)
				}
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
		if len(c.parts) == 0 {
			c.parts = []part{{c.id, c.requirements}}
			run := c.run
			c.judge = func(ctx context.Context, measured func(Detail)) []verdict { return []verdict{run(ctx, measured)} }
		}
		for _, r := range in.one(ctx, s, c) {
			if sink != nil {
				sink(r)
			}
			results = append(results, r)
		}
	}
	return results
}

// one runs a long check and gives the result of each of its parts. What kept it from judging is said of all.
func (in Input) one(ctx context.Context, s *facts.Subject, c longCheck) []validate.Result {
	found := make(chan []verdict, 1) // a check that was left behind must not wait for ever
	runner := validate.Runner{Parallel: 1, Timeout: first(c.timeout, longTimeout), Grace: longGrace, Now: in.Now}
	whole := runner.Run(ctx, []validate.Check{{ID: c.id, Suite: c.suite, Requirements: c.requirements, Run: func(ctx context.Context) validate.Result {
		found <- c.judge(ctx, func(d Detail) { in.tell(s, c, d) })
		return validate.Result{State: validate.Unproven, Summary: "it gave no verdict"}
	}}})[0]
	var verdicts []verdict
	select {
	case verdicts = <-found:
	default:
	}
	results := make([]validate.Result, len(c.parts))
	for i, p := range c.parts {
		r := whole
		r.Requirements, r.Summary = p.requirements, s.Hide(r.Summary)
		if i < len(verdicts) && verdicts[i].state != "" {
			r = result(s, verdicts[i], whole.Took)
			r.Suite, r.Started = c.suite, whole.Started
			if len(r.Requirements) == 0 {
				r.Requirements = p.requirements
			}
		}
		r.Check = p.id
		if r.State != validate.Pass {
			r.Places = nil
			for _, id := range r.Requirements {
				r.Places = append(r.Places, in.Document.At(id))
			}
		}
		results[i] = r
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
