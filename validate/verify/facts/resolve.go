package facts

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"surety/stacks"
)

// resolver replaces the references in a Graph's inputs by what was built.
type resolver struct {
	graph      map[string]stacks.Resource
	deployment stacks.Deployment
	secrets    []string
}

// inputs gives a resource's inputs with every reference resolved. A reference that cannot be is an error in its place's key only.
func (r *resolver) inputs(resource stacks.Resource) (map[string]any, map[string]error) {
	out, problems := map[string]any{}, map[string]error{}
	for key, value := range resource.Inputs {
		resolved, err := r.value(value, 0)
		if err != nil {
			problems[key] = err
			continue
		}
		out[key] = resolved
	}
	return out, problems
}

// deepest bounds references to references, so that a faulty Graph cannot run for ever.
const deepest = 16

func (r *resolver) value(value any, depth int) (any, error) {
	if depth > deepest {
		return nil, fmt.Errorf("references are nested more than %d deep", deepest)
	}
	switch v := value.(type) {
	case stacks.Secret:
		resolved, err := r.value(v.Value, depth+1)
		if s, ok := resolved.(string); ok {
			r.secrets = append(r.secrets, s)
		}
		return resolved, err
	case stacks.Ref:
		return r.ref(v, depth)
	case stacks.Join:
		var b strings.Builder
		for _, part := range v {
			resolved, err := r.value(part, depth+1)
			if err != nil {
				return nil, err
			}
			fmt.Fprint(&b, resolved)
		}
		return b.String(), nil
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			resolved, err := r.value(element, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = resolved
		}
		return out, nil
	case map[string]any:
		out := map[string]any{}
		for key, element := range v {
			resolved, err := r.value(element, depth+1)
			if err != nil {
				return nil, err
			}
			out[key] = resolved
		}
		return out, nil
	}
	return value, nil
}

// ref looks among the outputs first, then among the inputs that the resource was given: "name" is often only there.
func (r *resolver) ref(ref stacks.Ref, depth int) (any, error) {
	if deployed, ok := r.deployment.Resources[ref.Resource]; ok {
		if value, ok := deployed.Outputs[ref.Property]; ok && value != nil {
			return value, nil
		}
	}
	if resource, ok := r.graph[ref.Resource]; ok {
		if value, ok := resource.Inputs[ref.Property]; ok {
			return r.value(value, depth+1)
		}
	}
	return nil, fmt.Errorf("%s of %s is not known", ref.Property, ref.Resource)
}

// collectSecrets gathers the values that must not be printed, from a deployment whose outputs are in the clear.
func (r *resolver) collectSecrets() {
	for _, deployed := range r.deployment.Resources {
		for name, value := range deployed.Outputs {
			text, ok := value.(string)
			if !ok || text == "" {
				continue
			}
			switch {
			case name == "password", name == "secretKey", name == "privateKey", name == "token", name == "value" && Kind(deployed.Type) == "Secret":
				r.secrets = append(r.secrets, text)
			case name == "url":
				if parsed, err := url.Parse(text); err == nil && parsed.User != nil {
					if password, ok := parsed.User.Password(); ok {
						r.secrets = append(r.secrets, password)
					}
				}
			}
		}
	}
}

// secretsSorted gives each value and its URL-escaped form, longest first, so that a secret inside another is not left in part.
func (r *resolver) secretsSorted() []string {
	const shortest = 6 // a shorter one would take pieces out of ordinary words, and is no secret
	var all []string
	for _, s := range r.secrets {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
			if len(form) >= shortest && !slices.Contains(all, form) {
				all = append(all, form)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}
