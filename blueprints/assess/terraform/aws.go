package terraform

import (
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/assess"
)

// aws reads the resource types of the provider hashicorp/aws, by the attributes of its documentation.
func (w *world) aws(i int, r resource) {
	switch r.kind {
	case "aws_instance":
		tags, _ := r.values["tags"].(map[string]any)
		s := assess.System{Name: text(tags, "Name"), Kind: assess.Server, Platform: "cloud"}
		w.machine(&s, "aws", r.text("instance_type"))
		s.Disk = gib(block(r.values, "root_block_device"), "volume_size")
		for _, disk := range r.blocks("ebs_block_device") {
			s.Disk += gib(disk, "volume_size")
		}
		if ip := r.text("private_ip"); ip != "" {
			s.Addresses = []string{ip}
		}
		if ami := r.text("ami"); ami != "" {
			note(&s, "image %s, %s", ami, r.text("instance_type"))
		}
		w.add(i, s, append(r.texts("vpc_security_group_ids"), r.texts("security_groups")...))
	case "aws_db_instance":
		s := assess.System{Name: r.text("identifier"), Kind: assess.Database, Platform: "cloud", Software: r.text("engine"), SoftwareVersion: r.text("engine_version"),
			Disk: gib(r.values, "allocated_storage"), Standby: yes(r.values, "multi_az")}
		w.class(&s, "aws", r.text("instance_class"), r.text("engine"))
		s.Listens = tcp(number(r.values, "port"))
		f := w.add(i, s, r.texts("vpc_security_group_ids"))
		if yes(r.values, "publicly_accessible") {
			note(&f.System, "publicly accessible")
		}
	case "aws_rds_cluster":
		w.add(i, assess.System{Name: r.text("cluster_identifier"), Kind: assess.Database, Platform: "cloud", Software: r.text("engine"), SoftwareVersion: r.text("engine_version"),
			Standby: true, Listens: tcp(number(r.values, "port"))}, r.texts("vpc_security_group_ids"))
	case "aws_elasticache_cluster", "aws_elasticache_replication_group":
		name, engine := r.text("cluster_id"), r.text("engine")
		if r.kind == "aws_elasticache_replication_group" {
			name = r.text("replication_group_id")
		}
		w.add(i, assess.System{Name: name, Kind: assess.Database, Platform: "cloud", Software: engine, SoftwareVersion: r.text("engine_version"),
			Standby: yes(r.values, "automatic_failover_enabled"), Listens: tcp(number(r.values, "port"))}, r.texts("security_group_ids"))
	case "aws_s3_bucket":
		s := assess.System{Name: r.text("bucket"), Kind: assess.Storage, Platform: "cloud", Software: "S3"}
		s.Versioning = yes(block(r.values, "versioning"), "enabled")
		for _, other := range w.resources {
			if other.kind == "aws_s3_bucket_versioning" && (other.text("bucket") == r.text("bucket") || other.text("bucket") == r.text("id")) {
				s.Versioning = s.Versioning || text(block(other.values, "versioning_configuration"), "status") == "Enabled"
			}
		}
		w.add(i, s, nil)
	case "aws_lb", "aws_alb":
		f := w.add(i, assess.System{Name: r.text("name"), Kind: assess.Other, Platform: "cloud", Software: "load balancer (" + r.text("load_balancer_type") + ")"}, r.texts("security_groups"))
		f.open = !yes(r.values, "internal")
	case "aws_security_group":
		for _, in := range r.blocks("ingress") {
			w.awsRule(r.text("id"), r.address, in, "protocol", texts(in, "security_groups"), append(texts(in, "cidr_blocks"), texts(in, "ipv6_cidr_blocks")...), yes(in, "self"))
		}
	case "aws_security_group_rule":
		if r.text("type") == "ingress" {
			w.awsRule(r.text("security_group_id"), r.address, r.values, "protocol", []string{r.text("source_security_group_id")},
				append(r.texts("cidr_blocks"), r.texts("ipv6_cidr_blocks")...), yes(r.values, "self"))
		}
	case "aws_vpc_security_group_ingress_rule":
		w.awsRule(r.text("security_group_id"), r.address, r.values, "ip_protocol", []string{r.text("referenced_security_group_id")}, []string{r.text("cidr_ipv4"), r.text("cidr_ipv6")}, false)
	}
}

// awsRule keeps an ingress rule. Protocol -1 is all of them.
func (w *world) awsRule(group, where string, in map[string]any, key string, members, callers []string, self bool) {
	empty := func(s string) bool { return s == "" }
	ru := rule{group: group, where: where, protocol: strings.ToLower(text(in, key)), from: int(number(in, "from_port")), to: int(number(in, "to_port")),
		members: slices.DeleteFunc(members, empty), callers: slices.DeleteFunc(callers, empty)}
	switch ru.protocol {
	case "-1", "all":
		ru.protocol = ""
	case "icmp", "icmpv6", "1", "58":
		ru.protocol = "icmp"
	case "6":
		ru.protocol = "tcp"
	case "17":
		ru.protocol = "udp"
	}
	if self {
		ru.members = append(ru.members, group)
	}
	w.rules = append(w.rules, ru)
}

// frontend takes from a balancer's part on which ports it listens.
func (w *world) frontend(f *found, r resource) {
	listen := func(port int64, protocol string) {
		l := assess.Listen{Port: int(port), Protocol: "tcp"}
		if strings.EqualFold(protocol, "udp") {
			l.Protocol = "udp"
		}
		if port > 0 && !slices.Contains(f.Listens, l) {
			f.Listens = append(f.Listens, l)
		}
	}
	switch r.kind {
	case "aws_lb_listener", "aws_alb_listener":
		listen(number(r.values, "port"), r.text("protocol"))
	case "azurerm_lb_rule":
		listen(number(r.values, "frontend_port"), r.text("protocol"))
	}
}

// disks adds volumes that are attached to instances by resources of their own. Of equal instances the one with most counts.
func (w *world) disks() {
	attached := map[string]blueprints.Bytes{} // by instance ID
	for _, r := range w.resources {
		if r.kind == "aws_volume_attachment" {
			for _, v := range w.byID[r.text("volume_id")] {
				attached[r.text("instance_id")] += gib(w.resources[v].values, "size")
			}
		}
	}
	for _, f := range w.found {
		most := blueprints.Bytes(0)
		for _, i := range f.resources {
			most = max(most, attached[w.resources[i].text("id")])
		}
		if f.Kind == assess.Server {
			f.Disk += most
		}
	}
}

func tcp(port int64) []assess.Listen {
	if port <= 0 || port > 65535 {
		return nil
	}
	return []assess.Listen{{Port: int(port), Protocol: "tcp"}}
}
