// Package verify measures that what stands is what was required. Every check is derived from the architecture and names the
// requirements it serves; what could not be measured is unproven, with the reason.
package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// Live is what the control plane reads back from the real world.
type Live = facts.Live

// LiveResource is one resource read back.
type LiveResource = facts.Resource

// Input is what is verified.
type Input struct {
	Document     *blueprints.Document // its leaves are the requirements
	Architecture architecture.Architecture
	Graph        stacks.Graph
	Deployment   stacks.Deployment
	Hosts        []stacks.Host // the host that stands for the outside included
	// Live reads the real world back. Nil, or an error: what depends on it is unproven, all else is measured.
	Live         func(ctx context.Context) (Live, error)
	Capabilities stacks.Capabilities
	Now          func() time.Time // time.Now when nil
	// Only names the suites to run, each then in full whatever Effort says; empty: all, with Effort.
	Only   []string
	Effort Effort
	// Open lets one host reach a port of another for a measurement, as stacks.Opener; nil: what needs that is unproven.
	Open func(ctx context.Context, from, to stacks.Host, port int, most time.Duration) (done func() error, err error)
	// Measured is told each measurement in full, one at a time; may be nil.
	Measured func(Detail)
	// Baselines is the folder of saved baselines, which may not be there; empty: there are none.
	Baselines string
	// Progress is told what a long check is doing, in a few words, several times a second at most; may be nil.
	Progress func(check, text string)
}

// subject joins the facts. Reading back is part of it.
func (in Input) subject(ctx context.Context) *facts.Subject {
	live, reason := Live{}, "there is no control plane to read back from"
	if in.Live != nil {
		var err error
		if live, err = in.Live(ctx); err != nil {
			live, reason = Live{}, err.Error()
		} else {
			reason = ""
		}
	}
	if reason != "" {
		live.Unread = map[string]string{"*": reason}
	}
	return facts.New(facts.Given{
		Document: in.Document, Architecture: in.Architecture, Graph: in.Graph, Deployment: in.Deployment,
		Hosts: in.Hosts, Live: live, Capabilities: in.Capabilities,
	})
}

// Run verifies a deployment. Quick checks run first, all at once; then long ones, one at a time, because two measurements at once would
// measure each other. It changes nothing but for what it puts and removes again itself: a temporary table per database session, one
// object per bucket and user, the tables and objects that load is driven on, and with the figures of hosts a file per disk and one port
// between two hosts. Results come in a stable order, whatever order they
// were found in; sink, which may be nil, is told of each as it is found, one at a time. When ctx ends, what runs is stopped and cleans
// up, and what was not begun is unproven. An error means that nothing could be verified: a fault of the input.
func Run(ctx context.Context, in Input, sink func(validate.Result)) ([]validate.Result, error) {
	if in.Document == nil {
		return nil, errors.New("verify: there is no spec to verify against")
	}
	subject := in.subject(ctx)
	checks, err := plan(subject, in.Only)
	if err != nil {
		return nil, err
	}
	all := newSessions()
	runnable := make([]validate.Check, len(checks))
	for i, c := range checks {
		waiting := make([]waiting, len(c.asks))
		for j, a := range c.asks {
			if waiting[j].session, waiting[j].at, err = all.add(a); err != nil {
				return nil, err
			}
		}
		runnable[i] = validate.Check{ID: c.id, Suite: c.suite, Requirements: c.requirements, Run: c.runner(subject, waiting)}
	}
	all.run(ctx)
	// Checks only wait for their hosts' answers, so that they may all be under way at once.
	results := validate.Runner{Parallel: max(1, len(runnable)), Timeout: time.Minute, Now: in.Now, Sink: sink, Locate: in.Document.At}.Run(ctx, runnable)
	results = append(results, in.measure(ctx, subject, sink)...)
	slices.SortStableFunc(results, func(a, b validate.Result) int {
		return slices.Index(Suites, a.Suite) - slices.Index(Suites, b.Suite)
	})
	return results, nil
}

// waiting is where an answer will be.
type waiting struct {
	session *session
	at      int
}

// runner waits for the answers a check needs and judges them.
func (c check) runner(s *facts.Subject, needs []waiting) func(ctx context.Context) validate.Result {
	return func(ctx context.Context) validate.Result {
		if c.act != nil {
			return result(s, c.act(ctx), 0)
		}
		answers := make([]probe.Outcome, len(needs))
		var took time.Duration
		for i, need := range needs {
			select {
			case <-need.session.done:
			case <-ctx.Done():
				return result(s, unproven(fmt.Sprintf("%s did not answer in time", need.session.host.Name)), 0)
			}
			if err := need.session.err; err != nil {
				if !c.partial {
					return result(s, unproven(err.Error()), 0)
				}
				answers[i].Error = err.Error()
				continue
			}
			answers[i] = need.session.outcomes[need.at]
			took = max(took, answers[i].Took)
		}
		return result(s, c.judge(answers), took)
	}
}

// result makes a verdict presentable: no secret in it, and only requirements that the spec has.
func result(s *facts.Subject, v verdict, took time.Duration) validate.Result {
	r := validate.Result{State: v.state, Summary: s.Hide(v.summary), Took: took, Requirements: s.Known(v.requirements...)}
	for _, e := range v.evidence {
		e.Got, e.Want, e.What, e.Drawing = s.Hide(e.Got), s.Hide(e.Want), s.Hide(e.What), s.Hide(e.Drawing)
		r.Evidence = append(r.Evidence, e)
	}
	return r
}
