package stacktest

import (
	"fmt"
	"strings"
	"testing"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/stacks"
)

// checkCapabilities wants a target to say what it offers, and a reason for everything that it cannot prove.
func checkCapabilities(t *testing.T, target stacks.Target) {
	c := target.Capabilities(t.Context())
	if len(c.OS) == 0 || len(c.Databases) == 0 || c.Enforced == nil {
		t.Errorf("it does not say what it offers: %+v", c)
	}
	for _, limit := range []string{"cpu", "memory", "disk", "pids"} {
		if _, said := c.Enforced[limit]; !said {
			t.Errorf("it does not say whether the limit of %s holds", limit)
		}
	}
	for pattern, reason := range c.Unproven {
		if pattern == "" || strings.TrimSpace(reason) == "" {
			t.Errorf("unproven %q has the reason %q; both must say something", pattern, reason)
		}
	}
}

// checkHosts wants a way to each instance of each server group.
func checkHosts(t *testing.T, target stacks.Target, arch architecture.Architecture, d stacks.Deployment) {
	hosts, err := target.Hosts(d)
	if err != nil {
		t.Fatal(err)
	}
	count, names := map[string]int{}, map[string]bool{}
	for _, h := range hosts {
		if h.Name() == "" || h.Component() == "" || h.Address() == "" {
			t.Errorf("host %q of %q at %q", h.Name(), h.Component(), h.Address())
		}
		if names[h.Name()] {
			t.Errorf("two hosts are called %s", h.Name())
		}
		names[h.Name()] = true
		count[h.Component()]++
	}
	for _, c := range arch.Components {
		if c.Kind == architecture.KindServer && count[c.ID] != c.Instances {
			t.Errorf("%s has %d hosts, want %d", c.ID, count[c.ID], c.Instances)
		}
		for i := range c.Instances {
			if name := fmt.Sprintf("%s-%d", c.Name, i); c.Kind == architecture.KindServer && !names[name] {
				t.Errorf("there is no host %s", name)
			}
		}
	}
	if count[architecture.Internet] == 0 {
		t.Error("no host stands outside, so that what comes from there cannot be tried")
	}
}

// checkRefusals wants a diagnostic with the requirement for what a target cannot give, and never silence.
func checkRefusals(t *testing.T, target stacks.Target) {
	base := `
surety: v1
name: refused
servers:
  web: {os: debian-12, runs: {package: nginx, command: [nginx], port: 80}, uses: [databases.main]}
databases:
  main: {engine: postgres, version: "15"}
`
	cases := []struct {
		name, requirement string
		severity          blueprints.Severity
		change            func(*architecture.Component)
	}{
		{"an engine nobody has", "databases.main.engine", blueprints.Error, func(c *architecture.Component) {
			if c.Database != nil {
				c.Database.Engine = "no-such-engine"
			}
		}},
		{"a version nobody has", "databases.main.version", blueprints.Error, func(c *architecture.Component) {
			if c.Database != nil {
				c.Database.Version = "999"
			}
		}},
		{"a system nobody has", "servers.web.os", blueprints.Warning, func(c *architecture.Component) {
			if c.Server != nil {
				c.Server.OS = "no-such-system-1"
			}
		}},
		{"a secret nobody declared", "servers.web.env.X", blueprints.Error, func(c *architecture.Component) {
			if c.Server != nil {
				c.Server.Env = map[string]string{"X": "${secrets.none}"}
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			arch, _ := Design(t, base)
			for i := range arch.Components {
				c.change(&arch.Components[i])
			}
			_, diagnostics := target.Graph(arch)
			for _, d := range diagnostics {
				if d.Requirement == c.requirement && (d.Severity == c.severity || d.Severity == blueprints.Error) && d.Summary != "" && d.Mend != "" {
					return
				}
			}
			t.Errorf("no diagnostic of %s with a way to mend it: %v", c.requirement, diagnostics)
		})
	}
}

// checkAttributes wants everything that the spec language lets an author refer to to be resolved, or refused with a reason.
func checkAttributes(t *testing.T, target stacks.Target) {
	names := map[string]string{"secrets": "key", "servers": "api", "databases": "main", "buckets": "media"}
	for _, a := range blueprints.Attributes {
		reference := strings.Replace(a.Pattern(), "NAME", names[a.Section], 1)
		t.Run(reference, func(t *testing.T) {
			arch, _ := Design(t, fmt.Sprintf(`
surety: v1
name: attributes
secrets: {key: {}}
servers:
  web: {runs: {package: nginx, command: [nginx], port: 80}, env: {X: "<%s>"}, uses: [databases.main, buckets.media, servers.api]}
  api: {runs: {package: nginx, command: [nginx], port: 81}}
databases:
  main: {engine: postgres}
buckets:
  media: {}
`, reference))
			graph, diagnostics := target.Graph(arch)
			refused := false
			for _, d := range diagnostics {
				refused = refused || d.Requirement == "servers.web.env.X" && d.Severity == blueprints.Error && d.Mend != ""
			}
			left := 0
			for _, r := range graph.Resources {
				walk(r.Inputs, r.Name, func(_, key string, v any) {
					if key == "X" {
						left++
						if text, literal := v.(string); literal && text == "<>" {
							left = -1 << 20
						}
					}
				})
			}
			if !refused && left <= 0 {
				t.Errorf("%s is neither resolved nor refused: %v", reference, diagnostics)
			}
		})
	}
}
