package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// waitFile holds the names of the standbys that commits wait for. It outlives the agent, so that a primary that comes back
	// after a crash acknowledges nothing that its standby does not have.
	waitFile = "waits-for.json"
	// standbyGrace is how long commits wait for a standby that is gone before they go on without one.
	standbyGrace = 2 * time.Second
	// senderTimeout is how long a primary takes a silent standby, which reports each second, for a living one.
	senderTimeout = "3s"
)

// readWaits takes up what commits waited for when an earlier agent ended.
func (a *agent) readWaits() error {
	raw, err := os.ReadFile(filepath.Join(a.agentDir(), waitFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &a.waits)
	}
	if err != nil {
		return fmt.Errorf("read which standbys commits wait for: %w", err)
	}
	return nil
}

// waitFor notes which standbys commits are to wait for; writeSettings puts it in force.
func (a *agent) waitFor(names []string) error {
	raw, err := json.Marshal(names)
	if err != nil {
		return err
	}
	if err := a.write(filepath.Join(a.agentDir(), waitFile), raw); err != nil {
		return fmt.Errorf("note which standbys commits wait for: %w", err)
	}
	a.waits, a.missed = names, time.Time{}
	return nil
}

// synchronousNames is the setting synchronous_standby_names: any one of those waited for.
func (a *agent) synchronousNames() string {
	if !a.conf.Synchronous || len(a.waits) == 0 {
		return ""
	}
	quoted := make([]string, len(a.waits))
	for i, name := range a.waits {
		quoted[i] = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return "ANY 1 (" + strings.Join(quoted, ", ") + ")"
}

// keepSynchronous has commits wait for the standby from when it streams, and go on without one when none has streamed for
// standbyGrace: the loss of a standby must not stop the primary. A standby that was away is no safe successor until it streams again;
// StandbyStatus.Synchronous tells.
func (a *agent) keepSynchronous(ctx context.Context) {
	if !a.conf.Synchronous && len(a.waits) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 12*time.Second)
	defer cancel()
	names, err := a.following(ctx)
	if err != nil {
		return // a server that does not answer is for the loop to find
	}
	switch {
	case slices.Equal(names, a.waits) && !a.unsure:
		a.missed = time.Time{}
		return
	case len(names) == 0 && a.conf.Synchronous && a.missed.IsZero():
		a.missed = time.Now()
		return
	case len(names) == 0 && a.conf.Synchronous && time.Since(a.missed) < standbyGrace:
		return
	}
	before := a.waits
	if err = a.waitFor(names); err == nil {
		_, err = a.applySettings(ctx)
	}
	if a.unsure = err != nil; err != nil {
		// Whether it is in force is not known. What is noted is what waits for more, for a crash may follow.
		if len(names) == 0 {
			err = errors.Join(err, a.waitFor(before))
		}
		a.fail("wait for the standby", err)
		return
	}
	log.Printf("commits wait for %q", names)
}

// following lists the standbys that stream from this server; none when it is a standby itself or nothing is to be waited for.
func (a *agent) following(ctx context.Context) (names []string, err error) {
	if !a.conf.Synchronous {
		return nil, nil
	}
	conn, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT application_name), '{}') FROM pg_stat_replication
		WHERE state = 'streaming' AND usename = $1 AND application_name <> 'pg_basebackup' AND NOT pg_is_in_recovery()`, replicationRole).Scan(&names)
	return names, err
}
