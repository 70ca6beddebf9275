package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"surety/stacks"
	"surety/stacks/local/host"
)

// built is a deployment as the provider's outputs make it.
func built() stacks.Deployment {
	return stacks.Deployment{Project: "reader", Stack: Name, Resources: map[string]stacks.Deployed{
		"network":                    {Type: TypeNetwork, Outputs: map[string]any{"name": "reader", "outside": "203.0.113.10"}},
		"security-group-servers-web": {Type: TypeSecurityGroup, Outputs: map[string]any{"name": "servers.web"}},
		"object-store":               {Type: TypeObjectStore, Outputs: map[string]any{"name": "object-store", "group": "buckets", "address": "10.77.0.30"}},
		"balancer-web":               {Type: TypeBalancer, Outputs: map[string]any{"name": "balancer-web", "group": "balancers.web", "address": "10.77.0.40"}},
		"server-web-0":               {Type: TypeServer, Outputs: map[string]any{"name": "web-0", "group": "servers.web", "address": "10.77.0.11"}},
		"database-main": {Type: TypeDatabase, Outputs: map[string]any{"name": "main", "group": "databases.main", "hosts": []any{
			map[string]any{"name": "main-0", "address": "10.77.0.20"}, map[string]any{"name": "main-1", "address": "10.77.0.21"},
		}}},
	}}
}

func TestHostsOfADeployment(t *testing.T) {
	hosts, err := testTarget().Hosts(built())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hosts {
		got = append(got, strings.Join([]string{h.Name(), h.Component(), h.Address()}, " "))
	}
	want := []string{
		"balancer-web balancers.web 10.77.0.40", "main-0 databases.main 10.77.0.20", "main-1 databases.main 10.77.0.21",
		"object-store buckets 10.77.0.30", "outside internet 203.0.113.10", "web-0 servers.web 10.77.0.11",
	}
	if !slices.Equal(got, want) {
		t.Errorf("hosts\n got %q\nwant %q", got, want)
	}
}

func TestADeploymentWithoutNamesIsAFault(t *testing.T) {
	d := stacks.Deployment{Resources: map[string]stacks.Deployed{"server-web-0": {Type: TypeServer, Outputs: map[string]any{}}}}
	if hosts, err := testTarget().Hosts(d); err == nil {
		t.Errorf("got %v, want a fault", hosts)
	}
}

func TestRunPassesTheCommandAndTheExitCode(t *testing.T) {
	var seen host.Exec
	code, fault := 0, error(nil)
	m := &machine{name: "web-0", exec: func(_ context.Context, name string, e host.Exec) (int, error) {
		seen = e
		return code, fault
	}}
	run := func(env ...string) error {
		return m.Run(context.Background(), stacks.Command{Args: []string{"id", "-u"}, Env: env})
	}
	if err := run("A=1", "B=x=y"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen.Args, []string{"id", "-u"}) || !maps.Equal(seen.Env, map[string]string{"A": "1", "B": "x=y"}) {
		t.Errorf("ran %v with %v", seen.Args, seen.Env)
	}
	code = 3
	var exit *stacks.ExitError
	if err := run(); !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("a program that ends with 3 gives %v", err)
	}
	fault = fmt.Errorf("no way in")
	if err := run(); errors.As(err, &exit) || !errors.Is(err, fault) {
		t.Errorf("a fault of the way in gives %v", err)
	}
	if err := run("A"); err == nil {
		t.Error("an environment without a value is taken")
	}
}
