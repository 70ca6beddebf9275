package cloud

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"

	"surety/stacks/local/host"
	"surety/stacks/local/network"
)

// outsideHost is the host that stands for the world beyond the environment.
const outsideHost = "outside"

// outsideOf is the address of that host. It lies within the environment's range, for the router to lead to it, and no other host's does
// so close to the range's beginning; rules tell it apart from the environment's own hosts.
func outsideOf(cidr netip.Prefix) netip.Addr { return cidr.Masked().Addr().Next().Next() }

// outsideLimits are enough for the callers that tests start there.
var outsideLimits = Limits{CPU: 2, Memory: 512 << 20, Disk: 256 << 20}

var (
	hostName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	resourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$`)
)

func checkNetwork(name string, n *Network) error {
	if err := checkName("name", name, n.Name); err != nil {
		return err
	}
	p, err := netip.ParsePrefix(n.CIDR)
	if err != nil || !p.Addr().Is4() || p != p.Masked() {
		return &Invalid{Field: "cidr", Message: fmt.Sprintf("%q is not an IPv4 network", n.CIDR), Mend: `write it as "10.77.0.0/16"`}
	}
	if p.Bits() < 8 || p.Bits() > 27 {
		return &Invalid{Field: "cidr", Message: fmt.Sprintf("a prefix of %d bits is not between 8 and 27", p.Bits()), Mend: "use a /16"}
	}
	n.Outside, n.Running, n.ForeignRules = "", false, nil
	return nil
}

func changeNetwork(old, new Network) error {
	if old.CIDR != new.CIDR {
		return &Conflict{Message: fmt.Sprintf("the network's range is %s and cannot become %s in place", old.CIDR, new.CIDR), Mend: "replace it", Replace: true}
	}
	return nil
}

// cidr is the network's range.
func (d *daemon) cidr() (netip.Prefix, error) {
	all := d.book.list(KindNetwork) // one at most
	if len(all) == 0 {
		return netip.Prefix{}, &Conflict{Message: "the environment has no network", Mend: "make the network first"}
	}
	n, err := specOf[Network](all[0])
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.ParsePrefix(n.CIDR)
}

func (d *daemon) putNetwork(act, _ context.Context, r *record, n Network) error {
	for _, other := range d.book.list(KindNetwork) {
		if other.Name != n.Name {
			return &Conflict{Message: fmt.Sprintf("the environment has the network %q already", other.Name), Mend: "an environment has one network"}
		}
	}
	if len(r.Hosts) == 0 {
		r.Hosts = map[string]netip.Addr{outsideHost: outsideOf(netip.MustParsePrefix(n.CIDR))}
		if err := d.book.save(*r); err != nil {
			return err
		}
	}
	if err := d.makeKey(); err != nil {
		return err
	}
	if err := d.makeRouter(act, netip.MustParsePrefix(n.CIDR)); err != nil {
		return err
	}
	d.faults.step(*r, "router")
	if _, err := d.raise(act, *r, outsideHost, outsideLimits, host.Config{Tags: tags(n.Tags, r.Kind, internetGroup)}, netip.Addr{}); err != nil {
		return err
	}
	return d.applyRules(act)
}

func (d *daemon) makeRouter(ctx context.Context, cidr netip.Prefix) error {
	d.net.Lock()
	defer d.net.Unlock()
	router, err := network.Create(ctx, d.cfg.Dir, cidr)
	if err != nil {
		return fmt.Errorf("make network: %w", err)
	}
	d.router = router
	return nil
}

func (d *daemon) readNetwork(ctx context.Context, r record, n Network, _ bool) (Network, error) {
	n.Outside = addressOf(r, outsideHost)
	if _, err := d.theRouter(); err != nil { // it was never finished
		return n, nil
	}
	rules, err := d.ingress(ctx)
	if err != nil {
		return n, err
	}
	n.ForeignRules = rules[foreignGroup]
	h, err := d.find(outsideHost)
	n.Running = err == nil && h.Running()
	return n, nil
}

func (d *daemon) removeNetwork(ctx context.Context, r record) error {
	if err := d.removeHosts(ctx, r); err != nil {
		return err
	}
	return d.removeRouter(ctx)
}

func (d *daemon) removeRouter(ctx context.Context) error {
	d.net.Lock()
	defer d.net.Unlock()
	if err := network.Remove(ctx, d.cfg.Dir); err != nil { // also what a router left that went with the machine
		return fmt.Errorf("remove network: %w", err)
	}
	d.router = nil
	return nil
}

// checkName checks a resource's name against the one in the request's path.
func checkName(field, path, name string) error {
	if name != path {
		return &Invalid{Field: field, Message: fmt.Sprintf("is %q in the body and %q in the path", name, path)}
	}
	if !resourceName.MatchString(name) {
		return &Invalid{Field: field, Message: fmt.Sprintf("%q is not a name", name), Mend: "use letters, digits, dots, dashes and underscores, at most 127"}
	}
	return nil
}

// checkHost checks what all resources that are hosts have in common.
func checkHost(path, name, group string, l Limits) error {
	if err := checkName("name", path, name); err != nil {
		return err
	}
	if !hostName.MatchString(name) || name == outsideHost || name == "router" {
		return &Invalid{Field: "name", Message: fmt.Sprintf("%q cannot be a host's name", name), Mend: "use lower-case letters, digits and dashes, at most 63; outside and router are taken"}
	}
	if !resourceName.MatchString(group) || group == internetGroup || group == foreignGroup {
		return &Invalid{Field: "group", Message: fmt.Sprintf("%q cannot be a host's security group", group), Mend: `name a component, as "servers.web"`}
	}
	switch {
	case l.CPU <= 0:
		return &Invalid{Field: "limits.cpu", Message: "must be above 0"}
	case l.Memory < 16<<20:
		return &Invalid{Field: "limits.memory", Message: "must be at least 16 MiB"}
	case l.Disk < 16<<20:
		return &Invalid{Field: "limits.disk", Message: "must be at least 16 MiB"}
	}
	return nil
}

func checkPort(field string, port int) error {
	if port < 1 || port > 65535 {
		return &Invalid{Field: field, Message: fmt.Sprintf("%d is not a port", port), Mend: "use 1 to 65535"}
	}
	return nil
}

// changeLimits refuses to shrink a disk, which no file system does under its users.
func changeLimits(old, new Limits) error {
	if new.Disk < old.Disk {
		return &Conflict{Message: fmt.Sprintf("the disk has %d bytes and cannot shrink to %d in place", old.Disk, new.Disk), Mend: "replace it", Replace: true}
	}
	return nil
}

// tags adds what the daemon knows of a host to the caller's own tags.
func tags(given map[string]string, kind Kind, group string) map[string]string {
	out := map[string]string{"surety:kind": string(kind), "surety:group": group}
	for k, v := range given {
		out[k] = v
	}
	return out
}
