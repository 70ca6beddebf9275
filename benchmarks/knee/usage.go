package knee

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Resources by their usual names. Others may be sampled as well.
const (
	CPU         = "cpu"
	Disk        = "disk"
	Network     = "network"
	Connections = "connections"
	Memory      = "memory"
)

// Use is how much of a resource of a host is in use.
type Use struct {
	Host     string
	Resource string  // as CPU
	Share    float64 // of what there is of it, 0 to 1, since the sampling before or at this moment
	Figure   string  // the same in its own terms, as "1.96 of 2 processors"
}

// Sampler tells how much of each resource is in use. It is called from one goroutine.
type Sampler func(ctx context.Context) ([]Use, error)

// Usage is what was in use in the course of a run.
type Usage struct {
	Rate     float64 // operations per second that were offered meanwhile
	Series   []Series
	Failed   int    // samplings that gave an error
	LastFail string // the last such error
}

// Series is one resource's part of a Usage.
type Series struct {
	Host, Resource string
	Shares         []float64
	Peak           float64
	Figure         string // in its own terms, of the sampling with the peak
}

// Mean is the average share, leaving out the first fifth of the samplings, in which a run warms up.
func (s Series) Mean() float64 {
	shares := s.steady()
	if len(shares) == 0 {
		return 0
	}
	var sum float64
	for _, share := range shares {
		sum += share
	}
	return sum / float64(len(shares))
}

func (s Series) steady() []float64 { return s.Shares[len(s.Shares)/5:] }

// full counts the steady samplings in which the resource was saturated.
func (s Series) full() (n int) {
	for _, share := range s.steady() {
		if share >= saturated {
			n++
		}
	}
	return n
}

// Watch samples now, so that samplers that measure differences have a start, and then at each interval until the function it
// returns is called, which gives the usage since. rate is what is offered meanwhile, for the report.
func Watch(ctx context.Context, rate float64, interval time.Duration, sample Sampler) (stop func() Usage) {
	ctx, cancel := context.WithCancel(ctx)
	usage := Usage{Rate: rate}
	var done sync.WaitGroup
	_, first := sample(ctx)
	usage.note(nil, first)
	done.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			uses, err := sample(ctx)
			if ctx.Err() != nil {
				return
			}
			usage.note(uses, err)
		}
	})
	return func() Usage {
		cancel()
		done.Wait()
		return usage
	}
}

func (u *Usage) note(uses []Use, err error) {
	if err != nil {
		u.Failed++
		u.LastFail = err.Error()
	}
	for _, use := range uses {
		i := slices.IndexFunc(u.Series, func(s Series) bool { return s.Host == use.Host && s.Resource == use.Resource })
		if i < 0 {
			i = len(u.Series)
			u.Series = append(u.Series, Series{Host: use.Host, Resource: use.Resource})
		}
		s := &u.Series[i]
		s.Shares = append(s.Shares, use.Share)
		if use.Share >= s.Peak {
			s.Peak, s.Figure = use.Share, use.Figure
		}
	}
}
