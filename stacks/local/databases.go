package local

import (
	"fmt"
	"slices"
	"strings"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// passwordLength is the number of characters in a database's generated password: of 62 each, 190 bits.
const passwordLength = 32

// database adds a database and its owner's password.
func (b *builder) database(c architecture.Component) {
	if !b.canServe(c) {
		return
	}
	password := "password-" + c.Name
	b.add(secret(password, passwordLength), c.ID, c.Requirements)
	inputs := map[string]any{
		"name": c.Name, "group": c.ID, "network": inNetwork(), "engine": c.Database.Engine, "standby": c.Database.Standby,
		"limits": b.limits(c), "password": stacks.Ref{Resource: password, Property: "value"},
	}
	if c.Database.Version != "" {
		inputs["version"] = c.Database.Version
	}
	if c.Database.Synchronous {
		inputs["synchronous"] = true
	}
	if len(c.Database.Parameters) > 0 {
		parameters := map[string]any{}
		for name, value := range c.Database.Parameters {
			parameters[name] = value
		}
		inputs["parameters"] = parameters
	}
	b.add(stacks.Resource{
		Name:                databaseResource(c.Name),
		Type:                TypeDatabase,
		Inputs:              inputs,
		DependsOn:           []string{groupResource(c.ID)},
		DeleteBeforeReplace: true,
	}, c.ID, c.Requirements)
}

// canServe reports a database that this target has no server program for.
func (b *builder) canServe(c architecture.Component) bool {
	if c.Database.Engine != "postgres" {
		b.report(blueprints.Error, c.ID+".engine", fmt.Sprintf("the local target has no %s yet", c.Database.Engine),
			"use engine postgres, or another target")
		return false
	}
	installed := b.target.machine().Postgres
	wanted := c.Database.Version
	switch {
	case len(installed) == 0:
		b.report(blueprints.Error, c.ID+".engine", "no PostgreSQL is installed on this machine", "apt-get install postgresql")
		return false
	case wanted != "" && !slices.ContainsFunc(installed, func(v string) bool { return v == wanted || strings.HasPrefix(v, wanted+".") }):
		major, _, _ := strings.Cut(wanted, ".")
		newest, _, _ := strings.Cut(installed[0], ".")
		b.report(blueprints.Error, c.ID+".version",
			fmt.Sprintf("PostgreSQL %s is not installed on this machine, which has %s", wanted, strings.Join(installed, ", ")),
			fmt.Sprintf("apt-get install postgresql-%s, or ask for version %q", major, newest))
		return false
	}
	return true
}

// What the kernel can give to one host: a processor share of 1 ms in 100 ms (cpu.cfs_quota_us), and a file of 16 TiB to keep the
// disk in (ext4 with blocks of 4 KiB).
const (
	leastCPU = 0.01
	mostDisk = 16 << 40
)

// sshPort is taken on every host by its own sshd.
const sshPort = 22

// portFree reports a port that a host cannot give to its software.
func (b *builder) portFree(requirement string, port int) {
	if port == sshPort {
		b.report(blueprints.Error, requirement, "port 22 of every local host is its sshd's", "choose another port")
	}
}

// limits are what each host of a component may use. They are caps, not reservations, so that their sum may exceed the machine;
// one host that is larger than the machine can never use what was asked for, and is warned of.
func (b *builder) limits(c architecture.Component) map[string]any {
	m := b.target.machine()
	if m.CPUs > 0 && c.Size.CPU > float64(m.CPUs) {
		b.report(blueprints.Warning, c.ID+".size.cpu",
			fmt.Sprintf("%g CPUs are more than the %d of this machine, so a host cannot be given them", c.Size.CPU, m.CPUs),
			"ask for less, or use a larger machine or another target")
	}
	if m.Memory > 0 && int64(c.Size.Memory) > m.Memory {
		b.report(blueprints.Warning, c.ID+".size.memory",
			fmt.Sprintf("%d MiB are more than the %d MiB of this machine, so a host cannot be given them", int64(c.Size.Memory)>>20, m.Memory>>20),
			"ask for less, or use a larger machine or another target")
	}
	if c.Size.CPU > 0 && c.Size.CPU < leastCPU {
		b.report(blueprints.Error, c.ID+".size.cpu", fmt.Sprintf("%g CPUs are less than the kernel can share out", c.Size.CPU), fmt.Sprintf("ask for at least %g", leastCPU))
	}
	if int64(c.Size.Disk) >= mostDisk {
		b.report(blueprints.Error, c.ID+".size.disk", fmt.Sprintf("%s are more than a disk of the local target can have", c.Size.Disk), "ask for less than 16TiB")
	}
	return map[string]any{"cpu": c.Size.CPU, "memory": int(c.Size.Memory), "disk": int(c.Size.Disk)}
}

func databaseResource(name string) string { return "database-" + name }
