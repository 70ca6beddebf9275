package engine

import (
	pulumi "github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/pkg/v3/resource/deploy"
)

// snapshotManager is the engine's snapshot manager that also tells when the record of a step is safe. The engine announces the end of a
// step before it records it; we announce it after, so that whatever the user saw finished is still so after a power cut.
type snapshotManager struct {
	*pulumi.JournalSnapshotManager
	recorded chan<- running
	over     <-chan struct{} // nobody listens any more
}

// BeginMutation records that a step begins.
func (d *snapshotManager) BeginMutation(step deploy.Step) (pulumi.SnapshotMutation, error) {
	m, err := d.JournalSnapshotManager.BeginMutation(step)
	if err != nil {
		return nil, err
	}
	return &mutation{SnapshotMutation: m, recorded: d.recorded, over: d.over}, nil
}

type mutation struct {
	pulumi.SnapshotMutation
	recorded chan<- running
	over     <-chan struct{}
}

// End records how a step ended.
func (m *mutation) End(step deploy.Step, successful bool) error {
	if err := m.SnapshotMutation.End(step, successful); err != nil {
		return err
	}
	if successful && noted(step.Op()) {
		select {
		case m.recorded <- running{step.URN(), step.Op()}:
		case <-m.over:
		}
	}
	return nil
}
