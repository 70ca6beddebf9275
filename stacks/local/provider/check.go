package provider

import (
	"context"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Check implements plugin.Provider: it fills in presets and says what can never be built, with the path of the property.
func (p *Provider) Check(_ context.Context, r plugin.CheckRequest) (plugin.CheckResponse, error) {
	k, known := kindOf(typeOf(r.Type, r.URN))
	if !known {
		return plugin.CheckResponse{Failures: fail("", "there is no resource type %s", typeOf(r.Type, r.URN))}, nil
	}
	inputs, failures := k.checked(r.News)
	return plugin.CheckResponse{Properties: inputs, Failures: failures}, nil
}

// checked gives the inputs with presets filled in, and what is wrong with them.
func (k *kind) checked(news resource.PropertyMap) (resource.PropertyMap, []plugin.CheckFailure) {
	inputs := news.Copy()
	if inputs == nil {
		inputs = resource.PropertyMap{}
	}
	var failures []plugin.CheckFailure
	for _, p := range k.properties {
		v, given := inputs[p.name]
		if !given || v.IsNull() {
			delete(inputs, p.name)
			if p.preset.V != nil {
				inputs[p.name] = p.preset
			} else if p.required {
				failures = append(failures, fail(string(p.name), "is required")...)
			}
			continue
		}
		failures = append(failures, judged(p.form, bare(v), string(p.name))...)
	}
	for _, key := range inputs.StableKeys() {
		if _, known := k.property(key); !known {
			failures = append(failures, fail(string(key), "is not a property of this type (it has %s)", k.names())...)
		}
	}
	return inputs, failures
}

func (k *kind) names() string {
	var names []string
	for _, p := range k.properties {
		names = append(names, string(p.name))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
