package machine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"surety/benchmarks"
)

// NetworkOptions say what to send to a receiver.
type NetworkOptions struct {
	Address string        `json:"address"` // of the receiver, host:port
	Token   string        `json:"token"`   // that the receiver was started with; without white space
	Streams int           `json:"streams,omitempty"`
	WarmUp  time.Duration `json:"warmUp,omitempty"` // left out at the front: TCP finds its window in it
	Each    time.Duration `json:"each,omitempty"`   // per measurement; 0 is 5 s
	Message int           `json:"message,omitempty"`
	Dial    Dialer        `json:"-"` // nil: directly
}

func (o *NetworkOptions) complete() error {
	if o.Streams == 0 {
		o.Streams = 1
	}
	if o.Each == 0 {
		o.Each = 5 * time.Second
	}
	if o.Message == 0 {
		o.Message = 64
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: idle}).DialContext
	}
	if o.Streams < 0 || o.Streams > maxStream/2 || o.Message < 1 || o.Message > piece || o.Each < shortest {
		return fmt.Errorf("network: streams 1 to %d, message 1 to %d bytes, each at least %v", maxStream/2, piece, shortest)
	}
	return nil
}

// Throughput sends over TCP as fast as it goes, in one or several streams, and gives what arrived: the receiver counts, on its own clock.
func Throughput(ctx context.Context, o NetworkOptions) ([]benchmarks.Measurement, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	fail := func(err error) ([]benchmarks.Measurement, error) {
		return nil, fmt.Errorf("network throughput to %s: %w", o.Address, err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.WarmUp+o.Each+3*idle)
	defer cancel()
	streams := make([]received, o.Streams)
	failures := make([]error, o.Streams)
	var all sync.WaitGroup
	for s := range o.Streams {
		all.Go(func() { streams[s], failures[s] = o.send(ctx) })
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return fail(err)
	}
	// Only what every stream was sending in counts: from when the last began to when the first ended, in whole slices.
	first, last := streams[0].First, streams[0].Last
	for _, s := range streams {
		first, last = max(first, s.First), min(last, s.Last)
	}
	from := (first + int64(o.WarmUp) + int64(slice) - 1) / int64(slice)
	var slices []float64
	total := 0.0
	for at := from; (at+1)*int64(slice) <= last && len(slices) < int(o.Each/slice); at++ {
		sum := 0.0
		for _, s := range streams {
			if int(at) < len(s.Slices) {
				sum += float64(s.Slices[at])
			}
		}
		slices, total = append(slices, sum), total+sum
	}
	if len(slices) < 2 {
		return fail(errors.New("the receiver saw less than two tenths of a second"))
	}
	r := newReport()
	r.rate(fmt.Sprintf("network/streams%d/throughput", o.Streams), "B/s", slices, total, time.Duration(len(slices))*slice, int64(len(slices)),
		fmt.Sprintf("TCP payload counted by the receiver at %s, writes of 128 KiB, after a warm-up of %v", o.Address, o.WarmUp))
	return r.all, nil
}

// send fills one stream until the time is over and asks the receiver what came.
func (o NetworkOptions) send(ctx context.Context) (received, error) {
	var seen received
	conn, err := greet(ctx, o.Dial, o.Address, o.Token, modeSink, piece)
	if err != nil {
		return seen, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	buffer := make([]byte, piece)
	_, _ = rand.Read(buffer) // never fails. Zeros would flatter: a link may compress them, and the kernel keeps them all in one page of the cache
	sent := int64(0)
	_ = conn.SetDeadline(time.Now().Add(o.WarmUp + o.Each + 2*idle))
	for end := time.Now().Add(o.WarmUp + o.Each + 2*slice); time.Now().Before(end); {
		n, err := conn.Write(buffer)
		sent += int64(n)
		if err != nil {
			return seen, fmt.Errorf("after %d bytes: %w", sent, err)
		}
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok {
		return seen, fmt.Errorf("a %T cannot close one half", conn)
	}
	if err := half.CloseWrite(); err != nil {
		return seen, err
	}
	if err := json.NewDecoder(conn).Decode(&seen); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the receiver ended the connection: is the token right?")
		}
		return seen, err
	}
	if seen.Bytes != sent {
		return seen, fmt.Errorf("sent %d bytes, and %d arrived", sent, seen.Bytes)
	}
	return seen, nil
}

// Latency sends one small message at a time over one TCP connection and gives the time until it is back: the round trip, with both ends' waking up.
func Latency(ctx context.Context, o NetworkOptions) ([]benchmarks.Measurement, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	fail := func(err error) ([]benchmarks.Measurement, error) {
		return nil, fmt.Errorf("network latency to %s: %w", o.Address, err)
	}
	conn, err := greet(ctx, o.Dial, o.Address, o.Token, modeEcho, o.Message)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(o.WarmUp + o.Each + idle))
	message := make([]byte, o.Message)
	trips := newHistogram()
	for began := time.Now(); ; {
		sent := time.Now()
		if sent.Sub(began) >= o.WarmUp+o.Each {
			break
		}
		if _, err := conn.Write(message); err != nil {
			return fail(err)
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the receiver ended the connection: is the token right?")
			}
			return fail(err)
		}
		if sent.Sub(began) >= o.WarmUp {
			_ = trips.RecordValue(int64(time.Since(sent)))
		}
	}
	r := newReport()
	r.quantiles(fmt.Sprintf("network/round-trip/%dB", o.Message), trips,
		fmt.Sprintf("TCP, one message at a time to %s and back", o.Address))
	return r.all, nil
}
