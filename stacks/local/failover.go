package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"surety/stacks"
	"surety/stacks/local/cloud"
)

var _ stacks.Failover = (*Target)(nil)

// databaseOf finds a database of a deployment and the control plane that keeps it, starting that when it was killed.
func (t *Target) databaseOf(ctx context.Context, d stacks.Deployment, resource string) (*cloud.Client, cloud.Database, error) {
	r, ok := d.Resources[resource]
	if !ok || r.Type != TypeDatabase {
		return nil, cloud.Database{}, fmt.Errorf("%q is no database of this deployment", resource)
	}
	// The outputs hold the inputs that it was made with, under the names that the control plane knows them by.
	raw, err := json.Marshal(r.Outputs)
	if err != nil {
		return nil, cloud.Database{}, fmt.Errorf("read %s of the deployment: %w", resource, err)
	}
	var db cloud.Database
	if err := json.Unmarshal(raw, &db); err != nil {
		return nil, cloud.Database{}, fmt.Errorf("read %s of the deployment: %w", resource, err)
	}
	client, err := cloud.Ensure(ctx, cloud.Config{Dir: t.dir})
	if err != nil {
		return nil, cloud.Database{}, fmt.Errorf("reach the local cloud: %w", err)
	}
	return client, db, nil
}

// Roles implements stacks.Failover.
func (t *Target) Roles(ctx context.Context, d stacks.Deployment, resource string) (stacks.Roles, error) {
	client, db, err := t.databaseOf(ctx, d, resource)
	if err != nil {
		return stacks.Roles{}, err
	}
	defer client.Close()
	now, err := cloud.Get[cloud.Database](ctx, client, db.Name)
	if err != nil {
		return stacks.Roles{}, fmt.Errorf("read roles of database %s: %w", db.Name, err)
	}
	return stacks.Roles{Primary: now.Primary, Standbys: now.Standbys, Streaming: now.Standby}, nil
}

// strike kills the oldest process of the data directory, whose number the server keeps in its lock file, and waits until it is gone.
// The shell's own kill is used, because a host may have no other.
const strike = `pid=$(head -n 1 "$1") || exit 3
kill -KILL "$pid" || exit 0
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
exit 4`

// Kill implements stacks.Failover. A dead host's disk is kept, and the daemon starts no host by itself.
func (t *Target) Kill(ctx context.Context, d stacks.Deployment, resource, name string, how stacks.Kill) error {
	client, db, err := t.databaseOf(ctx, d, resource)
	if err != nil {
		return err
	}
	defer client.Close()
	hosts, err := t.Hosts(d)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(hosts, func(h stacks.Host) bool { return h.Name() == name && h.Component() == db.Group })
	if i < 0 {
		return fmt.Errorf("database %s has no host %q", db.Name, name)
	}
	switch how {
	case stacks.KillHost:
		h, err := client.Host(name)
		if err != nil {
			return err
		}
		if err := h.Kill(ctx); err != nil {
			return fmt.Errorf("kill host %s: %w", name, err)
		}
		return nil
	case stacks.KillProcess:
		var said bytes.Buffer
		err := hosts[i].Run(ctx, stacks.Command{Args: []string{"sh", "-c", strike, "sh", cloud.PostgresLock}, Stdout: &said, Stderr: &said})
		if err != nil {
			return fmt.Errorf("kill the database's process on %s: %w %s", name, err, strings.TrimSpace(said.String()))
		}
		return nil
	}
	return fmt.Errorf("kill %s: no way %q; ways: %s, %s", name, how, stacks.KillHost, stacks.KillProcess)
}

// Promote implements stacks.Failover.
func (t *Target) Promote(ctx context.Context, d stacks.Deployment, resource, from string) error {
	if from == "" {
		return errors.New("promote: no primary is named")
	}
	client, db, err := t.databaseOf(ctx, d, resource)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.PromoteFrom(ctx, db.Name, from); err != nil {
		return fmt.Errorf("promote the standby of database %s: %w", db.Name, err)
	}
	return nil
}

// Mend implements stacks.Failover.
func (t *Target) Mend(ctx context.Context, d stacks.Deployment, resource string) error {
	client, db, err := t.databaseOf(ctx, d, resource)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := cloud.Put(ctx, client, db.Name, db); err != nil {
		return fmt.Errorf("mend database %s: %w", db.Name, err)
	}
	return nil
}
