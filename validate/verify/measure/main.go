package measure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"surety/benchmarks/machine"
	"surety/validate/verify/usage"
)

// lifetime bounds every program of ours on a host, whoever forgot it.
const lifetime = 6 * time.Hour

// inside is the program's end of the stream.
type inside struct {
	out    *lines
	orders <-chan order // closed when the caller has ended the stream
}

// tell writes a reply, or why it cannot be written: figures may be no numbers, which JSON does not have. When the caller is gone there is
// nobody to tell, and the context ends by itself.
func (in *inside) tell(r reply) {
	if err := in.out.write(r); err != nil {
		_ = in.out.write(reply{Error: secrets(nil).clean(err), End: r.End})
	}
}

// Main is what the hidden command "surety measure" runs on a host: it reads a request, then orders, as JSON lines from stdin and
// writes replies to stdout. It ends, and removes what it made, when stdin or ctx does: a caller that dies leaves nothing running. The
// error is that of the request itself; what fails in doing it is told in the replies.
func Main(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, lifetime)
	defer cancel()
	input := bufio.NewReaderSize(stdin, 1<<16)
	var q request
	if err := readLine(input, &q); err != nil {
		return fmt.Errorf("read the request to measure: %w", err)
	}
	orders := make(chan order)
	go func() {
		defer close(orders)
		defer cancel()
		for {
			var o order
			if readLine(input, &o) != nil {
				return
			}
			select {
			case orders <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	if quota := math.Ceil(usage.Quota()); q.Session != nil && quota > 0 && int(quota) < runtime.GOMAXPROCS(0) {
		// More threads than the quota has processors would use it up in the first part of each period and then stand still, which would be
		// measured as the target's latency; and the generator's own share is reckoned from how many processors it may use.
		runtime.GOMAXPROCS(int(quota))
	}
	in := &inside{out: &lines{w: stdout}, orders: orders}
	stop := in.live(ctx)
	err := in.do(ctx, q)
	stop()
	in.tell(reply{End: true, Error: q.secrets().clean(err)})
	return nil
}

// live shows the caller that this end is alive, until the returned function is called.
func (in *inside) live(ctx context.Context) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				in.tell(reply{Alive: true}) // also while it cleans up after ctx
			}
		}
	}()
	return func() { close(ended); <-done }
}

func (in *inside) do(ctx context.Context, q request) (err error) {
	defer func() {
		if p := recover(); p != nil { // in a client library: what was made must still be said to be left
			err = fmt.Errorf("measuring panicked: %v", p)
		}
	}()
	switch {
	case q.Session != nil:
		return in.session(ctx, *q.Session)
	case q.Machine != nil:
		return in.machine(ctx, *q.Machine)
	case q.Consistency != nil:
		return in.consistency(ctx, *q.Consistency)
	case q.Watch != "":
		return in.watch(ctx, q.Watch)
	}
	return errors.New("the request asks for nothing that this version knows")
}

// machine passes a request on to package machine and its answers back.
func (in *inside) machine(ctx context.Context, q machine.Request) error {
	data, err := json.Marshal(q)
	if err != nil {
		return err
	}
	return machine.Main(ctx, bytes.NewReader(data), answers{in})
}

// answers takes package machine's lines and puts each into a reply.
type answers struct{ in *inside }

func (a answers) Write(line []byte) (int, error) {
	var answer machine.Answer
	if err := json.Unmarshal(line, &answer); err != nil {
		return 0, err
	}
	return len(line), a.in.out.write(reply{Machine: &answer})
}

// secrets of a request.
func (q request) secrets() secrets {
	switch {
	case q.Session != nil:
		return q.Session.secrets()
	case q.Consistency != nil:
		c := q.Consistency.Config
		var s secrets
		if c.Store != nil {
			s = append(s, secretsOf(c.Store.SecretKey)...)
		}
		if c.Database != nil {
			s = append(s, secretsOf(c.Database.URL, c.Database.ReadURL)...)
		}
		return s
	}
	return nil
}

func (s Setup) secrets() secrets {
	var all secrets
	if s.SQL != nil {
		all = append(all, secretsOf(s.SQL.URL)...)
	}
	if s.Redis != nil {
		all = append(all, secretsOf(s.Redis.URL)...)
	}
	if s.Objects != nil {
		all = append(all, secretsOf(s.Objects.SecretKey)...)
	}
	if s.Web != nil {
		for _, r := range s.Web.Requests {
			all = append(all, secretsOf(r.URL)...)
			for name, values := range r.Header {
				if name == "Authorization" || name == "Cookie" {
					all = append(all, secretsOf(values...)...)
				}
			}
		}
	}
	return all
}
