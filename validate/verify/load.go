package verify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/knee"
	"surety/stacks"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// Times of load.
const (
	mostLoad = 2 * time.Minute // that a full run is lengthened to, so that a small share of errors can be shown
	// headroom is by how much at least the rate offered is above the required one, and spare by how many operations: what keeps up at
	// exactly the required rate could never be shown to keep up with it, because every figure has an interval. With 8 operations more
	// than required the interval's lower end is above the requirement though two of them be under way when the run ends.
	headroom, spare = 1.02, 8
	// idleRate, in operations per second, is offered where no rate is required: a latency is then measured on an almost idle system. A
	// run too short to make enough of them offers more: the 97.5 % bound of a 95th percentile needs 72 values, some are spare.
	idleRate, enough = 10.0, 120
	mostTries        = 4 // runs for one verdict, with those that the generator limited
	mostLimited      = 2 // of them that it limited and that broke something
)

// driving is one component under load: where it is driven from and with what, what is required, and how each leaf is judged.
type driving struct {
	in       Input
	s        *facts.Subject
	id       string // of the check
	subject  string // the component
	name     string // the same for a reader: "web"
	unit     string // of rates
	what     string // is done, in a few words: "GET /healthcheck through http://10.77.0.9"
	from     *facts.Host
	setup    measure.Setup
	required Limits
	offered  float64 // operations per second; 0 is a closed loop
	length   time.Duration
	timeout  time.Duration // of an operation
	full     bool
	leaves   []leaf
	amount   func(benchmarks.Sample) float64 // what an operation did, in the unit; nil counts operations
	finish   func(ctx context.Context, d *driving, s *measure.Session, measured func(Detail)) ([]validate.Evidence, error)
}

// leaf is one requirement, and what a run says of it.
type leaf struct {
	part
	judge func(r *loadRun) finding
}

// finding is what one run says of a leaf.
type finding struct {
	state validate.State
	got   string // the figure with its interval, as "p95 182 ms [179, 186] at 204 req/s"
	want  string // as "≤ 150 ms"
	lack  string // of what is unproven: why, and what to type
}

// loadRun is one run of a driving.
type loadRun struct {
	LoadDetail
	rate interval // in the unit, of what ended well
	at   string   // "at 204 req/s", or how a closed loop ran
	// limit is in what way the generator limited the run; empty when it did not.
	limit string
}

// check makes the driving one long check with a result for each leaf.
func (d *driving) check(also ...string) longCheck {
	c := longCheck{id: d.id, also: also, judge: d.drive, timeout: 3*time.Minute + mostTries*(d.length+d.timeout)}
	if d.full {
		c.timeout += kneeTimeout
	}
	for _, l := range d.leaves {
		c.parts = append(c.parts, l.part)
		c.requirements = append(c.requirements, l.requirements...)
	}
	return c
}

// refused gives checks whose load cannot be driven, with the reason.
func refused(d *driving, reason string) longCheck {
	c := d.check()
	c.judge = func(context.Context, func(Detail)) []verdict { return d.all(unproven(d.name + ": " + reason)) }
	return c
}

func (d *driving) all(v verdict) []verdict {
	verdicts := make([]verdict, len(d.leaves))
	for i := range verdicts {
		verdicts[i] = v
	}
	return verdicts
}

// drive opens one session, makes the runs, and judges every leaf by them.
func (d *driving) drive(ctx context.Context, measured func(Detail)) (verdicts []verdict) {
	d.in.progress(d.id, fmt.Sprintf("%s: making ready to drive it from %s", d.name, d.from.Name))
	session, err := measure.Open(ctx, d.from.Way, d.setup)
	if err != nil {
		return d.all(unproven(fmt.Sprintf("%s: no load could be driven: %s", d.name, why(err))))
	}
	defer func() {
		if err := session.Close(); err != nil {
			for i := range verdicts {
				verdicts[i].summary += "; " + why(err)
			}
		}
	}()
	runs, err := d.take(ctx, session, measured)
	if err != nil {
		return d.all(unproven(fmt.Sprintf("%s: the load came to no end: %s", d.name, why(err))))
	}
	var more []validate.Evidence
	if d.full && d.finish != nil {
		if more, err = d.finish(ctx, d, session, measured); err != nil {
			more = append(more, saw("the most that "+d.name+" does", "", "not found: "+why(err), d.from.Name))
		}
	}
	for _, l := range d.leaves {
		verdicts = append(verdicts, d.decide(l, runs, more))
	}
	return verdicts
}

// take makes a run, and a second when the first breaks a leaf: one bad moment is no breach. What a run breaks that the generator itself
// limited may be the generator's doing, so that such a run is made again; what it meets is met all the same, since a generator that lags
// makes every figure worse and none better.
func (d *driving) take(ctx context.Context, session *measure.Session, measured func(Detail)) (runs []*loadRun, err error) {
	for limited, sound := 0, 0; len(runs) < mostTries && limited < mostLimited; {
		r, err := d.once(ctx, session, len(runs))
		if err != nil {
			return runs, err
		}
		measured(Detail{Subject: d.subject, From: d.from.Name, How: d.what + ", " + r.at, Load: &r.LoadDetail})
		r.limit = r.Outcome.Bottleneck()
		runs = append(runs, r)
		if r.limit != "" && d.broken(r) {
			limited++
			continue
		}
		if sound++; sound == 2 || !d.broken(r) {
			break
		}
	}
	return runs, nil
}

func (d *driving) broken(r *loadRun) bool {
	return slices.ContainsFunc(d.leaves, func(l leaf) bool { return l.judge(r).state == validate.Fail })
}

// warmUp is the first part of a run that counts for nothing: caches fill, connections open.
func (d *driving) warmUp() time.Duration { return min(2*time.Second, d.length/6) }

// once makes one run at the rate to be offered, and watches every host meanwhile.
func (d *driving) once(ctx context.Context, session *measure.Session, try int) (*loadRun, error) {
	again := ""
	if try > 0 {
		again = "again, "
	}
	run := measure.Run{Rate: d.offered, For: d.length, WarmUp: d.warmUp(), Timeout: d.timeout, Raw: true}
	stop := measure.Watch(ctx, d.watched(), d.offered, min(time.Second, max(250*time.Millisecond, d.length/12)))
	found, err := session.Run(ctx, run, d.live(again))
	usage := stop()
	if err != nil {
		return nil, err
	}
	return d.read(found, usage)
}

// read takes what a run found.
func (d *driving) read(found measure.Result, usage knee.Usage) (*loadRun, error) {
	r := &loadRun{LoadDetail: LoadDetail{Unit: d.unit, Required: d.required, Offered: d.offered, Outcome: found.Outcome, Result: found.Result, Usage: usage}}
	var samples []benchmarks.Sample
	for sample, err := range benchmarks.ReadSamples(bytes.NewReader(found.Samples)) {
		if err != nil {
			return nil, fmt.Errorf("read samples: %w", err)
		}
		samples = append(samples, sample)
	}
	if d.offered > 0 {
		// What arrived before the first answers were due is not ended yet; of a target that falls behind, the second half tells enough.
		from := min(max(d.warmUp(), found.Result.Total.Latency.P95.Value), d.length/2)
		r.rate, r.at = carried(samples, d.offered, from, d.length), fmt.Sprintf("at %s %s", short(d.offered), d.unit)
	} else {
		r.rate = perSecond(samples, d.warmUp(), d.length, d.amount)
		r.at = fmt.Sprintf("in a closed loop of %d", found.Outcome.Workers)
	}
	r.Rate, r.RateLow, r.RateHigh = r.rate.value, r.rate.low, r.rate.high
	return r, nil
}

// live prints how a run goes.
func (d *driving) live(again string) func(benchmarks.Live) {
	return func(l benchmarks.Live) {
		d.in.progress(d.id, fmt.Sprintf("%s%s: %s of %s, %s/s, p99 %s, %d failed", again, d.name, l.Elapsed.Round(time.Second), l.Length.Round(time.Second),
			short(l.Rate), validate.Took(l.P99), l.Failed))
	}
}

// watched are the hosts of the environment, without those that stand for what is outside.
func (d *driving) watched() []stacks.Host {
	var hosts []stacks.Host
	for _, h := range d.s.Hosts {
		if !h.Outside {
			hosts = append(hosts, h.Way)
		}
	}
	return hosts
}

// decide joins what the runs say of a leaf. It is met when the first run says so and none says otherwise, breached when two say so.
// What runs break that the generator limited does not count.
func (d *driving) decide(l leaf, all []*loadRun, more []validate.Evidence) verdict {
	said, limit := map[validate.State]int{}, ""
	var runs []*loadRun
	var evidence []validate.Evidence
	for _, r := range all {
		f := l.judge(r)
		if r.limit != "" && f.state == validate.Fail {
			limit = r.limit
			continue
		}
		runs = append(runs, r)
		said[f.state]++
		evidence = append(evidence, saw(d.what+", "+r.at, f.want, f.got, d.from.Name))
	}
	if len(runs) == 0 {
		return unproven(fmt.Sprintf("%s: what drove the load was the limit, not what was driven: %s; drive it again when %s has less to do: surety verify --suite load",
			d.name, limit, d.from.Name), saw("load from "+d.from.Name, "driven as planned", limit, d.from.Name))
	}
	first := l.judge(runs[0])
	head := fmt.Sprintf("%s: %s", d.name, first.got)
	if strings.ContainsAny(first.want, "≤≥") {
		head += ", required " + first.want
	}
	switch {
	case said[validate.Fail] >= 2:
		if full := saturation(runs[len(runs)-1].Usage); full != "" {
			evidence = append(evidence, saw("saturated", "", full, "the hosts"))
		}
		if failed := classes(runs[0].Result.Total); failed != "" {
			evidence = append(evidence, saw("failures", "", failed, d.from.Name))
		}
		return fail(head, append(evidence, more...)...)
	case said[validate.Fail] > 0 && len(runs) == 1:
		return unproven(head+"; no repetition could say the same, since what drove the load was the limit: "+limit, append(evidence, more...)...)
	case said[validate.Fail] > 0:
		return unproven(head+"; a repetition did not say the same: measure longer, with surety verify --suite load --load "+longer(2*d.length), append(evidence, more...)...)
	case first.state == validate.Pass:
		return pass(head, append(evidence, more...)...)
	}
	return unproven(head+"; "+first.lack, append(evidence, more...)...)
}

// why is an error on one line, each of several causes once.
func why(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// classes lists failures by class.
func classes(g benchmarks.Group) string {
	var all []string
	for _, class := range slices.Sorted(maps.Keys(g.Errors)) {
		all = append(all, fmt.Sprintf("%s × %d", class, g.Errors[class]))
	}
	return strings.Join(all, ", ")
}

// longer writes a length of load as it is typed.
func longer(d time.Duration) string {
	d = max(time.Second, d.Round(time.Second))
	if d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", (d+time.Second-1)/time.Second)
}
