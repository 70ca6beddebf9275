package local

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"surety/stacks"
	"surety/stacks/local/network"
)

var _ stacks.Opener = (*Target)(nil)

// Open implements stacks.Opener: the router's packet filter holds what is open, with its time, and needs nobody to end it.
func (t *Target) Open(ctx context.Context, from, to stacks.Host, port int, most time.Duration) (func() error, error) {
	router, err := network.Open(t.dir)
	if err != nil {
		return nil, fmt.Errorf("open a port for a measurement: %w", err)
	}
	source, err := netip.ParseAddr(from.Address())
	if err != nil {
		return nil, fmt.Errorf("open a port for a measurement: address of %s: %w", from.Name(), err)
	}
	target, err := netip.ParseAddr(to.Address())
	if err != nil {
		return nil, fmt.Errorf("open a port for a measurement: address of %s: %w", to.Name(), err)
	}
	return router.Open(ctx, source, target, uint16(port), most)
}
