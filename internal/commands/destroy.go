package commands

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/internal/terminal"
	"surety/stacks/engine"
	"surety/stacks/releases"
)

func (a *app) destroyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "destroy",
		Short: "Remove everything that was built",
		Long: `Removes every resource, its data included, and what surety keeps to manage them. The release records stay, as evidence of what
was built and measured, unless --purge removes them too. Running it again after an interruption continues.`,
		Example: "  surety destroy\n  surety destroy --yes --purge",
		Args:    cobra.NoArgs,
	}
	c.Flags().BoolP("yes", "y", false, "do not ask")
	purge := c.Flags().Bool("purge", false, "remove the release records too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		env, _, err := a.locate()
		if err != nil {
			return err
		}
		if _, err := os.Stat(env.dir); errors.Is(err, os.ErrNotExist) {
			a.screen().Line("nothing of %s stands", env.name)
			return a.print(map[string]any{"destroyed": 0})
		}
		unlock, err := env.lock("destroy")
		if err != nil {
			return err
		}
		defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
		state, err := env.engine.State()
		lost := errors.Is(err, engine.ErrDamaged)
		if err != nil && !lost {
			return err
		}
		if lost {
			state = &engine.State{}
		}
		s := a.screen()
		if (len(state.Resources) > 0 || lost) && !a.yes() {
			what := terminal.Count(len(state.Resources), "resource")
			if lost {
				what = "everything"
			}
			s.Line("%s of %s will be removed, with all data in it", what, env.name)
			if err := a.confirm(c.Context(), "Remove them?"); err != nil {
				return err
			}
		}
		started := time.Now()
		runner := a.runner(env)
		progress := s.Progress("removing")
		var changes engine.Outcome
		if !lost {
			changes, err = env.engine.Destroy(c.Context(), progress.Event)
		}
		if lost || errors.Is(err, engine.ErrWrongPassphrase) { // the control plane knows by itself what stands
			s.Line("the state cannot be read (%v): removing what the local cloud says is there", err)
			err = nil
		}
		progress.Done()
		if changes.Cancelled || c.Context().Err() != nil {
			return fault("interrupted; continue with: surety destroy%s", a.fileFlag())
		}
		if err != nil && len(changes.Failed) == 0 {
			return err
		}
		if len(changes.Failed) > 0 {
			return fault("%s could not be removed; run it again", terminal.Count(len(changes.Failed), "resource"))
		}
		if err := env.target.Clean(c.Context()); err != nil {
			return fmt.Errorf("clean up: %w", err)
		}
		if err := runner.Removed(started, changes); err != nil && !errors.Is(err, releases.ErrTampered) {
			return err
		}
		kept, err := env.forget(*purge)
		if err != nil {
			return err
		}
		removed := len(changes.Steps)
		s.Line("%s removed in %s; nothing of it is left on this machine", terminal.Count(removed, "resource"), terminal.Took(time.Since(started)))
		if kept > 0 {
			s.Line("%s kept in %s (remove them with --purge)", terminal.Count(kept, "release record"), filepath.Join(env.dir, "releases"))
		}
		return a.print(map[string]any{"destroyed": removed, "records": kept, "took": time.Since(started).Seconds()})
	}
	return c
}

// forget removes what surety keeps of an environment that no longer stands, but for the release records,
// and tells how many of those there are.
func (e *environment) forget(purge bool) (records int, err error) {
	all, err := e.store.All()
	if err != nil && !errors.Is(err, releases.ErrTampered) { // records that were tampered with are evidence all the more
		return 0, err
	}
	if purge || len(all) == 0 {
		if err := os.RemoveAll(e.dir); err != nil {
			return 0, err
		}
		os.Remove(filepath.Dir(e.dir)) // .surety itself, when no other environment is in it
		return 0, nil
	}
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "releases") { // with the evidence beside them
			if err := os.RemoveAll(filepath.Join(e.dir, entry.Name())); err != nil {
				return 0, err
			}
		}
	}
	return len(all), nil
}
