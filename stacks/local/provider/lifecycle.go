package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local/cloud"
)

// Create implements plugin.Provider. It is a PUT, so that one that was cut short is simply made again.
func (p *Provider) Create(ctx context.Context, r plugin.CreateRequest) (plugin.CreateResponse, error) {
	k, known := kindOf(typeOf(r.Type, r.URN))
	if !known {
		return plugin.CreateResponse{}, unknownType(typeOf(r.Type, r.URN))
	}
	if k.operations == nil {
		outputs, err := p.createInState(k, r.Properties, r.Preview)
		return plugin.CreateResponse{ID: resource.ID(nameOf(r.Name, r.URN)), Properties: outputs}, err
	}
	if r.Preview {
		return plugin.CreateResponse{ID: "", Properties: k.foreseen(r.Properties)}, nil
	}
	ctx, cancel := p.within(ctx, r.Timeout)
	defer cancel()
	outputs, status, err := p.put(ctx, k, r.Properties)
	if err != nil && status != resource.StatusPartialFailure {
		return plugin.CreateResponse{Status: status}, fmt.Errorf("create %s: %w", nameOf(r.Name, r.URN), err)
	}
	return plugin.CreateResponse{ID: resource.ID(text(r.Properties["name"])), Properties: outputs, Status: status}, err
}

// Update implements plugin.Provider.
func (p *Provider) Update(ctx context.Context, r plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	k, known := kindOf(typeOf(r.Type, r.URN))
	if !known {
		return plugin.UpdateResponse{}, unknownType(typeOf(r.Type, r.URN))
	}
	if k.operations == nil {
		return plugin.UpdateResponse{Properties: updatedInState(k, r.OldOutputs, r.NewInputs)}, nil
	}
	if r.Preview {
		return plugin.UpdateResponse{Properties: k.merged(r.OldOutputs, r.NewInputs)}, nil
	}
	ctx, cancel := p.within(ctx, r.Timeout)
	defer cancel()
	outputs, status, err := p.put(ctx, k, r.NewInputs)
	if err != nil && status != resource.StatusPartialFailure {
		return plugin.UpdateResponse{Status: status}, fmt.Errorf("update %s: %w", nameOf(r.Name, r.URN), err)
	}
	if err != nil {
		outputs = k.merged(r.OldOutputs, r.NewInputs)
		outputs[settled] = resource.NewBoolProperty(false)
	}
	return plugin.UpdateResponse{Properties: outputs, Status: status}, err
}

// Delete implements plugin.Provider. What is gone already is a success. With the network goes the daemon.
func (p *Provider) Delete(ctx context.Context, r plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	k, known := kindOf(typeOf(r.Type, r.URN))
	if !known {
		return plugin.DeleteResponse{}, unknownType(typeOf(r.Type, r.URN))
	}
	if k.operations == nil || p.absent() {
		return plugin.DeleteResponse{}, nil
	}
	ctx, cancel := p.within(ctx, r.Timeout)
	defer cancel()
	err := p.call(ctx, func(c *cloud.Client) error { return k.operations.delete(ctx, c, string(r.ID)) })
	if err == nil && k.operations.kind == cloud.KindNetwork {
		err = p.shutdown(ctx)
	}
	if err != nil {
		return plugin.DeleteResponse{Status: resource.StatusUnknown}, fmt.Errorf("delete %s: %w", nameOf(r.Name, r.URN), err)
	}
	return plugin.DeleteResponse{}, nil
}

// put asks the control plane for a resource and gives its outputs. What was begun and did not come to its end is a partial failure:
// the engine keeps the resource, and the next run goes on from there.
func (p *Provider) put(ctx context.Context, k *kind, inputs resource.PropertyMap) (resource.PropertyMap, resource.Status, error) {
	wanted, err := p.request(ctx, k, inputs)
	if err != nil {
		return nil, resource.StatusOK, err
	}
	name := text(inputs["name"])
	var answer resource.PropertyMap
	sent := false
	err = p.call(ctx, func(c *cloud.Client) (err error) {
		sent = true
		answer, err = k.operations.put(ctx, c, name, wanted)
		if refused := (*cloud.Conflict)(nil); errors.As(err, &refused) && !refused.Replace && p.halfDeleted(ctx, c, k, name) {
			if err = k.operations.delete(ctx, c, name); err == nil {
				answer, err = k.operations.put(ctx, c, name, wanted)
			}
		}
		if err == nil {
			err = p.complete(ctx, c, k, name, answer)
		}
		return err
	})
	if err == nil {
		return k.outputsOf(inputs, answer), resource.StatusOK, nil
	}
	if !sent || p.changedNothing(ctx, k, name, err) {
		return nil, resource.StatusOK, err
	}
	begun := inputs.Copy()
	begun[settled] = resource.NewBoolProperty(false)
	status, err := partial(err)
	return begun, status, err
}

// changedNothing tells whether a request was refused before anything was begun. Of a conflict that shows only later, as a port that is
// taken, the beginnings stand and must not be forgotten.
func (p *Provider) changedNothing(ctx context.Context, k *kind, name string, err error) bool {
	var invalid *cloud.Invalid
	var refused *cloud.Conflict
	switch {
	case errors.As(err, &invalid), errors.Is(err, cloud.ErrNotRunning):
		return true
	case errors.As(err, &refused):
		if refused.Replace {
			return true
		}
		var missing *cloud.NotFound
		err := p.call(ctx, func(c *cloud.Client) error {
			_, err := k.operations.get(ctx, c, name)
			return err
		})
		return errors.As(err, &missing)
	}
	return false
}

// halfDeleted tells whether an earlier deletion of the resource did not come to its end. It must, before the name can be used again.
func (p *Provider) halfDeleted(ctx context.Context, c *cloud.Client, k *kind, name string) bool {
	s, err := c.Status(ctx)
	return err == nil && s.Unfinished[string(k.operations.kind)+"/"+name] == "deleting"
}

// request gives what the control plane is asked for: the inputs that it knows.
func (p *Provider) request(ctx context.Context, k *kind, inputs resource.PropertyMap) (resource.PropertyMap, error) {
	wanted := resource.PropertyMap{}
	for _, prop := range k.properties {
		v, given := inputs[prop.name]
		if !given || prop.reads == own || prop.readOnly {
			continue
		}
		if prop.name == "program" {
			placed, err := p.placeProgram(ctx, bare(v))
			if err != nil {
				return nil, err
			}
			v = placed
		}
		wanted[prop.name] = v
	}
	return wanted, nil
}
