package consistency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"surety/benchmarks/consistency/history"
)

// Client is one client's way to the registers: named values that begin absent (""). An error means that the outcome is unknown, unless
// ErrRefused is in its chain. A client is used by one goroutine.
type Client interface {
	Read(ctx context.Context, key string) (string, error)
	Write(ctx context.Context, key, value string) error
	Delete(ctx context.Context, key string) error
	// Swap sets value when it finds expected and tells what it found.
	Swap(ctx context.Context, key, expected, value string) (found string, err error)
	// List gives the keys that are there, each with its value.
	List(ctx context.Context) (map[string]string, error)
	Close()
}

// mix is how often each kind of operation is chosen.
var (
	objectMix = []history.Kind{history.Read, history.Read, history.Read, history.Write, history.Write, history.Write, history.List, history.Delete}
	rowMix    = []history.Kind{history.Read, history.Read, history.Read, history.Write, history.Write, history.Swap, history.Swap, history.Delete}
)

// exercise lets all clients work on the registers at once. Then, with all writing ended, every client reads every key until they
// agree or Settle has passed; from is the number of operations before that, and settled how long it took.
func exercise(ctx context.Context, c Config, mix []history.Kind, clients []Client) (rec *recorder, from int, settled time.Duration, err error) {
	keys := make([]string, c.Keys)
	for i := range keys {
		keys[i] = fmt.Sprintf("k%d", i)
	}
	rec = &recorder{start: time.Now()}
	var all sync.WaitGroup
	for i, client := range clients {
		all.Go(func() { work(ctx, c, rec, mix, keys, i, client) })
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, 0, 0, err
	}
	ended, from := rec.now(), len(rec.ops)
	for {
		for i, client := range clients {
			all.Go(func() {
				for _, k := range keys {
					_, _ = rec.do(history.Operation{Client: i, Key: k, Kind: history.Read}, func() (string, error) {
						ctx, cancel := context.WithTimeout(ctx, c.Timeout)
						defer cancel()
						return client.Read(ctx, k)
					})
				}
			})
		}
		all.Wait()
		settled = rec.now() - ended
		if agree(rec.ops, from) || settled > c.Settle || ctx.Err() != nil {
			return rec, from, settled, ctx.Err()
		}
		pause(ctx, min(20*time.Millisecond, c.Settle/4))
	}
}

// agree reports whether the last reads of all clients give what the keys must have come to.
func agree(ops []history.Operation, from int) bool {
	before, reads := history.ByKey(ops[:from]), history.ByKey(ops[from:])
	for k := range reads {
		if _, ok := history.Converged(before[k], reads[k]); !ok {
			return false
		}
	}
	return true
}

// work is what one client does.
func work(whole context.Context, c Config, rec *recorder, mix []history.Kind, keys []string, id int, client Client) {
	r := rand.New(rand.NewPCG(c.Seed, uint64(id)))
	last := map[string]string{} // by key, what the client saw or wrote last
	for n := range c.Operations {
		if whole.Err() != nil || rec.now() > c.Limit {
			return
		}
		o := history.Operation{Client: id, Key: keys[r.IntN(len(keys))], Kind: mix[r.IntN(len(mix))]}
		value := fmt.Sprintf("c%d.%d", id, n)
		ctx, cancel := context.WithTimeout(whole, c.Timeout)
		var err error
		switch o.Kind {
		case history.Read:
			var saw string
			if saw, err = rec.do(o, func() (string, error) { return client.Read(ctx, o.Key) }); err == nil {
				last[o.Key] = saw
			}
		case history.Write:
			o.Value, last[o.Key] = value, value
			_, err = rec.do(o, func() (string, error) { return "", client.Write(ctx, o.Key, value) })
		case history.Delete:
			last[o.Key] = ""
			_, err = rec.do(o, func() (string, error) { return "", client.Delete(ctx, o.Key) })
		case history.Swap:
			o.Value, o.Expected = value, last[o.Key]
			var found string
			found, err = rec.do(o, func() (string, error) { return client.Swap(ctx, o.Key, o.Expected, value) })
			if last[o.Key] = found; err == nil && found == o.Expected {
				last[o.Key] = value
			}
		case history.List:
			err = rec.list(id, keys, func() (map[string]string, error) { return client.List(ctx) })
		}
		cancel()
		// Pauses of varying length let the clients' operations meet in ever other ways, and keep a dead server from being hammered.
		rest := time.Duration(r.IntN(1000)) * time.Microsecond
		if err != nil {
			rest += 10 * time.Millisecond
		}
		pause(whole, rest)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
