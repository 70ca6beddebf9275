package verify

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/validate"
	"surety/validate/verify/facts"
	"surety/validate/verify/probe"
)

// Tolerances of measured sizes.
const (
	limitTolerance = 0.01 // kernels round limits to pages and scheduler periods
	// diskTolerance is what a file system keeps of its disk for itself (inode tables, journal), which is not counted as size.
	diskTolerance = 0.05
)

// hosts checks that hosts are as many, as large and as furnished as declared.
func hosts(s *facts.Subject) []check {
	var checks []check
	for _, c := range s.Arch.Components {
		if c.Kind != architecture.KindServer && c.Kind != architecture.KindDatabase {
			continue
		}
		checks = append(checks, countCheck(s, c))
		for _, h := range s.HostsOf(c.ID) {
			checks = append(checks, sizeChecks(s, c, h)...)
			if c.Server != nil {
				checks = append(checks, osCheck(s, c, h))
				checks = append(checks, software(s, c, h)...)
			}
		}
	}
	return checks
}

// countCheck counts the hosts that run. A host counts when the control plane sees it running, not when it is only remembered.
func countCheck(s *facts.Subject, c architecture.Component) check {
	leaf := "count"
	if c.Kind == architecture.KindDatabase {
		leaf = "engine"
		if c.Instances > 1 {
			leaf = "highAvailability"
		}
	}
	return check{id: "host/count/" + c.ID, requirements: s.Require(c.ID, leaf), judge: func([]probe.Outcome) verdict {
		running, down := 0, []string{}
		for _, h := range s.HostsOf(c.ID) {
			b := resourceOf(s, c, h)
			if b == nil || !b.Found && b.Missing != "" {
				return unproven(notRead(b, h))
			}
			if b.Found && b.Live.Running && present(b, h) {
				running++
			} else {
				down = append(down, h.Name)
			}
		}
		evidence := saw("running hosts", fmt.Sprint(c.Instances), fmt.Sprint(running), "the control plane")
		if running == c.Instances {
			return pass(fmt.Sprintf("%d of %d hosts of %s run", running, c.Instances, c.ID), evidence)
		}
		summary := fmt.Sprintf("%d of %d hosts of %s run", running, c.Instances, c.ID)
		if len(down) > 0 {
			summary += "; not running: " + strings.Join(down, ", ")
		}
		return fail(summary, evidence)
	}}
}

// resourceOf is the built resource behind a host.
func resourceOf(s *facts.Subject, c architecture.Component, h *facts.Host) *facts.Built {
	if c.Kind == architecture.KindDatabase {
		return s.First("Database", c.ID)
	}
	return s.Server(h.Name)
}

// present tells whether a database's read-back lists the host. A server's resource is the host itself.
func present(b *facts.Built, h *facts.Host) bool {
	return b.Kind != "Database" || b.Live.Primary == "" || b.Live.Primary == h.Name || slices.Contains(b.Live.Standbys, h.Name)
}

func notRead(b *facts.Built, h *facts.Host) string {
	if b == nil {
		return "no resource of the Graph stands behind host " + h.Name
	}
	return b.Reason()
}

// sizeChecks compares limits read back with those declared, and with what the host itself sees.
func sizeChecks(s *facts.Subject, c architecture.Component, h *facts.Host) []check {
	b := resourceOf(s, c, h)
	var checks []check
	for _, size := range []struct {
		name, leaf string
		declared   float64
		live       func(facts.Limits) float64
		show       func(float64) string
		inside     func(sys *probe.SystemSeen, declared float64) (evidence validate.Evidence, problem, reason string)
	}{
		{"cpu", "size.cpu", c.Size.CPU, func(l facts.Limits) float64 { return l.CPU }, cores, insideCPU},
		{"memory", "size.memory", float64(c.Size.Memory), func(l facts.Limits) float64 { return float64(l.Memory) }, bytesOf, insideMemory},
		{"disk", "size.disk", float64(c.Size.Disk), func(l facts.Limits) float64 { return float64(l.Disk) }, bytesOf, insideDisk},
	} {
		if size.declared <= 0 {
			continue
		}
		checks = append(checks, check{
			id: fmt.Sprintf("host/%s/%s", h.Name, size.name), requirements: s.Require(c.ID, size.leaf),
			asks: []ask{{h, system}}, partial: true,
			judge: func(answers []probe.Outcome) verdict {
				if b == nil || !b.Found {
					return unproven(notRead(b, h))
				}
				want, got := size.show(size.declared), size.live(b.Live.Limits)
				evidence := []validate.Evidence{saw(size.name+" limit read back", want, size.show(got), "the control plane")}
				if math.Abs(got-size.declared) > limitTolerance*size.declared {
					return fail(fmt.Sprintf("%s: %s limit is %s, declared %s", h.Name, size.name, size.show(got), want), evidence...)
				}
				sys := answers[0].System
				if sys == nil {
					return unproven(fmt.Sprintf("%s: %s could not be measured from inside: %s", h.Name, size.name, answers[0].Error), evidence...)
				}
				seen, problem, reason := size.inside(sys, size.declared)
				seen.From = h.Name
				evidence = append(evidence, seen)
				switch {
				case problem != "":
					return fail(h.Name+": "+problem, evidence...)
				case !b.Live.Enforced[size.name]:
					return unproven(fmt.Sprintf("%s: the %s limit is not enforced on this machine", h.Name, size.name), evidence...)
				case reason != "":
					return unproven(h.Name+": "+reason, evidence...)
				}
				return pass(fmt.Sprintf("%s: %s %s as declared", h.Name, size.name, want), evidence...)
			},
		})
	}
	return checks
}

// insideCPU holds the declared figure against the cores that there are: a quota beyond them gives nothing.
func insideCPU(sys *probe.SystemSeen, declared float64) (validate.Evidence, string, string) {
	got := number(sys.Cores, "core")
	if sys.CPU > 0 {
		got += fmt.Sprintf(", quota %s", cores(sys.CPU))
		if math.Abs(sys.CPU-declared) > limitTolerance*declared {
			return saw("CPU seen inside", cores(declared), got, ""), fmt.Sprintf("the CPU quota seen inside is %s, declared %s", cores(sys.CPU), cores(declared)), ""
		}
	}
	e := saw("CPU seen inside", cores(declared), got, "")
	if float64(sys.Cores) < declared {
		return e, "", fmt.Sprintf("the quota is as declared, but the machine has %s and %s are declared", number(sys.Cores, "core"), cores(declared))
	}
	e.Want = "at least " + cores(declared)
	return e, "", ""
}

func insideMemory(sys *probe.SystemSeen, declared float64) (validate.Evidence, string, string) {
	e := saw("memory of the machine", "at least "+bytesOf(declared), bytesOf(float64(sys.MachineMemory)), "")
	if sys.Memory > 0 {
		e = saw("memory limit seen inside", bytesOf(declared), bytesOf(float64(sys.Memory)), "")
		if math.Abs(float64(sys.Memory)-declared) > limitTolerance*declared {
			return e, fmt.Sprintf("the memory limit seen inside is %s, declared %s", e.Got, e.Want), ""
		}
	}
	if sys.MachineMemory > 0 && float64(sys.MachineMemory) < declared {
		return e, "", fmt.Sprintf("the limit is as declared, but the machine has %s and %s are declared", bytesOf(float64(sys.MachineMemory)), bytesOf(declared))
	}
	return e, "", ""
}

func insideDisk(sys *probe.SystemSeen, declared float64) (validate.Evidence, string, string) {
	off := float64(sys.Disk)/declared - 1
	e := saw("size of the file system /", fmt.Sprintf("%s within %.0f %%", bytesOf(declared), diskTolerance*100), fmt.Sprintf("%s (%+.1f %%)", bytesOf(float64(sys.Disk)), off*100), "")
	if math.Abs(off) > diskTolerance {
		return e, fmt.Sprintf("the file system / has %s, declared %s; %.0f %% is the tolerance for what it keeps for itself", bytesOf(float64(sys.Disk)), bytesOf(declared), diskTolerance*100), ""
	}
	return e, "", ""
}

func cores(n float64) string { return fmt.Sprintf("%.4g CPU", n) }

// bytesOf prints an amount in the largest binary unit that leaves a figure of 1 or more.
func bytesOf(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for n >= 1024 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%.4g %s", n, units[i])
}

func osCheck(s *facts.Subject, c architecture.Component, h *facts.Host) check {
	return check{
		id: "host/" + h.Name + "/os", requirements: s.Require(c.ID, "os"), asks: []ask{{h, system}},
		judge: func(answers []probe.Outcome) verdict {
			sys := answers[0].System
			if sys == nil || sys.OS == "" {
				return unproven(h.Name + ": the distribution could not be read: " + answers[0].Error)
			}
			e := saw("/etc/os-release", c.Server.OS, sys.OS, h.Name)
			if c.Server.OS == "" {
				return pass(h.Name+": "+sys.OS+"; none is required", e)
			}
			if !meetsVersion(c.Server.OS, sys.OS) {
				return fail(fmt.Sprintf("%s runs %s, declared %s", h.Name, sys.OS, c.Server.OS), e)
			}
			return pass(fmt.Sprintf("%s: %s as declared", h.Name, sys.OS), e)
		},
	}
}

// meetsVersion is the rule of blueprints.Software: a measured version meets a required one when it is equal or continues it at a dot.
func meetsVersion(required, measured string) bool {
	required, measured = strings.TrimPrefix(required, "v"), strings.TrimPrefix(measured, "v")
	return measured == required || strings.HasPrefix(measured, required+".")
}

// kindOfSoftware names what is installed, as the spec does.
func kindOfSoftware(runs blueprints.Software) string {
	if runs.Package != "" {
		return "package"
	}
	return "program"
}
