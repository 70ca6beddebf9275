package terraform

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"surety/blueprints"
	"surety/blueprints/assess"
)

// googleImage finds the system in an image such as debian-cloud/debian-12 or …/images/ubuntu-2204-jammy-v20240319.
var googleImage = regexp.MustCompile(`(debian|ubuntu(?:-minimal|-pro)?|centos-stream|centos|rhel|rocky-linux|almalinux|sles|windows-server|windows)-([0-9]+)(?:-sp([0-9]+))?`)

// customTier is a Cloud SQL tier of a chosen size: vCPUs and MiB.
var customTier = regexp.MustCompile(`^db-custom-([0-9]+)-([0-9]+)$`)

// google reads the resource types of the provider hashicorp/google, by the attributes of its documentation.
func (w *world) google(i int, r resource) {
	switch r.kind {
	case "google_compute_instance":
		s := assess.System{Name: r.text("name"), Kind: assess.Server, Platform: "cloud"}
		w.machine(&s, "gcp", last(r.text("machine_type")))
		boot := block(block(r.values, "boot_disk"), "initialize_params")
		s.Disk = gib(boot, "size")
		if m := googleImage.FindStringSubmatch(last(text(boot, "image"))); m != nil {
			s.OS, s.OSVersion = m[1], m[2]
			if strings.HasPrefix(s.OS, "ubuntu") && len(m[2]) == 4 {
				s.OSVersion = m[2][:2] + "." + m[2][2:]
			}
			if m[3] != "" {
				s.OSVersion += "." + m[3]
			}
		} else if image := text(boot, "image"); image != "" {
			note(&s, "image %s", image)
		}
		network := block(r.values, "network_interface")
		if ip := text(network, "network_ip"); ip != "" {
			s.Addresses = []string{ip}
		}
		groups := []string{"network " + last(text(network, "network"))}
		for _, tag := range r.texts("tags") {
			groups = append(groups, "tag "+tag)
		}
		w.add(i, s, groups)
	case "google_compute_firewall":
		w.googleRule(r)
	case "google_sql_database_instance":
		s := assess.System{Name: r.text("name"), Kind: assess.Database, Platform: "cloud"}
		engine, version, _ := strings.Cut(strings.ToLower(r.text("database_version")), "_")
		s.Software, s.SoftwareVersion = engine, strings.ReplaceAll(version, "_", ".")
		settings := block(r.values, "settings")
		s.Disk, s.Standby = gib(settings, "disk_size"), text(settings, "availability_type") == "REGIONAL"
		if m := customTier.FindStringSubmatch(text(settings, "tier")); m != nil {
			cpu, _ := strconv.Atoi(m[1])
			memory, _ := strconv.Atoi(m[2])
			s.CPU, s.Memory = float64(cpu), blueprints.Bytes(memory)<<20
		} else {
			w.class(&s, "gcp", text(settings, "tier"), engine)
		}
		f := w.add(i, s, nil)
		for _, network := range blocks(block(settings, "ip_configuration"), "authorized_networks") {
			f.groups = []string{r.address}
			w.rules = append(w.rules, rule{group: r.address, where: r.address, protocol: "tcp", from: f.port(), to: f.port(), callers: []string{text(network, "value")}})
		}
	case "google_storage_bucket":
		w.add(i, assess.System{Name: r.text("name"), Kind: assess.Storage, Platform: "cloud", Software: "GCS", Versioning: yes(block(r.values, "versioning"), "enabled")}, nil)
	case "google_redis_instance":
		version := strings.ReplaceAll(strings.TrimPrefix(r.text("redis_version"), "REDIS_"), "_", ".")
		w.add(i, assess.System{Name: r.text("name"), Kind: assess.Database, Platform: "cloud", Software: "redis", SoftwareVersion: strings.TrimSuffix(strings.ToLower(version), ".x"),
			Memory: gib(r.values, "memory_size_gb"), Standby: r.text("tier") == "STANDARD_HA", Listens: tcp(number(r.values, "port"))}, nil)
	case "google_compute_forwarding_rule", "google_compute_global_forwarding_rule":
		s := assess.System{Name: r.text("name"), Kind: assess.Other, Platform: "cloud", Software: "load balancer"}
		ports := append(r.texts("ports"), r.text("port_range"))
		for _, text := range ports {
			if from, to := portRange(text); from > 0 {
				l := assess.Listen{Port: from, Protocol: "tcp"}
				if strings.EqualFold(r.text("ip_protocol"), "udp") {
					l.Protocol = "udp"
				}
				if to > from {
					l.To = to
				}
				s.Listens = append(s.Listens, l)
			}
		}
		f := w.add(i, s, nil)
		scheme := r.text("load_balancing_scheme")
		f.open = scheme == "" || strings.HasPrefix(scheme, "EXTERNAL")
	}
}

// port is the one of a database's engine.
func (f *found) port() int {
	return map[string]int{"postgres": 5432, "mysql": 3306, "sqlserver": 1433}[f.Software]
}

// googleRule keeps an ingress firewall. Without target tags it is about all instances of the network.
func (w *world) googleRule(r resource) {
	if strings.EqualFold(r.text("direction"), "EGRESS") || yes(r.values, "disabled") {
		return
	}
	groups := []string{"network " + last(r.text("network"))}
	if tags := r.texts("target_tags"); len(tags) > 0 {
		groups = nil
		for _, tag := range tags {
			groups = append(groups, "tag "+tag)
		}
	}
	var members []string
	for _, tag := range r.texts("source_tags") {
		members = append(members, "tag "+tag)
	}
	for _, allow := range r.blocks("allow") {
		protocol := strings.ToLower(text(allow, "protocol"))
		if protocol == "all" {
			protocol = ""
		}
		ports := texts(allow, "ports")
		if len(ports) == 0 {
			ports = []string{""}
		}
		for _, group := range groups {
			for _, p := range ports {
				ru := rule{group: group, where: r.address, protocol: protocol, callers: slices.Clone(r.texts("source_ranges")), members: members}
				ru.from, ru.to = portRange(p)
				w.rules = append(w.rules, ru)
			}
		}
	}
}

// googlePoolMember finds the instance that a target pool names as ZONE/NAME.
func (w *world) googlePoolMember(r resource, id string) []int {
	if r.kind != "google_compute_target_pool" {
		return nil
	}
	zone, name, is := strings.Cut(id, "/")
	var out []int
	for k, other := range w.resources {
		if is && other.kind == "google_compute_instance" && other.text("name") == name && last(other.text("zone")) == zone {
			out = append(out, k)
		}
	}
	return out
}
