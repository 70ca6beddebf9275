package network

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostLink is the name of a host's end of its link.
const hostLink = "eth0"

// linkName is the name of the router's end of a host's link: hashed, since a name has at most 15 bytes.
func linkName(host string) string {
	sum := sha256.Sum256([]byte(host))
	return "h" + hex.EncodeToString(sum[:7])
}

// alias keeps, at the kernel, which host a link belongs to and where its namespace is.
func alias(host, nsPath string) string { return host + " " + nsPath }

func namespaceOf(link netlink.Link) string {
	_, nsPath, _ := strings.Cut(link.Attrs().Alias, " ")
	return nsPath
}

// Attach links the host whose network namespace is at nsPath to the router and gives it addr. It may be repeated: what
// is right stays untouched (open connections live on), what is missing or belongs to an earlier namespace of the host
// is made anew.
func (r *Router) Attach(ctx context.Context, host, nsPath string, addr netip.Addr) error {
	fail := func(err error) error { return fmt.Errorf("attach host %q: %w", host, err) }
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	if !r.cidr.Contains(addr) || addr == r.Address() {
		return fail(fmt.Errorf("address %s is not one for hosts of %s", addr, r.cidr))
	}
	ns, err := os.Open(nsPath)
	if err != nil {
		return fail(err)
	}
	defer ns.Close()
	if paired, err := r.paired(host, nsPath); err != nil {
		return fail(err)
	} else if !paired {
		if err := r.makePair(host, nsPath, int(ns.Fd())); err != nil {
			return fail(fmt.Errorf("make link: %w", err))
		}
	}
	// The host's side first: once the router has a route, the host answers.
	if err := inside(nsPath, func() error { return r.prepareHost(addr) }); err != nil {
		return fail(err)
	}
	err = inside(r.path, func() error {
		link, err := netlink.LinkByName(linkName(host))
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return err
		}
		// An address the host had before and has no more; service addresses are told by their protocol.
		routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, route := range routes {
			if route.Protocol != serviceProtocol && route.Dst != nil && prefixOf(route.Dst).Addr() != addr {
				if err := netlink.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
					return err
				}
			}
		}
		return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK,
			Dst: ipNet(netip.PrefixFrom(addr, 32)), Src: r.Address().AsSlice()})
	})
	if err != nil {
		return fail(err)
	}
	for _, end := range []struct{ ns, link string }{{nsPath, hostLink}, {r.path, linkName(host)}} {
		if err := inside(end.ns, func() error { return awaitUp(ctx, end.link) }); err != nil {
			return fail(err)
		}
	}
	return nil
}

// awaitUp waits until a link of the calling thread's namespace carries packets. The kernel gets there by itself some
// time after both ends are set up, and drops what is sent before: a connection would begin with a second's delay.
func awaitUp(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		link, err := netlink.LinkByName(name)
		if err != nil || link.Attrs().OperState == netlink.OperUp {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("link %s is %s: %w", name, link.Attrs().OperState, ctx.Err())
		case <-ticker.C:
		}
	}
}

// paired tells whether the router's link of host ends in the namespace at nsPath.
func (r *Router) paired(host, nsPath string) (bool, error) {
	var ours, peer int
	err := inside(r.path, func() error {
		link, err := netlink.LinkByName(linkName(host))
		if err != nil {
			return err
		}
		ours, peer = link.Attrs().Index, link.Attrs().ParentIndex
		return nil
	})
	if isNoLink(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	found := false
	err = inside(nsPath, func() error {
		link, err := netlink.LinkByName(hostLink)
		if isNoLink(err) {
			return nil
		} else if err != nil {
			return err
		}
		found = link.Type() == "veth" && link.Attrs().Index == peer && link.Attrs().ParentIndex == ours
		return nil
	})
	return found, err
}

// makePair replaces the host's link. Both ends are born where they belong: the machine's own namespace never sees them.
func (r *Router) makePair(host, nsPath string, ns int) error {
	err := inside(nsPath, func() error { return deleteLink(hostLink) })
	if err != nil {
		return err
	}
	return inside(r.path, func() error {
		name := linkName(host)
		// The kernel may be removing the link of a host that just died; a few tries see it gone.
		for attempt := 0; ; attempt++ {
			if err := deleteLink(name); err != nil {
				return err
			}
			attrs := netlink.NewLinkAttrs()
			attrs.Name = name
			err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: hostLink, PeerNamespace: netlink.NsFd(ns)})
			if err == nil {
				break
			}
			if !errors.Is(err, unix.EEXIST) || attempt == 10 {
				return err
			}
		}
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetAlias(link, alias(host, nsPath))
	})
}

// prepareHost sets up the host's end in the calling thread's namespace: lo, eth0, address, default route.
func (r *Router) prepareHost(addr netip.Addr) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	link, err := netlink.LinkByName(hostLink)
	if err != nil {
		return err
	}
	_ = setting("ipv6/conf/"+hostLink+"/disable_ipv6", "1") // nothing speaks it here; absent on kernels without IPv6
	want := netip.PrefixFrom(addr, 32)
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if prefixOf(a.IPNet) != want {
			if err := netlink.AddrDel(link, &a); err != nil {
				return err
			}
		}
	}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(want)}); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	// Everything goes to the router, other hosts too. An explicit source keeps service addresses on lo from being chosen.
	return netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: r.Address().AsSlice(),
		Flags: int(netlink.FLAG_ONLINK), Src: addr.AsSlice(), Dst: ipNet(netip.MustParsePrefix("0.0.0.0/0"))})
}

// Detach removes the host's link with its routes; service addresses that led to the host lead nowhere then. Repeatable.
func (r *Router) Detach(ctx context.Context, host string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("detach host %q: %w", host, err)
	}
	if err := inside(r.path, func() error { return deleteLink(linkName(host)) }); err != nil {
		return fmt.Errorf("detach host %q: %w", host, err)
	}
	return nil
}

// deleteLink deletes a link of the calling thread's namespace if it is there.
func deleteLink(name string) error {
	link, err := netlink.LinkByName(name)
	if isNoLink(err) {
		return nil
	} else if err != nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

func isNoLink(err error) bool {
	return errors.As(err, &netlink.LinkNotFoundError{}) || errors.Is(err, unix.ENODEV)
}
