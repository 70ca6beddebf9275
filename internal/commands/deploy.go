package commands

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"surety/internal/terminal"
	"surety/stacks"
	"surety/stacks/engine"
	"surety/stacks/local"
	"surety/stacks/releases"
)

func (a *app) deployCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "deploy servers.NAME",
		Short: "Put a changed program or configuration on the hosts of one server group, host by host",
		Long: `Puts what changed of one server group on its hosts: the program's bytes on disk, and files, env and command of the spec. The
hosts change --batch at a time. Each must become healthy, be found so by its balancer, and hold what was planned, before the next is
touched; SHA-256 of programs and files before and after are read from the hosts themselves. The entry points are watched throughout.
When a host does not come up, or verification fails after the last, all that were changed get the previous program and configuration
back. It makes a release, so that history, show and rollback know it. Nothing else is touched: a change of anything but these hosts,
or one that would replace them, is refused and left to surety up, which also changes the hosts of a group one after the other.
Exit 0 when kept or nothing has changed, 2 with --dry-run when something has, 4 when the previous state was put back.`,
		Example: `  make build && surety deploy servers.web
  surety deploy servers.web --dry-run
  surety deploy servers.web --batch 2 --yes --json | jq .rollout`,
		Args: cobra.ExactArgs(1),
	}
	c.Flags().BoolP("yes", "y", false, "do not ask")
	loadFlag(c)
	batch := c.Flags().Int("batch", 1, "how many hosts change at a time")
	dry := c.Flags().Bool("dry-run", false, "say what would change on which host, and change nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *batch < 1 {
			return wrong("--batch %d: at least one host changes at a time", *batch)
		}
		d, err := a.prepareDeploy(c.Context(), args[0], *batch)
		if err != nil {
			return err
		}
		return a.deploy(c.Context(), d, *dry)
	}
	return c
}

// deployment is a deploy before it is begun.
type deployment struct {
	*plan
	group   string
	batch   int
	current *releases.Record
	hosts   int           // of the group
	changed []engine.Step // updates of the group's servers, in the order in which they are done
}

// prepareDeploy finds out whether a deploy of a group is possible.
func (a *app) prepareDeploy(ctx context.Context, group string, batch int) (*deployment, error) {
	p, err := a.prepare(ctx)
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, c := range p.arch.Components {
		if c.Server != nil {
			groups = append(groups, c.ID)
		}
	}
	if !slices.Contains(groups, group) {
		return nil, wrong("there is no server group %q to deploy to; groups: %s", group, strings.Join(groups, ", "))
	}
	if err := p.env.target.Ready(ctx); err != nil {
		return nil, err
	}
	return &deployment{plan: p, group: group, batch: batch}, nil
}

// look asks what would change, and refuses what a deploy does not do.
func (a *app) look(ctx context.Context, d *deployment) error {
	records, err := d.env.store.All()
	if err != nil {
		return err
	}
	if d.current = releases.Current(records); d.current == nil {
		return fault("nothing is released that a program could be put on; build it with: surety up%s", a.fileFlag())
	}
	steps, err := a.preview(ctx, d.plan, true)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, r := range d.graph.Resources {
		if ours[r.Name] = ofGroup(r, d.group); ours[r.Name] {
			d.hosts++
		}
	}
	var foreign []string
	for _, s := range steps.Steps {
		switch {
		case s.Op == engine.OpSame || s.Op == engine.OpRead || s.Op == engine.OpRefresh:
		case s.Op == engine.OpUpdate && ours[s.Name]:
			d.changed = append(d.changed, s)
		default:
			foreign = append(foreign, fmt.Sprintf("%s (%s)", s.Name, s.Op))
		}
	}
	if len(foreign) > 0 {
		return fault("more has changed than the programs and configuration of %s: %s\nsee it with: surety plan%s\nrelease it with: surety up%s",
			d.group, strings.Join(foreign, ", "), a.fileFlag(), a.fileFlag())
	}
	return nil
}

// ofGroup tells whether a resource is a server of the group.
func ofGroup(r stacks.Resource, group string) bool {
	return r.Type == local.TypeServer && r.Inputs["group"] == group
}

func (a *app) deploy(ctx context.Context, d *deployment, dry bool) error {
	if !dry {
		if !a.yes() && a.json() {
			return wrong("--json asks nobody; say that you agree with --yes")
		}
		unlock, err := d.env.lock("deploy " + d.group)
		if err != nil {
			return err
		}
		defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	}
	if err := a.look(ctx, d); err != nil {
		return err
	}
	text, err := os.ReadFile(specPath(d.doc.File))
	if err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	names := make([]string, len(d.changed))
	for i, s := range d.changed {
		names[i] = s.Name
	}
	steps := releases.Steps(d.current.Graph, d.graph, names, d.batch)
	switch {
	case len(d.changed) == 0:
		return a.nothingToDeploy(d, string(text) != d.current.Spec)
	case dry:
		if err := a.showDeploy(d, steps); err != nil {
			return err
		}
		return ended(Findings, "changes are pending")
	case !a.yes():
		if err := a.showDeploy(d, steps); err != nil {
			return err
		}
		if err := a.confirm(ctx, "Deploy this?"); err != nil {
			return err
		}
	}
	reader, err := newHoldings(ctx, d)
	if err != nil {
		return err
	}
	return a.release(ctx, d.env, releases.Candidate{File: d.doc.File, Spec: string(text), Graph: d.graph, Cause: "deploy " + d.group,
		Rollout: &releases.Rollout{Group: d.group, Batch: d.batch, Steps: steps, Read: reader.read, Good: reader.good, Told: a.showRolled}})
}

// nothingToDeploy says that the hosts hold what the spec says. That is no fault.
func (a *app) nothingToDeploy(d *deployment, edited bool) error {
	if a.json() {
		return a.print(deployJSON{Group: d.group, Release: d.current.Number, Batch: d.batch, Steps: []deployStep{}})
	}
	s := a.screen()
	s.Line("nothing to deploy: programs and configuration on %s are those of release %d", d.group, d.current.Number)
	if edited {
		s.Line("  the spec has changed in what concerns no host; release that with: surety up%s", a.fileFlag())
	}
	return nil
}

// deployJSON is what --dry-run --json prints, and a deploy of nothing.
type deployJSON struct {
	Group   string       `json:"group"`
	Release int          `json:"release"` // that serves
	Batch   int          `json:"batch"`
	Steps   []deployStep `json:"steps"`
}

type deployStep struct {
	Hosts   []string                           `json:"hosts"`
	Changes map[string][]engine.PropertyChange `json:"changes"` // by host
}

// showDeploy shows which hosts change, in which order, and what on each.
func (a *app) showDeploy(d *deployment, steps []releases.RolloutStep) error {
	shown := deployJSON{Group: d.group, Release: d.current.Number, Batch: d.batch, Steps: []deployStep{}}
	at := 0
	for _, step := range steps {
		one := deployStep{Hosts: step.Hosts, Changes: map[string][]engine.PropertyChange{}}
		for _, host := range step.Hosts {
			one.Changes[host] = d.changed[at].Diff
			at++
		}
		shown.Steps = append(shown.Steps, one)
	}
	if a.json() {
		return a.print(shown)
	}
	s := a.screen()
	s.Line("%s   %s of %d, %d at a time; release %d serves", s.Paint(terminal.Bold, "deploy "+d.group), terminal.Count(len(d.changed), "host"), d.hosts, d.batch, d.current.Number)
	for i, step := range shown.Steps {
		for _, host := range step.Hosts {
			s.Line("  %d  %s", i+1, host)
			for _, change := range step.Changes[host] {
				s.Line("       %s: %s → %s", change.Path, brief(change.From), brief(change.To))
			}
		}
	}
	if d.batch >= d.hosts {
		s.Line("  %s", s.Paint(terminal.Yellow, "all hosts of the group change at once: callers will see that"))
	}
	return nil
}

// brief shortens a value for one line of a terminal.
func brief(value string) string {
	if value == "" {
		return "(none)"
	}
	return terminal.Cut(strings.ReplaceAll(value, "\n", "⏎"), 48)
}
