package assess

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"surety/blueprints"
)

// field is one key of an inventory, the same in YAML and CSV.
type field struct {
	key     string
	example string
	list    bool
	set     func(s *System, text string) error // called once per element of a list
}

// mend is an error that knows what to write instead.
type mend struct{ problem, mend string }

func (m *mend) Error() string { return m.problem + ": " + m.mend }

func text(put func(s *System, text string)) func(*System, string) error {
	return func(s *System, text string) error { put(s, text); return nil }
}

func amount(put func(s *System, b blueprints.Bytes)) func(*System, string) error {
	return func(s *System, text string) error {
		b, err := blueprints.ParseBytes(text)
		if err == nil && b == 0 {
			return &mend{"zero is no size", "write what is there, or leave it out when it is not known"}
		}
		put(s, b)
		return err
	}
}

func yesNo(put func(s *System, yes bool)) func(*System, string) error {
	return func(s *System, text string) error {
		switch strings.ToLower(text) {
		case "true", "yes":
			put(s, true)
		case "false", "no":
			put(s, false)
		default:
			return &mend{fmt.Sprintf("%q is neither yes nor no", text), "write yes or no"}
		}
		return nil
	}
}

func choice(put func(s *System, text string), choices ...string) func(*System, string) error {
	return func(s *System, text string) error {
		for _, c := range choices {
			if strings.EqualFold(text, c) {
				put(s, c)
				return nil
			}
		}
		return &mend{fmt.Sprintf("%q is not known here", text), blueprints.DidYouMean(text, choices)}
	}
}

// fields are all keys of a system, in the order of the documentation.
var fields = []field{
	{"name", "portal-web", false, text(func(s *System, t string) { s.Name = t })},
	{"kind", "server", false, choice(func(s *System, t string) { s.Kind = Kind(t) }, "server", "database", "storage", "other")},
	{"count", "2", false, whole(func(s *System, n int) { s.Count = n }, 1, 1000)},
	{"os", "ubuntu", false, text(func(s *System, t string) { s.OS = t })},
	{"osVersion", `"22.04"`, false, text(func(s *System, t string) { s.OSVersion = t })},
	{"arch", "x86_64", false, text(func(s *System, t string) { s.Arch = t })},
	{"platform", "virtual", false, choice(func(s *System, t string) { s.Platform = t }, "physical", "virtual", "container", "cloud")},
	{"cpu", "4", false, readCPU},
	{"memory", "16GiB", false, amount(func(s *System, b blueprints.Bytes) { s.Memory = b })},
	{"disk", "200GiB", false, amount(func(s *System, b blueprints.Bytes) { s.Disk = b })},
	{"dataSize", "120GiB", false, amount(func(s *System, b blueprints.Bytes) { s.DataSize = b })},
	{"software", "nginx", false, text(func(s *System, t string) { s.Software = t })},
	{"softwareVersion", `"1.22"`, false, text(func(s *System, t string) { s.SoftwareVersion = t })},
	{"package", "nginx", false, text(func(s *System, t string) { s.Package = t })},
	{"command", `[nginx, -g, "daemon off;"]`, true, text(func(s *System, t string) { s.Command = append(s.Command, t) })},
	{"dependsOn", "[portal-db]", true, text(func(s *System, t string) { s.DependsOn = append(s.DependsOn, t) })},
	{"listens", "[443/tcp]", true, readListen},
	{"reachedFrom", "[10.0.1.0/24]", true, readCaller},
	{"addresses", "[10.0.1.20]", true, readAddress},
	{"availability", "99.9", false, readAvailability},
	{"standby", "yes", false, yesNo(func(s *System, yes bool) { s.Standby = yes })},
	{"versioning", "yes", false, yesNo(func(s *System, yes bool) { s.Versioning = yes })},
	{"licence", "per processor", false, text(func(s *System, t string) { s.Licence = t })},
	{"notes", "reports are made at night", false, text(func(s *System, t string) { s.Notes = t })},
}

// Keys are all keys that a system may have, in the order of the documentation.
func Keys() []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

func fieldOf(key string) (field, bool) {
	for _, f := range fields {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

func whole(put func(s *System, n int), least, most int) func(*System, string) error {
	return func(s *System, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return &mend{fmt.Sprintf("%q is not a whole number from %d to %d", text, least, most), "write a number, as in 2"}
		}
		put(s, n)
		return nil
	}
}

func readCPU(s *System, text string) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n <= 0 || n > 1e6 || strings.ContainsAny(text, "xXpPeE_iI") {
		return &mend{fmt.Sprintf("%q is not a number of processors", text), "write how many processor threads the system sees, as in 4"}
	}
	s.CPU = n
	return nil
}

func readAvailability(s *System, text string) error {
	p, err := blueprints.ParsePercent(text)
	if err == nil && p == 0 {
		return &mend{"zero cannot be required", "write what is required, as in 99.9, or leave it out"}
	}
	s.Availability = p
	return err
}

const listenExample = "write a port and its protocol, as in 443/tcp, 53/udp or 30000-31000/tcp"

func readListen(s *System, text string) error {
	ports, protocol, given := strings.Cut(strings.ToLower(text), "/")
	if !given {
		protocol = "tcp"
	}
	switch protocol {
	case "tcp", "udp", "sctp", "icmp":
	default:
		return &mend{fmt.Sprintf("%q has the unknown protocol %q", text, protocol), listenExample}
	}
	l := Listen{Protocol: protocol}
	first, last, isRange := strings.Cut(ports, "-")
	var err error
	if protocol == "icmp" && ports == "any" {
		s.Listens = append(s.Listens, l)
		return nil
	}
	if l.Port, err = strconv.Atoi(first); err != nil || l.Port < 1 || l.Port > 65535 {
		return &mend{fmt.Sprintf("%q is not a port from 1 to 65535", text), listenExample}
	}
	if isRange {
		if l.To, err = strconv.Atoi(last); err != nil || l.To <= l.Port || l.To > 65535 {
			return &mend{fmt.Sprintf("%q is not a range of ports", text), listenExample}
		}
	}
	s.Listens = append(s.Listens, l)
	return nil
}

// readCaller keeps a system's name as it is: whether it exists is known only when all are read.
func readCaller(s *System, text string) error {
	switch strings.ToLower(text) {
	case "internet", "any", "0.0.0.0/0", "::/0":
		s.ReachedFrom = append(s.ReachedFrom, "internet")
		return nil
	}
	if strings.Contains(text, "/") {
		block, err := netip.ParsePrefix(text)
		if err != nil {
			return &mend{fmt.Sprintf("%q is not an address block", text), "write an address and the length of its prefix, as in 10.0.1.0/24"}
		}
		if block.Masked() != block {
			return &mend{fmt.Sprintf("%s has bits set beyond its prefix", text), fmt.Sprintf("write %s for the block, or %s for the address", block.Masked(), block.Addr())}
		}
	} else if strings.Trim(text, "0123456789.") == "" {
		if _, err := netip.ParseAddr(text); err != nil {
			return &mend{fmt.Sprintf("%q is not an address", text), "write it as in 10.0.1.20"}
		}
	}
	s.ReachedFrom = append(s.ReachedFrom, text)
	return nil
}

func readAddress(s *System, text string) error {
	if _, err := netip.ParseAddr(text); err != nil {
		return &mend{fmt.Sprintf("%q is not an address", text), "write it as in 10.0.1.20"}
	}
	s.Addresses = append(s.Addresses, text)
	return nil
}

// worded gives the problem and the way to mend it of a field's error.
func worded(err error) (problem, remedy string) {
	var unit *blueprints.UnitError
	var own *mend
	switch {
	case errors.As(err, &own):
		return own.problem, own.mend
	case errors.As(err, &unit):
		return fmt.Sprintf("%q %s", unit.Text, unit.Problem), unit.Mend
	}
	return err.Error(), "correct it"
}
