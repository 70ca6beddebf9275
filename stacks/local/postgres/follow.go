package postgres

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes that the replication commands answer with.
const (
	duplicateObject = "42710"
	undefinedObject = "42704"
	objectInUse     = "55006"
)

// replication opens a connection to the primary that speaks the replication protocol.
func (a *agent) replication(ctx context.Context) (*pgconn.PgConn, error) {
	conf, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(a.conf.Primary)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("primary %q: %w", a.conf.Primary, err)
	}
	conf.Host, conf.Port, conf.User, conf.Password, conf.Database = host, uint16(number), replicationRole, a.conf.ReplicationPassword, ""
	conf.Fallbacks, conf.RuntimeParams = nil, map[string]string{"replication": "true"}
	conn, err := pgconn.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("reach the primary: %w", err)
	}
	return conn, nil
}

// replicationCommand runs one command of the replication protocol and gives its only row; a nil column is NULL.
func replicationCommand(ctx context.Context, conn *pgconn.PgConn, command string) ([][]byte, error) {
	results, err := conn.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) == 0 || len(results[0].Rows) == 0 {
		return nil, nil
	}
	return results[0].Rows[0], nil
}

// ensureSlot makes the replication slot on the primary, which keeps the log until this standby has it. An existing one is kept.
func (a *agent) ensureSlot(ctx context.Context) error { return a.makeSlot(ctx, false) }

// renewSlot makes the slot anew: before a clone, because an old one may have been given up by the primary and could not be used.
func (a *agent) renewSlot(ctx context.Context) error { return a.makeSlot(ctx, true) }

func (a *agent) makeSlot(ctx context.Context, anew bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := a.replication(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if anew {
		if _, err := replicationCommand(ctx, conn, "DROP_REPLICATION_SLOT "+a.conf.Slot); err != nil && !refusedWith(err, undefinedObject, objectInUse) {
			return err
		}
	}
	_, err = replicationCommand(ctx, conn, "CREATE_REPLICATION_SLOT "+a.conf.Slot+" PHYSICAL RESERVE_WAL")
	if refusedWith(err, duplicateObject) {
		return nil
	}
	return err
}

func refusedWith(err error, codes ...string) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		for _, c := range codes {
			if refused.Code == c {
				return true
			}
		}
	}
	return false
}

// unfollowable says why a standby can never follow its primary as it is, so that it has to clone again; empty: it can, or nobody knows.
// That is so when the primary was promoted from a copy that had received less than this standby (whose last changes are then not part
// of history), and when it no longer keeps the log that this standby needs next. A primary that is itself the older one, or that
// belongs to another cluster, is an error: this copy may be the only good one.
func (a *agent) unfollowable(ctx context.Context, local *pgx.Conn) (string, error) {
	var system string
	var timeline int
	var replayed, received lsn
	err := local.QueryRow(ctx, `SELECT (SELECT system_identifier::text FROM pg_control_system()),
		greatest((SELECT timeline_id FROM pg_control_checkpoint()), (SELECT min_recovery_end_timeline FROM pg_control_recovery())),
		coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint, coalesce(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0', 0)::bigint`).
		Scan(&system, &timeline, &replayed, &received)
	if err != nil {
		return "", err
	}
	conn, current, err := a.ofLineage(ctx, system, timeline)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if current > timeline {
		history, err := replicationCommand(ctx, conn, fmt.Sprintf("TIMELINE_HISTORY %d", current))
		if err != nil || len(history) < 2 {
			return "", err
		}
		fork, found := forkOf(string(history[1]), timeline)
		if !found {
			return "", &lineageError{fmt.Sprintf("this standby's timeline %d is not in the primary's history", timeline)}
		}
		if fork < replayed {
			return fmt.Sprintf("the primary's history left timeline %d at %s, this standby is at %s", timeline, fork, replayed), nil
		}
	}
	slot, err := replicationCommand(ctx, conn, "READ_REPLICATION_SLOT "+a.conf.Slot)
	if err != nil || len(slot) < 2 || slot[0] == nil { // no such slot: ensureSlot makes it
		return "", nil // servers before 15 do not have this command
	}
	kept, err := parseLSN(string(slot[1]))
	if err != nil {
		return "the primary gave up this standby's replication slot", nil
	}
	const segment = 16 << 20 // the log is kept and removed in files of this size
	if kept/segment > received/segment {
		return fmt.Sprintf("the primary keeps the log from %s, this standby needs it from %s", kept, received), nil
	}
	return "", nil
}

// lineageError says that the declared primary is not one whose data may replace this server's.
type lineageError struct{ reason string }

func (e *lineageError) Error() string {
	return e.reason + "; its data would replace newer or other data here, so it is not copied (remove the data directory to have it so)"
}

// sameLineage gives the primary's timeline from what IDENTIFY_SYSTEM answered, if it is of this cluster and not behind it.
func sameLineage(identity [][]byte, system string, timeline int) (current int, err error) {
	if len(identity) < 2 {
		return 0, errors.New("the primary does not identify itself")
	}
	if string(identity[0]) != system {
		return 0, &lineageError{fmt.Sprintf("the primary belongs to cluster %s, this server to %s", identity[0], system)}
	}
	if current, err = strconv.Atoi(string(identity[1])); err == nil && current < timeline {
		err = &lineageError{fmt.Sprintf("the primary is on timeline %d, this server already on %d", current, timeline)}
	}
	return current, err
}

// ofLineage connects to the primary and gives its timeline, if it is of the cluster named and not behind the timeline given.
func (a *agent) ofLineage(ctx context.Context, system string, timeline int) (*pgconn.PgConn, int, error) {
	conn, err := a.replication(ctx)
	if err != nil {
		return nil, 0, err
	}
	identity, err := replicationCommand(ctx, conn, "IDENTIFY_SYSTEM")
	current := 0
	if err == nil {
		current, err = sameLineage(identity, system, timeline)
	}
	if err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, 0, err
	}
	return conn, current, nil
}

// mayReplace tells whether the primary's data may take the place of the stopped server's.
func (a *agent) mayReplace(ctx context.Context) error {
	out, err := a.output(ctx, "pg_controldata", "-D", a.conf.DataDir)
	if err != nil {
		return err
	}
	var system string
	var timeline int
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); name {
		case "Database system identifier":
			system = value
		case "Latest checkpoint's TimeLineID":
			if timeline, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, _, err := a.ofLineage(ctx, system, timeline)
	if err != nil {
		return err
	}
	_ = conn.Close(context.WithoutCancel(ctx)) // what was asked is known
	return nil
}

// lsn is a position in the write-ahead log, in bytes.
type lsn uint64

// String gives PostgreSQL's notation: the upper and the lower half in hexadecimal.
func (l lsn) String() string { return fmt.Sprintf("%X/%X", uint64(l)>>32, uint32(l)) }

func parseLSN(s string) (lsn, error) {
	upper, lower, _ := strings.Cut(s, "/")
	u, err := strconv.ParseUint(upper, 16, 32)
	if err != nil {
		return 0, err
	}
	l, err := strconv.ParseUint(lower, 16, 32)
	return lsn(u<<32 | l), err
}

// forkOf finds in a timeline's history file where it left an earlier timeline. Its lines are "<timeline>\t<position>\t<reason>".
func forkOf(history string, timeline int) (lsn, bool) {
	for line := range strings.Lines(history) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == strconv.Itoa(timeline) {
			at, err := parseLSN(fields[1])
			return at, err == nil
		}
	}
	return 0, false
}

// keepFollowing looks after a standby that receives nothing: it restores a lost slot, and tells whether the standby must clone again.
// A primary that is away is waited for, however long.
func (a *agent) keepFollowing(ctx context.Context) (again bool) {
	if a.conf.Role != Standby {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := a.connect(ctx)
	if err != nil {
		return false
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var follows bool
	err = conn.QueryRow(ctx, "SELECT NOT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')").Scan(&follows)
	if err != nil || follows {
		if a.alone > 0 && follows {
			a.fail("", nil)
		}
		a.alone = 0
		return false
	}
	if a.alone++; a.alone < 2 { // it may just be connecting
		return false
	}
	reason, err := a.unfollowable(ctx, conn)
	if err == nil && reason != "" {
		a.report("clone again", errors.New(reason))
		log.Printf("clone %s again: %s", a.conf.Primary, reason)
		return true
	}
	var foreign *lineageError
	if errors.As(err, &foreign) {
		a.fail("follow the primary", err)
		return false
	}
	_ = a.ensureSlot(ctx) // tried again next time; the server's own log says why it cannot follow
	return false
}
