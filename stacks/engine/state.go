package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"surety/internal/durable"
	"surety/stacks/engine/journal"
)

// loaded is a state as it stands: the checkpoint with the journal, if there is one, replayed on it.
type loaded struct {
	deployment *apitype.DeploymentV3
	version    int
	features   []string
	digest     string // of the checkpoint file; "none" without one
	exists     bool
	journal    bool // an unfinished journal was replayed
	recovered  int  // finished steps in it
}

const noCheckpoint = "none"

// load reads the state. Without the lock, another process may finish its run between our reading of the checkpoint and of the
// journal; the two then do not fit together and are read again.
func (e *Engine) load() (*loaded, error) {
	const attempts = 5
	var err error
	for range attempts {
		var l *loaded
		l, err = e.loadOnce()
		if err == nil {
			return l, e.openSecrets(l)
		}
		if !errors.Is(err, errMismatch) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: checkpoint %q, journal %q. Another tool wrote the state after an interrupted run. "+
		"To keep the checkpoint, remove the journal; to keep the run's steps, put the earlier checkpoint back", err, e.paths.checkpoint, e.paths.journal)
}

// ErrDamaged says that the state file is not one: it was cut off or overwritten.
var ErrDamaged = errors.New("the file is damaged")

var errMismatch = errors.New("the journal of an interrupted run does not belong to the checkpoint")

func (e *Engine) loadOnce() (*loaded, error) {
	l := &loaded{deployment: &apitype.DeploymentV3{}, version: apitype.DeploymentSchemaVersionCurrent, digest: noCheckpoint}
	raw, err := os.ReadFile(e.paths.checkpoint)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read the state: %w", err)
	default:
		l.exists = true
		l.digest = digest(raw)
		checkpoint, version, features, err := stack.UnmarshalVersionedCheckpointToLatestCheckpoint(encoding.JSON, raw)
		if err != nil {
			return nil, fmt.Errorf("read the state %q: %w: %w", e.paths.checkpoint, ErrDamaged, err)
		}
		if checkpoint.Latest != nil {
			l.deployment, l.version, l.features = checkpoint.Latest, version, features
		}
	}
	j, err := journal.Read(e.paths.journal)
	if err != nil {
		return nil, err
	}
	if j == nil || j.Commit == l.digest {
		return l, nil // no run was interrupted, or only before its journal could be removed
	}
	if j.Header.Base != l.digest {
		return nil, errMismatch
	}
	l.exists = true
	l.journal, l.recovered = true, journal.Finished(j.Entries)
	d, err := journal.Replay(l.deployment, j.Entries)
	if err != nil {
		return nil, fmt.Errorf("replay the journal %q: %w", e.paths.journal, err)
	}
	l.deployment, l.version, l.features = d.Deployment, d.Version, d.Features
	return l, nil
}

// openSecrets tells the keeper by which salt the state's secrets were encrypted, before anybody asks it for one of them: asked first,
// it would make a new salt.
func (e *Engine) openSecrets(l *loaded) error {
	if l.deployment.SecretsProviders == nil {
		return nil
	}
	_, err := e.keeper.OfType(context.Background(), l.deployment.SecretsProviders.Type, l.deployment.SecretsProviders.State)
	return err
}

func digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checkpointBytes gives the file form of a deployment, as the stock file backend writes it.
func (e *Engine) checkpointBytes(d apitype.TypedDeployment) ([]byte, error) {
	name := tokens.QName("organization/" + e.cfg.Project + "/" + e.cfg.Stack)
	checkpoint, err := stack.DeploymentV3ToCheckpoint(name, d.Deployment, d.Version, d.Features)
	if err != nil {
		return nil, fmt.Errorf("write the state: %w", err)
	}
	raw, err := json.Marshal(checkpoint)
	if err != nil {
		return nil, fmt.Errorf("write the state: %w", err)
	}
	return raw, nil
}

// writeCheckpoint makes raw the state: first the stock backend's marker, then the file; the former state stays beside it as the
// stock backend keeps it (.bak).
func (e *Engine) writeCheckpoint(raw []byte) error {
	if _, err := os.Stat(e.paths.meta); errors.Is(err, os.ErrNotExist) {
		// Version 1 is the layout with a folder per project.
		if err := durable.WriteFile(e.paths.meta, []byte("version: 1\n")); err != nil {
			return fmt.Errorf("write the state's marker: %w", err)
		}
	}
	if _, err := os.Stat(e.paths.checkpoint); err == nil {
		bak := e.paths.checkpoint + ".bak"
		_ = os.Remove(bak)
		if err := os.Link(e.paths.checkpoint, bak); err != nil {
			return fmt.Errorf("keep the former state: %w", err)
		}
	}
	if err := durable.WriteFile(e.paths.checkpoint, raw); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return nil
}

// compact folds the journal of an interrupted run into the checkpoint. It needs the lock.
func (e *Engine) compact(l *loaded) error {
	if l.journal {
		raw, err := e.checkpointBytes(apitype.TypedDeployment{Version: l.version, Features: l.features, Deployment: l.deployment})
		if err != nil {
			return err
		}
		if err := journal.Commit(e.paths.journal, digest(raw)); err != nil {
			return err
		}
		if err := e.writeCheckpoint(raw); err != nil {
			return err
		}
		l.digest = digest(raw)
	}
	return durable.Remove(e.paths.journal)
}

func (l *loaded) pending() []Pending {
	var out []Pending
	for _, op := range l.deployment.PendingOperations {
		if journal.Bookkeeping(op.Resource.Type) {
			continue
		}
		out = append(out, Pending{Name: op.Resource.URN.Name(), Type: string(op.Resource.Type), URN: string(op.Resource.URN), Op: string(op.Type)})
	}
	return out
}
