package provider

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local/cloud"
)

// outputsOf gives a resource's outputs after a request: its inputs, with the wrappers that they came in, and what was read back.
func (k *kind) outputsOf(inputs, answer resource.PropertyMap) resource.PropertyMap {
	outputs := inputs.Copy()
	for _, name := range k.outputs {
		if v, given := answer[resource.PropertyKey(name)]; given {
			outputs[resource.PropertyKey(name)] = v
		}
	}
	if hosts, given := answer["hosts"]; given {
		outputs["hosts"] = hosts
	}
	return k.derived(outputs)
}

// foreseen gives the outputs of a resource that is still to be made.
func (k *kind) foreseen(inputs resource.PropertyMap) resource.PropertyMap {
	outputs := inputs.Copy()
	for _, name := range k.outputs {
		outputs[resource.PropertyKey(name)] = unknown()
	}
	return k.derived(outputs)
}

// merged gives the outputs that an update in place will have. Addresses stay, so that a plan shows no change in what uses them.
func (k *kind) merged(old, inputs resource.PropertyMap) resource.PropertyMap {
	outputs := inputs.Copy()
	for _, name := range append([]string{"hosts"}, k.outputs...) {
		if v, given := old[resource.PropertyKey(name)]; given {
			outputs[resource.PropertyKey(name)] = v
		}
	}
	return k.derived(outputs)
}

// derived adds the outputs that follow from others, and marks what is secret.
func (k *kind) derived(outputs resource.PropertyMap) resource.PropertyMap {
	delete(outputs, settled)
	for _, p := range k.properties {
		if v, given := outputs[p.name]; given && p.secret {
			outputs[p.name] = secretly(v)
		}
	}
	if k.operations == nil {
		return outputs
	}
	switch k.operations.kind {
	case cloud.KindDatabase:
		outputs["url"] = secretly(address(outputs, "postgres", "user", "password", "database"))
	case cloud.KindBalancer:
		outputs["url"] = address(outputs, "http", "", "", "")
	}
	return outputs
}

// address builds a URL from outputs; it is unknown while one of them is.
func address(outputs resource.PropertyMap, scheme string, user, password, path resource.PropertyKey) resource.PropertyValue {
	for _, key := range []resource.PropertyKey{"address", "port", user, password, path} {
		if v := bare(outputs[key]); key != "" && (v.IsComputed() || v.IsNull()) {
			return unknown()
		}
	}
	u := url.URL{Scheme: scheme, Host: net.JoinHostPort(text(outputs["address"]), fmt.Sprintf("%.0f", bare(outputs["port"]).NumberValue()))}
	if user != "" {
		u.User = url.UserPassword(text(outputs[user]), text(outputs[password]))
		u.Path = "/" + text(outputs[path])
	}
	return resource.NewStringProperty(u.String())
}

// complete adds to an answer what the control plane tells elsewhere: a database's hosts with their addresses.
func (p *Provider) complete(ctx context.Context, c *cloud.Client, k *kind, name string, answer resource.PropertyMap) error {
	if k.operations.kind != cloud.KindDatabase {
		return nil
	}
	hosts, err := c.Hosts(ctx)
	if err != nil {
		return err
	}
	list := []resource.PropertyValue{}
	for _, h := range hosts {
		if h.Kind == cloud.KindDatabase && h.Resource == name {
			list = append(list, resource.NewObjectProperty(resource.PropertyMap{
				"name": resource.NewStringProperty(h.Name), "address": resource.NewStringProperty(h.Address),
			}))
		}
	}
	answer["hosts"] = resource.NewArrayProperty(list)
	return nil
}
