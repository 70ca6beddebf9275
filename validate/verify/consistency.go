package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"surety/benchmarks/consistency"
	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// Bounds of the short form, which runs with every release: what a bucket's expects.consistency promises, in about two seconds each.
// A history that short finds a store that breaks its promise often; one that breaks it now and then is for the full form.
var shortHistory = consistency.Config{Clients: 4, Keys: 3, Operations: 100, Timeout: 2 * time.Second, Settle: 2 * time.Second,
	Check: time.Second, Limit: 1500 * time.Millisecond, Store: &consistency.Store{Objects: 12, MaxSize: 256 << 10}}

const (
	shortTimeout = 30 * time.Second
	fullTimeout  = 5 * time.Minute
)

// histories records what concurrent clients see of each bucket and database, from a host that uses it, and judges that against the
// promised model. A bucket that promises nothing is held to read-after-write in the full form; rows of a database to
// linearizability, as on a single copy, and transfers between them to their sum.
func histories(s *facts.Subject, in Input) []longCheck {
	full := in.full(Consistency)
	if !full && in.load(Consistency) == 0 {
		return nil
	}
	var checks []longCheck
	for _, c := range s.Arch.Components {
		users := usersOf(s, c.ID)
		switch {
		case strings.HasPrefix(c.ID, "buckets.") && len(users) > 0 && (full || in.expectedModel(c) != ""):
			checks = append(checks, objectHistory(s, in, c, users[0], full))
		case c.Database != nil && len(users) > 0 && full:
			checks = append(checks, rowHistory(s, in, c, users[0], measure.Rows), rowHistory(s, in, c, users[0], measure.Bank))
		}
	}
	return checks
}

// expectedModel is the consistency that the spec expects of a bucket; empty when it expects none.
func (in Input) expectedModel(c architecture.Component) consistency.Model {
	return consistency.Model(in.Document.Spec.Buckets[c.Name].Expects.Consistency)
}

func objectHistory(s *facts.Subject, in Input, c architecture.Component, u user, full bool) longCheck {
	k := longCheck{id: "consistency/" + c.Name + "/objects", requirements: s.Known(c.ID + ".expects.consistency"), timeout: fullTimeout}
	config := consistency.Config{Store: &consistency.Store{}}
	if !full {
		config, k.timeout = shortHistory, shortTimeout
	}
	if config.Model = in.expectedModel(c); config.Model == "" {
		config.Model, k.requirements = consistency.ReadAfterWrite, s.Require(c.ID, "size", "versioning")
	}
	access, err := bucketAccess(s, c.ID, u.component)
	if err != nil {
		k.run = func(context.Context, func(Detail)) verdict { return unproven(err.Error()) }
		return k
	}
	store := *config.Store // shortHistory is shared
	store.Endpoints, store.Region, store.Bucket = []string{access.Endpoint}, access.Region, access.Bucket
	store.AccessKey, store.SecretKey = access.AccessKey, access.SecretKey
	config.Store = &store
	k.run = recording{in: in, check: k.id, component: c, user: u, kind: measure.Objects, config: config,
		what: fmt.Sprintf("%s objects through %s", config.Model, access.Endpoint)}.run
	return k
}

// rowHistory reads and writes through the address that the database's users are given, so that it tells what they would see: an
// address that leads to a standby, now and then or always, is found.
func rowHistory(s *facts.Subject, in Input, c architecture.Component, u user, kind measure.ConsistencyKind) longCheck {
	k := longCheck{id: fmt.Sprintf("consistency/%s/%s", c.Name, kind), timeout: fullTimeout,
		requirements: append(s.Known(u.requirements...), s.Require(c.ID, "engine", "highAvailability")...)}
	if c.Database.Engine != "postgres" {
		k.run = func(context.Context, func(Detail)) verdict {
			return unproven("no history is recorded on " + c.Database.Engine + " yet")
		}
		return k
	}
	address := serviceAddress(s, c.ID)
	url, err := databaseURL(s, c.ID, address)
	if err != nil {
		k.run = func(context.Context, func(Detail)) verdict { return unproven(err.Error()) }
		return k
	}
	what := map[measure.ConsistencyKind]string{measure.Rows: "linearizable rows", measure.Bank: "transfers that keep their sum"}[kind]
	k.run = recording{in: in, check: k.id, component: c, user: u, kind: kind, config: consistency.Config{Database: &consistency.Database{URL: url}},
		what: what + " through " + first(address, c.Name)}.run
	return k
}

// recording is one consistency run.
type recording struct {
	in        Input
	check     string
	component architecture.Component
	user      user
	kind      measure.ConsistencyKind
	config    consistency.Config
	what      string // that is promised, and where it is asked
}

func (r recording) run(ctx context.Context, measured func(Detail)) verdict {
	r.config.Seed = rand.Uint64()
	r.in.progress(r.check, fmt.Sprintf("recording what concurrent clients on %s see of %s", r.user.host.Name, r.component.Name))
	found, err := measure.Consistency(ctx, r.user.host.Way, r.kind, r.config, nil)
	if err != nil && len(found.Parts) == 0 {
		return unproven(fmt.Sprintf("%s: %v", r.component.Name, err))
	}
	measured(Detail{Subject: r.component.ID, From: r.user.host.Name, Consistency: &found,
		How: fmt.Sprintf("%s, by concurrent clients; seed %d", r.what, found.Seed)})
	v := judgeHistory(r.component.Name, r.user.host.Name, r.what, found)
	if err != nil { // beside a result it says what could not be removed
		v.summary += fmt.Sprintf("; %v", err)
	}
	return v
}

// judgeHistory turns a consistency result into a verdict. Each part is a piece of evidence, and so is each anomaly: the least history
// that still breaks the promise, as a person reads it.
func judgeHistory(name, from, want string, found consistency.Result) verdict {
	var says, worst []string
	var evidence, anomalies []validate.Evidence
	for _, p := range found.Parts {
		says = append(says, p.Says)
		if p.Verdict == found.Verdict {
			worst = append(worst, p.Name+": "+p.Says)
		}
		evidence = append(evidence, saw(p.Name, want, p.Says, from))
		for _, a := range p.Anomalies {
			e := saw("least history of "+p.Name+" that breaks it", want, p.Says, from)
			if e.Drawing = a.Text; a.History != nil {
				e.Got = a.History.Why
			}
			anomalies = append(anomalies, e)
		}
	}
	evidence = append(anomalies, evidence...)
	switch {
	case found.Verdict == consistency.Breached:
		return fail(name+": "+strings.Join(worst, "; "), evidence...)
	case found.Verdict == consistency.Met && len(found.Parts) > 0:
		return pass(name+": "+strings.Join(says, "; "), evidence...)
	}
	return unproven(name+": "+first(strings.Join(worst, "; "), "nothing was checked"), evidence...)
}
