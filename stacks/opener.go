package stacks

import (
	"context"
	"time"
)

// Opener is what a Target offers, as well, when it can let one host reach a port of another for a measurement, though no flow of the
// architecture says so.
type Opener interface {
	// Open lets TCP connections from one host to a port of another pass, beside the rules that stand and without touching any. The function
	// it gives ends that and cuts the connections; it must be called, and may be called again. At the latest it ends by itself after most,
	// also when whoever asked was killed: nothing stays open. Who reads the rules back meanwhile sees it as a measurement's.
	Open(ctx context.Context, from, to Host, port int, most time.Duration) (done func() error, err error)
}
