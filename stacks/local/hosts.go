package local

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"surety/blueprints/architecture"
	"surety/stacks"
	"surety/stacks/local/cloud"
	"surety/stacks/local/host"
)

// Hosts implements stacks.Target. It also lists the host that stands for the world beyond the environment, "outside", as part of
// the component that flows from there come from. Running a program needs no daemon: it enters the host's own namespaces.
func (t *Target) Hosts(d stacks.Deployment) ([]stacks.Host, error) {
	way := cloud.Dial(t.dir)
	var hosts []stacks.Host
	add := func(name, component, address string) {
		hosts = append(hosts, &machine{name: name, component: component, address: address, exec: way.Exec})
	}
	for _, name := range slices.Sorted(maps.Keys(d.Resources)) {
		r := d.Resources[name]
		out := func(key string) string { return text(r.Outputs[key]) }
		switch r.Type {
		case TypeNetwork:
			add("outside", architecture.Internet, out("outside"))
		case TypeServer, TypeBalancer, TypeObjectStore:
			add(out("name"), out("group"), out("address"))
		case TypeDatabase:
			list, _ := r.Outputs["hosts"].([]any)
			for _, entry := range list {
				h, _ := entry.(map[string]any)
				add(text(h["name"]), out("group"), text(h["address"]))
			}
		}
	}
	for _, h := range hosts {
		if h.Name() == "" || h.Component() == "" {
			return nil, fmt.Errorf("list hosts: a resource of the deployment says neither name nor group of its host: %+v", h)
		}
	}
	slices.SortStableFunc(hosts, func(a, b stacks.Host) int { return cmp.Compare(a.Name(), b.Name()) })
	return hosts, nil
}

// machine is one host of an environment.
type machine struct {
	name, component, address string
	exec                     func(ctx context.Context, host string, e host.Exec) (int, error)
}

func (m *machine) Name() string      { return m.name }
func (m *machine) Component() string { return m.component }
func (m *machine) Address() string   { return m.address }

// Run implements stacks.Host.
func (m *machine) Run(ctx context.Context, c stacks.Command) error {
	env := map[string]string{}
	for _, pair := range c.Env {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("run on %s: environment %q is not of the form KEY=VALUE", m.name, pair)
		}
		env[key] = value
	}
	code, err := m.exec(ctx, m.name, host.Exec{Args: c.Args, Env: env, Dir: "/", Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr})
	if err != nil {
		return err // it names the host already
	}
	if code != 0 {
		return &stacks.ExitError{Code: code}
	}
	return nil
}
