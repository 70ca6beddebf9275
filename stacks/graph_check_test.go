package stacks

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

func sound(name string, inputs map[string]any, after ...string) Resource {
	return Resource{Name: name, Type: "surety:local:Server", Inputs: inputs, DependsOn: after, Requirements: []string{"servers." + name}}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	typed := func(typ string) Resource { return Resource{Name: "a", Type: typ} }
	for name, c := range map[string]struct {
		resources []Resource
		want      string // in the only finding; empty: none
	}{
		"sound":             {[]Resource{sound("b", map[string]any{"x": Ref{"a", "id"}}), sound("a", nil)}, ""},
		"empty":             {nil, ""},
		"twice":             {[]Resource{sound("a", nil), sound("a", nil)}, "used twice"},
		"bad name":          {[]Resource{sound("a b", nil)}, "a name is"},
		"no name":           {[]Resource{sound("", nil)}, "a name is"},
		"dangling ref":      {[]Resource{sound("a", map[string]any{"l": []any{map[string]any{"deep": Join{"x", Secret{Ref{"gone", "p"}}}}}})}, `input l[0].deep[1] refers to "gone"`},
		"ref to nothing":    {[]Resource{sound("b", map[string]any{"x": Ref{"a", ""}}), sound("a", nil)}, "without naming a property"},
		"dangling after":    {[]Resource{sound("a", nil, "gone")}, `depends on "gone"`},
		"itself":            {[]Resource{sound("a", map[string]any{"x": Ref{"a", "id"}})}, "a → a"},
		"cycle":             {[]Resource{sound("d", nil, "a"), sound("a", nil, "b"), sound("b", map[string]any{"x": Ref{"c", "id"}}), sound("c", nil, "a")}, " → "},
		"two parts":         {[]Resource{typed("surety:Server")}, "package:module:Type"},
		"four parts":        {[]Resource{typed("surety:a:b:Server")}, "package:module:Type"},
		"aws":               {[]Resource{typed("aws:ec2/instance:Instance")}, ""},
		"odd value":         {[]Resource{sound("a", map[string]any{"x": int64(1)})}, "int64"},
		"odd part":          {[]Resource{sound("a", map[string]any{"x": Join{1}})}, "a part of a Join"},
		"reserved map":      {[]Resource{sound("a", map[string]any{"x": map[string]any{"$secret": 1}})}, "read back as something else"},
		"typed string list": {[]Resource{sound("a", map[string]any{"x": []string{"a"}})}, "[]string"},
	} {
		t.Run(name, func(t *testing.T) {
			found := Graph{Resources: c.resources}.Check()
			if c.want == "" {
				if len(found) > 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			if len(found) != 1 || !strings.Contains(found[0].Summary, c.want) || !found.HasErrors() {
				t.Errorf("found %v, want one with %q", found, c.want)
			}
			if len(c.resources[0].Requirements) > 0 && !strings.HasPrefix(found[0].Requirement, "servers.") {
				t.Errorf("no requirement: %+v", found[0])
			}
		})
	}
}

func TestCycleIsNamedWithoutWhatLeadsToIt(t *testing.T) {
	g := Graph{Resources: []Resource{sound("d", nil, "a"), sound("a", nil, "b"), sound("b", nil, "c"), sound("c", nil, "a")}}
	_, err := g.Order()
	if err == nil || strings.Contains(err.Error(), "d →") || !strings.Contains(err.Error(), "a → b → c → a") {
		t.Errorf("error: %v", err)
	}
}

func TestOrderPutsDependenciesFirst(t *testing.T) {
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		n := 1 + r.Intn(30)
		rank := r.Perm(n) // a resource may need those of lower rank
		g := Graph{}
		for i := range n {
			res := sound(fmt.Sprint("r", i), map[string]any{})
			for j := range n {
				if rank[j] < rank[i] && r.Intn(4) == 0 {
					if r.Intn(2) == 0 {
						res.DependsOn = append(res.DependsOn, fmt.Sprint("r", j))
					} else {
						res.Inputs[fmt.Sprint("in", j)] = []any{Ref{fmt.Sprint("r", j), "id"}}
					}
				}
			}
			g.Resources = append(g.Resources, res)
		}
		order, err := g.Order()
		if err != nil || len(order) != n {
			t.Fatalf("seed %d: %v, %v", seed, order, err)
		}
		for _, res := range g.Resources {
			for _, on := range res.Dependencies() {
				if slices.Index(order, on) > slices.Index(order, res.Name) {
					t.Fatalf("seed %d: %s comes before %s, which it needs", seed, res.Name, on)
				}
			}
		}
	}
}
