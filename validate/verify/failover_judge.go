package verify

import (
	"fmt"
	"strings"
	"time"

	"surety/benchmarks/consistency"
	"surety/validate"
	"surety/validate/verify/facts"
)

const (
	rtoID = "objectives.rto"
	rpoID = "objectives.rpo"
)

// read takes the drill's figures from what the writers found.
func (r *FailoverReport) read(found consistency.Result) {
	figure := func(name string) float64 {
		f, _ := found.Figure("durability", name)
		return f.Value
	}
	seconds := func(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
	r.Outage, r.Lost = seconds(figure("longest time without an acknowledgement")), seconds(figure("measured RPO"))
	r.Rows, r.RowsLost, r.RowsDamaged = int(figure("rows acknowledged")), int(figure("acknowledged rows lost")), int(figure("damaged rows"))
	r.Revived = figure("acknowledged again after the fault") == 1
}

// drillVerdict is one judgement of a drill.
type drillVerdict struct {
	name string
	verdict
}

// verdicts compares what was measured with the objectives. One drill is one sample: a pass says that this failure was within the
// objective, not that each will be.
func (r *FailoverReport) verdicts(s *facts.Subject, found consistency.Result) []drillVerdict {
	return []drillVerdict{
		{"rto", r.forAll(r.judgeRTO()).about(rtoID)},
		{"rpo", r.forAll(r.judgeRPO(found)).about(rpoID)},
		{"standby", r.judgeStandby().about(s.Require(r.Database, "highAvailability")...)},
	}
}

// forAll keeps a pass only where all databases were drilled, since the objectives are about all of them.
func (r *FailoverReport) forAll(v verdict) verdict {
	if v.state == validate.Pass && len(r.Apart) > 0 {
		return unproven(fmt.Sprintf("%s; %s not drilled along: measure all with surety drill failover", v.summary, strings.Join(r.Apart, ", ")), v.evidence...)
	}
	return v
}

func (r *FailoverReport) judgeRTO() verdict {
	took := validate.Took(r.Outage)
	if !r.Revived {
		took = "over " + validate.Took(drillRevive)
	}
	want := "none is declared"
	if r.Requirements.RTO != nil {
		want = "at most " + validate.Took(*r.Requirements.RTO)
	}
	e := saw(fmt.Sprintf("time without an acknowledged write, %s of %s killed, promoted at once", r.Kill, r.Killed), want, took, r.From)
	says := fmt.Sprintf("%s: %s without writes after the %s of %s was killed", r.Database, took, r.Kill, r.Killed)
	rto := r.Requirements.RTO
	switch {
	case rto == nil:
		return unproven(says+"; no objectives.rto says how long it may be", e)
	case r.Revived && r.Outage <= *rto:
		return pass(fmt.Sprintf("%s, allowed %s; how long a failure goes unnoticed is not in it", says, validate.Took(*rto)), e)
	case r.Revived, *rto < drillRevive:
		return fail(fmt.Sprintf("%s, allowed %s", says, validate.Took(*rto)), e)
	}
	return unproven(says+"; it was not waited for longer", e)
}

func (r *FailoverReport) judgeRPO(found consistency.Result) verdict {
	want := "none is declared"
	if r.Requirements.RPO != nil {
		want = "at most " + validate.Took(*r.Requirements.RPO) + " of writes"
	}
	got := fmt.Sprintf("none of %d", r.Rows)
	// Rows that were acknowledged after the fault was called and are missing lie within the time that killing takes: a span of 0.
	span := validate.Took(max(r.Lost, time.Nanosecond))
	if r.RowsLost > 0 {
		got = fmt.Sprintf("%d of %d, %s of writes", r.RowsLost, r.Rows, span)
	}
	e := saw("acknowledged rows that are missing after the promotion", want, got, r.From)
	for _, p := range found.Parts {
		for _, a := range p.Anomalies {
			e.Drawing = a.Text
		}
	}
	says := fmt.Sprintf("%s: none of %d acknowledged rows lost", r.Database, r.Rows)
	if r.RowsLost > 0 {
		says = fmt.Sprintf("%s: %d of %d acknowledged rows lost, %s of writes", r.Database, r.RowsLost, r.Rows, span)
	}
	rpo := r.Requirements.RPO
	_, read := found.Figure("durability", "acknowledged rows lost")
	switch {
	case !read:
		reason := "nothing was measured"
		if len(found.Parts) > 0 {
			reason = found.Parts[0].Says
		}
		return unproven(fmt.Sprintf("%s: %s", r.Database, reason), e)
	case r.RowsDamaged > 0:
		return fail(fmt.Sprintf("%s: %d rows are damaged", r.Database, r.RowsDamaged), e)
	case rpo == nil:
		return unproven(says+"; no objectives.rpo says how much may be", e)
	case r.RowsLost > 0 && (r.Lost > *rpo || *rpo == 0):
		return fail(fmt.Sprintf("%s, allowed %s", says, allowed(*rpo)), e)
	}
	return pass(fmt.Sprintf("%s, allowed %s", says, allowed(*rpo)), e)
}

func allowed(rpo time.Duration) string {
	if rpo == 0 {
		return "none"
	}
	return validate.Took(rpo)
}

func (r *FailoverReport) judgeStandby() verdict {
	got := fmt.Sprintf("primary %s, standby streaming: %t", first(r.After.Primary, "none"), r.After.Streaming)
	e := saw("roles after the drill", "a primary and a streaming standby", got, "the control plane")
	switch {
	case !r.Mended:
		return fail(fmt.Sprintf("%s was not mended: %s", r.Database, first(r.MendProblem, got)), e)
	case r.After.Primary == r.Killed:
		return fail(fmt.Sprintf("%s: its standby did not take over: %s is primary still", r.Database, r.Killed), e)
	}
	return pass(fmt.Sprintf("%s: %s took over, %s follows it again after %s", r.Database, r.After.Primary, r.Killed, validate.Took(r.MendTook)), e)
}
