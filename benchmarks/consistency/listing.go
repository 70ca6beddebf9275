package consistency

import (
	"context"
	"fmt"
	"sync"
	"time"

	"surety/benchmarks/consistency/history"
)

// listed is what one write or delete was followed by in listings.
type listed struct {
	spans []history.Span
	lag   time.Duration // from the acknowledgement to the call of the first right listing; 0 when the first one was right
	right bool          // at last
}

// listing writes and deletes objects and looks for them in the listing right after each acknowledgement: in the next client's where
// one order for all clients is promised, else in the writer's own. A weaker model may lag by Settle.
func listing(ctx context.Context, c Config, prefix string) (Part, error) {
	buckets, err := openBuckets(c, prefix+"listing/", nil)
	if err != nil {
		return Part{}, err
	}
	rounds := max(c.Operations/8, 2)
	start := time.Now()
	var mu sync.Mutex
	var seen []listed
	var failed int
	var lastError error
	var all sync.WaitGroup
	for i, b := range buckets {
		defer b.Close()
		other := buckets[(i+1)%len(buckets)]
		if c.Model != Linearizable {
			other = b
		}
		all.Go(func() {
			for n := 0; n < rounds && ctx.Err() == nil && time.Since(start) < c.Limit; n++ {
				key := fmt.Sprintf("c%d-%d", i, n/2)
				l, err := follow(ctx, c, start, i, b, other, key, n%2 == 0)
				mu.Lock()
				if err != nil {
					failed, lastError = failed+1, err
				} else {
					seen = append(seen, l)
				}
				mu.Unlock()
				if err != nil {
					pause(ctx, 10*time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	left := buckets[0].remove()
	if err := ctx.Err(); err != nil {
		return Part{}, err
	}
	return withLeft(judgeListing(c, seen, failed, lastError), left), nil
}

// follow writes or deletes one object and lists until it shows.
func follow(ctx context.Context, c Config, start time.Time, id int, b, other *bucket, key string, write bool) (listed, error) {
	within := func(run func(ctx context.Context) error) (from, to time.Duration, err error) {
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		from = time.Since(start)
		err = run(ctx)
		return from, time.Since(start), err
	}
	label := "delete " + key
	from, acknowledged, err := within(func(ctx context.Context) error {
		if !write {
			return b.Delete(ctx, key)
		}
		label = "write " + key
		_, err := b.put(ctx, key, body(key))
		return err
	})
	if err != nil {
		return listed{}, err
	}
	l := listed{spans: []history.Span{{Row: fmt.Sprintf("client %d", id), Label: label, From: from, To: acknowledged}}}
	for {
		var there bool
		from, to, err := within(func(ctx context.Context) error {
			found, err := other.List(ctx)
			_, there = found[key]
			return err
		})
		if err != nil {
			return listed{}, err
		}
		if there == write {
			l.right = true
			if len(l.spans) > 1 {
				l.lag = from - acknowledged
			}
			return l, nil
		}
		if len(l.spans) == 1 {
			row, label := "lister", "list → without it"
			if there {
				label = "list → still with it"
			}
			l.spans = append(l.spans, history.Span{Row: row, Label: label, From: from, To: to, Mark: "✗ acknowledged before the listing began"})
		}
		if l.lag = from - acknowledged; l.lag > c.Settle || ctx.Err() != nil {
			return l, nil
		}
		pause(ctx, 2*time.Millisecond)
	}
}

func judgeListing(c Config, seen []listed, failed int, lastError error) Part {
	p := Part{Name: "listing"}
	var late, never int
	var worst listed
	for _, l := range seen {
		if l.lag > 0 {
			late++
		}
		if !l.right {
			never++
		}
		if l.lag > worst.lag {
			worst = l
		}
	}
	p.Figures = []Figure{{"listings after a write or delete", float64(len(seen)), ""}, {"late", float64(late), ""}, {"never right", float64(never), ""},
		{"longest lag", worst.lag.Seconds(), "s"}, {"without an answer", float64(failed), ""}}
	bad := late
	if c.Model == Eventual {
		bad = never
	}
	switch {
	case bad > 0:
		p.Verdict, p.Says = Breached, fmt.Sprintf("%d of %d listings did not show what had been acknowledged, up to %s later", bad, len(seen), worst.lag.Round(time.Millisecond))
		p.Anomalies = []Anomaly{{Text: history.Timeline(worst.spans)}}
	case len(seen) == 0 || failed > len(seen):
		p.Verdict, p.Says = Unproven, fmt.Sprintf("%d were answered and %d were not; the last error: %v", len(seen), failed, lastError)
	default:
		p.Verdict, p.Says = Met, fmt.Sprintf("%d writes and deletes were in the next listing as promised", len(seen))
	}
	return p
}
