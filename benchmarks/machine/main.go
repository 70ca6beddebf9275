package machine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"surety/benchmarks"
)

// Request is what Main reads: exactly one field is set.
type Request struct {
	Disk       *DiskOptions    `json:"disk,omitempty"`
	CPU        *CPUOptions     `json:"cpu,omitempty"`
	Memory     *MemoryOptions  `json:"memory,omitempty"`
	Throughput *NetworkOptions `json:"throughput,omitempty"`
	Latency    *NetworkOptions `json:"latency,omitempty"`
	Receive    *ReceiveOptions `json:"receive,omitempty"`
}

// ReceiveOptions start a receiver for others to send to.
type ReceiveOptions struct {
	Listen string        `json:"listen"`          // address:port; port 0 takes a free one
	Token  string        `json:"token,omitempty"` // empty: one is made and told in the first answer
	For    time.Duration `json:"for"`             // it ends by itself after this, at most ten minutes
}

// Answer is what Main writes, one a line. A receiver writes a first one with Listening and Token as soon as it listens, and an empty
// one at its end. Error is set when the measurement failed; what was measured before is there all the same.
type Answer struct {
	Listening    string                   `json:"listening,omitempty"`
	Token        string                   `json:"token,omitempty"`
	Measurements []benchmarks.Measurement `json:"measurements,omitempty"`
	Error        string                   `json:"error,omitempty"`
}

// Main does one request, read as JSON, on the host where it runs, and writes the answer as JSON. It is the body of a hidden command. A
// failed measurement is in the answer; the error returned is that of reading or writing.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	var q Request
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	answers := json.NewEncoder(out)
	measured, err := q.do(ctx, answers.Encode)
	a := Answer{Measurements: measured}
	if err != nil {
		a.Error = err.Error()
	}
	return answers.Encode(a)
}

func (q Request) do(ctx context.Context, tell func(any) error) ([]benchmarks.Measurement, error) {
	switch {
	case q.Disk != nil:
		return Disk(ctx, *q.Disk)
	case q.CPU != nil:
		return CPU(ctx, *q.CPU)
	case q.Memory != nil:
		return Memory(ctx, *q.Memory)
	case q.Throughput != nil:
		return Throughput(ctx, *q.Throughput)
	case q.Latency != nil:
		return Latency(ctx, *q.Latency)
	case q.Receive != nil:
		return nil, q.Receive.do(ctx, tell)
	}
	return nil, errors.New("the request asks for nothing")
}

func (r *ReceiveOptions) do(ctx context.Context, tell func(any) error) error {
	if r.For <= 0 || r.For > 10*time.Minute {
		return errors.New("a receiver runs for more than nothing and at most ten minutes")
	}
	ctx, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	token := r.Token
	if token == "" {
		token = rand.Text()
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", r.Listen)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	defer l.Close()
	if err := tell(Answer{Listening: l.Addr().String(), Token: token}); err != nil {
		return err
	}
	return Receive(ctx, l, token)
}
