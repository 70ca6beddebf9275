package local

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// servers adds the hosts of a group. Each waits for the one before it.
func (b *builder) servers(c architecture.Component) {
	if offered := b.target.machine().OS; c.Server.OS != "" && c.Server.OS != offered {
		b.report(blueprints.Warning, c.ID+".os",
			fmt.Sprintf("the local target offers this machine's own system, %s, and not %s", cmp.Or(offered, "unknown"), c.Server.OS),
			"the software is run on it all the same; the requirement is not met here")
	}
	if pkg, m := c.Server.Runs.Package, b.target.machine(); pkg != "" && m.Lacks != nil && m.Lacks(pkg) {
		b.report(blueprints.Error, c.ID+".runs.package", fmt.Sprintf("%s is not installed on this machine, whose software the local hosts run", pkg),
			"apt-get install "+pkg)
	}
	b.portFree(c.ID+".runs.port", c.Server.Runs.Port)
	after := []string{groupResource(c.ID)}
	for _, used := range c.Server.Uses {
		after = append(after, b.resourcesOf(c, used)...)
	}
	before := ""
	for i := range c.Instances {
		at := site{c, i}
		inputs, name := b.software(at), at.hostName()
		inputs["name"], inputs["group"], inputs["network"], inputs["limits"] = name, c.ID, inNetwork(), b.limits(c)
		r := stacks.Resource{
			Name: "server-" + name, Type: TypeServer, Inputs: inputs,
			DependsOn: slices.Clone(after), DeleteBeforeReplace: true,
		}
		if before != "" {
			r.DependsOn = append(r.DependsOn, before)
		}
		before = r.Name
		b.add(r, c.ID, c.Requirements)
	}
}

// software says what runs on each host of a group.
func (b *builder) software(at site) map[string]any {
	c, runs := at.server, at.server.Server.Runs
	inputs := map[string]any{}
	if offered := b.target.machine().OS; offered != "" {
		inputs["os"] = offered // which may not be what was asked for: that is reported
	}
	if len(runs.Command) > 0 {
		command := make([]any, len(runs.Command))
		for i, word := range runs.Command {
			command[i] = b.resolve(at, c.ID+".runs.command", word)
		}
		inputs["command"] = command
	}
	if runs.Package != "" {
		inputs["package"] = runs.Package
	}
	if runs.Program != "" {
		inputs["program"] = b.program(c)
	}
	if runs.Port != 0 {
		inputs["port"] = runs.Port
	}
	if runs.Health != "" {
		inputs["health"] = runs.Health
	}
	for name, values := range map[string]map[string]string{"env": c.Server.Env, "files": c.Server.Files} {
		if len(values) == 0 {
			continue
		}
		resolved := map[string]any{}
		for _, key := range slices.Sorted(maps.Keys(values)) {
			resolved[key] = b.resolve(at, c.ID+"."+name+"."+key, values[key])
		}
		inputs[name] = resolved
	}
	return inputs
}

// program names the file to place on each host and what it holds, so that another build of it is a change.
func (b *builder) program(c architecture.Component) map[string]any {
	source := c.Server.Runs.Program
	if !filepath.IsAbs(source) {
		source = filepath.Join(b.target.specDir, source)
	}
	sum, known := b.digests[source]
	if !known {
		var err error
		if sum, err = b.target.digest(source); err != nil {
			b.report(blueprints.Error, c.ID+".runs.program", fmt.Sprintf("cannot read the program: %v", err),
				"build it, or correct the path, which is relative to the spec")
		}
		b.digests[source] = sum // large files are read once, not for each host
	}
	return map[string]any{"source": source, "name": filepath.Base(source), "sha256": sum}
}

// resourcesOf names the resources that must stand before a server that uses a component can start.
func (b *builder) resourcesOf(server architecture.Component, used string) []string {
	c, ok := b.components[used]
	if !ok {
		return nil
	}
	switch {
	case c.Bucket != nil:
		if grant, ok := b.grant(server.ID, used); ok {
			return []string{grant}
		}
		return []string{bucketResource(c.Name)}
	case c.Database != nil && b.has(databaseResource(c.Name)):
		return []string{databaseResource(c.Name)}
	case c.Balancer != nil && b.has(balancerResource(c.Name)):
		return []string{balancerResource(c.Name)}
	}
	return nil
}

// hostNames reports components whose hosts would have the same name: servers.main and databases.main both want a main-0.
func (b *builder) hostNames() {
	owner := map[string]string{storeName: storeGroup, "outside": architecture.Internet}
	for _, c := range b.arch.Components {
		for _, name := range hostsOf(c) {
			if first, taken := owner[name]; taken {
				b.report(blueprints.Error, c.ID, fmt.Sprintf("its host %s would have the name of a host of %s", name, first), "rename it")
				break
			}
			owner[name] = c.ID
		}
	}
}

// hostsOf lists the names of a component's hosts. Buckets share the object store's.
func hostsOf(c architecture.Component) []string {
	switch c.Kind {
	case architecture.KindServer, architecture.KindDatabase:
		names := make([]string, c.Instances)
		for i := range names {
			names[i] = fmt.Sprintf("%s-%d", c.Name, i)
		}
		return names
	case architecture.KindBalancer:
		return []string{balancerResource(c.Name)}
	}
	return nil
}
