package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/internal/terminal"
	"surety/operations/backup"
	"surety/operations/backup/agents"
	"surety/validate"
	"surety/validate/verify"
)

func (a *app) backupCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "backup",
		Short: "Make copies of what stands, give them back, and prove that they can be given back",
		Long: `Works with the copies that the spec's backups ask for. Agents on the hosts make them by themselves, the first at once and then every
interval, encrypted, into a bucket of each backup's own; of a PostgreSQL database the write-ahead log is kept continuously besides, so
that it can be restored as it was at any moment.`,
		Example: `  surety backup list
  surety backup run nightly
  surety backup restore nightly --source databases.main --at "2026-11-03 14:05" --to ./yesterday
  surety backup drill`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	run := &cobra.Command{
		Use:   "run [BACKUP]",
		Short: "Make a copy now, of all sources of a backup or of all backups",
		Long:  "Makes a copy now on each host that makes copies, and deletes those that are no longer to be kept. The schedule goes on as before.",
		Example: `  surety backup run
  surety backup run nightly --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.backupRun(c.Context(), args) },
	}
	list := &cobra.Command{
		Use:   "list [BACKUP]",
		Short: "List the copies, read from their repositories",
		Long:  "Reads from their repositories which copies there are, the newest of each host first, and up to when a database's log is kept.",
		Example: `  surety backup list
  surety backup list nightly --json | jq '.[].copies[0].taken'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.backupList(c.Context(), args) },
	}
	drill := &cobra.Command{
		Use:   "drill [BACKUP]",
		Short: "Restore the newest copy of each source into a scratch place and compare it",
		Long: `Restores the newest settled copy of each source into a scratch folder on its host, starts a database from it on a socket of its own, and
compares byte by byte and row by row with what was copied. Nothing that serves is touched. The results are kept as evidence of the
release that serves. Exit 3 when a copy is missing, or is not what was copied.`,
		Example: `  surety backup drill
  surety backup drill nightly --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.backupDrill(c.Context(), args) },
	}
	c.AddCommand(run, list, a.backupRestoreCommand(), drill)
	for _, sub := range c.Commands() {
		refuseExtra(sub)
	}
	return c
}

// agents lists the backup agents of what stands, of one backup when it is named.
func (a *app) agents(ctx context.Context, names []string) (*environment, []agents.Agent, error) {
	env, _, err := a.openExisting()
	if err != nil {
		return nil, nil, err
	}
	d, err := env.engine.Deployment(ctx)
	if err != nil {
		return nil, nil, err
	}
	hosts, err := env.target.Hosts(d)
	if err != nil {
		return nil, nil, fmt.Errorf("reach hosts: %w", err)
	}
	all := agents.Of(d, hosts)
	if len(all) == 0 {
		return nil, nil, fault("nothing of %s is backed up; add backups to the spec, then: surety up%s", env.name, a.fileFlag())
	}
	if len(names) == 0 {
		return env, all, nil
	}
	known := map[string]bool{}
	var chosen []agents.Agent
	for _, one := range all {
		known[one.Backup] = true
		if one.Backup == names[0] {
			chosen = append(chosen, one)
		}
	}
	if len(chosen) == 0 {
		return nil, nil, wrong("there is no backup %q; backups: %s", names[0], strings.Join(blueprints.SortedKeys(known), ", "))
	}
	return env, chosen, nil
}

// copiesOf is what one host's agent has to tell, as it is printed in JSON.
type copiesOf struct {
	Backup string         `json:"backup"`
	Source string         `json:"source"`
	Host   string         `json:"host"`
	Copies []backup.Copy  `json:"copies"`
	Agent  *backup.Status `json:"agent,omitempty"`
	Error  string         `json:"error,omitempty"`
}

func label(one agents.Agent) string {
	return fmt.Sprintf("%s of %s on %s", one.Backup, one.Source, one.Host.Name())
}

func (a *app) backupRun(ctx context.Context, names []string) error {
	env, all, err := a.agents(ctx, names)
	if err != nil {
		return err
	}
	unlock, err := env.share("backup run")
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	s := a.screen()
	told := []copiesOf{}
	failed := 0
	for _, one := range all {
		status, err := one.Status(ctx)
		if err == nil && status.Phase == "standby" {
			continue
		}
		s.Doing("%s", label(one))
		made, err := one.Once(ctx, func(text string) { s.Doing("%s  %s", label(one), text) })
		s.Doing("")
		if ctx.Err() != nil {
			return fault("interrupted: the copy that was being made does not count, earlier ones are whole")
		}
		entry := copiesOf{Backup: one.Backup, Source: one.Source, Host: one.Host.Name(), Copies: []backup.Copy{}}
		if err != nil {
			failed++
			entry.Error = err.Error()
			s.Line("  %s %s  %v", s.Paint(terminal.Red, "✘"), label(one), err)
		} else {
			entry.Copies = append(entry.Copies, made)
			s.Line("  %s %s  %s  %s", s.Paint(terminal.Green, "✔"), terminal.Pad(label(one), 40), terminal.Took(made.Took), contents(made))
		}
		told = append(told, entry)
	}
	if err := a.print(told); err != nil {
		return err
	}
	if failed > 0 {
		return fault("%s could not be made; what the agent says: surety logs HOST backup-NAME%s", terminal.Count(failed, "of the copies"), a.fileFlag())
	}
	return nil
}

// size writes an amount of content as a person would.
func size(bytes int64) string {
	amount, unit := float64(bytes), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if amount < 1024 {
			break
		}
		amount, unit = amount/1024, next
	}
	return fmt.Sprintf("%.3g %s", amount, unit)
}

// contents says in a few words what a copy holds.
func contents(c backup.Copy) string {
	text := fmt.Sprintf("%s, %s", terminal.Count(int(c.Files), "file"), size(c.Bytes))
	if len(c.Tables) > 0 {
		rows := int64(0)
		for _, t := range c.Tables {
			rows += t.Rows
		}
		text += fmt.Sprintf(", %s in %s", terminal.Count(int(rows), "row"), terminal.Count(len(c.Tables), "table"))
	}
	return text
}

func (a *app) backupList(ctx context.Context, names []string) error {
	_, all, err := a.agents(ctx, names)
	if err != nil {
		return err
	}
	s := a.screen()
	t := s.Table("backup", "source", "host", "taken", "copy", "holds")
	told := []copiesOf{}
	var unseen, log []string
	for _, one := range all {
		s.Doing("%s", label(one))
		entry := copiesOf{Backup: one.Backup, Source: one.Source, Host: one.Host.Name(), Copies: []backup.Copy{}}
		status, stateErr := one.Status(ctx)
		if stateErr == nil {
			entry.Agent = &status
		}
		copies, err := one.List(ctx)
		if err != nil {
			entry.Error = err.Error()
			unseen = append(unseen, fmt.Sprintf("%s: %v", label(one), err))
		}
		entry.Copies = append(entry.Copies, copies...)
		told = append(told, entry)
		for _, c := range copies {
			t.Row(terminal.Cell{Text: one.Backup}, terminal.Cell{Text: one.Source}, terminal.Cell{Text: one.Host.Name()},
				terminal.Cell{Text: c.Taken.Local().Format("2006-01-02 15:04:05")}, terminal.Cell{Text: c.ID}, terminal.Cell{Text: contents(c)})
		}
		switch {
		case err == nil && len(copies) == 0 && stateErr == nil && status.Phase == "standby":
			t.Row(terminal.Cell{Text: one.Backup}, terminal.Cell{Text: one.Source}, terminal.Cell{Text: one.Host.Name()},
				terminal.Cell{Text: "a standby: copies are made on the primary", Style: terminal.Dim})
		case err == nil && len(copies) == 0:
			t.Row(terminal.Cell{Text: one.Backup}, terminal.Cell{Text: one.Source}, terminal.Cell{Text: one.Host.Name()},
				terminal.Cell{Text: "no copy yet", Style: terminal.Yellow})
		}
		if archive := status.Archive; stateErr == nil && archive != nil && status.Phase != "standby" {
			line := fmt.Sprintf("log of %s kept up to %s", one.Host.Name(), archive.Covered.Local().Format("2006-01-02 15:04:05"))
			if archive.Covered.IsZero() {
				line = fmt.Sprintf("log of %s: nothing is kept beyond the copies yet", one.Host.Name())
			}
			if archive.Failure != "" {
				line += ": " + archive.Failure
			}
			log = append(log, line)
		}
		if stateErr == nil && status.Failure != "" {
			unseen = append(unseen, fmt.Sprintf("%s: the last run failed: %s", label(one), status.Failure))
		}
	}
	s.Doing("")
	if ctx.Err() != nil {
		return fault("interrupted")
	}
	if err := a.print(told); err != nil {
		return err
	}
	t.Print()
	for _, line := range slices.Concat(log, unseen) {
		s.Line("%s", line)
	}
	if slices.ContainsFunc(told, func(c copiesOf) bool { return c.Error != "" }) {
		return ended(Fault, "not all repositories could be read")
	}
	return nil
}

func (a *app) backupDrill(ctx context.Context, names []string) error {
	env, _, err := a.agents(ctx, names)
	if err != nil {
		return err
	}
	unlock, err := env.share("backup drill")
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	in, _, err := a.drillInput(ctx, env)
	if err != nil {
		return err
	}
	s := a.screen()
	long := s.Measuring()
	var details []verify.Detail
	in.Measured, in.Progress = func(d verify.Detail) { details = append(details, d) }, long.Tell
	name := strings.Join(names, "")
	started := time.Now()
	results := verify.Drills(ctx, in, name, nil)
	s.Doing("")
	if ctx.Err() != nil {
		a.interrupted(nil, long)
		return fault("interrupted: nothing is judged and nothing kept")
	}
	if len(results) == 0 {
		return fault("the release that serves has no such backup; make it with: surety up%s", a.fileFlag())
	}
	s.Results(results, verify.Headline)
	if err := a.keepEvidence(env, strings.TrimSpace("backup drill "+name), results, details); err != nil {
		return err
	}
	s.Line("drilled in %s; nothing that serves was touched", terminal.Took(time.Since(started)))
	if err := a.print(results); err != nil {
		return err
	}
	if slices.ContainsFunc(results, func(r validate.Result) bool { return r.State == validate.Fail }) {
		return ended(Breached, "a copy is missing, or is not what was copied")
	}
	return nil
}
