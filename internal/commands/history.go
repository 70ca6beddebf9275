package commands

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"surety/internal/terminal"
	"surety/stacks/engine"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// history opens the environment's records; there may be some of an environment that was destroyed.
func (a *app) history() (*environment, []releases.Record, error) {
	env, _, err := a.locate()
	if err != nil {
		return nil, nil, err
	}
	records, err := env.store.All()
	return env, records, err
}

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "List the releases",
		Long: `Lists the releases, oldest first, each with how its requirements stand by all that was measured of it until now.
Each record is part of a hash chain, and so is the evidence: one that was changed or dropped since is reported, exit 1.`,
		Example: `  surety history
  surety history --json | jq '.[-1].reason'`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, records, err := a.history()
			if err != nil {
				return err
			}
			if a.json() {
				if records == nil {
					records = []releases.Record{}
				}
				return a.print(records)
			}
			s := a.screen()
			if len(records) == 0 {
				s.Line("no release yet; make one with: surety up%s", a.fileFlag())
				return nil
			}
			current := releases.Current(records)
			t := s.Table("release", "made", "took", "by", "cause", "changes", "met", "breached", "unproven", "state")
			for _, r := range records {
				all, err := env.proof(c.Context(), records, &r)
				if err != nil {
					return err
				}
				count := all.count()
				state := terminal.Cell{Text: string(r.State)}
				switch {
				case current != nil && r.Number == current.Number:
					state = terminal.Cell{Text: "serving", Style: terminal.Green}
				case r.State == releases.RolledBack, r.State == releases.Failed:
					state.Style = terminal.Red
				}
				t.Row(terminal.Cell{Text: strconv.Itoa(r.Number)}, terminal.Cell{Text: r.Made.Local().Format("2006-01-02 15:04:05")},
					terminal.Cell{Text: terminal.Took(r.Took)}, terminal.Cell{Text: r.By}, terminal.Cell{Text: r.Cause},
					terminal.Cell{Text: changesOf(r)}, number(count.Met), number(count.Breached), number(count.Unproven), state)
			}
			t.Print()
			return nil
		},
	}
}

func changesOf(r releases.Record) string {
	text := terminal.Changes(r.Changes.Plan)
	if n := len(r.Changes.Failed); n > 0 {
		text += fmt.Sprintf(", %d failed", n)
	}
	return text
}

func number(n int) terminal.Cell { return terminal.Cell{Text: strconv.Itoa(n)} }

// find gives the release with the number that was typed.
func find(records []releases.Record, typed string) (*releases.Record, error) {
	n, err := strconv.Atoi(typed)
	if err != nil || n < 1 || n > len(records) {
		return nil, fault("there is no release %s; see: surety history", typed)
	}
	return &records[n-1], nil
}

func (a *app) showCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "show RELEASE",
		Short:   "Show one release: what changed, what was measured, why it ended as it did",
		Example: "  surety show 4\n  surety show 4 --spec > surety.yaml",
		Args:    cobra.ExactArgs(1),
	}
	spec := c.Flags().Bool("spec", false, "print its spec and nothing else")
	c.RunE = func(c *cobra.Command, args []string) error {
		env, records, err := a.history()
		if err != nil {
			return err
		}
		r, err := find(records, args[0])
		switch {
		case err != nil:
			return err
		case *spec:
			_, err := fmt.Fprint(a.stdout, r.Spec)
			return err
		case a.json():
			return a.print(r)
		}
		all, err := env.proof(c.Context(), records, r)
		if err != nil {
			return err
		}
		return a.showRecord(r, all)
	}
	return c
}

func (a *app) showRecord(r *releases.Record, all *proof) error {
	s := a.screen()
	s.Line("%s   %s by %s, %s, %s", s.Paint(terminal.Bold, fmt.Sprintf("release %d", r.Number)),
		r.Made.Local().Format("2006-01-02 15:04:05"), r.By, r.Cause, r.State)
	if r.Reason != "" {
		s.Line("not kept: %s", r.Reason)
	}
	s.Line("changes: %s", terminal.Changes(r.Changes.Plan))
	for _, f := range r.Changes.Failed {
		s.Failure(f.Name, f.Message)
	}
	if r.Rollout != nil {
		a.showRolled(r.Rollout.Hosts)
	}
	if len(all.made) == 0 {
		s.Line("nothing was verified")
	} else {
		s.Results(all.made, verify.Headline)
	}
	if err := a.showEvidence(all.later); err != nil {
		return err
	}
	if len(all.ledger) > 0 {
		s.LedgerSummary(all.ledger)
	}
	if r.Back != nil {
		s.Line("rolled back to release %d in %s", r.Back.To, terminal.Took(r.Back.Took))
	}
	if r.Service != nil {
		s.Line("time without service: %s (%d of %d requests failed)", without(r.Service), r.Service.Failed, r.Service.Sent)
	}
	s.Line("hash %s", r.Hash)
	return nil
}

// showEvidence lists what was measured of a release.
func (a *app) showEvidence(kept []releases.Evidence) error {
	if len(kept) == 0 {
		return nil
	}
	t := a.screen().Table("evidence", "made", "by", "cause", "results", "measurements")
	for _, e := range kept {
		var results []validate.Result
		var details []json.RawMessage
		for text, into := range map[*json.RawMessage]any{&e.Results: &results, &e.Details: &details} {
			if len(*text) > 0 {
				if err := json.Unmarshal(*text, into); err != nil {
					return fmt.Errorf("read evidence %d: %w", e.Number, err)
				}
			}
		}
		found := "in the release's record"
		if len(results) > 0 {
			found = validate.Tally(results).String()
		}
		t.Row(number(e.Number), terminal.Cell{Text: e.Made.Local().Format("2006-01-02 15:04:05")}, terminal.Cell{Text: e.By},
			terminal.Cell{Text: e.Cause}, terminal.Cell{Text: found}, number(len(details)))
	}
	t.Print()
	return nil
}

func (a *app) rollbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollback [RELEASE]",
		Short: "Put an earlier release back",
		Long: `Builds the resources of an earlier release, with the programs it had, and verifies its requirements. Without a number it is
the last kept release before the one that serves. It becomes a new release; when it fails, the one that serves now is put back.`,
		Example: "  surety rollback\n  surety rollback 3 --yes",
		Args:    cobra.MaximumNArgs(1),
	}
	c.Flags().BoolP("yes", "y", false, "do not ask")
	irreversible := c.Flags().Bool("accept-irreversible", false, "agree to steps that nothing can undo: deleting or replacing what holds data")
	loadFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		env, records, err := a.history()
		if err != nil {
			return err
		}
		current := releases.Current(records)
		if current == nil {
			return fault("nothing is released; make a release with: surety up%s", a.fileFlag())
		}
		to := releases.Before(records, current)
		if len(args) == 1 {
			if to, err = find(records, args[0]); err != nil {
				return err
			}
		}
		switch {
		case to == nil:
			return fault("release %d has none before it to go back to; see: surety history%s", current.Number, a.fileFlag())
		case to.State == releases.Destroyed:
			return wrong("entry %d of the history is the removal of the environment, not a release", to.Number)
		case to.State != releases.Kept:
			return wrong("release %d was not kept (%s); choose one that was", to.Number, to.Reason)
		}
		unlock, err := env.lock("rollback")
		if err != nil {
			return err
		}
		defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
		if !a.yes() && a.json() {
			return wrong("--json asks nobody; say that you agree with --yes")
		}
		steps, err := env.engine.Preview(c.Context(), env.artifacts.Place(to.Graph), engine.Options{Refresh: true}, func(engine.Event) {})
		if err != nil {
			return err
		}
		if err := guard(steps, env.target.Capabilities(c.Context()), *irreversible); err != nil {
			return err
		}
		if !a.yes() {
			a.screen().Line("going back to release %d of %s: %s", to.Number, to.Made.Local().Format("2006-01-02 15:04"), terminal.Changes(steps))
			if err := a.confirm(c.Context(), "Go back?"); err != nil {
				return err
			}
		}
		return a.release(c.Context(), env, releases.Candidate{File: to.File, Spec: to.Spec, Graph: to.Graph,
			Cause: fmt.Sprintf("rollback to %d", to.Number)})
	}
	return c
}
