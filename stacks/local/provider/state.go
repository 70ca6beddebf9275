package provider

import (
	"crypto/rand"
	"fmt"
	"io"
	"math/big"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"surety/stacks/local"
)

// alphabet is what secrets are made of: letters and digits, which need no quoting in a URL, a shell or a configuration file.
// Each character carries 5.95 bits.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// createInState makes a resource that lives in the state alone.
func (p *Provider) createInState(k *kind, inputs resource.PropertyMap, preview bool) (resource.PropertyMap, error) {
	outputs := inputs.Copy()
	switch k.token {
	case local.TypeSecret:
		if preview {
			outputs["value"] = unknown()
			break
		}
		value, err := randomText(p.random, int(bare(inputs["length"]).NumberValue()))
		if err != nil {
			return nil, fmt.Errorf("make a secret: %w", err)
		}
		outputs["value"] = secretly(resource.NewStringProperty(value))
	case local.TypeData:
		if input, given := inputs["input"]; given {
			outputs["output"] = input
		}
	}
	return outputs, nil
}

// updatedInState keeps a secret's value: only a replacement makes another.
func updatedInState(k *kind, old, inputs resource.PropertyMap) resource.PropertyMap {
	outputs := inputs.Copy()
	switch k.token {
	case local.TypeSecret:
		outputs["value"] = secretly(old["value"])
	case local.TypeData:
		if input, given := inputs["input"]; given {
			outputs["output"] = input
		}
	}
	return outputs
}

// randomText draws each character evenly from the alphabet.
func randomText(random io.Reader, length int) (string, error) {
	out := make([]byte, length)
	for i := range out {
		n, err := rand.Int(random, big.NewInt(int64(len(alphabet))))
		if err != nil {
			return "", err
		}
		out[i] = alphabet[n.Int64()]
	}
	return string(out), nil
}
