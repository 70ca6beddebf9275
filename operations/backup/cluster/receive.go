package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Receiver streams the write-ahead log of a server into a folder by pg_receivewal: segments as they are written, not when they are full.
// Nothing of the server's settings has to change for it. A replication slot has the server keep what was not received.
type Receiver struct {
	Server Server
	Slot   string
	Dir    string // belongs to the receiver
	gap    bool   // the server no longer has what comes next
	done   <-chan error
	said   *bytes.Buffer
	stop   context.CancelFunc
}

// Slot makes the name of a job's slot.
func Slot(job string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, strings.ToLower(job))
	return ("surety_backup_" + name)[:min(63, len("surety_backup_"+name))]
}

// Start makes the slot, if it is not there, and begins to receive. lost tells that the server no longer has what follows the log received
// so far: it had given the slot up because too much had been kept for it, or has no slot though log was received, as one that was primary
// before and was made anew as a standby meanwhile. The archived log then has a gap, and a new copy is due.
func (r *Receiver) Start(ctx context.Context) (lost bool, err error) {
	conn, err := r.Server.Connect(ctx, "postgres")
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var standby bool
	var state string
	err = conn.QueryRow(ctx, `SELECT pg_is_in_recovery(), coalesce((SELECT coalesce(wal_status, '') || '.' FROM pg_replication_slots WHERE slot_name = $1), '')`, r.Slot).Scan(&standby, &state)
	if err != nil {
		return false, fmt.Errorf("look for the slot %s: %w", r.Slot, err)
	}
	if standby {
		return false, ErrStandby
	}
	received, err := os.ReadDir(r.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if lost = state == "lost." || r.gap || state == "" && len(received) > 0; lost {
		if _, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", r.Slot); err != nil {
			return lost, fmt.Errorf("drop the lost slot %s: %w", r.Slot, err)
		}
		if err := os.RemoveAll(r.Dir); err != nil { // what was received is no beginning any more
			return lost, err
		}
		r.gap = false
	}
	if state == "" || lost {
		if _, err := conn.Exec(ctx, "SELECT pg_create_physical_replication_slot($1, true)", r.Slot); err != nil {
			return lost, fmt.Errorf("make the slot %s: %w", r.Slot, err)
		}
	}
	owner, err := OwnerOf(r.Server.DataDir)
	if err != nil {
		return lost, err
	}
	// The receiver, which is not root, has to pass through the folder above.
	above := filepath.Dir(r.Dir)
	if err := errors.Join(os.MkdirAll(above, 0o755), os.Chmod(above, 0o755), os.MkdirAll(r.Dir, 0o700), owner.Chown(r.Dir)); err != nil {
		return lost, err
	}
	program, err := r.Server.Program("pg_receivewal")
	if err != nil {
		return lost, err
	}
	ctx, r.stop = context.WithCancel(ctx)
	cmd := owner.Command(ctx, program, "-D", r.Dir, "-h", r.Server.Socket, "-p", fmt.Sprint(r.Server.Port), "-U", r.Server.User, "-S", r.Slot,
		"--no-password", "--no-loop", "--status-interval=1")
	cmd.Env = append(cmd.Env, "PGAPPNAME="+r.Slot)
	r.said = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = r.said, r.said
	if r.done, err = Start(cmd); err != nil {
		return lost, fmt.Errorf("start pg_receivewal: %w", err)
	}
	return lost, nil
}

// Ended tells why the receiver ended; nil while it runs.
func (r *Receiver) Ended() error {
	select {
	case err := <-r.done:
		r.gap = bytes.Contains(r.said.Bytes(), []byte("has already been removed"))
		return fmt.Errorf("pg_receivewal ended: %w: %s", errors.Join(err, errors.New("it should run on")), bytes.TrimSpace(r.said.Bytes()))
	default:
		return nil
	}
}

// Stop ends the receiver.
func (r *Receiver) Stop() {
	r.stop()
	select {
	case <-r.done:
	case <-time.After(5 * time.Second):
	}
}

// Moment is a time and how far the log was written out then.
type Moment struct {
	At       time.Time
	Flushed  LSN
	Received LSN // by the receiver
}

// Now asks the server how far its log is written out and how far the receiver has it. What was committed before At precedes Flushed.
func (r *Receiver) Now(ctx context.Context) (Moment, error) {
	conn, err := r.Server.Connect(ctx, "postgres")
	if err != nil {
		return Moment{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	m := Moment{At: time.Now()}
	var flushed, received string
	err = conn.QueryRow(ctx, `SELECT pg_current_wal_flush_lsn()::text, coalesce((SELECT max(write_lsn)::text FROM pg_stat_replication WHERE application_name = $1), '0/0')`, r.Slot).Scan(&flushed, &received)
	if err != nil {
		return m, fmt.Errorf("ask how far the log is received: %w", err)
	}
	if m.Flushed, err = ParseLSN(flushed); err != nil {
		return m, err
	}
	m.Received, err = ParseLSN(received)
	return m, err
}

// Files lists what is received, by name.
func (r *Receiver) Files() ([]string, error) {
	entries, err := os.ReadDir(r.Dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Path gives the path of a received file.
func (r *Receiver) Path(name string) string { return filepath.Join(r.Dir, name) }

// Forget drops the slot, so that the server keeps no log for the receiver any more.
func (r *Receiver) Forget(ctx context.Context) error {
	conn, err := r.Server.Connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", r.Slot); err != nil {
		return fmt.Errorf("drop the slot %s: %w", r.Slot, err)
	}
	return os.RemoveAll(r.Dir)
}
