package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
)

// The archived log is a sealed file for each segment: LOG/SYSTEM/SEGMENT, with ".partial" for the one that is being written, the
// history of timelines, and the position that tells up to when all is archived.
const (
	logFolder = "wal/"
	partial   = ".partial"
	history   = ".history"
	position  = "position"
)

// archivedLog is what the archive holds of a cluster.
type archivedLog struct {
	folder   string
	segments map[string]string // name → file, whole or partial
	others   []string          // histories
}

func readLog(ctx context.Context, v *vault.Vault, system string) (archivedLog, error) {
	a := archivedLog{folder: logFolder + system + "/", segments: map[string]string{}}
	files, err := v.ListSealed(ctx, a.folder)
	if err != nil {
		return a, err
	}
	for _, f := range files {
		name := strings.TrimPrefix(f.Name, a.folder)
		switch {
		case strings.HasSuffix(name, history):
			a.others = append(a.others, name)
		case strings.HasSuffix(name, partial):
			if whole := strings.TrimSuffix(name, partial); a.segments[whole] == "" {
				a.segments[whole] = name
			}
		case len(name) == 24:
			a.segments[name] = name
		}
	}
	return a, nil
}

// from gives the names of the segments that continue a copy, in order, and a sentence for each gap among them: there the log ends for
// whoever restores.
func (a archivedLog) from(p Point) (names []string, gaps []string, err error) {
	place, err := cluster.ParseLSN(p.LSN)
	if err != nil {
		return nil, nil, err
	}
	expected := int64(place) / p.Segment
	have := map[int64]bool{}
	for name := range a.segments {
		if timeline, n, ok := cluster.ParseSegment(name, p.Segment); ok && n >= expected && timeline >= p.Timeline {
			names = append(names, name)
			have[n] = true
		}
	}
	slices.SortFunc(names, func(x, y string) int { return strings.Compare(x[8:]+x[:8], y[8:]+y[:8]) })
	if len(names) == 0 {
		return nil, nil, nil
	}
	_, last, _ := cluster.ParseSegment(names[len(names)-1], p.Segment)
	for n := expected + 1; n <= last; n++ { // the copy itself holds the segment of its point
		if !have[n] {
			gaps = append(gaps, fmt.Sprintf("segment %s of the archived log is missing: no restore can go beyond it", cluster.SegmentName(p.Timeline, n, p.Segment)))
		}
	}
	return names, gaps, nil
}

// fetchLog puts the archived log that continues a copy into a folder, and gives how many segments it is.
func fetchLog(ctx context.Context, v *vault.Vault, p Point, dir string) (int, error) {
	a, err := readLog(ctx, v, p.System)
	if err != nil {
		return 0, err
	}
	names, gaps, err := a.from(p)
	if err != nil {
		return 0, err
	}
	if len(gaps) > 0 {
		return 0, errors.New(gaps[0])
	}
	owner, err := cluster.OwnerOf(dir)
	if err != nil {
		return 0, err
	}
	put := func(file, as string) error {
		data, err := v.GetSealed(ctx, a.folder+file)
		if errors.Is(err, vault.ErrDamaged) {
			return fmt.Errorf("segment %s of the archived log is damaged: no restore can go beyond it", as)
		}
		if err != nil {
			return err
		}
		to := filepath.Join(dir, as)
		return errors.Join(os.WriteFile(to, data, 0o600), owner.Chown(to))
	}
	for _, name := range names {
		file := a.segments[name]
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil && strings.HasSuffix(file, partial) {
			continue // the copy has it whole
		}
		if err := put(file, name); err != nil {
			return 0, err
		}
	}
	for _, name := range a.others {
		if err := put(name, name); err != nil {
			return 0, err
		}
	}
	return len(names), nil
}

// pruneLog removes the segments before the oldest copy's begin, and the log of clusters that no copy is of.
func pruneLog(ctx context.Context, v *vault.Vault, copies []Copy) error {
	oldest := map[string]Point{} // copies are newest first
	for _, c := range copies {
		if c.Point != nil {
			oldest[c.Point.System] = *c.Point
		}
	}
	if len(oldest) == 0 {
		return nil
	}
	files, err := v.ListSealed(ctx, logFolder)
	if err != nil {
		return err
	}
	for _, f := range files {
		system, name, _ := strings.Cut(strings.TrimPrefix(f.Name, logFolder), "/")
		p, needed := oldest[system]
		if needed {
			start, err := cluster.ParseLSN(p.Start)
			if err != nil {
				return err
			}
			_, n, ok := cluster.ParseSegment(strings.TrimSuffix(name, partial), p.Segment)
			if !ok || n >= int64(start)/p.Segment {
				continue
			}
		}
		if err := v.RemoveSealed(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}
