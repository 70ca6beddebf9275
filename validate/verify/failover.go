package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"surety/benchmarks/consistency"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// Drill is the suite of results that come of a fault made on purpose.
const Drill = "drill"

// FailoverPlan is a drill on the primary of one database.
type FailoverPlan struct {
	Component string // "databases.main"
	Resource  string // its name in the Graph
	Kill      stacks.Kill
	Roles     stacks.Roles // before
	From      string       // host from which rows are written meanwhile
	// Apart are the databases that are not drilled along. The objectives are about all of them, so that while there are such ones a
	// drill can breach an objective and not prove it.
	Apart     []string
	address   string // that they are written to
	url       string // holds the password
	component architecture.Component
	host      *facts.Host
	subject   *facts.Subject
}

// FailoverReport is what a drill found. Durations are in nanoseconds in JSON.
type FailoverReport struct {
	Database string       `json:"database"`
	Kill     stacks.Kill  `json:"kill"`
	Killed   string       `json:"killed"` // host
	Before   stacks.Roles `json:"before"`
	After    stacks.Roles `json:"after"`
	From     string       `json:"from"`
	Apart    []string     `json:"apart,omitempty"` // databases that were not drilled along
	// Outage is the longest time between two acknowledged writes around the fault, as the writers saw it.
	Outage time.Duration `json:"outage"`
	// Lost is the span of acknowledged writes that are missing, up to the fault: the measured RPO.
	Lost         time.Duration `json:"lost"`
	Rows         int           `json:"rows"`     // acknowledged
	RowsLost     int           `json:"rowsLost"` // acknowledged and missing
	RowsDamaged  int           `json:"rowsDamaged"`
	Revived      bool          `json:"revived"` // rows were acknowledged again
	KillTook     time.Duration `json:"killTook"`
	PromoteTook  time.Duration `json:"promoteTook"` // until the new primary took writes, and a living old one followed it
	MendTook     time.Duration `json:"mendTook"`    // until a standby streamed again
	Mended       bool          `json:"mended"`
	MendProblem  string        `json:"mendProblem,omitempty"`
	Requirements struct {
		RTO *time.Duration `json:"rto,omitempty"`
		RPO *time.Duration `json:"rpo,omitempty"`
	} `json:"required"`
	Left    string            `json:"left,omitempty"` // what the writers could not remove
	Results []validate.Result `json:"results"`
}

// The drill's own figures.
const (
	drillBefore = 2 * time.Second // of writing before the fault
	drillAfter  = time.Second     // of writing after the first row that is acknowledged again
	drillRevive = time.Minute     // within which rows must be acknowledged again
	// drillTimeout is how long a writer waits for one answer. A client that waits longer on a connection to a dead host sees a longer
	// outage; what drivers wait for by themselves is often minutes.
	drillTimeout = 2 * time.Second
	// drillPromotion and drillMend bound what is done whether or not somebody still waits for it.
	drillPromotion = 2 * time.Minute
	drillMend      = 3 * time.Minute
)

// PlanFailover says what a drill on a database would do. It reads the roles back and changes nothing. The error says why the drill
// cannot be: there is no standby, or it is not in a state to take over.
func PlanFailover(ctx context.Context, in Input, target stacks.Failover, component string, kill stacks.Kill) (*FailoverPlan, error) {
	s := in.subject(ctx)
	c, ok := s.Component(component)
	switch {
	case !ok || c.Database == nil:
		return nil, fmt.Errorf("there is no database %s", component)
	case !c.Database.Standby:
		return nil, fmt.Errorf("%s has no standby to fail over to; ask for one with highAvailability: true", component)
	case c.Database.Engine != "postgres":
		return nil, fmt.Errorf("no drill speaks %s yet", c.Database.Engine)
	}
	b := s.First("Database", component)
	if b == nil {
		return nil, fmt.Errorf("no database %s was built", component)
	}
	p := &FailoverPlan{Component: component, Resource: b.Name, Kill: kill, component: c, subject: s}
	var err error
	if p.Roles, err = target.Roles(ctx, in.Deployment, p.Resource); err != nil {
		return nil, err
	}
	if p.Roles.Primary == "" || !p.Roles.Streaming || len(p.Roles.Standbys) == 0 {
		return nil, fmt.Errorf("%s is not healthy: primary %s, standby streaming: %t", component, cmp.Or(p.Roles.Primary, "none"), p.Roles.Streaming)
	}
	users := usersOf(s, component)
	if len(users) == 0 || users[0].component == component {
		return nil, fmt.Errorf("no server uses %s, so that nobody outside of it could tell what its users would see", component)
	}
	p.host, p.From, p.address = users[0].host, users[0].host.Name, serviceAddress(s, component)
	p.url, err = databaseURL(s, component, p.address)
	return p, err
}

// Failover carries a drill out: rows are written through the database's address while its primary is killed and its standby promoted;
// then the database is mended and its roles are read back, whatever came before and also when ctx has ended. It promotes as soon as
// the primary is dead, so that how long a failure goes unnoticed is in none of its figures. An error means that nothing was measured;
// the report then still says whether the database was mended.
func Failover(ctx context.Context, in Input, target stacks.Failover, p *FailoverPlan, doing func(string)) (FailoverReport, []Detail, error) {
	r := FailoverReport{Database: p.Component, Kill: p.Kill, Killed: p.Roles.Primary, Before: p.Roles, From: p.From}
	s, objectives := p.subject, in.Document.Spec.Objectives
	if rto := objectives.RTO.Std(); len(s.Known(rtoID)) > 0 {
		r.Requirements.RTO = &rto
	}
	rpo := objectives.RPO.Std()
	if len(s.Known(rpoID)) > 0 {
		r.Requirements.RPO = &rpo
	}
	r.Apart = p.Apart
	struck := false
	fault := func(context.Context) error {
		doing(fmt.Sprintf("killing %s of %s, and promoting %s", p.Kill, p.Roles.Primary, p.Roles.Standbys[0]))
		// From here on the drill is carried through: half of it would leave the database down.
		struck = true
		act, cancel := context.WithTimeout(context.WithoutCancel(ctx), drillPromotion)
		defer cancel()
		began := time.Now()
		if err := target.Kill(act, in.Deployment, p.Resource, p.Roles.Primary, p.Kill); err != nil {
			return err
		}
		r.KillTook = time.Since(began)
		err := target.Promote(act, in.Deployment, p.Resource, p.Roles.Primary)
		r.PromoteTook = time.Since(began) - r.KillTook
		return err
	}
	doing("writing rows from " + p.From)
	began := time.Now()
	found, err := measure.Consistency(ctx, p.host.Way, measure.Durability, consistency.Config{Seed: rand.Uint64(), Clients: 4, Timeout: drillTimeout,
		Database: &consistency.Database{URL: p.url, Before: drillBefore, After: drillAfter, Revive: drillRevive, RPO: rpo}}, fault)
	if !struck {
		r.After = p.Roles
		return r, nil, fmt.Errorf("nothing was killed: %w", cmp.Or(err, errors.New("the writers ended before the fault")))
	}
	doing("mending: a standby for " + p.Component)
	p.mend(context.WithoutCancel(ctx), in, target, &r)
	if err != nil && len(found.Parts) == 0 {
		return r, nil, errors.New(s.Hide(err.Error()))
	}
	if err != nil { // beside a result it says what could not be removed
		r.Left = s.Hide(err.Error())
	}
	r.read(found)
	now := time.Now
	if in.Now != nil {
		now = in.Now
	}
	for _, v := range r.verdicts(s, found) {
		one := result(s, v.verdict, 0)
		one.Check, one.Suite, one.Started, one.Took = "drill/failover/"+p.component.Name+"/"+v.name, Drill, began, now().Sub(began)
		if len(one.Requirements) == 0 {
			one.Requirements = named(s, nil)
		}
		if one.State != validate.Pass {
			for _, id := range one.Requirements {
				one.Places = append(one.Places, in.Document.At(id))
			}
		}
		r.Results = append(r.Results, one)
	}
	return r, []Detail{{Check: "drill/failover/" + p.component.Name + "/rpo", Suite: Drill, Subject: p.Component, From: p.From, At: began, Consistency: &found,
		Requirements: named(s, []string{rtoID, rpoID}), How: fmt.Sprintf("rows written by 4 clients on %s while the %s of %s was killed and %s promoted at once; seed %d",
			p.From, p.Kill, r.Killed, p.Roles.Standbys[0], found.Seed)}}, nil
}

// mend brings the standby back and reads the roles, with time of its own.
func (p *FailoverPlan) mend(ctx context.Context, in Input, target stacks.Failover, r *FailoverReport) {
	ctx, cancel := context.WithTimeout(ctx, drillMend)
	defer cancel()
	began := time.Now()
	err := target.Mend(ctx, in.Deployment, p.Resource)
	r.MendTook = time.Since(began)
	var unread error
	r.After, unread = target.Roles(ctx, in.Deployment, p.Resource)
	if err = errors.Join(err, unread); err != nil {
		r.MendProblem = p.subject.Hide(err.Error())
	}
	r.Mended = err == nil && r.After.Primary != "" && r.After.Streaming
}
