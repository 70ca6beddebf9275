package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/internal/terminal"
	"surety/stacks"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

func (a *app) drillCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "drill",
		Short: "Break something on purpose, and measure how it comes back",
		Long: `Makes a real failure of what stands, measures how long service was gone and what was lost, mends it, and keeps the figures as
evidence for objectives.rto and objectives.rpo.`,
		Example: "  surety drill failover",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	failover := &cobra.Command{
		Use:   "failover [databases.NAME...]",
		Short: "Kill a database's primary, promote its standby, and measure what that costs",
		Long: `Writes rows from a host that uses the database, kills the database's primary meanwhile, promotes the standby at once, and measures
the time without an acknowledged write and the acknowledged rows that are missing. Then it brings the old primary back as standby
and checks what stands. Without a name every database with a standby is drilled, one after the other.

Users of the database are without it for as long as the drill finds out, and what it finds lost is lost for them too. The roles are
swapped afterwards. How long a failure would go unnoticed is not measured: nothing here promotes a standby by itself.
Exit 3 when an objective is breached, or what stands is less healthy than before.`,
		Example: `  surety drill failover
  surety drill failover databases.main --kill process --yes
  surety drill failover --yes --json | jq '.drills[].outage'`,
		Args: cobra.ArbitraryArgs,
	}
	failover.Flags().BoolP("yes", "y", false, "do not ask")
	kill := failover.Flags().String("kill", string(stacks.KillHost), "what to kill: host, as a power cut; or process, the database's main process (SIGKILL)")
	failover.RunE = func(c *cobra.Command, args []string) error {
		how := stacks.Kill(*kill)
		if how != stacks.KillHost && how != stacks.KillProcess {
			return wrong("--kill is %s or %s, not %q", stacks.KillHost, stacks.KillProcess, *kill)
		}
		return a.drillFailover(c.Context(), args, how)
	}
	c.AddCommand(failover)
	return c
}

// drilled is what the drill command prints as JSON.
type drilled struct {
	Drills []verify.FailoverReport `json:"drills"`
	After  []validate.Result       `json:"after"` // what the quick checks found afterwards
}

func (a *app) drillFailover(ctx context.Context, names []string, how stacks.Kill) error {
	if !a.yes() && a.json() {
		return wrong("--json asks nobody; say that you agree with --yes")
	}
	env, _, err := a.openExisting()
	if err != nil {
		return err
	}
	target, ok := any(env.target).(stacks.Failover)
	if !ok {
		return fault("the target %s offers no failover on purpose", env.target.Name())
	}
	unlock, err := env.lock("drill failover")
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	in, current, err := a.drillInput(ctx, env)
	if err != nil {
		return err
	}
	names, apart, err := drillable(in, names)
	if err != nil {
		return err
	}
	var plans []*verify.FailoverPlan
	for _, name := range names {
		p, err := verify.PlanFailover(ctx, in, target, name, how)
		if err != nil {
			return fault("no drill: %w\nsee how it stands: surety status%s; mend it: surety up%s", err, a.fileFlag(), a.fileFlag())
		}
		p.Apart = apart
		plans = append(plans, p)
	}
	if err := a.agreeToDrill(ctx, plans); err != nil {
		return err
	}
	return a.drill(ctx, env, current, in, target, plans)
}

// drillInput is the release that serves, in the form that verification takes.
func (a *app) drillInput(ctx context.Context, env *environment) (verify.Input, releases.Candidate, error) {
	records, err := env.store.All()
	if err != nil {
		return verify.Input{}, releases.Candidate{}, err
	}
	current := releases.Current(records)
	if current == nil {
		return verify.Input{}, releases.Candidate{}, fault("no release serves; make one with: surety up%s", a.fileFlag())
	}
	c := releases.Candidate{File: current.File, Spec: current.Spec, Graph: current.Graph}
	doc, arch, err := read(c)
	if err != nil {
		return verify.Input{}, c, err
	}
	d, err := env.engine.Deployment(ctx)
	if err != nil {
		return verify.Input{}, c, err
	}
	hosts, err := env.target.Hosts(d)
	if err != nil {
		return verify.Input{}, c, fmt.Errorf("reach hosts: %w", err)
	}
	return verify.Input{Document: doc, Architecture: arch, Graph: c.Graph, Deployment: d, Hosts: hosts, Now: time.Now,
		Live: func(ctx context.Context) (verify.Live, error) { return env.live(ctx, d) }, Capabilities: env.target.Capabilities(ctx)}, c, nil
}

// drillable gives the databases to drill, all that have a standby when none is named, and those that are left out.
func drillable(in verify.Input, names []string) (chosen, apart []string, err error) {
	var all, able []string
	for _, c := range in.Architecture.Components {
		if c.Database != nil {
			all = append(all, c.ID)
			if c.Database.Standby {
				able = append(able, c.ID)
			}
		}
	}
	for _, name := range names {
		if !strings.Contains(name, ".") {
			name = "databases." + name
		}
		if !slices.Contains(all, name) {
			return nil, nil, wrong("there is no database %q; databases: %s", name, strings.Join(all, ", "))
		}
		if !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	if len(names) == 0 {
		chosen = able
	}
	if len(chosen) == 0 {
		return nil, nil, fault("no database here has a standby to fail over to; ask for one with highAvailability: true")
	}
	return chosen, slices.DeleteFunc(all, func(id string) bool { return slices.Contains(chosen, id) }), nil
}

// agreeToDrill says what is going to be done, and asks.
func (a *app) agreeToDrill(ctx context.Context, plans []*verify.FailoverPlan) error {
	s := a.screen()
	for _, p := range plans {
		what := "the host " + p.Roles.Primary
		if p.Kill == stacks.KillProcess {
			what = "PostgreSQL's main process on " + p.Roles.Primary
		}
		s.Line("%s", s.Paint(terminal.Bold, "failover drill on "+p.Component))
		s.Line("  write rows from %s, through the address that its users have", p.From)
		s.Line("  kill %s (SIGKILL), then promote %s at once", what, p.Roles.Standbys[0])
		s.Line("  measure the time without writes, and which acknowledged rows are lost")
		s.Line("  bring %s back as standby, and check everything", p.Roles.Primary)
	}
	s.Line("its users are without the database meanwhile, and what is lost is lost for them too")
	if a.yes() {
		return nil
	}
	return a.confirm(ctx, "Kill it?")
}

// drill makes the drills, shows and keeps what they found, and tells by the exit code how it ended.
func (a *app) drill(ctx context.Context, env *environment, c releases.Candidate, in verify.Input, target stacks.Failover, plans []*verify.FailoverPlan) error {
	s := a.screen()
	found, kept := drilled{Drills: []verify.FailoverReport{}, After: []validate.Result{}}, []verify.Detail(nil)
	var results []validate.Result
	var faults []error
	for _, p := range plans {
		if ctx.Err() != nil {
			break
		}
		report, details, err := verify.Failover(ctx, in, target, p, func(text string) { s.Doing("%s", text) })
		s.Doing("")
		found.Drills, kept, results = append(found.Drills, report), append(kept, details...), append(results, report.Results...)
		if err != nil && ctx.Err() == nil {
			faults = append(faults, fmt.Errorf("drill on %s: %w", p.Component, err))
		}
		if report.After.Primary != report.Before.Primary {
			// Who is primary was changed on purpose: nobody is to be told that it changed behind their back.
			if _, err := env.engine.RefreshOnly(context.WithoutCancel(ctx), []string{p.Resource}, nil); err != nil {
				faults = append(faults, fmt.Errorf("note the new roles of %s: %w", p.Component, err))
			}
		}
		if !report.Mended && report.MendProblem != "" {
			faults = append(faults, fmt.Errorf("%s was not mended: %s\nmend it with: surety up%s", p.Component, report.MendProblem, a.fileFlag()))
		}
		if err != nil || !report.Mended {
			break // what comes next would be done to something that is broken
		}
	}
	if len(results) > 0 {
		// With its evidence also when all is well: the figures are what a drill is for.
		terminal.New(a.stdout, terminal.Options{NoColor: a.settings.GetBool("no-color"), Quiet: a.json(), Verbose: true}).Results(results, verify.Headline)
		cause := "drill failover"
		for _, p := range plans {
			cause += " " + p.Component
		}
		if err := a.keepEvidence(env, cause+" --kill "+string(plans[0].Kill), results, kept); err != nil {
			faults = append(faults, err)
		}
	}
	if ctx.Err() != nil {
		return errors.Join(append(faults, fault("interrupted; what had been killed was mended"))...)
	}
	d, err := env.engine.Deployment(ctx)
	if err != nil {
		return errors.Join(append(faults, err)...)
	}
	// Quick checks tell whether everything is as healthy as a drill must leave it.
	after, err := a.measure(ctx, env, c, d, nil, verify.Effort{Load: -1})
	if err != nil {
		faults = append(faults, err)
	} else {
		found.After = after.results
		s.Line("afterwards:")
		s.Results(after.results, verify.Headline)
	}
	if err := errors.Join(append(faults, a.print(found))...); err != nil {
		return err
	}
	s.Line("kept as evidence: surety ledger%s", a.fileFlag())
	if slices.ContainsFunc(append(results, found.After...), func(r validate.Result) bool { return r.State == validate.Fail }) {
		return ended(Breached, "a requirement is breached")
	}
	return nil
}
