package verify

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

const (
	openTimeout = 2 * time.Second // for a connection that must come about
	// refusedTimeout is how long a connection that must not come about is waited for. Where the network rejects, the answer
	// comes within a millisecond; where it drops, the wait ends here.
	refusedTimeout = 800 * time.Millisecond
	sshPort        = 22
)

// connectivity derives the positive tests from the flows, the negative ones from everything that is no flow, and compares the
// rules in force with the flows.
func connectivity(s *facts.Subject) []check {
	return slices.Concat(declaredFlows(s), undeclaredPairs(s), rules(s))
}

// target is an address that a flow leads to.
type target struct{ name, address string }

// targets gives the address that callers of a component use: its service address where it has one, else each instance's.
func targets(s *facts.Subject, component string) []target {
	if c, ok := s.Component(component); ok && c.Kind == architecture.KindDatabase {
		if b := s.First("Database", component); b != nil {
			if address := first(b.Live.Address, b.Outputs.Address); address != "" {
				return []target{{c.Name, address}}
			}
		}
	}
	var out []target
	for _, h := range s.HostsOf(component) {
		out = append(out, target{h.Name, h.Address})
	}
	return out
}

// declaredFlows tests that each flow connects, from inside each source, and speaks what it is declared to speak.
func declaredFlows(s *facts.Subject) []check {
	var checks []check
	for _, f := range s.Arch.Flows {
		sources, to := s.HostsOf(f.From), targets(s, f.To)
		if f.From == f.To {
			sources, to = followers(s, f.To)
		}
		if len(sources) == 0 || len(to) == 0 {
			none := f.From
			if len(sources) > 0 {
				none = f.To
			}
			checks = append(checks, check{
				id:           fmt.Sprintf("connectivity/flow/%s/%s:%d", f.From, f.To, f.Port),
				requirements: f.Requirements,
				judge:        func([]probe.Outcome) verdict { return unproven("no host of " + none + " to test the flow with") },
			})
			continue
		}
		for _, from := range sources {
			for _, t := range to {
				if t.address != from.Address {
					checks = append(checks, flowCheck(s, f, from, t))
				}
			}
		}
	}
	return checks
}

// followers are the two ends of replication: each standby, and the primary it follows.
func followers(s *facts.Subject, database string) ([]*facts.Host, []target) {
	primary, standbys := roles(s, database)
	if primary == nil {
		return nil, nil
	}
	return standbys, []target{{primary.Name, primary.Address}}
}

// roles tells a database's hosts apart. Without a word from the control plane the first counts as the primary.
func roles(s *facts.Subject, database string) (primary *facts.Host, standbys []*facts.Host) {
	all := s.HostsOf(database)
	name := ""
	if b := s.First("Database", database); b != nil {
		name = first(b.Live.Primary, b.Outputs.Primary)
	}
	for i, h := range all {
		if h.Name == name || name == "" && i == 0 {
			primary = h
		} else {
			standbys = append(standbys, h)
		}
	}
	return primary, standbys
}

func flowCheck(s *facts.Subject, f architecture.Flow, from *facts.Host, to target) check {
	address := net.JoinHostPort(to.address, strconv.Itoa(f.Port))
	c := check{
		id:           fmt.Sprintf("connectivity/flow/%s/%s:%d", from.Name, to.name, f.Port),
		requirements: f.Requirements,
		asks:         []ask{{from, dial(address, openTimeout)}},
	}
	speech, problem := speaks(s, f, from, to)
	if speech != nil {
		c.asks = append(c.asks, ask{from, *speech})
	}
	way := fmt.Sprintf("%s → %s:%d", from.Name, to.name, f.Port)
	c.judge = func(answers []probe.Outcome) verdict {
		seen := answers[0].Dial
		if seen == nil {
			return unproven(way + ": " + answers[0].Error)
		}
		evidence := []validate.Evidence{saw("TCP connect to "+address, string(probe.Open), string(seen.Reach), from.Name)}
		switch seen.Reach {
		case probe.Unclear:
			return unproven(fmt.Sprintf("%s: %s", way, seen.Error), evidence...)
		case probe.Open:
		default:
			return fail(fmt.Sprintf("%s is declared and %s", way, seen.Reach), evidence...)
		}
		opened := fmt.Sprintf("%s open in %s", way, validate.Took(seen.Latency))
		if problem != "" {
			return unproven(opened+"; "+problem, evidence...)
		}
		if speech == nil {
			return pass(opened, evidence...)
		}
		said, ok := protocol(answers[1])
		evidence = append(evidence, saw(f.Speaks+" spoken with "+address, "an answer", said, from.Name))
		if !ok {
			return fail(fmt.Sprintf("%s is open and does not speak %s: %s", way, f.Speaks, said), evidence...)
		}
		return pass(fmt.Sprintf("%s, speaks %s", opened, f.Speaks), evidence...)
	}
	return c
}

// speaks gives the task that speaks a flow's protocol, shared with the suites that look at the answer itself.
func speaks(s *facts.Subject, f architecture.Flow, from *facts.Host, to target) (task *probe.Task, problem string) {
	switch {
	case f.From == f.To:
		return nil, "" // replication speaks for itself: the database suite measures how far the standby follows
	case f.Speaks == "http":
		t := httpTask(to.address, f.Port, healthPath(s, f.To))
		return &t, ""
	case f.Speaks == "postgres":
		url, err := databaseURL(s, f.To, to.address)
		if err != nil {
			return nil, err.Error()
		}
		t := postgresTask(url)
		return &t, ""
	case f.Speaks == "s3":
		access, err := bucketAccess(s, f.To, f.From)
		if err != nil {
			return nil, err.Error()
		}
		t := s3Task(access)
		return &t, ""
	}
	return nil, ""
}

// protocol tells whether an answer is one of the protocol, be it a refusal of what was asked.
func protocol(o probe.Outcome) (said string, ok bool) {
	switch {
	case o.HTTP != nil:
		return "HTTP status " + strconv.Itoa(o.HTTP.Status), true
	case o.Postgres != nil && o.Postgres.Version != "":
		return "PostgreSQL " + o.Postgres.Version, true
	case o.Postgres != nil && o.Postgres.Code != "":
		return "SQLSTATE " + o.Postgres.Code, true
	case o.S3 != nil && !strings.HasPrefix(o.S3.List, "failed"):
		return "S3 " + o.S3.List, true
	case o.S3 != nil:
		return o.S3.List, false
	}
	return first(o.Error, "no answer"), false
}

// undeclaredPairs tests, for each pair of hosts, that no port of interest is open that no flow permits.
func undeclaredPairs(s *facts.Subject) []check {
	ports := interesting(s)
	var checks []check
	for _, from := range s.Hosts {
		for _, to := range s.Hosts {
			if from != to {
				if c, ok := pairCheck(s, from, to, ports); ok {
					checks = append(checks, c)
				}
			}
		}
	}
	return checks
}

func pairCheck(s *facts.Subject, from, to *facts.Host, ports []int) (check, bool) {
	addresses := []string{to.Address}
	if c, ok := s.Component(to.Component); ok && c.Kind == architecture.KindDatabase {
		if primary, _ := roles(s, to.Component); primary == to {
			for _, t := range targets(s, to.Component) {
				if t.address != to.Address && t.address != "" {
					addresses = append(addresses, t.address) // the service address lives where the primary is
				}
			}
		}
	}
	requirements := s.Exposure(to.Component)
	if to.Outside {
		requirements = s.Reach(from.Component)
	}
	c := check{id: fmt.Sprintf("connectivity/refused/%s/%s", from.Name, to.Name), requirements: requirements}
	var tried []int
	var where []string
	for _, port := range ports {
		if permitted(s, from, to, port) {
			continue
		}
		tried = append(tried, port)
		for _, address := range addresses {
			at := net.JoinHostPort(address, strconv.Itoa(port))
			where = append(where, at)
			c.asks = append(c.asks, ask{from, dial(at, refusedTimeout)})
		}
	}
	if len(tried) == 0 {
		return c, false
	}
	c.judge = func(answers []probe.Outcome) verdict { return judgePair(from, to, tried, where, answers) }
	return c, true
}

func judgePair(from, to *facts.Host, tried []int, where []string, answers []probe.Outcome) verdict {
	var evidence []validate.Evidence
	var passed, unclear []string
	silent, rejected := 0, 0
	for i, a := range answers {
		switch {
		case a.Dial == nil || a.Dial.Reach == probe.Unclear:
			reason := a.Error
			if a.Dial != nil {
				reason = a.Dial.Error
			}
			unclear = append(unclear, where[i])
			evidence = append(evidence, saw("TCP connect to "+where[i], "refused by the network", reason, from.Name))
		case a.Dial.Reach == probe.Open || a.Dial.Reach == probe.RefusedByHost:
			passed = append(passed, where[i])
			evidence = append(evidence, saw("TCP connect to "+where[i], "refused by the network", string(a.Dial.Reach), from.Name))
		case a.Dial.Reach == probe.NoAnswer:
			silent++
		default:
			rejected++
		}
	}
	if len(passed) > 0 {
		return fail(fmt.Sprintf("%s reaches %s at %s, which no flow permits", from.Name, to.Name, strings.Join(passed, ", ")), evidence...)
	}
	if len(unclear) > 0 {
		return unproven(fmt.Sprintf("%s → %s: %d connections could not be tried", from.Name, to.Name, len(unclear)), evidence...)
	}
	got := fmt.Sprintf("%d rejected by the network", rejected)
	if silent > 0 {
		got += fmt.Sprintf(", %d without an answer in %s: dropped, or nobody is there", silent, validate.Took(refusedTimeout))
	}
	list := make([]string, len(tried))
	for i, p := range tried {
		list[i] = strconv.Itoa(p)
	}
	return pass(fmt.Sprintf("%s → %s refused at %s", from.Name, to.Name, strings.Join(list, ", ")),
		saw(fmt.Sprintf("%d TCP connects", len(where)), "refused", got, from.Name))
}

// permitted tells whether a flow lets one host connect to another. A flow from the internet is for callers outside only; the host
// that stands for the outside stands for a caller from the flow's range, whichever that is, and the rule's own check compares the range.
func permitted(s *facts.Subject, from, to *facts.Host, port int) bool {
	return slices.ContainsFunc(s.Arch.Flows, func(f architecture.Flow) bool {
		return f.Port == port && slices.Contains(s.HostsOf(f.From), from) && slices.Contains(s.HostsOf(f.To), to)
	})
}

// interesting are the ports tried between all pairs: every one that anything listens on, remote login, and one that nothing has.
func interesting(s *facts.Subject) []int {
	ports := []int{sshPort}
	add := func(port int) {
		if port > 0 && !slices.Contains(ports, port) {
			ports = append(ports, port)
		}
	}
	for _, f := range s.Arch.Flows {
		add(f.Port)
	}
	for _, c := range s.Arch.Components {
		switch {
		case c.Server != nil:
			add(c.Server.Runs.Port)
		case c.Database != nil:
			add(c.Database.Port)
		case c.Balancer != nil:
			add(c.Balancer.Port)
		}
	}
	for _, b := range s.Built {
		add(first(b.Live.Port, b.Outputs.Port))
	}
	for closed := 47; ; closed++ { // 47 to 52 and more are well-known numbers that nothing uses today
		if !slices.Contains(ports, closed) {
			add(closed)
			break
		}
	}
	slices.Sort(ports)
	return ports
}

// first gives the first value that is not zero.
func first[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}
