package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"surety/benchmarks/knee"
	"surety/stacks"
	"surety/validate/verify/usage"
)

// Times of watching.
const (
	usualInterval = time.Second
	leastInterval = 100 * time.Millisecond
	firstAnswer   = 10 * time.Second // of a host, with the start of the program there
	againAfter    = 5 * time.Second  // a host that failed is tried again
	leaving       = 2 * time.Second  // for the end of the program, which has nothing to remove
)

// watch samples for each order to.
func (in *inside) watch(ctx context.Context, name string) error {
	sampler := usage.New(name)
	defer sampler.Close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case o, ok := <-in.orders:
			if !ok {
				return nil
			}
			if o.Sample {
				sample, err := sampler.Sample(ctx)
				in.tell(reply{Usage: &sample, Error: secrets(nil).clean(err)})
			}
		}
	}
}

// Watch samples how full the resources of hosts are, from inside each of them, until stop is called, which gives what was seen; rate is
// what is offered meanwhile, for the report. The resources are those of package knee. What hosts share, the machine below them, is a
// host of its own in the usage, "the machine". A share that cannot be known is 0 with a figure that begins with "share not known".
// A host that cannot be asked, or not in full, is a failed sampling and is tried again; the others go on. Rates are known from the
// second sampling on, so an interval should be a fraction of what is watched: 0 is a second, and 0.1 s is the least.
func Watch(ctx context.Context, hosts []stacks.Host, rate float64, interval time.Duration) (stop func() knee.Usage) {
	if interval <= 0 {
		interval = usualInterval
	}
	interval = max(interval, leastInterval)
	ctx, cancel := context.WithCancel(ctx)
	w := &watching{patience: max(2*time.Second, 2*interval), machines: map[string]string{}}
	for _, h := range hosts {
		w.hosts = append(w.hosts, &watched{host: h})
	}
	end := knee.Watch(ctx, rate, interval, w.sample)
	return sync.OnceValue(func() knee.Usage {
		seen := end()
		cancel()
		var all sync.WaitGroup
		for _, h := range w.hosts {
			all.Go(h.leave)
		}
		all.Wait()
		return seen
	})
}

// watching is all hosts that are watched, asked at once each time.
type watching struct {
	hosts    []*watched
	patience time.Duration
	machines map[string]string // names, by what identifies them
}

type watched struct {
	host  stacks.Host
	link  *link
	tried time.Time
	fault error // of the last attempt, while there is no link
}

func (w *watching) sample(ctx context.Context) ([]knee.Use, error) {
	samples, errs := make([]usage.Sample, len(w.hosts)), make([]error, len(w.hosts))
	var all sync.WaitGroup
	for i, h := range w.hosts {
		all.Go(func() { samples[i], errs[i] = h.ask(ctx, w.patience) })
	}
	all.Wait()
	var uses []knee.Use
	told := map[string]bool{}
	for _, s := range samples {
		uses = append(uses, s.Uses...)
		if s.Machine == "" || told[s.Machine] || len(s.OfMachine) == 0 {
			continue
		}
		told[s.Machine] = true
		for _, u := range s.OfMachine {
			u.Host = w.machine(s)
			uses = append(uses, u)
		}
	}
	return uses, errors.Join(errs...)
}

// machine names the machine below hosts; one that is not the first is told by a host on it.
func (w *watching) machine(s usage.Sample) string {
	name, ok := w.machines[s.Machine]
	if !ok {
		if name = "the machine"; len(w.machines) > 0 && len(s.Uses) > 0 {
			name += " of " + s.Uses[0].Host
		}
		w.machines[s.Machine] = name
	}
	return name
}

// ask gets one sample. After a failure of the way in the program is started anew, but not at each sampling.
func (h *watched) ask(ctx context.Context, patience time.Duration) (sample usage.Sample, err error) {
	if h.link == nil {
		if h.fault != nil && time.Since(h.tried) < againAfter {
			return sample, h.fault
		}
		h.tried, patience = time.Now(), firstAnswer
		if h.link, h.fault = dial(ctx, h.host, request{Watch: h.host.Name()}); h.fault != nil {
			return sample, h.fault
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("watch %s: it gave no figures within %v", h.host.Name(), patience))
	defer cancel()
	var r reply
	if err = h.link.orders.write(order{Sample: true}); err == nil {
		r, err = h.link.next(ctx)
	} else {
		_, err = h.link.next(ctx) // why is it gone?
	}
	if r.Usage != nil {
		return *r.Usage, err
	}
	if err == nil {
		err = fmt.Errorf("watch %s: it gave no figures", h.host.Name())
	}
	h.fault = err
	h.leave() // an answer that comes late must not be taken for that of the next sampling
	return sample, err
}

// leave ends the program on the host.
func (h *watched) leave() {
	l := h.link
	if l == nil {
		return
	}
	h.link = nil
	l.stdin.Close()
	timeout := time.AfterFunc(leaving, l.kill)
	defer timeout.Stop()
	for {
		select {
		case <-l.replies:
		case <-l.ended:
			return
		}
	}
}
