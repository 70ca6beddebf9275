package engine

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks"
)

func TestResolve(t *testing.T) {
	of := func(name string) (stood, bool) {
		return stood{urn: "urn:x", id: resource.NewProperty("id-1"), outputs: resource.PropertyMap{
			"port": resource.NewProperty(5432.0), "up": resource.NewProperty(true), "list": resource.NewProperty([]resource.PropertyValue{resource.NewProperty("first")}),
			"pass": resource.MakeSecret(resource.NewProperty("word")), "soon": unknown(),
			"deep": resource.MakeSecret(resource.NewProperty(resource.PropertyMap{"key": resource.NewProperty("inner")})),
		}}, name == "a"
	}
	ref := func(p string) stacks.Ref { return stacks.Ref{Resource: "a", Property: p} }
	for name, c := range map[string]struct {
		in      any
		preview bool
		want    resource.PropertyValue
		err     string
	}{
		"number":            {in: 3, want: resource.NewProperty(3.0)},
		"null":              {in: nil, want: resource.NewNullProperty()},
		"output":            {in: ref("port"), want: resource.NewProperty(5432.0)},
		"path":              {in: ref("list[0]"), want: resource.NewProperty("first")},
		"id":                {in: ref("id"), want: resource.NewProperty("id-1")},
		"urn":               {in: ref("urn"), want: resource.NewProperty("urn:x")},
		"secret":            {in: stacks.Secret{Value: stacks.Secret{Value: "s"}}, want: resource.MakeSecret(resource.NewProperty("s"))},
		"secret output":     {in: ref("pass"), want: resource.MakeSecret(resource.NewProperty("word"))},
		"inside a secret":   {in: ref("deep.key"), want: resource.MakeSecret(resource.NewProperty("inner"))},
		"unknown":           {in: ref("soon"), preview: true, want: unknown()},
		"inside unknown":    {in: ref("soon.x"), preview: true, want: unknown()},
		"not yet":           {in: ref("nothing"), preview: true, want: unknown()},
		"never":             {in: ref("nothing"), err: `output "nothing" of "a"`},
		"past the end":      {in: ref("list[1]"), err: `output "list[1]"`},
		"malformed":         {in: ref("list["), err: "malformed path"},
		"not standing":      {in: stacks.Ref{Resource: "b", Property: "x"}, err: `"b"`},
		"join":              {in: stacks.Join{"p:", ref("port"), "/", ref("up")}, want: resource.NewProperty("p:5432/true")},
		"join of nothing":   {in: stacks.Join{}, want: resource.NewProperty("")},
		"join with secret":  {in: stacks.Join{"u:", ref("pass")}, want: resource.MakeSecret(resource.NewProperty("u:word"))},
		"join with unknown": {in: stacks.Join{ref("pass"), ref("soon")}, preview: true, want: resource.MakeSecret(unknown())},
		"join of a list":    {in: stacks.Join{ref("list")}, err: "cannot be joined"},
		"foreign":           {in: struct{}{}, err: "struct {}"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolve(c.in, of, c.preview)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || !got.DeepEquals(c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
}
