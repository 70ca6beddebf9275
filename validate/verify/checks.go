package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// The suites. Each is derived from the architecture; none knows a particular spec.
const (
	Connectivity = "connectivity"
	Hosts        = "host"
	Web          = "http"
	Databases    = "database"
	Storage      = "storage"
	Identity     = "identity"
	Load         = "load"
	Consistency  = "consistency"
	Backup       = "backup"
	Baseline     = "baseline"
)

// suites hold what each suite consists of. Quick checks are asked all at once; long ones measure one after the other, when nothing else
// is going on. A suite whose lists give no check is simply not in the results.
var suites = []struct {
	name  string
	quick []func(*facts.Subject) []check
	long  []func(*facts.Subject, Input) []longCheck
}{
	{name: Connectivity, quick: []func(*facts.Subject) []check{connectivity}},
	{name: Hosts, quick: []func(*facts.Subject) []check{hosts}, long: []func(*facts.Subject, Input) []longCheck{hostFigures}},
	{name: Web, quick: []func(*facts.Subject) []check{web}},
	{name: Databases, quick: []func(*facts.Subject) []check{databases}, long: []func(*facts.Subject, Input) []longCheck{databaseLoad}},
	{name: Storage, quick: []func(*facts.Subject) []check{storage}, long: []func(*facts.Subject, Input) []longCheck{bucketLoad}},
	{name: Identity, quick: []func(*facts.Subject) []check{identity}},
	{name: Load, long: []func(*facts.Subject, Input) []longCheck{serverLoad}},
	{name: Consistency, long: []func(*facts.Subject, Input) []longCheck{histories}},
	{name: Backup, long: []func(*facts.Subject, Input) []longCheck{backups}},
	{name: Baseline, long: []func(*facts.Subject, Input) []longCheck{baselines}},
}

// Suites are the names of all suites, in the order in which they are reported.
var Suites = []string{Connectivity, Hosts, Web, Databases, Storage, Identity, Load, Consistency, Backup, Baseline}

// check is one question: what must be asked of which hosts, and how the answers are judged.
type check struct {
	id, suite    string
	requirements []string
	asks         []ask
	// judge gets the answers in the order of asks. It is not called when a host could not be asked: that is unproven.
	judge func(answers []probe.Outcome) verdict
	// act is for what is not asked of a host but done from this machine; instead of asks and judge.
	act func(ctx context.Context) verdict
	// partial lets judge run though some hosts could not be asked; their outcomes carry the reason as Error.
	partial bool
}

// ask is one task for one host.
type ask struct {
	host *facts.Host
	task probe.Task
}

// verdict is what a check found.
type verdict struct {
	state        validate.State
	summary      string
	requirements []string // those that are concerned, when not all of the check's
	evidence     []validate.Evidence
}

func pass(summary string, evidence ...validate.Evidence) verdict {
	return verdict{state: validate.Pass, summary: summary, evidence: evidence}
}

func fail(summary string, evidence ...validate.Evidence) verdict {
	return verdict{state: validate.Fail, summary: summary, evidence: evidence}
}

func unproven(reason string, evidence ...validate.Evidence) verdict {
	return verdict{state: validate.Unproven, summary: reason, evidence: evidence}
}

// about narrows a verdict to the requirements that it really concerns.
func (v verdict) about(requirements ...string) verdict {
	if len(requirements) > 0 {
		v.requirements = requirements
	}
	return v
}

// saw is shorthand for evidence.
func saw(what, want, got, from string) validate.Evidence {
	return validate.Evidence{What: what, Want: want, Got: got, From: from}
}

// plan derives every check from the architecture. It asks nobody anything, so that the same function says what will be proven
// before anything is built.
func plan(s *facts.Subject, only []string) ([]check, error) {
	for _, name := range only {
		if !slices.Contains(Suites, name) {
			return nil, fmt.Errorf("there is no suite %q; there are %s", name, strings.Join(Suites, ", "))
		}
	}
	var checks []check
	for _, suite := range suites {
		if len(only) > 0 && !slices.Contains(only, suite.name) {
			continue
		}
		for _, quick := range suite.quick {
			for _, c := range quick(s) {
				c.suite, c.requirements = suite.name, named(s, c.requirements)
				checks = append(checks, c)
			}
		}
	}
	return checks, nil
}

// named keeps the requirements that the spec has; a check that serves none of them serves the environment as a whole.
func named(s *facts.Subject, requirements []string) []string {
	if known := s.Known(requirements...); len(known) > 0 {
		return known
	}
	return s.Require("", "name")
}

// system is the task that every check about a host's own size and distribution shares.
var system = probe.Task{Kind: probe.KindSystem}

// dial makes a connection task. A refusal is seen at once where the network rejects; where it drops, the wait ends at the timeout.
func dial(address string, timeout time.Duration) probe.Task {
	return probe.Task{Kind: probe.KindDial, Timeout: timeout, Dial: &probe.Dial{Address: address}}
}
