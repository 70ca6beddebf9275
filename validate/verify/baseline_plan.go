package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"surety/benchmarks/baseline"
	"surety/benchmarks/objects"
	"surety/benchmarks/sql"
	"surety/blueprints/architecture"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// How a baseline loads. Runs are short, since what tells two releases apart is their number; and at rates and with numbers of clients
// that do not depend on how the run before went, so that runs of different releases measure the same thing.
const (
	baselineRun     = time.Second
	baselineWarmUp  = 200 * time.Millisecond
	baselineRate    = 50 // requests a second where the spec requires no rate
	baselineCallers = 16 // that ask a server without a pause
	baselineClients = 4  // of a database or a bucket; the database's tables have a scale to match, so that clients need not wait for each other
	baselineObject  = 1 << 20
	storeRate       = 512 << 20 // bytes a second that are taken into account when a run must not fill a bucket
)

// BaselinePlan is what a baseline of an environment measures, derived from its spec and architecture.
type BaselinePlan struct {
	Quantities []baseline.Quantity
	// NotMeasured are components, and how they serve, of which nothing can be measured, each with the reason.
	NotMeasured map[string]string

	sources []*baselineSource
	hide    func(string) string
}

// baselineSource is one kind of run, which gives one quantity or several.
type baselineSource struct {
	host    *facts.Host
	setup   measure.Setup
	run     measure.Run
	control bool // measures the host itself; setup and run are not used
	anew    bool // in a session of its own each time, so that what a run made is gone before the next
	// overload says that the run asks for more than can be given on purpose: what is refused then is a part of how the target serves, and
	// only what was answered counts.
	overload bool
	figures  []baselineFigure
}

type baselineFigure struct {
	baseline.Quantity
	of func(measure.Result) float64
}

// PlanBaseline derives the plan. It reads back where things are, and measures nothing.
func PlanBaseline(ctx context.Context, in Input) (*BaselinePlan, error) {
	if in.Document == nil {
		return nil, errors.New("plan a baseline: there is no spec")
	}
	return planBaseline(in.subject(ctx), in), nil
}

func planBaseline(s *facts.Subject, in Input) *BaselinePlan {
	p := &BaselinePlan{NotMeasured: map[string]string{}, hide: s.Hide}
	for _, c := range s.Arch.Components {
		var sources []*baselineSource
		var err error
		switch {
		case c.Server != nil && c.Server.Runs.Port > 0:
			sources, err = serverSources(s, in, c)
		case c.Server != nil:
			err = errors.New("it serves no port")
		case c.Database != nil:
			sources, err = databaseSources(s, in, c)
		case c.Bucket != nil && c.Backup == nil:
			sources, err = bucketSources(s, in, c)
		}
		if err != nil {
			p.NotMeasured[c.ID] = s.Hide(err.Error())
		}
		p.sources = append(p.sources, sources...)
	}
	if len(p.sources) == 0 {
		return p // a control alone controls nothing
	}
	if host := controlHost(s); host != nil {
		p.sources = append(p.sources, &baselineSource{host: host, control: true, figures: []baselineFigure{{Quantity: baseline.Quantity{
			Name: "control: computing", Unit: "1/s", Better: baseline.Higher, Control: true,
			How: fmt.Sprintf("counts the primes below 10,000 on all processors of %s, which the spec does not size", host.Name)}}}})
	} else {
		p.NotMeasured["control"] = "there is no host whose size is not the spec's, so that a change of the machine would not be seen"
	}
	for _, source := range p.sources {
		for _, f := range source.figures {
			p.Quantities = append(p.Quantities, f.Quantity)
		}
	}
	return p
}

// controlHost is a host that the spec does not size: what it computes then depends on the machine alone. It stands for the world outside.
func controlHost(s *facts.Subject) *facts.Host {
	for _, h := range s.Hosts {
		if h.Outside {
			return h
		}
	}
	return nil
}

// baselineOf makes a figure of a component.
func baselineOf(c, what, unit string, better baseline.Direction, how string, requirements []string, of func(measure.Result) float64) baselineFigure {
	return baselineFigure{baseline.Quantity{Name: c + " " + what, Unit: unit, Better: better, How: how, Requirements: requirements}, of}
}

func rateOf(r measure.Result) float64 { return r.Result.Total.Rate }
func mebibytesOf(r measure.Result) float64 {
	return r.Result.Total.Throughput / (1 << 20)
}
func p50Of(r measure.Result) float64 { return millisecondsOf(r.Result.Total.Latency.P50.Value) }
func p95Of(r measure.Result) float64 { return millisecondsOf(r.Result.Total.Latency.P95.Value) }

func millisecondsOf(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// callersOf are where requests to a server group come from, and the address they go to: that of its balancer where it has one.
func callersOf(s *facts.Subject, c architecture.Component) (*facts.Host, string, error) {
	to, port := c.ID, c.Server.Runs.Port
	if entry, balanced := balancerOf(s, c.ID); balanced {
		to, port = entry.ID, entry.Balancer.Port
	}
	served := s.HostsOf(to)
	for _, f := range s.Arch.Flows {
		if from := s.HostsOf(f.From); f.To == to && f.From != to && f.Port == port && len(from) > 0 && len(served) > 0 {
			return from[0], net.JoinHostPort(served[0].Address, strconv.Itoa(port)), nil
		}
	}
	return nil, "", errors.New("nobody is let in to it, so that nobody could call it")
}

func serverSources(s *facts.Subject, in Input, c architecture.Component) ([]*baselineSource, error) {
	from, address, err := callersOf(s, c)
	if err != nil {
		return nil, err
	}
	expects := in.Document.Spec.Servers[c.Name].Expects
	requests, kinds := requestsOf(s, c.ID, architecture.Component{}, "http://"+address)
	what := strings.Join(kinds, ", ")
	setup := measure.Setup{Web: &measure.Web{Requests: requests}, Workers: 64}
	at := first(expects.RPS, baselineRate)
	pace := fmt.Sprintf("%s from %s, open loop at %s/s for %s", what, from.Name, short(at), baselineRun)
	full := fmt.Sprintf("%s from %s by %d callers without a pause for %s; only good answers count", what, from.Name, baselineCallers, baselineRun)
	p95s, rates := s.Known(c.ID+".expects.p95"), s.Known(c.ID+".expects.rps")
	return []*baselineSource{
		{host: from, setup: setup, run: measure.Run{Rate: at, For: baselineRun, WarmUp: baselineWarmUp}, figures: []baselineFigure{
			baselineOf(c.ID, "p50 at "+short(at)+"/s", "ms", baseline.Lower, pace, p95s, p50Of), baselineOf(c.ID, "p95 at "+short(at)+"/s", "ms", baseline.Lower, pace, p95s, p95Of)}},
		{host: from, setup: setup, run: measure.Run{For: baselineRun, WarmUp: baselineWarmUp, Workers: baselineCallers}, overload: true, figures: []baselineFigure{
			baselineOf(c.ID, "most requests", "1/s", baseline.Higher, full, rates, rateOf)}},
	}, nil
}

func databaseSources(s *facts.Subject, in Input, c architecture.Component) ([]*baselineSource, error) {
	users := usersOf(s, c.ID)
	switch {
	case c.Database.Engine != "postgres":
		return nil, errors.New("load on " + c.Database.Engine + " is not driven from hosts yet")
	case len(users) == 0:
		return nil, errors.New("no host can reach it")
	}
	url, err := databaseURL(s, c.ID, serviceAddress(s, c.ID))
	if err != nil {
		return nil, err
	}
	expects := in.Document.Spec.Databases[c.Name].Expects
	load, what := &measure.SQL{URL: url, Scale: baselineClients}, fmt.Sprintf("a mix in the manner of TPC-B at scale %d", baselineClients)
	if file := expects.Transaction; file != "" {
		text, err := os.ReadFile(filepath.Join(in.Document.Dir, file))
		if err != nil {
			return nil, fmt.Errorf("read its transaction: %w", err)
		}
		t, err := sql.Parse(file, string(text))
		if err != nil {
			return nil, fmt.Errorf("its transaction %s: %w", file, err)
		}
		load, what = &measure.SQL{URL: url, Transactions: sql.Mix{t}}, "the transaction of "+file
	}
	from := users[0].host
	setup := measure.Setup{SQL: load, Workers: 32}
	full := fmt.Sprintf("%s from %s by %d clients without a pause for %s", what, from.Name, baselineClients, baselineRun)
	p95s, rates := s.Known(c.ID+".expects.p95"), s.Known(c.ID+".expects.tps")
	closed := &baselineSource{host: from, setup: setup, run: measure.Run{For: baselineRun, WarmUp: baselineWarmUp, Workers: baselineClients}, figures: []baselineFigure{
		baselineOf(c.ID, "most transactions", "1/s", baseline.Higher, full, rates, rateOf)}}
	if expects.TPS == 0 {
		closed.figures = append(closed.figures, baselineOf(c.ID, fmt.Sprintf("p95 of %d clients", baselineClients), "ms", baseline.Lower, full, p95s, p95Of))
		return []*baselineSource{closed}, nil
	}
	pace := fmt.Sprintf("%s from %s, open loop at %s/s for %s", what, from.Name, short(expects.TPS), baselineRun)
	return []*baselineSource{closed, {host: from, setup: setup, run: measure.Run{Rate: expects.TPS, For: baselineRun, WarmUp: baselineWarmUp}, figures: []baselineFigure{
		baselineOf(c.ID, "p95 at "+short(expects.TPS)+"/s", "ms", baseline.Lower, pace, p95s, p95Of)}}}, nil
}

func bucketSources(s *facts.Subject, in Input, c architecture.Component) ([]*baselineSource, error) {
	users := usersOf(s, c.ID)
	if len(users) == 0 {
		return nil, errors.New("no host can reach it")
	}
	access, err := bucketAccess(s, c.ID, users[0].component)
	if err != nil {
		return nil, err
	}
	from := users[0].host
	setup := func(mix objects.Mix) measure.Setup {
		return measure.Setup{Workers: baselineClients, Objects: &objects.Options{Endpoint: access.Endpoint, Region: access.Region, Bucket: access.Bucket,
			AccessKey: access.AccessKey, SecretKey: access.SecretKey, Mix: mix, Sizes: []objects.Size{{Bytes: baselineObject}}, Keys: 16}}
	}
	// What is written stays until the session ends, with every version: a run may fill an eighth of what the bucket is sized for.
	write := baselineRun
	if size := in.Document.Spec.Buckets[c.Name].Size; size > 0 {
		most := time.Duration(float64(size) / 8 / storeRate * float64(time.Second))
		write = max(50*time.Millisecond, min(write, most))
	}
	how := func(what string, took time.Duration) string {
		return fmt.Sprintf("%s of 1 MiB objects from %s by %d clients without a pause for %s", what, from.Name, baselineClients, took)
	}
	return []*baselineSource{
		{host: from, setup: setup(objects.Mix{Put: 1}), run: measure.Run{For: write, Workers: baselineClients}, anew: true, figures: []baselineFigure{
			baselineOf(c.ID, "put", "MiB/s", baseline.Higher, how("puts", write), s.Known(c.ID+".expects.put"), mebibytesOf)}},
		{host: from, setup: setup(objects.Mix{Get: 1}), run: measure.Run{For: baselineRun, WarmUp: baselineWarmUp, Workers: baselineClients}, figures: []baselineFigure{
			baselineOf(c.ID, "get", "MiB/s", baseline.Higher, how("gets", baselineRun), s.Known(c.ID+".expects.get"), mebibytesOf)}},
	}, nil
}

// names lists what a source measures, for progress.
func (b *baselineSource) names() string {
	names := make([]string, len(b.figures))
	for i, f := range b.figures {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}
