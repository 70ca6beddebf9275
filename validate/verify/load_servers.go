package verify

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	webload "surety/benchmarks/web"
	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
)

// Bounds of connections to a balancer.
const leastConnections, mostConnections = 16, 512

// serverLoad drives each server group of which load is expected, the way its callers come: from outside through the balancer, or from
// a host of a group that uses it.
func serverLoad(s *facts.Subject, in Input) []longCheck {
	var checks []longCheck
	for _, c := range s.Arch.Components {
		if c.Server == nil || !c.Server.Expects.Limited() || in.load(Load) == 0 {
			continue
		}
		e := c.Server.Expects
		d := newDriving(s, in, "load/"+c.Name, c, "req/s", Limits{Rate: e.RPS, P95: time.Duration(e.P95), Errors: float64(e.Errors) / 100}, in.full(Load), in.load(Load))
		entry, from, url := entryOf(s, c)
		requests, kinds := requestsOf(s, c.ID, entry, url)
		d.serverLeaves(e, kinds)
		if from == nil {
			checks = append(checks, refused(d, "there is no host that calls it, from which it could be driven"))
			continue
		}
		d.from, d.what = from, fmt.Sprintf("%s through %s", strings.Join(kinds, ", "), url)
		d.setup = measure.Setup{Web: &measure.Web{Requests: requests}, Workers: workersFor(d.offered, d.required.P95, leastConnections, mostConnections)}
		checks = append(checks, d.check())
	}
	return checks
}

// newDriving chooses the rate and the length.
func newDriving(s *facts.Subject, in Input, id string, c architecture.Component, unit string, required Limits, full bool, length time.Duration) *driving {
	d := &driving{in: in, s: s, id: id, subject: c.ID, name: c.Name, unit: unit, required: required, full: full, length: length, finish: findKnee}
	counted := (d.length - d.warmUp()).Seconds()
	d.offered = max(required.Rate*headroom, required.Rate+math.Ceil(spare/counted))
	if required.Rate == 0 {
		d.offered = max(idleRate, math.Ceil(enough/counted))
	}
	if in.Effort.Load == 0 { // nobody said how long
		d.length = min(mostLoad, max(d.length, lengthFor(required.Errors, d.offered)))
	}
	// An operation that takes this much longer than required has failed whoever waits for it; without a requirement people leave after 10 s.
	d.timeout = min(10*time.Second, max(2*time.Second, 10*required.P95))
	if required.P95 == 0 {
		d.timeout = 10 * time.Second
	}
	return d
}

// serverLeaves are what is expected of a server group, a result each.
func (d *driving) serverLeaves(e blueprints.ServerExpects, kinds []string) {
	at := d.subject + ".expects."
	if e.RPS > 0 {
		d.leaf("rps", at+"rps", d.rateLeaf(e.RPS, d.required.Errors))
	}
	if e.P95 > 0 {
		d.leaf("p95", at+"p95", d.p95Leaf(time.Duration(e.P95)))
	}
	if e.Errors > 0 {
		d.leaf("errors", at+"errors", d.errorsLeaf(d.required.Errors))
	}
	for i := range e.Requests {
		name := fmt.Sprintf("requests[%d]", i)
		d.leaf(name, at+name, d.kindLeaf(kinds[i]))
	}
}

func (d *driving) leaf(name, requirement string, judge func(*loadRun) finding) {
	d.leaves = append(d.leaves, leaf{part{d.id + "/" + name, []string{requirement}}, judge})
}

// workersFor is how many operations may be under way at once: four times what the required latency leaves room for (Little's law), so that
// workers are not what limits a target that is a little too slow. What comes due while all are busy waits, and its wait counts.
func workersFor(rate float64, latency time.Duration, least, most int) int {
	if latency == 0 {
		latency = time.Second
	}
	return max(least, min(most, int(math.Ceil(4*rate*latency.Seconds()))))
}

// entryOf is the balancer of a group, a host that may call it, and the address that the host calls. The host is nil when there is none.
func entryOf(s *facts.Subject, c architecture.Component) (entry architecture.Component, from *facts.Host, url string) {
	entry, ok := balancerOf(s, c.ID)
	if !ok {
		return entry, nil, ""
	}
	to := s.HostsOf(entry.ID)
	for _, outside := range []bool{true, false} {
		for _, f := range s.Arch.Flows {
			if hosts := s.HostsOf(f.From); f.To == entry.ID && (f.From == architecture.Internet) == outside && len(hosts) > 0 && len(to) > 0 {
				return entry, hosts[0], "http://" + net.JoinHostPort(to[0].Address, strconv.Itoa(entry.Balancer.Port))
			}
		}
	}
	return entry, nil, ""
}

// requestsOf are the requests that the spec lists, or else one for the health path; kinds names them, in the same order.
func requestsOf(s *facts.Subject, group string, entry architecture.Component, url string) (requests []webload.Request, kinds []string) {
	c, _ := s.Component(group)
	mix := c.Server.Expects.Requests
	if len(mix) == 0 {
		mix = []blueprints.Request{{Path: healthPath(s, group)}}
	}
	for _, r := range mix {
		w := webload.Request{Op: r.Kind(), Weight: r.Weight, Method: r.Method, URL: url + r.Path}
		if r.Body != "" {
			w.Body = []byte(r.Body)
		}
		requests, kinds = append(requests, w), append(kinds, w.Op)
	}
	return requests, kinds
}
