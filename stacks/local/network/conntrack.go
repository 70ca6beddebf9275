package network

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// flow is one connection that the router tracks, seen from its initiator.
type flow struct {
	from, to netip.Addr
	port     uint16
	protocol uint8
}

// forgetting selects connections for the kernel to forget.
type forgetting func(flow) bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (f forgetting) MatchConntrackFlow(c *netlink.ConntrackFlow) bool {
	from, ok1 := netip.AddrFromSlice(c.Forward.SrcIP)
	to, ok2 := netip.AddrFromSlice(c.Forward.DstIP)
	return ok1 && ok2 && f(flow{from.Unmap(), to.Unmap(), c.Forward.DstPort, c.Forward.Protocol})
}

// forget drops the selected connections from the calling thread's namespace: their next packet meets the rules anew.
func forget(which forgetting) error {
	if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, which); err != nil {
		return fmt.Errorf("forget connections: %w", err)
	}
	return nil
}

// cut forgets the forwarded connections that passes do not allow. The router's own are no business of the rules.
func (r *Router) cut(passes []pass) error {
	type target struct {
		to   netip.Addr
		port uint16
	}
	sources := map[target][]netip.Prefix{}
	for _, p := range passes {
		t := target{p.to, p.port}
		sources[t] = append(sources[t], p.from)
	}
	return forget(func(f flow) bool {
		if f.from == r.Address() || f.to == r.Address() {
			return false
		}
		if f.protocol == unix.IPPROTO_TCP {
			for _, from := range sources[target{f.to, f.port}] {
				if from.Contains(f.from) {
					return false
				}
			}
		}
		return true
	})
}
