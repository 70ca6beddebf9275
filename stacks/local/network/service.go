package network

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// serviceProtocol marks the router's routes of service addresses (values above 4 are free for programs, rtnetlink(7)).
const serviceProtocol = 83

// Service points the service address vip at host, whose network namespace is at nsPath: the router routes it there and
// the host answers to it on its lo. When it pointed elsewhere it is moved, and the connections through the old host
// are cut. The host must be attached. Repeatable.
func (r *Router) Service(ctx context.Context, vip netip.Addr, host, nsPath string) error {
	fail := func(err error) error { return fmt.Errorf("point service address %s at host %q: %w", vip, host, err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if !r.cidr.Contains(vip) || vip == r.Address() {
		return fail(fmt.Errorf("it is not an address for services of %s", r.cidr))
	}
	if paired, err := r.paired(host, nsPath); err != nil {
		return fail(err)
	} else if !paired {
		return fail(errors.New("the host is not attached"))
	}
	old, err := r.serviceHost(vip)
	if err != nil {
		return fail(err)
	}
	moved := old != nil && old.Attrs().Name != linkName(host)
	if moved {
		r.dropAddress(old, vip)
	}
	err = inside(nsPath, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.AddrReplace(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(vip, 32))})
	})
	if err != nil {
		return fail(err)
	}
	err = inside(r.path, func() error {
		link, err := netlink.LinkByName(linkName(host))
		if err != nil {
			return err
		}
		err = netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK,
			Dst: ipNet(netip.PrefixFrom(vip, 32)), Src: r.Address().AsSlice(), Protocol: serviceProtocol})
		if err != nil || !moved {
			return err
		}
		return forget(func(f flow) bool { return f.to == vip })
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

// Withdraw takes the service address away from whichever host has it and cuts the connections to it. Repeatable.
func (r *Router) Withdraw(ctx context.Context, vip netip.Addr) error {
	fail := func(err error) error { return fmt.Errorf("withdraw service address %s: %w", vip, err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	old, err := r.serviceHost(vip)
	if err != nil {
		return fail(err)
	}
	if old == nil {
		return nil
	}
	r.dropAddress(old, vip)
	err = inside(r.path, func() error {
		err := netlink.RouteDel(&netlink.Route{LinkIndex: old.Attrs().Index, Dst: ipNet(netip.PrefixFrom(vip, 32)),
			Scope: netlink.SCOPE_LINK, Protocol: serviceProtocol})
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
		return forget(func(f flow) bool { return f.to == vip })
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

// ServiceHost names the host that the service address vip leads to, read back from the router; empty when none.
func (r *Router) ServiceHost(vip netip.Addr) (string, error) {
	link, err := r.serviceHost(vip)
	if err != nil || link == nil {
		return "", err
	}
	name := link.Attrs().Alias
	for i := range len(name) {
		if name[i] == ' ' {
			return name[:i], nil
		}
	}
	return name, nil
}

// serviceHost finds the router's link that the service address leads to; nil when it leads nowhere.
func (r *Router) serviceHost(vip netip.Addr) (netlink.Link, error) {
	var link netlink.Link
	err := inside(r.path, func() error {
		routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Protocol: serviceProtocol}, netlink.RT_FILTER_PROTOCOL)
		if err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
		for _, route := range routes {
			if route.Dst == nil || prefixOf(route.Dst).Addr() != vip {
				continue
			}
			link, err = netlink.LinkByIndex(route.LinkIndex)
			if isNoLink(err) {
				return nil // went between the two questions
			}
			return err
		}
		return nil
	})
	return link, err
}

// dropAddress takes vip off the lo of the host behind link. It is best effort: the host may be dead, and its namespace
// gone or, by a reused process number, another's, which the pairing check tells.
func (r *Router) dropAddress(link netlink.Link, vip netip.Addr) {
	nsPath := namespaceOf(link)
	_ = inside(nsPath, func() error {
		peer, err := netlink.LinkByName(hostLink)
		if err != nil || peer.Attrs().Index != link.Attrs().ParentIndex || peer.Attrs().ParentIndex != link.Attrs().Index {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.AddrDel(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(vip, 32))})
	})
}
