package measure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"surety/benchmarks"
	"surety/benchmarks/machine"
	"surety/stacks"
)

// Machine measures a host's disk, processor or memory on it. What was measured before an error is given as well.
func Machine(ctx context.Context, host stacks.Host, q machine.Request) ([]benchmarks.Measurement, error) {
	if q.Receive != nil || q.Throughput != nil || q.Latency != nil {
		return nil, errors.New("measure the network between two hosts with Network")
	}
	return ask(ctx, host, q)
}

// ask does one request of package machine on a host.
func ask(ctx context.Context, host stacks.Host, q machine.Request) ([]benchmarks.Measurement, error) {
	l, err := dial(ctx, host, request{Machine: &q})
	if err != nil {
		return nil, err
	}
	r, err := l.next(ctx)
	failed := unless(r.End, l.close)
	if err != nil {
		return nil, errors.Join(err, failed)
	}
	if r.Machine == nil {
		return nil, fmt.Errorf("measure on %s: it gave no figures", host.Name())
	}
	if r.Machine.Error != "" {
		return r.Machine.Measurements, fmt.Errorf("measure on %s: %s", host.Name(), r.Machine.Error)
	}
	return r.Machine.Measurements, nil
}

// Network measures TCP throughput, and then round trips, from one host to another that listens meanwhile on address (host:port; port 0
// takes a free one, and an unspecified host stands for the other's address). The way must be open to it. Of options, Address, Token and
// Dial are not looked at.
func Network(ctx context.Context, from, to stacks.Host, address string, o machine.NetworkOptions) (throughput, latency []benchmarks.Measurement, err error) {
	each := o.Each
	if each == 0 {
		each = 5 * time.Second // as the sender takes it
	}
	l, err := dial(ctx, to, request{Machine: &machine.Request{Receive: &machine.ReceiveOptions{Listen: address, For: min(10*time.Minute, 2*(o.WarmUp+each)+2*time.Minute)}}})
	if err != nil {
		return nil, nil, err
	}
	r, err := l.next(ctx)
	defer func() { err = errors.Join(err, unless(r.End, l.close)) }()
	if err == nil && (r.Machine == nil || r.Machine.Error != "" || r.Machine.Listening == "") {
		err = fmt.Errorf("receive on %s: %s", to.Name(), said(r.Machine))
	}
	if err != nil {
		return nil, nil, err
	}
	o.Address, o.Token, o.Dial = reach(r.Machine.Listening, to.Address()), r.Machine.Token, nil
	if throughput, err = ask(ctx, from, machine.Request{Throughput: &o}); err != nil {
		return throughput, nil, err
	}
	latency, err = ask(ctx, from, machine.Request{Latency: &o})
	return throughput, latency, err
}

func said(a *machine.Answer) string {
	if a == nil || a.Error == "" {
		return "it did not say where it listens"
	}
	return a.Error
}

// reach is a listener's address as others reach it.
func reach(listening, address string) string {
	host, port, err := net.SplitHostPort(listening)
	if ip := net.ParseIP(host); err == nil && (ip == nil || ip.IsUnspecified()) {
		return net.JoinHostPort(address, port)
	}
	return listening
}
