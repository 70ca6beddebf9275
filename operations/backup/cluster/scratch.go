package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Scratch is a server of its own on a restored data directory: on a unix socket in a folder that only its owner can enter, without TCP,
// archiving or replication.
type Scratch struct {
	Server
	dir  string // socket, log and settings
	pid  int
	done <-chan error
}

// Target says how far a scratch server replays its log. The zero Target is all there is.
type Target struct {
	Name  string    // of a restore point
	Time  time.Time // the last transaction that is committed before or at it
	Pause bool      // stay there, read-only, instead of taking writes
}

// ErrUnreachable is returned when the user who runs a restored cluster cannot get at it.
var ErrUnreachable = errors.New("the owner of the restored cluster cannot reach it")

// Revive starts a server on a restored data directory and returns when it has replayed its log up to the target. wal is the folder that
// holds the log's segments. s names the superuser and where programs are.
func Revive(ctx context.Context, s Server, wal string, target Target) (r *Scratch, err error) {
	r = &Scratch{Server: s}
	owner, err := OwnerOf(s.DataDir)
	if err != nil {
		return nil, err
	}
	if owner.Root() {
		return nil, fmt.Errorf("%s belongs to root, as whom no server runs", s.DataDir)
	}
	if r.dir, err = os.MkdirTemp("", "surety-pg-"); err != nil { // a socket's path must be short
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = r.Stop()
		}
	}()
	r.Socket, r.Port = r.dir, 5432
	args, err := r.settings(ctx, owner, wal, target)
	if err != nil {
		return r, err
	}
	program, err := s.Program("postgres")
	if err != nil {
		return r, err
	}
	log, err := os.OpenFile(r.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return r, err
	}
	defer log.Close()
	cmd := owner.Command(context.WithoutCancel(ctx), program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	// A killed drill must not leave a server: SIGQUIT takes its children along, SIGKILL would not.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	if r.done, err = Start(cmd); err != nil {
		return r, fmt.Errorf("start a scratch server: %w", err)
	}
	r.pid = cmd.Process.Pid
	return r, r.await(ctx, target)
}

// settings prepares the data directory for recovery and gives the server's arguments. They win over what ALTER SYSTEM left in the copy.
func (r *Scratch) settings(ctx context.Context, owner Owner, wal string, target Target) ([]string, error) {
	for name, text := range map[string]string{"scratch.conf": "", "hba.conf": "local all all trust\n", "ident.conf": ""} {
		p := filepath.Join(r.dir, name)
		if err := errors.Join(os.WriteFile(p, []byte(text), 0o600), owner.Chown(p)); err != nil {
			return nil, err
		}
	}
	signal := filepath.Join(r.DataDir, "recovery.signal")
	if err := errors.Join(owner.Chown(r.dir), os.WriteFile(signal, nil, 0o600), owner.Chown(signal)); err != nil {
		return nil, err
	}
	set := map[string]string{"config_file": filepath.Join(r.dir, "scratch.conf"), "hba_file": filepath.Join(r.dir, "hba.conf"), "ident_file": filepath.Join(r.dir, "ident.conf"),
		"external_pid_file": "", "listen_addresses": "", "unix_socket_directories": r.dir, "port": "5432", "archive_mode": "off", "ssl": "off", "hot_standby": "on",
		"primary_conninfo": "", "primary_slot_name": "", "synchronous_standby_names": "", "shared_preload_libraries": "", "logging_collector": "off", "log_destination": "stderr",
		"shared_buffers": "32MB", "autovacuum": "off", "restore_command": "cp '" + wal + "/%f' '%p'", "recovery_target_timeline": "latest", "recovery_target_action": "promote"}
	if _, err := os.Stat("/dev/shm"); err != nil {
		set["dynamic_shared_memory_type"] = "mmap"
	}
	if target.Name != "" {
		set["recovery_target_name"] = target.Name
	}
	if !target.Time.IsZero() {
		set["recovery_target_time"] = target.Time.UTC().Format("2006-01-02 15:04:05.999999+00")
	}
	if target.Pause {
		set["recovery_target_action"] = "pause"
	}
	limits, err := r.limits(ctx, owner)
	if err != nil {
		return nil, err
	}
	for k, v := range limits {
		set[k] = v
	}
	args := []string{"-D", r.DataDir}
	for k, v := range set {
		args = append(args, "-c", k+"="+v)
	}
	return args, nil
}

// limits gives the settings that must not be below those of the server whose log is replayed.
func (r *Scratch) limits(ctx context.Context, owner Owner) (map[string]string, error) {
	program, err := r.Program("pg_controldata")
	if err != nil {
		return nil, err
	}
	out, err := owner.Command(ctx, program, r.DataDir).CombinedOutput()
	if bytes.Contains(out, []byte("Permission denied")) {
		return nil, fmt.Errorf("%w: %s; restore into a folder that other users may pass through, as /var/tmp/NAME", ErrUnreachable, r.DataDir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the restored control file: %w: %s", err, bytes.TrimSpace(out))
	}
	all := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name, ok := strings.CutSuffix(name, " setting"); ok && strings.HasPrefix(name, "max_") {
			if name == "max_prepared_xacts" {
				name = "max_prepared_transactions"
			}
			if name == "max_locks_per_xact" {
				name = "max_locks_per_transaction"
			}
			all[name] = strings.TrimSpace(value)
		}
	}
	return all, nil
}

func (r *Scratch) log() string { return filepath.Join(r.dir, "log") }

// await waits until recovery has reached its end: for a Pause the target, else taking writes.
func (r *Scratch) await(ctx context.Context, target Target) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-r.done:
			r.pid = 0
			return fmt.Errorf("the scratch server ended before it had recovered: %s", errors.Join(err, errors.New(r.tail())))
		case <-ctx.Done():
			return fmt.Errorf("wait for the scratch server to recover: %w", context.Cause(ctx))
		case <-tick.C:
		}
		conn, err := r.Connect(ctx, "postgres")
		if err != nil {
			continue // not up yet
		}
		var recovering bool
		var state string
		err = conn.QueryRow(ctx, "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() ELSE '' END").Scan(&recovering, &state)
		_ = conn.Close(ctx)
		if err == nil && (!recovering && !target.Pause || target.Pause && state == "paused") {
			return nil
		}
		if err == nil && target.Pause && !recovering {
			return fmt.Errorf("the scratch server took writes before its target: %s", r.tail())
		}
	}
}

// Reached tells up to where the log was replayed: the place, and the commit time of the last transaction; zero when there was none.
func (r *Scratch) Reached(ctx context.Context) (LSN, time.Time, error) {
	conn, err := r.Connect(ctx, "postgres")
	if err != nil {
		return 0, time.Time{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var lsn string
	var at *time.Time
	if err := conn.QueryRow(ctx, "SELECT coalesce(pg_last_wal_replay_lsn(), pg_current_wal_lsn())::text, pg_last_xact_replay_timestamp()").Scan(&lsn, &at); err != nil {
		return 0, time.Time{}, fmt.Errorf("ask the scratch server how far it came: %w", err)
	}
	place, err := ParseLSN(lsn)
	if at == nil {
		at = &time.Time{}
	}
	return place, *at, err
}

// Stop stops the server with a fast shutdown and removes its folder.
func (r *Scratch) Stop() error {
	var err error
	for _, how := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if r.pid == 0 {
			break
		}
		if err = syscall.Kill(r.pid, how); err != nil {
			break
		}
		select {
		case <-r.done:
			r.pid = 0
		case <-time.After(20 * time.Second):
			err = errors.New("the scratch server did not end")
		}
	}
	return errors.Join(err, os.RemoveAll(r.dir))
}

// tail is the end of the server's log: the lines that say what went wrong.
func (r *Scratch) tail() string {
	raw, err := os.ReadFile(r.log())
	if err != nil {
		return err.Error()
	}
	var said []string
	for line := range strings.Lines(string(raw)) {
		for _, level := range []string{"FATAL:", "PANIC:", "ERROR:", "WARNING:"} {
			if _, text, ok := strings.Cut(line, level); ok && !strings.Contains(text, "the database system is") {
				said = append(said, strings.TrimSpace(text))
			}
		}
	}
	if len(said) == 0 {
		return strings.TrimSpace(string(raw[max(0, len(raw)-500):]))
	}
	return strings.Join(said[max(0, len(said)-4):], "; ")
}
