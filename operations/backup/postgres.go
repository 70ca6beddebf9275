package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
)

// copyCluster copies a cluster: its files between the begin and the end of a base backup, then a restore point with the tables that it
// shows, and the log from the begin to that point. The copy is whole in itself: it needs no archived log to be restored to its point.
func (j Job) copyCluster(ctx context.Context, w *vault.Writer, c *Copy, progress func(string)) error {
	c.Kind = Cluster
	name := "surety_" + j.Name + "_" + time.Now().UTC().Format("20060102T150405.000000")
	b, err := cluster.Begin(ctx, j.server(), name)
	if err != nil {
		return err
	}
	defer b.Close(ctx)
	files, err := vault.LocalTree(j.Postgres.DataDir, false, cluster.Belongs)
	if err != nil {
		return err
	}
	if err := w.Upload(ctx, dataPart, files, ""); err != nil {
		return err
	}
	if err := b.End(ctx); err != nil {
		return err
	}
	if err := j.settle(ctx, b, c, name, progress); err != nil {
		return err
	}
	if err := b.Switch(ctx); err != nil {
		return err
	}
	progress("copying the log")
	if err := j.copyLog(ctx, w, b, c); err != nil {
		return err
	}
	return j.copyLabel(ctx, w, b)
}

// settle makes the restore point and sums up the tables as they are there, once more with another point when a table is altered meanwhile.
func (j Job) settle(ctx context.Context, b *cluster.Base, c *Copy, name string, progress func(string)) error {
	for attempt := 1; ; attempt++ {
		point := name + "_" + strconv.Itoa(attempt)
		settled, err := b.Settle(ctx, point)
		if err != nil {
			return err
		}
		progress("summing up tables")
		tables, altered, err := settled.Tables(ctx)
		settled.Close(ctx)
		if err != nil {
			return err
		}
		if altered != "" && attempt < settlings {
			continue
		}
		c.Taken, c.Unsettled, c.Tables = settled.At.UTC(), settled.Unsettled, map[string]Table{}
		if altered != "" {
			c.Unsettled = "table " + altered + " was truncated, altered or dropped while tables were summed up"
		}
		for name, t := range tables {
			c.Tables[name] = Table(t)
		}
		c.Point = &Point{System: b.System, Timeline: b.Timeline, Start: b.Start.String(), LSN: settled.LSN.String(), Name: point, Segment: b.Segment, Version: b.Version}
		return nil
	}
}

// settlings bounds how often a restore point is tried.
const settlings = 4

// copyLog copies the segments from the begin of the base backup to the restore point, which the copy's slot has kept from being recycled.
func (j Job) copyLog(ctx context.Context, w *vault.Writer, b *cluster.Base, c *Copy) error {
	to, err := cluster.ParseLSN(c.Point.LSN)
	if err != nil {
		return err
	}
	needed := b.Segments(to)
	dir := filepath.Join(j.Postgres.DataDir, "pg_wal")
	for _, s := range needed {
		if _, err := os.Stat(filepath.Join(dir, s)); err != nil {
			return fmt.Errorf("the server no longer has the log that the copy needs: %w", err)
		}
	}
	log, err := vault.LocalTree(dir, false, func(p string, folder bool) bool {
		return !folder && (slices.Contains(needed, p) || strings.HasSuffix(p, ".history"))
	})
	if err != nil {
		return err
	}
	return w.Upload(ctx, walPart, log, "")
}

// copyLabel copies the file that tells a server that it begins from a base backup.
func (j Job) copyLabel(ctx context.Context, w *vault.Writer, b *cluster.Base) error {
	dir, err := os.MkdirTemp("", "surety-label-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	owner, err := cluster.OwnerOf(j.Postgres.DataDir)
	if err != nil {
		return err
	}
	p := filepath.Join(dir, "backup_label")
	if err := os.WriteFile(p, []byte(b.Label), 0o600); err != nil {
		return err
	}
	if err := owner.Chown(p); err != nil {
		return err
	}
	label, err := vault.LocalTree(dir, false, nil)
	if err != nil {
		return err
	}
	return w.Upload(ctx, labelPart, label, "")
}
