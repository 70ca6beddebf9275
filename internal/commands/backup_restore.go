package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/internal/terminal"
	"surety/operations/backup"
	"surety/operations/backup/agents"
)

func (a *app) backupRestoreCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore BACKUP --to FOLDER",
		Short: "Give a copy back into a folder on this machine",
		Long: `Gives a copy back into a new folder on this machine; nothing that serves is touched. The folder then holds "files" with files below
their paths, "objects" with a bucket's objects, or "data", a PostgreSQL data directory that was recovered and shut down in good order.
--at chooses the moment: of a database any moment since the oldest copy, else the newest copy that is not younger. Without it the
newest state is restored that there is.`,
		Example: `  surety backup restore nightly --to ./restored
  surety backup restore nightly --source databases.main --at "2026-11-03 14:05:10" --to ./before
  surety backup restore nightly --source databases.main --at 10m --to ./ten-minutes-ago
  surety backup restore nightly --source servers.web --host web-1 --to ./web-1`,
		Args: cobra.ExactArgs(1),
	}
	var r restoration
	c.Flags().StringVar(&r.source, "source", "", "component to restore, as databases.main; may be left out when the backup has one")
	c.Flags().StringVar(&r.at, "at", "", "moment to restore: a date and time (local unless it says), or how long ago, as 10m")
	c.Flags().StringVar(&r.id, "copy", "", "restore this copy, as surety backup list names it")
	c.Flags().StringVar(&r.host, "host", "", "restore what this host copied; may be left out when there is one")
	c.Flags().StringVar(&r.to, "to", "", "folder to restore into: a new or an empty one")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case r.to == "":
			return wrong("say where to restore: --to FOLDER")
		case r.id != "" && r.at != "":
			return wrong("--copy and --at cannot go together: a copy is of one moment")
		}
		var err error
		if r.moment, err = moment(r.at, time.Now()); err != nil {
			return err
		}
		return a.backupRestore(c.Context(), args[0], r)
	}
	return c
}

// restoration is what was asked for.
type restoration struct {
	source, at, id, host, to string
	moment                   time.Time
}

// moment reads a date and time, or how long ago.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			if t.After(now) {
				return t, wrong("--at %s is yet to come", text)
			}
			return t, nil
		}
	}
	ago, err := blueprints.ParseDuration(strings.TrimSpace(strings.TrimSuffix(text, "ago")))
	if err != nil || ago < 0 {
		return time.Time{}, wrong(`--at %q is neither a date and time, as "2026-11-03 14:05:10", nor how long ago, as 10m`, text)
	}
	return now.Add(-ago.Std()), nil
}

func (a *app) backupRestore(ctx context.Context, name string, r restoration) (err error) {
	_, all, err := a.agents(ctx, []string{name})
	if err != nil {
		return err
	}
	s := a.screen()
	s.Doing("looking for the copy")
	defer s.Doing("")
	one, err := r.choose(ctx, all)
	if err != nil {
		return err
	}
	folder, made, err := emptyFolder(r.to)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && made {
			err = errors.Join(err, os.RemoveAll(folder)) // half of a copy must not pass for one
		}
	}()
	out, in := io.Pipe()
	type ending struct {
		restored backup.Restored
		err      error
	}
	given := make(chan ending, 1)
	go func() {
		restored, err := one.Restore(ctx, r.id, r.moment, func(text string) { s.Doing("%s  %s", label(one), text) }, in)
		in.CloseWithError(err) // nil ends the archive
		given <- ending{restored, err}
	}()
	got, err := agents.Receive(out, folder)
	out.CloseWithError(errors.Join(err, io.ErrClosedPipe))
	ended := <-given
	s.Doing("")
	switch {
	case ctx.Err() != nil:
		return fault("interrupted: nothing was restored")
	case ended.err != nil && !errors.Is(ended.err, io.ErrClosedPipe):
		return ended.err
	case err != nil:
		return err
	}
	if err := a.print(map[string]any{"backup": one.Backup, "source": one.Source, "host": one.Host.Name(), "to": folder, "restored": ended.restored, "received": got}); err != nil {
		return err
	}
	s.Line("%s of %s as of %s restored into %s: %s, %s in %s", one.Source, one.Host.Name(),
		ended.restored.Reached.Local().Format("2006-01-02 15:04:05"), folder, terminal.Count(int(got.Files), "file"), size(got.Bytes), terminal.Took(ended.restored.Took))
	if len(got.Skipped) > 0 {
		s.Line("left out, as they mean nothing elsewhere: %s", strings.Join(got.Skipped, " "))
	}
	if ended.restored.Copy.Kind == backup.Cluster {
		s.Line("look into it: chown -R postgres %s && runuser -u postgres -- postgres -D %s -k /tmp -c listen_addresses=", folder, filepath.Join(folder, "data"))
	}
	return nil
}

// choose finds the host whose copy is to be restored.
func (r restoration) choose(ctx context.Context, all []agents.Agent) (agents.Agent, error) {
	var sources, hosts []string
	for _, one := range all {
		if !slices.Contains(sources, one.Source) {
			sources = append(sources, one.Source)
		}
	}
	if r.source == "" && len(sources) > 1 {
		return agents.Agent{}, wrong("the backup has several sources; name one with --source: %s", strings.Join(sources, ", "))
	}
	if r.source != "" && !slices.Contains(sources, r.source) {
		return agents.Agent{}, wrong("the backup has no source %q; sources: %s", r.source, strings.Join(sources, ", "))
	}
	type candidate struct {
		agents.Agent
		taken time.Time
	}
	var able []candidate
	var errs []error
	for _, one := range all {
		if r.source != "" && one.Source != r.source {
			continue
		}
		hosts = append(hosts, one.Host.Name())
		if r.host != "" && one.Host.Name() != r.host {
			continue
		}
		copies, err := one.List(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", label(one), err))
			continue
		}
		for _, c := range copies { // the newest first
			if (r.id == "" || c.ID == r.id) && (r.moment.IsZero() || !c.Taken.After(r.moment)) {
				able = append(able, candidate{one, c.Taken})
				break
			}
		}
	}
	switch {
	case r.host != "" && !slices.Contains(hosts, r.host):
		return agents.Agent{}, wrong("no copies are of a host %q; hosts: %s", r.host, strings.Join(hosts, ", "))
	case len(able) == 0 && len(errs) > 0:
		return agents.Agent{}, errors.Join(errs...)
	case len(able) == 0 && r.id != "":
		return agents.Agent{}, wrong("there is no copy %s; see: surety backup list", r.id)
	case len(able) == 0 && !r.moment.IsZero():
		return agents.Agent{}, fault("there is no copy that was taken by %s; see: surety backup list", r.moment.Local().Format("2006-01-02 15:04:05"))
	case len(able) == 0:
		return agents.Agent{}, fault("there is no copy yet; make one with: surety backup run")
	case len(able) > 1 && strings.HasPrefix(able[0].Source, "servers."):
		return agents.Agent{}, wrong("each of %s has copies of its own; choose one with --host", strings.Join(hosts, ", "))
	}
	// Of a database the primary of that time has the newest one.
	return slices.MaxFunc(able, func(a, b candidate) int { return a.taken.Compare(b.taken) }).Agent, nil
}

// emptyFolder makes the folder to restore into, unless it is there and empty.
func emptyFolder(name string) (folder string, made bool, err error) {
	if folder, err = filepath.Abs(name); err != nil {
		return "", false, err
	}
	entries, err := os.ReadDir(folder)
	switch {
	case err == nil && len(entries) > 0:
		return "", false, wrong("%s is not empty: restoring into it would mix two things; name a new folder", name)
	case err == nil:
		return folder, false, nil
	case !errors.Is(err, os.ErrNotExist):
		return "", false, wrong("--to: %w", err)
	}
	return folder, true, os.MkdirAll(folder, 0o700)
}
