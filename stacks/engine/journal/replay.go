package journal

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/pkg/v3/backend"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack/snapshot"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// Replay applies entries to a deployment with Pulumi's own replayer. Creates that were pending in the base and were not run
// again stay pending; Pulumi's replayer alone would keep them all for ever, as it leaves them to a human.
func Replay(base *apitype.DeploymentV3, entries []apitype.JournalEntry) (apitype.TypedDeployment, error) {
	copied := *base
	copied.PendingOperations = nil
	replayer := backend.NewJournalReplayer(&copied)
	created := map[resource.URN]bool{}
	creating := map[int64]resource.URN{}
	for _, entry := range entries {
		if err := replayer.Add(entry); err != nil {
			return apitype.TypedDeployment{}, err
		}
		switch {
		case entry.Kind == apitype.JournalEntryKindBegin && entry.Operation != nil:
			creating[entry.OperationID] = entry.Operation.Resource.URN
		case entry.Kind == apitype.JournalEntryKindSuccess:
			created[creating[entry.OperationID]] = true
		}
	}
	d, err := replayer.GenerateDeployment()
	if err != nil {
		return d, err
	}
	again := map[resource.URN]bool{}
	for _, op := range d.Deployment.PendingOperations {
		again[op.Resource.URN] = true
	}
	for _, op := range base.PendingOperations {
		if op.Type == apitype.OperationTypeCreating && !created[op.Resource.URN] && !again[op.Resource.URN] && !Bookkeeping(op.Resource.Type) {
			d.Deployment.PendingOperations = append(d.Deployment.PendingOperations, op)
		}
	}
	if err := snapshot.VerifyIntegrity(d.Deployment); err != nil {
		return d, fmt.Errorf("the result would not be sound: %w", err)
	}
	return d, nil
}

// Finished counts the steps that a journal's entries complete.
func Finished(entries []apitype.JournalEntry) int {
	begun := map[int64]bool{}
	n := 0
	for _, entry := range entries {
		switch {
		case entry.Kind == apitype.JournalEntryKindBegin && entry.Operation != nil:
			begun[entry.OperationID] = true
		case entry.Kind == apitype.JournalEntryKindSuccess && begun[entry.OperationID]:
			n++
		}
	}
	return n
}

// Bookkeeping tells the resources of Pulumi itself: the root of the stack and providers. Nothing in the world belongs to them.
func Bookkeeping(t tokens.Type) bool {
	return strings.HasPrefix(string(t), "pulumi:")
}
