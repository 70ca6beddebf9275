package provider

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pulumi/pulumi/pkg/v3/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local"
	"surety/stacks/local/cloud"
)

// Read implements plugin.Provider. Its inputs are what stands in the world, in the form in which it would have been asked for, so
// that comparing them with a program's inputs shows drift property by property, and shows nothing where nothing drifted.
// A resource that is not there comes back without an ID.
func (p *Provider) Read(ctx context.Context, r plugin.ReadRequest) (plugin.ReadResponse, error) {
	k, known := kindOf(typeOf(r.Type, r.URN))
	if !known {
		return plugin.ReadResponse{}, unknownType(typeOf(r.Type, r.URN))
	}
	if k.operations == nil {
		return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: r.ID, Inputs: r.Inputs, Outputs: r.State}}, nil
	}
	if p.absent() {
		return plugin.ReadResponse{}, nil
	}
	ctx, cancel := p.within(ctx, r.Timeout)
	defer cancel()
	var answer resource.PropertyMap
	err := p.call(ctx, func(c *cloud.Client) (err error) {
		if answer, err = k.operations.get(ctx, c, string(r.ID)); err == nil {
			err = p.complete(ctx, c, k, string(r.ID), answer)
		}
		return err
	})
	if missing := (*cloud.NotFound)(nil); errors.As(err, &missing) {
		return plugin.ReadResponse{}, nil
	}
	if err != nil {
		return plugin.ReadResponse{Status: resource.StatusUnknown}, fmt.Errorf("read %s: %w", nameOf(r.Name, r.URN), err)
	}
	inputs, sound := k.readInputs(r.Inputs, answer)
	outputs := k.outputsOf(inputs, answer)
	if program, given := k.property("program"); given {
		if was := program.compared(r.State); len(was) > 0 && was.DeepEquals(program.compared(outputs)) {
			outputs[program.name] = r.State[program.name] // the same content from another place did not drift
		}
	}
	if v := bare(answer["unsettled"]); v.IsBool() && v.BoolValue() {
		sound = false // it may hold what it was given, and not be healthy with it
	}
	if k.token == local.TypeBalancer && empty(bare(answer["entry"])) {
		sound = false // its entry was lost, say to another program on its port: asking again opens one
	}
	if v, given := r.State[settled]; !sound || given && bare(v).IsBool() && !bare(v).BoolValue() {
		outputs[settled] = resource.NewBoolProperty(false)
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: r.ID, Inputs: inputs, Outputs: outputs}}, nil
}

// readInputs gives the inputs as they are in the world. It is not sound when the control plane was last asked for something else than
// the state knows: the end of that request was not seen, so another must follow.
func (k *kind) readInputs(olds, answer resource.PropertyMap) (inputs resource.PropertyMap, sound bool) {
	inputs, sound = resource.PropertyMap{}, true
	imported := len(olds) == 0
	for _, p := range k.properties {
		old, given := olds[p.name]
		now, told := answer[p.name]
		if now.IsNull() {
			told = false
		}
		switch {
		case p.reads == own || p.reads == asked && !imported:
			if given {
				inputs[p.name] = old
			}
			if p.reads == asked && !agree(old, now) {
				sound = false
			}
		default:
			now = p.asGiven(old, now)
			switch {
			case given && same(old, now):
				inputs[p.name] = old // with its wrappers
			case told || given && !now.IsNull():
				if p.secret || given && old.ContainsSecrets() {
					now = secretly(now)
				}
				inputs[p.name] = now
			}
		}
	}
	return inputs, sound
}

// agree compares what was asked for with what the control plane repeats, which leaves out what is empty.
func agree(old, now resource.PropertyValue) bool {
	return empty(bare(old)) && empty(bare(now)) || same(old, now)
}

func empty(v resource.PropertyValue) bool {
	return v.IsNull() || v.IsBool() && !v.BoolValue() || v.IsNumber() && v.NumberValue() == 0 || v.IsString() && v.StringValue() == "" ||
		v.IsArray() && len(v.ArrayValue()) == 0 || v.IsObject() && len(v.ObjectValue()) == 0
}

// asGiven brings a value that was read back into the form of the one that was given, where the two mean the same.
func (p property) asGiven(old, now resource.PropertyValue) resource.PropertyValue {
	old = bare(old)
	if now.IsNull() && (old.IsBool() || old.IsArray() || old.IsObject()) { // the API leaves out what is empty
		now = zeroOf(old)
	}
	switch {
	case p.name == limits.name && old.IsObject() && now.IsObject():
		if p.spacious && now.ObjectValue()["disk"].IsNumber() && old.ObjectValue()["disk"].IsNumber() && now.ObjectValue()["disk"].NumberValue() > old.ObjectValue()["disk"].NumberValue() {
			now = resource.NewObjectProperty(now.ObjectValue().Copy())
			now.ObjectValue()["disk"] = old.ObjectValue()["disk"]
		}
		return asLimits(old.ObjectValue(), now.ObjectValue())
	case p.name == "program" && old.IsObject() && now.IsObject():
		program := old.ObjectValue().Copy()
		program["sha256"] = now.ObjectValue()["sha256"]
		return resource.NewObjectProperty(program)
	case p.name == "ingress" && old.IsArray() && now.IsArray():
		return asOrdered(old.ArrayValue(), now.ArrayValue())
	}
	return now
}

func zeroOf(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsBool():
		return resource.NewBoolProperty(false)
	case v.IsArray():
		return resource.NewArrayProperty([]resource.PropertyValue{})
	}
	return resource.NewObjectProperty(resource.PropertyMap{})
}

// asLimits takes a limit for what was asked for when it differs by no more than the kernel rounds: processor time to 10 µs in
// 100 ms, memory to a page, a disk to what its file system's own records need.
func asLimits(old, now resource.PropertyMap) resource.PropertyValue {
	for key, tolerance := range map[resource.PropertyKey]float64{"cpu": 1e-4, "memory": 4096, "disk": 4096} {
		if old[key].IsNumber() && now[key].IsNumber() && math.Abs(old[key].NumberValue()-now[key].NumberValue()) <= tolerance {
			now[key] = old[key]
		}
	}
	return resource.NewObjectProperty(now)
}

// asOrdered puts the elements that are in both lists first, in the old order: rules have none in the kernel.
func asOrdered(old, now []resource.PropertyValue) resource.PropertyValue {
	ordered := []resource.PropertyValue{}
	rest := slices.Clone(now)
	for _, o := range old {
		if i := slices.IndexFunc(rest, o.DeepEquals); i >= 0 {
			ordered, rest = append(ordered, rest[i]), slices.Delete(rest, i, i+1)
		}
	}
	return resource.NewArrayProperty(append(ordered, rest...))
}
