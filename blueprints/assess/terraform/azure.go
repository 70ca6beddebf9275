package terraform

import (
	"regexp"
	"slices"
	"strings"

	"surety/blueprints/assess"
)

// azurePublishers are the publishers of images and the systems that they publish.
var azurePublishers = map[string]string{"canonical": "ubuntu", "debian": "debian", "redhat": "rhel", "openlogic": "centos", "suse": "sles", "microsoftwindowsserver": "windows",
	"resf": "rocky", "almalinux": "almalinux", "oracle": "oracle-linux"}

var azureVersion = regexp.MustCompile(`[0-9]+([._][0-9]+)*`)

// azure reads the resource types of the provider hashicorp/azurerm, by the attributes of its documentation.
func (w *world) azure(i int, r resource) {
	switch r.kind {
	case "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine":
		s := assess.System{Name: r.text("name"), Kind: assess.Server, Platform: "cloud", Disk: gib(block(r.values, "os_disk"), "disk_size_gb")}
		w.machine(&s, "azure", r.text("size"))
		if image := block(r.values, "source_image_reference"); image != nil {
			s.OS = azurePublishers[strings.ToLower(text(image, "publisher"))]
			if s.OS != "" {
				s.OSVersion = strings.ReplaceAll(azureVersion.FindString(text(image, "sku")), "_", ".")
			} else {
				note(&s, "image %s:%s:%s", text(image, "publisher"), text(image, "offer"), text(image, "sku"))
			}
		}
		s.Addresses = r.texts("private_ip_addresses")
		if ip := r.text("private_ip_address"); len(s.Addresses) == 0 && ip != "" {
			s.Addresses = []string{ip}
		}
		w.add(i, s, w.azureGroups(r))
	case "azurerm_postgresql_flexible_server", "azurerm_mysql_flexible_server":
		s := assess.System{Name: r.text("name"), Kind: assess.Database, Platform: "cloud", Software: "postgres", SoftwareVersion: r.text("version")}
		s.Disk = gib(map[string]any{"gb": r.values["storage_mb"]}, "gb") / 1024
		if r.kind == "azurerm_mysql_flexible_server" {
			s.Software, s.Disk = "mysql", gib(block(r.values, "storage"), "size_gb")
		}
		// GP_Standard_D2s_v3 is the machine type Standard_D2s_v3 of the tier GP.
		_, typ, _ := strings.Cut(r.text("sku_name"), "_")
		w.machine(&s, "azure", typ)
		s.Arch = ""
		mode := text(block(r.values, "high_availability"), "mode")
		s.Standby = mode == "ZoneRedundant" || mode == "SameZone"
		w.add(i, s, nil)
	case "azurerm_mssql_server", "azurerm_mssql_managed_instance":
		w.add(i, assess.System{Name: r.text("name"), Kind: assess.Database, Platform: "cloud", Software: "sqlserver", SoftwareVersion: r.text("version")}, nil)
	case "azurerm_redis_cache":
		w.add(i, assess.System{Name: r.text("name"), Kind: assess.Database, Platform: "cloud", Software: "redis", SoftwareVersion: r.text("redis_version")}, nil)
	case "azurerm_storage_account":
		w.add(i, assess.System{Name: r.text("name"), Kind: assess.Storage, Platform: "cloud", Software: "Azure Blob", Versioning: yes(block(r.values, "blob_properties"), "versioning_enabled")}, nil)
	case "azurerm_lb":
		f := w.add(i, assess.System{Name: r.text("name"), Kind: assess.Other, Platform: "cloud", Software: "load balancer"}, nil)
		f.open = slices.ContainsFunc(r.blocks("frontend_ip_configuration"), func(b map[string]any) bool { return text(b, "public_ip_address_id") != "" })
	case "azurerm_network_security_group":
		for _, in := range r.blocks("security_rule") {
			w.azureRule(r.text("id"), r.address, in)
		}
	case "azurerm_network_security_rule":
		for _, group := range w.resources {
			if group.kind == "azurerm_network_security_group" && group.text("name") == r.text("network_security_group_name") && group.text("resource_group_name") == r.text("resource_group_name") {
				w.azureRule(group.text("id"), r.address, r.values)
			}
		}
	}
}

// azureGroups are the security groups of a machine's network interfaces and of their subnets. Azure compares IDs without case.
func (w *world) azureGroups(r resource) []string {
	var groups []string
	for _, nic := range r.texts("network_interface_ids") {
		var subnets []string
		for _, k := range w.byID[nic] {
			for _, c := range w.resources[k].blocks("ip_configuration") {
				subnets = append(subnets, text(c, "subnet_id"))
			}
		}
		for _, other := range w.resources {
			switch other.kind {
			case "azurerm_network_interface_security_group_association":
				if strings.EqualFold(other.text("network_interface_id"), nic) {
					groups = append(groups, other.text("network_security_group_id"))
				}
			case "azurerm_subnet_network_security_group_association":
				if slices.ContainsFunc(subnets, func(s string) bool { return strings.EqualFold(s, other.text("subnet_id")) }) {
					groups = append(groups, other.text("network_security_group_id"))
				}
			}
		}
	}
	return groups
}

// azureRule keeps a rule that lets callers in. Rules that deny are not weighed against it: what the spec does not name is closed anyway.
func (w *world) azureRule(group, where string, in map[string]any) {
	if !strings.EqualFold(text(in, "direction"), "Inbound") || !strings.EqualFold(text(in, "access"), "Allow") {
		return
	}
	protocol := strings.ToLower(text(in, "protocol"))
	if protocol == "*" {
		protocol = ""
	}
	var callers []string
	for _, source := range append(texts(in, "source_address_prefixes"), text(in, "source_address_prefix")) {
		switch strings.ToLower(source) {
		case "":
		case "*", "internet", "any":
			callers = append(callers, "0.0.0.0/0")
		default:
			callers = append(callers, source)
		}
	}
	for _, ports := range append(texts(in, "destination_port_ranges"), text(in, "destination_port_range")) {
		if ports == "" {
			continue
		}
		ru := rule{group: group, where: where, protocol: protocol, callers: callers}
		if ports != "*" {
			ru.from, ru.to = portRange(ports)
			if ru.protocol == "" {
				ru.protocol = "tcp" // a port means nothing without TCP or UDP, and the rule is for both
			}
		}
		w.rules = append(w.rules, ru)
	}
}
