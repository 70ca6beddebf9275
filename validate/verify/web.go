package verify

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	httphelper "github.com/gruntwork-io/terratest/modules/http-helper"
	"github.com/gruntwork-io/terratest/modules/retry"
	terratest "github.com/gruntwork-io/terratest/modules/testing"

	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// Bounds of a request to the entry point. One that fails is tried again: what is judged is whether the entry serves.
const (
	entryRetries = 2
	entryPause   = 100 * time.Millisecond
)

// web checks that software answers as healthy: each instance as its balancer sees it, then through the balancer as callers do.
func web(s *facts.Subject) []check {
	var checks []check
	for _, c := range s.Arch.Components {
		if c.Server == nil || c.Server.Runs.Port == 0 {
			continue
		}
		entry, balanced := balancerOf(s, c.ID)
		for _, h := range s.HostsOf(c.ID) {
			for _, from := range askers(s, entry, balanced, h) {
				checks = append(checks, instanceCheck(s, c, h, from))
			}
		}
		if balanced {
			checks = append(checks, entryChecks(s, c, entry)...)
		}
	}
	return checks
}

func balancerOf(s *facts.Subject, group string) (architecture.Component, bool) {
	for _, c := range s.Arch.Components {
		if c.Balancer != nil && c.Balancer.For == group {
			return c, true
		}
	}
	return architecture.Component{}, false
}

// askers are the hosts that may ask an instance for its health: the balancer's, or the instance itself when nothing balances it.
func askers(s *facts.Subject, entry architecture.Component, balanced bool, h *facts.Host) []*facts.Host {
	if balanced {
		if all := s.HostsOf(entry.ID); len(all) > 0 {
			return all
		}
	}
	return []*facts.Host{h}
}

// healthPath is where the software behind a component says that it is well; "/" when the spec does not say.
func healthPath(s *facts.Subject, component string) string {
	c, _ := s.Component(component)
	switch {
	case c.Server != nil && c.Server.Runs.Health != "":
		return c.Server.Runs.Health
	case c.Balancer != nil && c.Balancer.Health != "":
		return c.Balancer.Health
	}
	return "/"
}

func httpTask(address string, port int, path string) probe.Task {
	return probe.Task{Kind: probe.KindHTTP, Timeout: openTimeout,
		HTTP: &probe.HTTP{URL: "http://" + net.JoinHostPort(address, strconv.Itoa(port)) + path}}
}

func instanceCheck(s *facts.Subject, c architecture.Component, h, from *facts.Host) check {
	runs := c.Server.Runs
	k := check{id: fmt.Sprintf("http/%s/health from %s", h.Name, from.Name), requirements: s.Require(c.ID, "runs.health", "runs.port")}
	if runs.Health == "" {
		address := net.JoinHostPort(h.Address, strconv.Itoa(runs.Port))
		k.asks = []ask{{from, dial(address, openTimeout)}}
		k.judge = func(answers []probe.Outcome) verdict {
			seen := answers[0].Dial
			if seen == nil || seen.Reach == probe.Unclear {
				return unproven(fmt.Sprintf("%s could not be tried: %s", address, answers[0].Error))
			}
			e := saw("TCP connect to "+address, string(probe.Open), string(seen.Reach), from.Name)
			if seen.Reach != probe.Open {
				return fail(fmt.Sprintf("%s: its port %d is %s", h.Name, runs.Port, seen.Reach), e)
			}
			return pass(fmt.Sprintf("%s: port %d open in %s", h.Name, runs.Port, validate.Took(seen.Latency)), e)
		}
		return k
	}
	task := httpTask(h.Address, runs.Port, runs.Health)
	k.asks = []ask{{from, task}}
	k.judge = func(answers []probe.Outcome) verdict {
		return judgeHealth(h.Name, task.HTTP.URL, from.Name, answers[0])
	}
	return k
}

// judgeHealth judges one answer: 2xx is well.
func judgeHealth(what, url, from string, o probe.Outcome) verdict {
	if o.HTTP == nil {
		return fail(fmt.Sprintf("%s does not answer: %s", what, o.Error), saw("GET "+url, "2xx", o.Error, from))
	}
	e := saw("GET "+url, "2xx", strconv.Itoa(o.HTTP.Status), from)
	if o.HTTP.Status/100 != 2 {
		return fail(fmt.Sprintf("%s answers with status %d", what, o.HTTP.Status), e)
	}
	return pass(fmt.Sprintf("%s healthy, %d in %s", what, o.HTTP.Status, validate.Took(o.HTTP.Latency)), e)
}

// entryChecks ask through the balancer: from outside (or from the groups that use an internal one), and at the entry point that
// the target opens on this machine.
func entryChecks(s *facts.Subject, c, entry architecture.Component) []check {
	var checks []check
	requirements := s.Require(c.ID, "public", "runs.health")
	path := healthPath(s, entry.ID)
	for _, f := range s.Arch.Flows {
		if f.To != entry.ID {
			continue
		}
		for _, from := range s.HostsOf(f.From) {
			for _, to := range s.HostsOf(entry.ID) {
				task := httpTask(to.Address, entry.Balancer.Port, path)
				checks = append(checks, check{
					id:           fmt.Sprintf("http/%s/through %s from %s", c.Name, entry.ID, from.Name),
					requirements: append(s.Known(f.Requirements...), requirements...), asks: []ask{{from, task}},
					judge: func(answers []probe.Outcome) verdict {
						return judgeHealth(c.ID+" through "+entry.ID, task.HTTP.URL, from.Name, answers[0])
					},
				})
			}
		}
	}
	if entry.Balancer.Internal {
		return checks
	}
	b := s.First("Balancer", entry.ID)
	return append(checks, check{
		id: fmt.Sprintf("http/%s/entry point", c.Name), requirements: requirements,
		act: func(ctx context.Context) verdict {
			if b == nil || first(b.Live.Entry, b.Outputs.Entry) == "" {
				return unproven("no entry point of " + entry.ID + " on this machine is known")
			}
			return askEntry(ctx, c.ID, first(b.Live.Entry, b.Outputs.Entry)+path)
		},
	})
}

// askEntry asks at the entry point, as a person with a browser would, with Terratest's client.
func askEntry(ctx context.Context, what, url string) verdict {
	ctx, cancel := context.WithTimeout(ctx, (entryRetries+1)*openTimeout)
	defer cancel()
	status, started, took := 0, time.Now(), time.Duration(0)
	err := assisted(ctx, "GET "+url, func(ctx context.Context, t terratest.TestingT) error {
		var last error
		_, err := retry.DoWithRetryInterfaceContextE(t, ctx, "GET "+url, entryRetries, entryPause, func() (any, error) {
			one, cancel := context.WithTimeout(ctx, openTimeout)
			defer cancel()
			started = time.Now()
			status, _, last = httphelper.HTTPGetContextE(t, one, url, nil)
			took = time.Since(started)
			if last == nil && status/100 != 2 {
				last = fmt.Errorf("status %d", status)
			}
			return nil, last
		})
		if err != nil && last != nil {
			return last
		}
		return err
	})
	const from = "this machine"
	if err != nil {
		return fail(fmt.Sprintf("%s does not serve at its entry point: %v", what, err), saw("GET "+url, "2xx", err.Error(), from))
	}
	return pass(fmt.Sprintf("%s serves at its entry point, %d in %s", what, status, validate.Took(took)), saw("GET "+url, "2xx", strconv.Itoa(status), from))
}
