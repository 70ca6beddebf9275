package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// State files. They lie beside the data directory, because a base backup copies whatever lies in it.
const (
	passFile      = "pgpass"
	promotionFile = "promotion.json"
)

// promotion is the agent's note that this standby was made primary. It is written before the server is told, so that a crash in
// between ends in a promotion and never in a server whose role nobody knows.
type promotion struct {
	Followed string `json:"followed"` // Config.Primary at that time
}

func (a *agent) agentDir() string { return a.conf.DataDir + ".agent" }

func (a *agent) readPromotion() (promotion, bool, error) {
	var p promotion
	raw, err := os.ReadFile(filepath.Join(a.agentDir(), promotionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return p, false, fmt.Errorf("read the note of the promotion: %w", err)
	}
	return p, true, nil
}

func (a *agent) writePromotion() error {
	raw, err := json.Marshal(promotion{Followed: a.conf.Primary})
	if err != nil {
		return err
	}
	if err := a.write(filepath.Join(a.agentDir(), promotionFile), raw); err != nil {
		return fmt.Errorf("note the promotion: %w", err)
	}
	return nil
}

// writePass writes the password file that pg_basebackup and the standby's receiver use, so that the password stands neither in a
// process's arguments nor in the server's settings, which any role may read.
func (a *agent) writePass() error {
	host, port, err := net.SplitHostPort(a.conf.Primary)
	if err != nil {
		return fmt.Errorf("primary %q: %w", a.conf.Primary, err)
	}
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`)
	line := strings.Join([]string{escape.Replace(host), port, "*", replicationRole, escape.Replace(a.conf.ReplicationPassword)}, ":") + "\n"
	return a.write(filepath.Join(a.agentDir(), passFile), []byte(line))
}

// write replaces a file of the server's user, whole or not at all, and durably.
func (a *agent) write(path string, content []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o600), a.owner.chown(tmp), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// makeDir makes a directory of the server's user; missing parents are made for everyone to pass through.
func (a *agent) makeDir(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(os.Chmod(path, mode), a.owner.chown(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// syncTree flushes the file system that holds path with one call, instead of one per file as initdb and pg_basebackup would.
func syncTree(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
