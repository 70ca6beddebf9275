// Package network makes an environment's network: one router namespace, one routed veth pair per host and a stateful
// firewall between the hosts. All state is held by the kernel inside that namespace, so it outlives every process and
// is read back rather than remembered. Several environments may use the same address range at the same time.
package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Router is one environment's router namespace. Its methods are safe for concurrent use.
type Router struct {
	path string       // the pinned namespace
	cidr netip.Prefix // the environment's address range
}

func routerPath(dir string) string { return filepath.Join(dir, "netns", "router") }

// Create makes the router of the environment in dir, or completes and returns the one that is there. It fails when
// that one has another address range: hosts cannot be renumbered under way.
func Create(ctx context.Context, dir string, cidr netip.Prefix) (*Router, error) {
	if !cidr.IsValid() || !cidr.Addr().Is4() || cidr.Bits() > 30 {
		return nil, fmt.Errorf("create router: %q is no IPv4 range with room for hosts", cidr)
	}
	path := routerPath(dir)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create router: %w", err)
	}
	unlock, err := lock(ctx, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("create router: %w", err)
	}
	defer unlock()
	ok, err := pinned(path)
	if err != nil {
		return nil, fmt.Errorf("create router: %w", err)
	}
	if !ok {
		if err := pinNamespace(path); err != nil {
			return nil, fmt.Errorf("create router: %w", err)
		}
	}
	r := &Router{path: path, cidr: cidr.Masked()}
	if err := inside(path, r.prepare); err != nil {
		return nil, fmt.Errorf("create router: %w", err)
	}
	return r, nil
}

// prepare sets up the router's namespace; every step may be repeated.
func (r *Router) prepare() error {
	if old, err := readRange(); err != nil {
		return err
	} else if old.IsValid() && old != r.cidr {
		return fmt.Errorf("it has the range %s already, not %s", old, r.cidr)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	if err := netlink.AddrReplace(lo, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(r.Address(), 32))}); err != nil {
		return err
	}
	required := [][2]string{
		{"ipv4/ip_forward", "1"},
		{"ipv4/conf/all/rp_filter", "1"},      // strict: a host cannot send from an address that is not its own
		{"ipv4/conf/all/send_redirects", "0"}, // hosts reach each other through the router only
		{"ipv4/conf/default/send_redirects", "0"},
		{"ipv4/icmp_ratemask", "0"}, // every refused connection is told so at once, not only the first few a second
	}
	for _, s := range required {
		if err := setting(s[0], s[1]); err != nil {
			return err
		}
	}
	// The firewall is right without these: the first makes packets of unknown flows invalid rather than new, the
	// second exists only where IPv6 does.
	_ = setting("netfilter/nf_conntrack_tcp_loose", "0")
	_ = setting("ipv6/conf/all/disable_ipv6", "1")
	if err := denyByDefault(); err != nil {
		return err
	}
	// The range comes last: Open takes it as the sign of a finished router. As a route of type unreachable it also
	// makes a connection to an address that nobody has fail at once.
	return netlink.RouteReplace(&netlink.Route{Dst: ipNet(r.cidr), Type: unix.RTN_UNREACHABLE, Priority: 9999})
}

// readRange reads the environment's address range from the calling thread's namespace; it is invalid when there is none.
func readRange() (netip.Prefix, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Type: unix.RTN_UNREACHABLE}, netlink.RT_FILTER_TYPE)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("read routes: %w", err)
	}
	for _, route := range routes {
		if route.Dst != nil && route.Priority == 9999 {
			return prefixOf(route.Dst), nil
		}
	}
	return netip.Prefix{}, nil
}

// Open returns the router of the environment in dir, or an error that is fs.ErrNotExist when there is none.
func Open(dir string) (*Router, error) {
	path := routerPath(dir)
	ok, err := pinned(path)
	if err != nil {
		return nil, fmt.Errorf("open router: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("open router %q: %w", path, fs.ErrNotExist)
	}
	r := &Router{path: path}
	if err := inside(path, func() (err error) { r.cidr, err = readRange(); return err }); err != nil {
		return nil, fmt.Errorf("open router: %w", err)
	}
	if !r.cidr.IsValid() {
		return nil, fmt.Errorf("open router %q: its creation was not finished: %w", path, fs.ErrNotExist)
	}
	return r, nil
}

// Address is the router's own address, the first of the range; management traffic comes from it.
func (r *Router) Address() netip.Addr { return r.cidr.Masked().Addr().Next() }

// Range is the environment's address range.
func (r *Router) Range() netip.Prefix { return r.cidr }

// Namespace is the path of the router's network namespace.
func (r *Router) Namespace() string { return r.path }

// Destroy removes the router with its links, routes and rules. Hosts lose their link. It may be repeated; open
// connections made by Dial keep the kernel's namespace alive until they are closed.
func (r *Router) Destroy(ctx context.Context) error {
	folder := filepath.Dir(r.path)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lock(ctx, folder)
	if err != nil {
		return fmt.Errorf("destroy router: %w", err)
	}
	defer unlock()
	ok, err := pinned(r.path)
	if err != nil {
		return fmt.Errorf("destroy router: %w", err)
	}
	if ok {
		// Links are deleted by hand, since the kernel frees a namespace some time after its last user is gone.
		_ = inside(r.path, deleteLinks)
	}
	for range 16 { // more than one only when somebody mounted on top by hand
		if ok, _ := pinned(r.path); !ok {
			break
		}
		if err := unix.Unmount(r.path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("destroy router: unmount %q: %w", r.path, err)
		}
	}
	for _, path := range []string{r.path, folder} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("destroy router: %w", err)
		}
	}
	return nil
}

// Remove is Destroy for an environment whose router may be there, half made, or gone with a restart of the machine.
func Remove(ctx context.Context, dir string) error {
	return (&Router{path: routerPath(dir)}).Destroy(ctx)
}

func deleteLinks() error {
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, link := range links {
		if link.Type() == "veth" {
			err = errors.Join(err, netlink.LinkDel(link))
		}
	}
	return err
}

// Leftovers lists what of the environment's router is still there: mounts and files under dir/netns. It is empty after Destroy.
func Leftovers(dir string) ([]string, error) {
	var left []string
	path := routerPath(dir)
	if ok, err := pinned(path); err != nil {
		return nil, err
	} else if ok {
		left = append(left, "mount "+path)
	}
	for _, file := range []string{path, filepath.Dir(path)} {
		if _, err := os.Lstat(file); err == nil {
			left = append(left, "file "+file)
		}
	}
	return left, nil
}

// lock takes the advisory lock on a folder, waiting at most as long as ctx allows.
func lock(ctx context.Context, folder string) (func(), error) {
	file, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			file.Close()
			return nil, fmt.Errorf("lock %q: %w", folder, err)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("lock %q: %w", folder, ctx.Err())
		case <-ticker.C:
		}
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefixOf(n *net.IPNet) netip.Prefix {
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}
