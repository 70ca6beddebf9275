package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"surety/stacks"
	"surety/stacks/engine/journal"
)

// Deployment gives what stands, from the state, with secret outputs decrypted. It asks nobody but the state; Refresh asks the world.
func (e *Engine) Deployment(ctx context.Context) (stacks.Deployment, error) {
	l, err := e.load()
	if err != nil {
		return stacks.Deployment{}, fmt.Errorf("read the deployment: %w", err)
	}
	snapshot, err := stack.DeserializeDeploymentV3(ctx, *l.deployment, e.keeper)
	if err != nil {
		return stacks.Deployment{}, fmt.Errorf("read the deployment: %w", err)
	}
	d := stacks.Deployment{Project: e.cfg.Project, Stack: e.cfg.Stack, Resources: make(map[string]stacks.Deployed, len(snapshot.Resources))}
	for _, r := range snapshot.Resources {
		if journal.Bookkeeping(r.Type) || r.Delete {
			continue
		}
		outputs := make(map[string]any, len(r.Outputs))
		for key, value := range r.Outputs {
			outputs[string(key)] = opened(value)
		}
		d.Resources[r.URN.Name()] = stacks.Deployed{Type: string(r.Type), ID: string(r.ID), Outputs: outputs}
	}
	return d, nil
}

// Export writes the state in the form of `pulumi stack export`, secrets encrypted. `pulumi stack import` reads it.
func (e *Engine) Export(_ context.Context, w io.Writer) error {
	l, err := e.load()
	if err != nil {
		return fmt.Errorf("export the state: %w", err)
	}
	raw, err := json.Marshal(l.deployment)
	if err != nil {
		return fmt.Errorf("export the state: %w", err)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "    ")
	if err := encoder.Encode(apitype.UntypedDeployment{Version: l.version, Features: l.features, Deployment: raw}); err != nil {
		return fmt.Errorf("export the state: %w", err)
	}
	return nil
}
