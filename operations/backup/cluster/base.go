package cluster

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Base is a base backup under way, by the server's low-level backup API. The files of the data directory are read while the server
// writes to them; the log from Start on puts them right.
type Base struct {
	server   Server
	conn     *pgx.Conn
	version  int // as 150018
	System   string
	Version  string
	Timeline int
	Segment  int64 // bytes
	Start    LSN
	Label    string // backup_label, after End
}

// Begin begins a base backup. A temporary slot keeps the log from Start on in pg_wal until Close.
func Begin(ctx context.Context, s Server, label string) (b *Base, err error) {
	b = &Base{server: s}
	if b.conn, err = s.Connect(ctx, "postgres"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.Close(ctx)
		}
	}()
	var standby bool
	var spaces int
	err = b.conn.QueryRow(ctx, `SELECT pg_is_in_recovery(), current_setting('server_version_num')::int, split_part(current_setting('server_version'), ' ', 1),
		(SELECT system_identifier::text FROM pg_control_system()), (SELECT bytes_per_wal_segment FROM pg_control_init()),
		(SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))`).Scan(&standby, &b.version, &b.Version, &b.System, &b.Segment, &spaces)
	switch {
	case err != nil:
		return b, fmt.Errorf("ask the server what it is: %w", err)
	case standby:
		return b, ErrStandby
	case spaces > 0:
		return b, fmt.Errorf("the cluster has %d tablespaces outside its data directory, which are not copied", spaces)
	case b.version < 130000:
		return b, fmt.Errorf("PostgreSQL %s is older than 13", b.Version)
	}
	var start string
	if _, err = b.conn.Exec(ctx, "SELECT pg_create_physical_replication_slot('surety_copy_' || pg_backend_pid(), true, true)"); err != nil {
		return b, fmt.Errorf("hold the log for the copy: %w", err)
	}
	begin := "SELECT pg_backup_start($1, fast => true)::text"
	if b.version < 150000 {
		begin = "SELECT pg_start_backup($1, fast => true, exclusive => false)::text"
	}
	if err = b.conn.QueryRow(ctx, begin, label).Scan(&start); err != nil {
		return b, fmt.Errorf("begin the base backup: %w", err)
	}
	if b.Start, err = ParseLSN(start); err != nil {
		return b, err
	}
	err = b.conn.QueryRow(ctx, "SELECT ('x' || substr(pg_walfile_name($1::pg_lsn), 1, 8))::bit(32)::int", start).Scan(&b.Timeline)
	return b, err
}

// End ends the reading of files.
func (b *Base) End(ctx context.Context) error {
	end := "SELECT labelfile, spcmapfile FROM pg_backup_stop(wait_for_archive => false)"
	if b.version < 150000 {
		end = "SELECT labelfile, spcmapfile FROM pg_stop_backup(exclusive => false, wait_for_archive => false)"
	}
	var spaces string
	if err := b.conn.QueryRow(ctx, end).Scan(&b.Label, &spaces); err != nil {
		return fmt.Errorf("end the base backup: %w", err)
	}
	if strings.TrimSpace(spaces) != "" {
		return errors.New("a tablespace was made while the cluster was copied; it is not in the copy")
	}
	return nil
}

// Switch ends the current segment, so that all of them up to a place are whole.
func (b *Base) Switch(ctx context.Context) error {
	if _, err := b.conn.Exec(ctx, "SELECT pg_switch_wal()"); err != nil {
		return fmt.Errorf("end the segment of the log: %w", err)
	}
	return nil
}

// Close lets go of the server. A backup that was not ended is given up.
func (b *Base) Close(ctx context.Context) {
	if b.conn != nil {
		_ = b.conn.Close(context.WithoutCancel(ctx))
	}
}

// Segments gives the names of the log's files from Start to a place.
func (b *Base) Segments(to LSN) []string {
	var names []string
	for n := int64(b.Start) / b.Segment; n <= int64(to)/b.Segment; n++ {
		names = append(names, SegmentName(b.Timeline, n, b.Segment))
	}
	return names
}

// SegmentName gives the name of a segment by its number: the log's place divided by the segments' size.
func SegmentName(timeline int, number, size int64) string {
	each := int64(1<<32) / size
	return fmt.Sprintf("%08X%08X%08X", timeline, number/each, number%each)
}

// ParseSegment reads a segment's name.
func ParseSegment(name string, size int64) (timeline int, number int64, ok bool) {
	var log, seg int64
	if len(name) != 24 {
		return 0, 0, false
	}
	if n, err := fmt.Sscanf(name, "%08X%08X%08X", &timeline, &log, &seg); n != 3 || err != nil || size <= 0 {
		return 0, 0, false
	}
	return timeline, log*(int64(1<<32)/size) + seg, true
}

// emptied are folders whose content a base backup leaves out: the server makes it anew.
// See https://www.postgresql.org/docs/15/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP-DATA
var emptied = []string{"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}

// Belongs tells whether a file of the data directory belongs into a base backup.
func Belongs(p string, folder bool) bool {
	top, _, below := strings.Cut(p, "/")
	if below && slices.Contains(emptied, top) {
		return false
	}
	name := path.Base(p)
	switch {
	case strings.HasPrefix(name, "pgsql_tmp"):
		return false
	case folder:
		return true
	case name == "pg_internal.init" || strings.HasPrefix(name, "pg_internal.init."):
		return false
	case !below && slices.Contains([]string{"postmaster.pid", "postmaster.opts", "backup_label", "tablespace_map", "backup_manifest", "standby.signal", "recovery.signal"}, p):
		return false
	}
	return true
}
