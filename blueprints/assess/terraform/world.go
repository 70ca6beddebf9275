package terraform

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints"
	"surety/blueprints/assess"
	"surety/blueprints/catalog"
)

// world is a state on its way to an inventory.
type world struct {
	path      string
	resources []resource
	byID      map[string][]int // what refers to a resource → its index
	catalog   *catalog.Catalog
	read      []bool // resources that were understood
	found     []*found
	rules     []rule
}

// found is a system and what the state says of its place in the network.
type found struct {
	assess.System
	resources []int    // that it is: several when they are equal instances of one resource
	groups    []string // what rules are about: IDs of security groups, network tags
	open      bool     // a balancer that faces the internet by its own settings
}

// rule lets callers through to the members of a group.
type rule struct {
	group    string
	protocol string // tcp, udp, icmp; empty: all
	from, to int    // ports; 0: all
	callers  []string
	members  []string // groups whose members call
	where    string   // address of the resource that says so
}

// part is a resource type that tells something of a system; value is the attribute that names its owner, when it belongs to one.
var parts = map[string]string{
	"aws_security_group": "", "aws_security_group_rule": "", "aws_vpc_security_group_ingress_rule": "", "aws_s3_bucket_versioning": "", "aws_volume_attachment": "",
	"aws_ebs_volume": "", "aws_lb_listener": "load_balancer_arn", "aws_alb_listener": "load_balancer_arn", "aws_lb_target_group": "", "aws_alb_target_group": "",
	"aws_lb_target_group_attachment": "target_group_arn", "aws_alb_target_group_attachment": "target_group_arn",
	"google_compute_firewall": "", "google_compute_target_http_proxy": "", "google_compute_target_https_proxy": "", "google_compute_target_tcp_proxy": "",
	"google_compute_url_map": "", "google_compute_backend_service": "", "google_compute_region_backend_service": "", "google_compute_instance_group": "",
	"google_compute_target_pool": "", "azurerm_network_security_group": "", "azurerm_network_security_rule": "", "azurerm_network_interface": "",
	"azurerm_network_interface_security_group_association": "", "azurerm_subnet_network_security_group_association": "",
	"azurerm_lb_rule": "loadbalancer_id", "azurerm_lb_backend_address_pool": "loadbalancer_id",
	"azurerm_network_interface_backend_address_pool_association": "backend_address_pool_id",
}

func newWorld(path string, resources []resource, c *catalog.Catalog) *world {
	w := &world{path: path, resources: resources, byID: map[string][]int{}, catalog: c, read: make([]bool, len(resources))}
	for i, r := range resources {
		for _, id := range r.ids() {
			w.byID[id] = append(w.byID[id], i)
		}
	}
	return w
}

// inventory reads everything, joins it, and counts what it did not understand.
func (w *world) inventory() assess.Inventory {
	for i, r := range w.resources {
		_, is := parts[r.kind]
		w.read[i] = is
		w.aws(i, r)
		w.google(i, r)
		w.azure(i, r)
	}
	w.disks()
	w.balance()
	w.named()
	w.apply()
	inv := assess.Inventory{Source: w.path, Name: "existing", Unread: map[string]int{}}
	base := w.path
	if filepath.Ext(base) != "" {
		base = strings.TrimSuffix(filepath.Base(base), filepath.Ext(base))
	} else if full, err := filepath.Abs(base); err == nil {
		base = filepath.Base(full)
	}
	inv.Name = cmp.Or(blueprints.Slug(base), inv.Name)
	for _, f := range w.found {
		inv.Systems = append(inv.Systems, f.System)
	}
	for i, r := range w.resources {
		if !w.read[i] {
			inv.Unread[r.kind]++
		}
	}
	return inv
}

// add keeps a system that a resource is.
func (w *world) add(i int, s assess.System, groups []string) *found {
	r := w.resources[i]
	w.read[i] = true
	s.Name = cmp.Or(s.Name, r.name)
	s.Position = blueprints.Position{File: w.path + " " + r.address}
	if s.Kind == assess.Server {
		for _, f := range w.found {
			if first := w.resources[f.resources[0]]; first.kind == r.kind && r.base() == first.base() && f.equal(s, groups) {
				f.resources = append(f.resources, i)
				f.Count = len(f.resources)
				f.Addresses = append(f.Addresses, s.Addresses...)
				return f
			}
		}
	}
	f := &found{System: s, resources: []int{i}, groups: groups}
	w.found = append(w.found, f)
	return f
}

// equal tells whether an instance of a resource differs from its siblings in its addresses and name only.
func (f *found) equal(s assess.System, groups []string) bool {
	return f.OS == s.OS && f.OSVersion == s.OSVersion && f.Arch == s.Arch && f.CPU == s.CPU && f.Memory == s.Memory && f.Disk == s.Disk && f.Notes == s.Notes && slices.Equal(f.groups, groups)
}

// named makes names unique: those that two systems have get their resource's address.
func (w *world) named() {
	count := map[string]int{}
	for _, f := range w.found {
		count[strings.ToLower(f.Name)]++
	}
	for _, f := range w.found {
		if count[strings.ToLower(f.Name)] > 1 || strings.EqualFold(f.Name, "internet") {
			f.Name = w.resources[f.resources[0]].address
		}
	}
}

// machine fills in what the catalogue knows of a provider's machine type.
func (w *world) machine(s *assess.System, provider, typ string) {
	p := w.catalog.Provider(provider)
	if p == nil || typ == "" {
		return
	}
	for _, region := range p.Regions {
		for _, m := range p.Instances(region.ID) {
			if strings.EqualFold(m.Type, typ) {
				s.CPU, s.Memory, s.Arch = m.CPU, blueprints.Bytes(m.Memory), m.Arch
				return
			}
		}
	}
}

// class fills in what the catalogue knows of a managed database's class.
func (w *world) class(s *assess.System, provider, class, engine string) {
	p := w.catalog.Provider(provider)
	if p == nil || class == "" {
		return
	}
	for _, region := range p.Regions {
		for _, d := range p.Databases(region.ID, engine) {
			if strings.EqualFold(d.Class, class) {
				s.CPU, s.Memory = d.CPU, blueprints.Bytes(d.Memory)
				return
			}
		}
	}
}

// note adds what has no place of its own in an inventory.
func note(s *assess.System, format string, args ...any) {
	s.Notes = strings.TrimPrefix(s.Notes+"; "+fmt.Sprintf(format, args...), "; ")
}

// apply turns rules into ports and callers of the systems they are about.
func (w *world) apply() {
	for _, r := range w.rules {
		for _, f := range w.found {
			if slices.Contains(f.groups, r.group) {
				w.let(f, r)
			}
		}
	}
	for _, f := range w.found {
		if f.open && len(f.ReachedFrom) == 0 {
			f.ReachedFrom = []string{"internet"}
		}
	}
}

func (w *world) let(f *found, r rule) {
	whole := r.from <= 1 && r.to >= 65535 || r.from == 0 && r.protocol != "icmp"
	switch {
	case r.protocol == "" || whole && r.protocol != "icmp":
		note(&f.System, "%s lets all ports through", r.where)
	default:
		l := assess.Listen{Port: max(0, r.from), Protocol: r.protocol}
		if r.protocol == "icmp" {
			l.Port = 0
		} else if r.to > r.from {
			l.To = r.to
		}
		if !slices.Contains(f.Listens, l) {
			f.Listens = append(f.Listens, l)
		}
	}
	if r.protocol == "icmp" {
		return // who may ping is no flow
	}
	for _, caller := range r.callers {
		if caller == "0.0.0.0/0" || caller == "::/0" {
			caller = "internet"
		} else if _, err := netip.ParseAddr(caller); err != nil {
			block, err := netip.ParsePrefix(caller)
			if err != nil {
				note(&f.System, "%s lets %s through", r.where, caller)
				continue
			}
			caller = block.Masked().String()
		}
		f.reached(caller)
	}
	for _, group := range r.members {
		any := false
		for _, from := range w.found {
			if slices.Contains(from.groups, group) {
				any = true
				if from != f {
					f.reached(from.Name)
				}
			}
		}
		if !any {
			note(&f.System, "%s lets the members of %s through, and none is in the state", r.where, group)
		}
	}
}

func (f *found) reached(caller string) {
	if !slices.Contains(f.ReachedFrom, caller) {
		f.ReachedFrom = append(f.ReachedFrom, caller)
	}
}

// balance finds what each balancer stands before, by following the references between its parts.
func (w *world) balance() {
	w.named() // names are what systems are referred to by from here on
	for _, f := range w.found {
		if f.Kind != assess.Other {
			continue
		}
		seen := map[int]bool{f.resources[0]: true}
		for queue := []int{f.resources[0]}; len(queue) > 0; queue = queue[1:] {
			for _, next := range w.next(queue[0]) {
				if seen[next] {
					continue
				}
				seen[next] = true
				if _, is := parts[w.resources[next].kind]; is {
					queue = append(queue, next)
					w.frontend(f, w.resources[next])
				}
			}
		}
		for _, to := range w.found {
			if to.Kind == assess.Server && slices.ContainsFunc(to.resources, func(k int) bool { return seen[k] }) {
				f.DependsOn = append(f.DependsOn, to.Name)
			}
		}
	}
}

// next lists what a resource refers to, and the parts and machines that belong to it.
func (w *world) next(i int) []int {
	var out []int
	r := w.resources[i]
	owner := parts[r.kind]
	for _, id := range allTexts(r.values, owner) {
		out = append(out, w.byID[id]...)
		out = append(out, w.googlePoolMember(r, id)...)
	}
	mine := r.ids()
	for k, other := range w.resources {
		if owner := parts[other.kind]; owner != "" && slices.Contains(mine, other.text(owner)) {
			out = append(out, k)
		}
		if r.kind == "azurerm_network_interface" && slices.Contains(other.texts("network_interface_ids"), r.text("id")) {
			out = append(out, k)
		}
	}
	return slices.DeleteFunc(out, func(k int) bool { return k == i })
}

// portRange reads "80" or "8000-8010".
func portRange(text string) (from, to int) {
	first, second, is := strings.Cut(strings.TrimSpace(text), "-")
	from, _ = strconv.Atoi(first)
	to = from
	if is {
		to, _ = strconv.Atoi(second)
	}
	return from, to
}
