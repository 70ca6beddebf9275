package provider

import (
	"context"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/stacks/local"
)

func TestCheckNamesThePropertyThatIsWrong(t *testing.T) {
	limit := func(name string, value any) map[string]any {
		l := someLimits()
		l[name] = value
		return map[string]any{"limits": l}
	}
	rule := func(r map[string]any) map[string]any { return map[string]any{"ingress": []any{r}} }
	cases := []struct {
		token  string
		inputs map[string]any // put over the example's; nil takes a property away
		path   string
		says   string
	}{
		{local.TypeNetwork, map[string]any{"cidr": "10.77.0.0"}, "cidr", "IPv4 range"},
		{local.TypeNetwork, map[string]any{"name": nil}, "name", "is required"},
		{local.TypeNetwork, map[string]any{"mtu": 1500}, "mtu", "not a property"},
		{local.TypeSecurityGroup, rule(map[string]any{"port": 80}), "ingress[0]", "one of fromGroup and cidr"},
		{local.TypeSecurityGroup, rule(map[string]any{"port": 80, "cidr": "0.0.0.0/0", "fromGroup": "a"}), "ingress[0]", "one of fromGroup and cidr"},
		{local.TypeSecurityGroup, rule(map[string]any{"port": 70000, "cidr": "0.0.0.0/0"}), "ingress[0].port", "from 1 to 65535"},
		{local.TypeSecurityGroup, rule(map[string]any{"cidr": "0.0.0.0/0"}), "ingress[0].port", "is required"},
		{local.TypeSecurityGroup, map[string]any{"ingress": "all"}, "ingress", "must be a list"},
		{local.TypeServer, limit("cpu", 0), "limits.cpu", "above 0"},
		{local.TypeServer, limit("memory", 1000), "limits.memory", "from 16777216"},
		{local.TypeServer, limit("gpu", 1), "limits.gpu", "not a property"},
		{local.TypeServer, map[string]any{"command": []any{}}, "command", "is empty"},
		{local.TypeServer, map[string]any{"command": []any{1}}, "command[0]", "must be a string"},
		{local.TypeServer, map[string]any{"health": "healthz"}, "health", "begins with /"},
		{local.TypeServer, map[string]any{"env": map[string]any{"A": 1}}, `env["A"]`, "must be a string"},
		{local.TypeServer, map[string]any{"program": map[string]any{"source": "/a"}}, "program.sha256", "is required"},
		{local.TypeServer, map[string]any{"deadline": -1}, "deadline", "not below 0"},
		{local.TypeBucket, map[string]any{"versioning": "yes"}, "versioning", "true or false"},
		{local.TypeBalancer, map[string]any{"backends": []any{map[string]any{"port": 1}}}, "backends[0].address", "is required"},
		{local.TypeDatabase, map[string]any{"password": nil}, "password", "is required"},
		{local.TypeSecret, map[string]any{"length": 8}, "length", "from 16 to 128"},
		{local.TypeSecret, map[string]any{"length": 24.5}, "length", "whole number"},
		{"surety:local:Nothing", nil, "", "no resource type"},
	}
	_, p := serve(t)
	for _, c := range cases {
		t.Run(c.token+" "+c.path+" "+c.says, func(t *testing.T) {
			news := resource.PropertyMap{}
			if c.inputs != nil {
				news = exampleOf(t, c.token).properties()
			}
			for key, value := range resource.NewPropertyMapFromMap(c.inputs) {
				if value.IsNull() {
					delete(news, key)
				} else {
					news[key] = value
				}
			}
			r, err := p.Check(context.Background(), plugin.CheckRequest{Type: tokens.Type(c.token), News: news})
			if err != nil || len(r.Failures) != 1 {
				t.Fatalf("failures %v, error %v; want one failure", r.Failures, err)
			}
			if f := r.Failures[0]; string(f.Property) != c.path || !strings.Contains(f.Reason, c.says) {
				t.Errorf("%s: %s; want %s: %s", f.Property, f.Reason, c.path, c.says)
			}
		})
	}
}

func TestCheckFillsInPresetsAndKeepsWhatIsUnknownOrSecret(t *testing.T) {
	_, p := serve(t)
	news := exampleOf(t, local.TypeServer).properties()
	news["network"] = unknown()
	news["limits"] = resource.NewObjectProperty(resource.PropertyMap{"cpu": unknown(), "memory": unknown(), "disk": unknown()})
	r, err := p.Check(context.Background(), plugin.CheckRequest{Type: local.TypeServer, News: news})
	if err != nil || len(r.Failures) > 0 {
		t.Fatalf("failures %v, error %v", r.Failures, err)
	}
	if v := r.Properties["running"]; !v.IsBool() || !v.BoolValue() {
		t.Errorf("running is preset to %v, want true", v)
	}
	if !r.Properties["network"].IsComputed() || !r.Properties["env"].ContainsSecrets() {
		t.Errorf("check lost what was unknown or secret: %v", r.Properties)
	}
	if _, given := news["running"]; given {
		t.Error("check changed its argument")
	}
}
