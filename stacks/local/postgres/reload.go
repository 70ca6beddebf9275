package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Digest names a configuration's content, so that a caller can see in Status.Applied that what it wrote is in force.
// It is the same before and after defaults were applied.
func (c Config) Digest() string {
	if full, err := c.complete(); err == nil {
		c = full
	}
	c.BinDir, c.Slot = "", "" // found on the host when left out
	raw, err := json.Marshal(c)
	if err != nil {
		return "" // cannot happen: every field marshals
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// replaceable refuses a new configuration that would need another agent.
func (a *agent) replaceable(next Config) error {
	var changed []string
	for name, differs := range map[string]bool{
		"dataDir": next.DataDir != a.conf.DataDir, "socket": next.Socket != a.conf.Socket, "socketDir": next.SocketDir != a.conf.SocketDir,
		"runAs": next.RunAs != a.conf.RunAs, "version": next.Version != a.conf.Version,
	} {
		if differs {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		return fmt.Errorf("%s cannot change while the agent runs; restart it", strings.Join(changed, ", "))
	}
	return nil
}

// reload puts a new configuration in force. It tells whether the server is up afterwards; when it is not, it is to be brought up
// with the new configuration. When the server refuses the new settings the old ones are put back.
func (a *agent) reload(ctx context.Context, next Config) (up bool, err error) {
	if err := a.replaceable(next); err != nil {
		return true, err
	}
	before := a.conf
	a.use(next)
	todo, err := a.decide()
	if err != nil {
		a.use(before)
		return true, err
	}
	if todo == stepClone { // a primary becomes a standby; bringUp stops it and copies the new primary
		return false, nil
	}
	restart, err := a.applySettings(ctx)
	if err != nil {
		a.use(before)
		return true, errors.Join(err, a.writeSettings())
	}
	if restart {
		return false, nil
	}
	if todo == stepPromote {
		if err := a.promote(ctx); err != nil {
			return true, err
		}
	}
	return true, a.settle(ctx)
}

// applySettings writes the settings, has the server read them, and tells whether some need a restart.
func (a *agent) applySettings(ctx context.Context) (restart bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := a.connect(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := a.checkSettings(ctx); err != nil {
		return false, err
	}
	if err := a.writeSettings(); err != nil {
		return false, err
	}
	var before, now time.Time
	if err := conn.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&before); err != nil {
		return false, err
	}
	if err := syscall.Kill(a.server.pid, syscall.SIGHUP); err != nil {
		return false, fmt.Errorf("have the server read its settings: %w", err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for now = before; !now.After(before); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, fmt.Errorf("have the server read its settings: %w", ctx.Err())
		}
		if err := conn.QueryRow(ctx, "SELECT pg_conf_load_time()").Scan(&now); err != nil {
			return false, err
		}
	}
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_settings WHERE pending_restart)").Scan(&restart)
	return restart, err
}

// checkSettings has the server's own program read the settings as they would be, before they replace those in force. The running server
// is not asked: its view of a file does not tell a value that needs a restart from one that no restart would accept.
func (a *agent) checkSettings(ctx context.Context) error {
	candidate := filepath.Join(a.agentDir(), "candidate.conf")
	if err := a.write(candidate, []byte(a.serverConf())); err != nil {
		return err
	}
	err := a.run(ctx, "postgres", "-D", a.conf.DataDir, "-c", "config_file="+candidate, "-C", "port")
	if err != nil {
		return fmt.Errorf("the server refuses the settings: %w", err)
	}
	return os.Remove(candidate)
}
