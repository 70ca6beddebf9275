package provider_test

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"surety/stacks"
	"surety/stacks/engine"
	"surety/stacks/local/cloud"
	"surety/stacks/local/host"
	"surety/stacks/local/network"
)

// TestTheWholeLife takes one environment through everything that happens to one. It is one test, because making it is what costs.
func TestTheWholeLife(t *testing.T) {
	r := newReal(t)
	first := r.graph("one", "", "256MB")
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"a plan makes nothing", func() {
			if got := r.changes(first); len(got) != len(first.Resources) {
				r.t.Errorf("it would make %d of %d: %v", len(got), len(first.Resources), got)
			}
			if _, err := os.Stat(r.dir); !os.IsNotExist(err) {
				r.t.Errorf("the environment's folder is there: %v", err)
			}
		}},
		{"up builds and settles", func() {
			r.up(first)
			r.settles(first, "after up")
			if got := r.greeted(); got != "one" {
				r.t.Errorf("greeted with %q", got)
			}
		}},
		{"hosts can be entered", r.hosts},
		{"drift is seen and mended", func() { r.drift(first) }},
		{"a dead daemon is started by a plan", func() {
			r.killDaemon()
			r.settles(first, "after the daemon's death")
		}},
		{"a broken release stops at the first server", func() { r.broken(first) }},
		{"a release updates in place", func() {
			second := r.graph("two", "", "512MB")
			want := []string{
				"update server-web-0: env.GREETING, limits.disk", "update server-web-1: env.GREETING, limits.disk",
			}
			if got := r.changes(second); !slices.Equal(got, want) {
				r.t.Errorf("a plan would do %q, want %q", got, want)
			}
			r.up(second)
			r.settles(second, "after the release")
			if got := r.greeted(); got != "two" {
				r.t.Errorf("greeted with %q", got)
			}
		}},
		{"a smaller disk replaces", func() {
			r.up(first)
			r.settles(first, "after the replacement")
		}},
		{"another network replaces all that stands in it", func() {
			moved := r.graph("one", "", "256MB")
			moved.Resources[0].Inputs["cidr"] = "10.78.0.0/16"
			r.up(moved)
			r.settles(moved, "in the other network")
			if got, _ := r.deployment().Resources["server-web-0"].Outputs["address"].(string); !strings.HasPrefix(got, "10.78.") {
				r.t.Errorf("a server has the address %q", got)
			}
			if got := r.greeted(); got != "one" {
				r.t.Errorf("greeted with %q", got)
			}
		}},
		{"destroy leaves nothing", func() {
			if _, err := r.engine.Destroy(r.t.Context(), nil); err != nil {
				r.t.Fatal(err)
			}
			if _, err := os.Stat(r.dir); !os.IsNotExist(err) {
				r.t.Errorf("the environment's folder is left: %v", err)
			}
			if left, err := host.Leftovers(r.dir); err != nil || len(left) > 0 {
				r.t.Errorf("left behind: %v, %v", left, err)
			}
		}},
	} {
		if !t.Run(step.name, func(t *testing.T) { r.t = t; step.run() }) {
			break // what comes after needs it
		}
	}
	r.t = t
}

func (r *real) hosts() {
	hosts, err := r.target.Hosts(r.deployment())
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, h := range hosts {
		var out strings.Builder
		if err := h.Run(r.t.Context(), stacks.Command{Args: []string{"hostname"}, Stdout: &out}); err != nil {
			r.t.Errorf("enter %s: %v", h.Name(), err)
		}
		names = append(names, strings.Join([]string{strings.TrimSpace(out.String()), h.Component()}, " "))
	}
	want := []string{
		"balancer-web balancers.web", "main-0 databases.main", "main-1 databases.main", "object-store buckets", "outside internet",
		"web-0 servers.web", "web-1 servers.web",
	}
	if !slices.Equal(names, want) {
		r.t.Errorf("hosts %q, want %q", names, want)
	}
}

// drift changes by hand everything that a hand can change, at once, sees each change in one plan, and mends all in one up.
func (r *real) drift(g stacks.Graph) {
	router, err := network.Open(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	rules, err := router.Rules(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	rules = slices.DeleteFunc(rules, func(rule network.Rule) bool { return strings.HasPrefix(rule.Comment, "servers.web from") })
	outside := slices.IndexFunc(rules, func(rule network.Rule) bool { return strings.HasPrefix(rule.Comment, "balancers.web from") })
	added := rules[outside]
	added.From, added.Port, added.Comment = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, 9999, "by hand"
	if err := router.Apply(r.t.Context(), append(rules, added)); err != nil {
		r.t.Fatal(err)
	}
	r.inside("web-0", "sh", "-c", "echo changed > /etc/greeting && cp /bin/true /opt/bin/other && mv /opt/bin/other /opt/bin/serve-test")
	if err := r.host("web-1").Kill(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	if err := r.host("main-1").Kill(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	lb := r.host("balancer-web")
	limits, enforced, err := lb.Limits()
	if err != nil {
		r.t.Fatal(err)
	}
	want := []string{
		"create grant-web-media",
		"update database-main: standby",
		"update security-group-balancers-web: ingress[1]",
		"update security-group-servers-web: ingress[0]",
		"update server-web-0: files[\"/etc/greeting\"], program.sha256",
		"update server-web-1: running",
	}
	if enforced["memory"] {
		limits.Memory *= 2
		if err := lb.SetLimits(r.t.Context(), limits); err != nil {
			r.t.Fatal(err)
		}
		want = append(want, "update balancer-web: limits.memory")
	}
	if err := cloud.Dial(r.dir).Delete(r.t.Context(), cloud.KindGrant, "web-media"); err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(want)
	if got := r.changes(g); !slices.Equal(got, want) {
		r.t.Errorf("a plan sees\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(want, "\n "))
	}
	r.up(g)
	r.settles(g, "after mending")
	if got := r.greeted(); got != "one" {
		r.t.Errorf("greeted with %q", got)
	}
}

// broken brings out a release that is never healthy, and then the one before.
func (r *real) broken(g stacks.Graph) {
	bad := r.graph("bad", "yes", "256MB")
	outcome, err := r.engine.Up(r.t.Context(), bad, engine.Options{Refresh: true}, nil)
	if err == nil {
		r.t.Fatal("it was taken for healthy")
	}
	var failed []string
	for _, s := range outcome.Failed {
		failed = append(failed, s.Name)
	}
	if !slices.Equal(failed, []string{"server-web-0"}) {
		r.t.Errorf("failed: %v, want the first server alone: %v", failed, err)
	}
	for range 5 {
		if got := r.greeted(); got != "one" {
			r.t.Errorf("meanwhile greeted with %q", got)
		}
	}
	if got := r.changes(bad); !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "update server-web-0") }) {
		r.t.Errorf("the next plan of the broken release would do %v, as if the first server were done", got)
	}
	r.up(g)
	r.settles(g, "after going back")
}
