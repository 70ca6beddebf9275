package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"surety/operations/backup/cluster"
	"surety/operations/backup/vault"
)

// Drill restores the newest copy into scratch, a folder that is empty or not there yet and is removed at the end, and compares it with
// what the copy recorded: files and objects byte by byte, a cluster's tables row by row on a server of its own, at the copy's restore
// point; then that server replays all archived log. Of a newest copy that is Unsettled only the files can be compared: its tables are those
// of the newest settled copy, and unproven when there is none. Of the other copies it looks whether all that they need is there. A fault that keeps
// the drill from being held is an unproven Finding; the error is for a Job that is wrong.
func Drill(ctx context.Context, job Job, scratch string) (Finding, error) {
	job, err := job.Complete()
	if err != nil {
		return Finding{}, err
	}
	if err := prepare(scratch); err != nil {
		return Finding{}, err
	}
	if err := os.Chmod(scratch, 0o711); err != nil { // a temporary folder is its maker's alone
		return Finding{}, fmt.Errorf("drill: %w", err)
	}
	d := &drill{job: job, scratch: scratch, began: time.Now()}
	err = d.hold(ctx)
	if err = errors.Join(err, os.RemoveAll(scratch)); err != nil {
		d.blame(err)
	}
	d.finding.Figures.Took = time.Since(d.began)
	d.judge()
	return d.finding, nil
}

type drill struct {
	job              Job
	scratch          string
	began            time.Time
	finding          Finding
	breaches, doubts []string
	remark           string
}

func (d *drill) breach(format string, args ...any) {
	d.breaches = append(d.breaches, d.job.discreet(fmt.Errorf(format, args...)).Error())
}

// blame sorts a fault: what this machine or the way to the repository is to blame for proves nothing of the copy.
func (d *drill) blame(err error) {
	var way net.Error
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EACCES) || errors.Is(err, cluster.ErrUnreachable) || errors.As(err, &way) {
		d.doubts = append(d.doubts, "the drill could not be held: "+d.job.discreet(err).Error())
		return
	}
	d.breach("%w", err)
}

func (d *drill) judge() {
	f := &d.finding
	f.Sentences = append(append(f.Sentences, d.breaches...), d.doubts...)
	switch {
	case len(d.breaches) > 0:
		f.Verdict = Breached
	case len(d.doubts) > 0:
		f.Verdict = Unproven
	default:
		f.Verdict = Met
		f.Sentences = append(f.Sentences, d.praise())
	}
	if d.remark != "" {
		f.Sentences = append(f.Sentences, d.remark)
	}
}

// again says what to type for a proof where a copy cannot give one.
func (d *drill) again() string {
	return fmt.Sprintf("make another copy with `surety backup run %s`, then hold the drill again with `surety backup drill %[1]s`", d.job.Name)
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func (d *drill) praise() string {
	f, c := d.finding.Figures, d.finding.Copy
	s := fmt.Sprintf("copy %s of %s restored in %s: %d files with %d bytes are as they were", c.ID, moment(c.Taken),
		f.Restore.Round(time.Millisecond), f.Files, f.Bytes)
	if c.Kind == Cluster {
		s += fmt.Sprintf(", and so are the %d rows of %d tables", f.Rows, f.Tables)
	}
	return s
}

func (d *drill) hold(ctx context.Context) error {
	began := time.Now()
	v, err := d.job.open(ctx, false)
	if errors.Is(err, vault.ErrNoRepository) {
		d.breach("there is no copy of %s of %s: nothing was ever copied to s3://%s/%s", d.job.Source, d.job.Host, d.job.Repository.Bucket, d.job.prefix())
		return nil
	}
	if err != nil {
		return err
	}
	defer v.Close(ctx)
	copies, saved, err := d.job.copies(ctx, v)
	if err != nil {
		return err
	}
	opening := time.Since(began)
	figures := &d.finding.Figures
	if figures.Copies = len(copies); len(copies) == 0 {
		d.breach("there is no copy of %s of %s in s3://%s/%s", d.job.Source, d.job.Host, d.job.Repository.Bucket, d.job.prefix())
		return nil
	}
	chosen := Settled(copies)
	c := copies[chosen]
	d.finding.Copy = &c
	figures.Age = time.Since(copies[0].Taken)
	figures.Lost = figures.Age
	if figures.Age > d.job.Every {
		d.breach("the newest copy of %s of %s is %s old; one is due every %s", d.job.Source, d.job.Host, figures.Age.Round(time.Second), d.job.Every)
	}
	faults, err := v.Check(ctx, slices.Delete(slices.Clone(saved), chosen, chosen+1))
	if err != nil {
		return err
	}
	for _, f := range faults {
		d.breach("%s", f)
	}
	if chosen > 0 {
		if err := d.passOver(ctx, v, saved[0], copies[0], c); err != nil {
			return err
		}
	}
	began = time.Now()
	u, err := unpack(ctx, v, saved[chosen], c, d.scratch)
	if err != nil {
		return err
	}
	figures.Files, figures.Bytes, figures.Restore = u.totals.Files, u.totals.Bytes, opening+time.Since(began)-u.comparing
	d.differs(c, u)
	if c.Kind == Cluster {
		return d.cluster(ctx, v, c)
	}
	return nil
}

func (d *drill) differs(c Copy, u unpacked) {
	for _, f := range u.faults {
		d.breach("copy %s gives back something else than was copied: %s", c.ID, f)
	}
}

// passOver compares the files of the newest copy, which is Unsettled: of its tables nothing can be proven, so that c stands in for it.
func (d *drill) passOver(ctx context.Context, v *vault.Vault, s vault.Saved, newest, c Copy) error {
	d.finding.PassedOver = &newest
	d.remark = fmt.Sprintf("of the newest copy, %s of %s, only the files were compared: it is not settled: %s; the tables compared are those of the newest settled copy, %s of %s",
		newest.ID, moment(newest.Taken), newest.Unsettled, c.ID, moment(c.Taken))
	if age := time.Since(c.Taken); age > d.job.Every {
		d.doubts = append(d.doubts, fmt.Sprintf("no copy of the last %s could be compared row by row, the newest settled one is %s old: %s", d.job.Every, age.Round(time.Second), d.again()))
	}
	dir := filepath.Join(d.scratch, "newest")
	u, err := unpack(ctx, v, s, newest, dir)
	if err != nil {
		return err
	}
	d.differs(newest, u)
	return os.RemoveAll(dir) // there may be no room for two
}

// cluster revives the restored cluster: first up to the restore point, where its tables are compared, then through all archived log.
func (d *drill) cluster(ctx context.Context, v *vault.Vault, c Copy) error {
	figures, log := &d.finding.Figures, filepath.Join(d.scratch, walPart)
	began := time.Now()
	server, err := cluster.Revive(ctx, d.job.revived(d.scratch), log, cluster.Target{Name: c.Point.Name, Pause: true})
	if err != nil {
		return fmt.Errorf("copy %s cannot be revived: %w", c.ID, err)
	}
	figures.Restore += time.Since(began)
	tables, err := server.Tables(ctx)
	if err := errors.Join(err, server.Stop()); err != nil {
		return err
	}
	d.compare(c, tables)
	if d.job.Postgres == nil || !d.job.Postgres.WAL {
		return nil
	}
	began = time.Now()
	figures.Segments, err = fetchLog(ctx, v, *c.Point, log)
	if err != nil {
		return err
	}
	until, err := coveredUntil(ctx, v, c.Point.System)
	if err != nil {
		return err
	}
	if figures.Segments == 0 || until.at.IsZero() {
		if grace := max(30*time.Second, 3*d.job.Postgres.WALEvery); figures.Age < grace {
			d.doubts = append(d.doubts, fmt.Sprintf("nothing of the write-ahead log of %s is archived yet, %s after its first copy: hold the drill again in %s",
				d.job.Source, figures.Age.Round(time.Second), grace))
			return nil
		}
		d.breach("nothing of the write-ahead log of %s is archived: a restore loses all since the copy", d.job.Source)
		return nil
	}
	if figures.Lost = time.Since(until.at); figures.Lost > max(time.Minute, 6*d.job.Postgres.WALEvery) {
		d.breach("the archived log of %s ends %s ago; it is aimed at %s", d.job.Source, figures.Lost.Round(time.Second), d.job.Postgres.WALEvery)
	}
	server, err = cluster.Revive(ctx, d.job.revived(d.scratch), log, cluster.Target{})
	if err != nil {
		return fmt.Errorf("the archived log cannot be replayed: %w", err)
	}
	figures.Restore += time.Since(began)
	reached, _, err := server.Reached(ctx)
	if err := errors.Join(err, server.Stop()); err != nil {
		return err
	}
	if reached < until.place {
		d.breach("the archived log can be replayed to %s only, although all up to %s was archived", reached, until.place)
	}
	return nil
}

// compare holds the tables of the revived cluster against those of the copy's record. The record of a copy that is Unsettled may be of another
// moment than its restore point, as while a program makes its tables: a difference then proves nothing.
func (d *drill) compare(c Copy, tables map[string]cluster.Table) {
	var differences []string
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		was := c.Tables[name]
		d.finding.Figures.Tables++
		d.finding.Figures.Rows += was.Rows
		is, ok := tables[name]
		switch {
		case !ok:
			differ("table %s is not in the restored cluster", name)
		case is.Rows != was.Rows:
			differ("table %s has %d rows in the restored cluster, at the restore point it had %d", name, is.Rows, was.Rows)
		case is.Checksum != was.Checksum:
			differ("table %s has other content in the restored cluster than at the restore point", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if _, ok := c.Tables[name]; !ok {
			differ("table %s is in the restored cluster, and was not at the restore point", name)
		}
	}
	if c.Unsettled == "" {
		for _, text := range differences {
			d.breach("%s", text)
		}
		return
	}
	found := ""
	if len(differences) > 0 {
		found = fmt.Sprintf("; of its record %d tables differ, which proves nothing: %s", len(differences), differences[0])
	}
	d.doubts = append(d.doubts, fmt.Sprintf("the rows of copy %s could not be compared exactly: %s%s: %s", c.ID, c.Unsettled, found, d.again()))
}
