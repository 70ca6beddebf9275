package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/machine"
	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/validate/verify/facts"
	"surety/validate/verify/measure"
	"surety/validate/verify/probe"
)

// How the network between hosts is measured.
const (
	connects       = 31 // connections along a flow, one after the other
	networkRun     = 2 * time.Second
	networkWarmUp  = 500 * time.Millisecond
	networkMessage = 64 // bytes
	// openAtMost is when an opening for a measurement ends by itself: its two runs, and time to begin and end them.
	openAtMost = time.Minute
	// firstPort is where a free port for a measurement is looked for: below those that systems give out by themselves.
	firstPort = 5201
)

// networkFigures measures along each declared flow how long a connection takes, and between each two hosts that flows connect
// how much passes: only declared ports are open, and software sits on those, so that the target must open one more for the moment.
func networkFigures(s *facts.Subject, in Input) []longCheck {
	var checks []longCheck
	paired := map[[2]string]bool{}
	for _, f := range s.Arch.Flows {
		from, to := s.HostsOf(f.From), s.HostsOf(f.To)
		if len(from) == 0 || len(to) == 0 || from[0] == to[0] {
			continue
		}
		checks = append(checks, in.connectFigure(s, f, from[0], to[0]))
		if pair := [2]string{from[0].Name, to[0].Name}; !from[0].Outside && !paired[pair] {
			paired[pair] = true
			checks = append(checks, in.networkFigure(s, f, from[0], to[0]))
		}
	}
	return checks
}

// connectFigure measures TCP's handshake along a flow, which is a round trip of the network and the target's kernel.
func (in Input) connectFigure(s *facts.Subject, f architecture.Flow, from, to *facts.Host) longCheck {
	address := fmt.Sprintf("%s:%d", to.Address, f.Port)
	id := fmt.Sprintf("host/%s/figures/connect/%s/%s:%d", from.Name, f.To, to.Name, f.Port)
	return longCheck{id: id, aside: true, timeout: figuresTimeout, run: func(ctx context.Context, measured func(Detail)) verdict {
		in.progress(id, "connecting to "+to.Name)
		m, err := connectTime(ctx, from.Way, address)
		subject := fmt.Sprintf("%s → %s:%d", from.Name, to.Name, f.Port)
		if err != nil {
			return unproven(fmt.Sprintf("round trip of %s could not be measured: %v", subject, err))
		}
		got := []benchmarks.Measurement{m}
		measured(Detail{Subject: subject, From: from.Name, How: m.How, Requirements: f.Requirements, Figures: got})
		return figuresVerdict(subject, got, f.Requirements)
	}}
}

// connectTime is the median of some connections, one after the other, with its interval from order statistics: of 31 values the median
// lies between the 10th and the 22nd with 97 % (binomial distribution; H. A. David, H. N. Nagaraja, Order Statistics, 3rd ed., 7.1).
func connectTime(ctx context.Context, host stacks.Host, address string) (benchmarks.Measurement, error) {
	request := probe.Request{Parallel: 1}
	for i := range connects {
		request.Tasks = append(request.Tasks, probe.Task{ID: fmt.Sprint(i), Kind: probe.KindDial, Dial: &probe.Dial{Address: address}})
	}
	text, err := json.Marshal(request)
	if err != nil {
		return benchmarks.Measurement{}, err
	}
	var out, complaint limited
	out.most, complaint.most = maxReply, maxComplaint
	if err := host.Run(ctx, stacks.Command{Args: ProbeCommand, Stdin: bytes.NewReader(text), Stdout: &out, Stderr: &complaint}); err != nil {
		return benchmarks.Measurement{}, fmt.Errorf("%w %s", err, complaint.String())
	}
	var reply probe.Reply
	if err := json.Unmarshal(out.Bytes(), &reply); err != nil {
		return benchmarks.Measurement{}, fmt.Errorf("read probe reply: %w", err)
	}
	var trips []float64
	for _, o := range reply.Outcomes {
		switch {
		case o.Dial == nil:
			return benchmarks.Measurement{}, errors.New(o.Error)
		case o.Dial.Reach != probe.Open:
			return benchmarks.Measurement{}, fmt.Errorf("connection %s: %s %s", o.ID, o.Dial.Reach, o.Dial.Error)
		}
		trips = append(trips, float64(o.Dial.Latency)/float64(time.Millisecond))
	}
	if len(trips) != connects {
		return benchmarks.Measurement{}, fmt.Errorf("the probe answered %d of %d questions", len(trips), connects)
	}
	slices.Sort(trips)
	return benchmarks.Measurement{Quantity: "network/connect/p50", Unit: "ms", Value: trips[15], Low: trips[9], High: trips[21], Count: connects, At: time.Now(),
		How: fmt.Sprintf("TCP handshakes one after the other, connection and answer, %d of them", connects)}, nil
}

// networkFigure measures how much passes from one host to another.
func (in Input) networkFigure(s *facts.Subject, f architecture.Flow, from, to *facts.Host) longCheck {
	id := fmt.Sprintf("host/%s/figures/network/%s", from.Name, to.Name)
	port := freePort(s.Arch.Flows)
	return longCheck{id: id, aside: true, timeout: figuresTimeout, run: func(ctx context.Context, measured func(Detail)) (v verdict) {
		subject := from.Name + " → " + to.Name
		in.progress(id, "measuring the network "+subject)
		if in.Open == nil {
			return unproven("throughput of " + subject + " was not measured: only declared ports are open between them, and this target cannot open one for a measurement")
		}
		done, err := in.Open(ctx, from.Way, to.Way, port, openAtMost)
		if err != nil {
			return unproven("throughput of " + subject + " was not measured: " + err.Error())
		}
		defer func() {
			if err := done(); err != nil {
				v = unproven("throughput of " + subject + " was measured, but: " + err.Error())
			}
		}()
		limit, cancel := context.WithTimeout(ctx, openAtMost)
		defer cancel()
		throughput, latency, err := measure.Network(limit, from.Way, to.Way, fmt.Sprintf("0.0.0.0:%d", port),
			machine.NetworkOptions{Streams: 1, WarmUp: networkWarmUp, Each: networkRun, Message: networkMessage})
		got := append(throughput, latency...)
		if len(got) > 0 {
			measured(Detail{Subject: subject, From: from.Name, Requirements: f.Requirements, Figures: got,
				How: fmt.Sprintf("TCP to a receiver of ours on port %d, which was open for it from %s alone and for that long", port, from.Name)})
		}
		if err != nil {
			return unproven(fmt.Sprintf("throughput of %s could not be measured: %v", subject, err), figuresEvidence(got, from.Name)...)
		}
		return figuresVerdict(subject, got, f.Requirements)
	}}
}

// freePort is one that no flow uses.
func freePort(flows []architecture.Flow) int {
	port := firstPort
	for slices.ContainsFunc(flows, func(f architecture.Flow) bool { return f.Port == port }) {
		port++
	}
	return port
}
