package commands

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"surety/benchmarks"
	"surety/benchmarks/baseline"
	"surety/internal/terminal"
	"surety/stacks/releases"
	"surety/validate"
	"surety/validate/verify"
)

// fewestRuns is how few runs may be taken: of fewer, no interval of a median exists.
const fewestRuns = 6

func (a *app) baselineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "baseline",
		Short: "Save how fast the system is, and find out whether it became slower",
		Long: `Measures the system again and again in short runs: latency at the required rate and the most requests of each server group, latency and
transactions of each database, throughput of each bucket, and beside them a fixed piece of computing, which tells whether the machine
itself changed. A comparison fails on a regression that is proven beyond the margin, and not on a wobble.`,
		Example: `  surety baseline save before
  surety up --yes
  surety baseline compare before`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.baselineSave(), a.baselineCompare(), a.baselineList(), a.baselineShow())
	for _, sub := range c.Commands() {
		refuseExtra(sub)
	}
	return c
}

func (a *app) baselineSave() *cobra.Command {
	c := &cobra.Command{
		Use:   "save [NAME]",
		Short: "Measure the system and keep the figures to compare with later",
		Long: `Measures the release that serves, and keeps the figures of every run with the release's number and the machine's fingerprint in
.surety/NAME/baselines. Without a name it is named after the release. Interrupted, it saves nothing.`,
		Example: "  surety baseline save\n  surety baseline save before-tuning --runs 20",
		Args:    cobra.MaximumNArgs(1),
	}
	runs := runsFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		t, err := a.takeBaseline(c.Context(), "baseline save", *runs, strings.Join(args, ""), nil)
		if err != nil {
			return err
		}
		defer t.unlock()
		id, err := baseline.Open(t.folder).Save(t.record)
		if err != nil {
			return err
		}
		if err := a.keepEvidence(t.env, "baseline save "+t.record.Name, nil, []verify.Detail{savedDetail(t.record)}); err != nil {
			return err
		}
		if a.json() {
			return a.print(baseline.Entry{ID: id, Record: t.record})
		}
		a.showBaseline(t.record)
		a.screen().Line("saved as %s (%s)", t.record.Name, id)
		a.screen().Line("  compare with it:  surety baseline compare %s%s", quoted(t.record.Name), a.fileFlag())
		return nil
	}
	return c
}

func (a *app) baselineCompare() *cobra.Command {
	c := &cobra.Command{
		Use:   "compare [NAME]",
		Short: "Measure the system again and compare with a saved baseline",
		Long: `Measures the release that serves and compares with a saved baseline, the latest without a name. Each figure ends as no worse, worse by
more than the margin, or unproven, with its effect and interval. Where the machine or its software differs nothing is judged, unless
--across says so; the differences are named either way. It is kept as evidence of the release.
Exit 3 on a proven regression, else 0, also when something is unproven.`,
		Example: "  surety baseline compare\n  surety baseline compare before-tuning --margin 3%\n  surety baseline compare --json | jq '.changes[] | {name, verdict, effect}'",
		Args:    cobra.MaximumNArgs(1),
	}
	runs := runsFlag(c)
	margin := c.Flags().String("margin", "5%", "the change that matters")
	across := c.Flags().Bool("across", false, "judge also when the environments differ")
	c.RunE = func(c *cobra.Command, args []string) error {
		share, err := percent(*margin)
		if err != nil {
			return err
		}
		var old baseline.Entry
		t, err := a.takeBaseline(c.Context(), "baseline compare", *runs, "now", func(folder string) (err error) {
			old, err = baseline.Open(folder).Load(strings.Join(args, ""))
			if errors.Is(err, baseline.ErrNone) {
				return fault("%w\nsee what there is: surety baseline list%s; save one: surety baseline save%s", err, a.fileFlag(), a.fileFlag())
			}
			return err
		})
		if err != nil {
			return err
		}
		defer t.unlock()
		compared := baseline.Compare(old.Record, t.record, baseline.Options{Margin: share, AcrossEnvironments: *across})
		result, detail := verify.BaselineResult(compared), verify.BaselineDetail(compared)
		if err := a.keepEvidence(t.env, "baseline compare "+old.Record.Name, []validate.Result{result}, []verify.Detail{detail}); err != nil {
			return err
		}
		if a.json() {
			if err := a.print(compared); err != nil {
				return err
			}
		} else {
			a.showComparison(old, t.record, compared)
		}
		if compared.Verdict == baseline.Fail {
			return ended(Breached, result.Summary)
		}
		return nil
	}
	return c
}

func (a *app) baselineList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the saved baselines",
		Long:    "Lists the saved baselines, oldest first, and files that cannot be trusted: exit 1 when there are any.",
		Example: "  surety baseline list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			env, _, err := a.locate()
			if err != nil {
				return err
			}
			entries, damaged, err := baseline.Open(env.baselines()).List()
			if err != nil {
				return err
			}
			if a.json() {
				if err := a.print(map[string]any{"baselines": append([]baseline.Entry{}, entries...), "damaged": append([]baseline.Damaged{}, damaged...)}); err != nil {
					return err
				}
			} else {
				a.showBaselines(entries, damaged)
			}
			if len(damaged) > 0 {
				return ended(Fault, terminal.Count(len(damaged), "file")+" cannot be trusted")
			}
			return nil
		},
	}
}

func (a *app) baselineShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show a saved baseline",
		Long:    "Shows a saved baseline by its name (the latest that bears it), its ID or the beginning of that, or latest.",
		Example: "  surety baseline show latest\n  surety baseline show before-tuning --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			env, _, err := a.locate()
			if err != nil {
				return err
			}
			entry, err := baseline.Open(env.baselines()).Load(args[0])
			if errors.Is(err, baseline.ErrNone) {
				return fault("%w\nsee what there is: surety baseline list%s", err, a.fileFlag())
			}
			if err != nil {
				return err
			}
			if a.json() {
				return a.print(entry)
			}
			a.screen().Line("%s   %s", a.screen().Paint(terminal.Bold, entry.Record.Name), entry.ID)
			a.showBaseline(entry.Record)
			return nil
		},
	}
}

func runsFlag(c *cobra.Command) *int {
	return c.Flags().Int("runs", baseline.DefaultRuns, "runs of each figure, of about a second; more tell smaller changes apart")
}

// percent reads a share, as "5%" or "0.05".
func percent(text string) (float64, error) {
	number, hundredths := strings.CutSuffix(strings.TrimSpace(text), "%")
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if hundredths {
		value /= 100
	}
	if err != nil || !(value > 0 && value < 1) {
		return 0, wrong("--margin %q: give a share between 0 and 100 %%, as 5%%", text)
	}
	return value, nil
}

// baselines is the folder of an environment's baselines.
func (e *environment) baselines() string { return filepath.Join(e.dir, "baselines") }

// takenBaseline is a baseline that was just measured. The environment stays locked until unlock.
type takenBaseline struct {
	env    *environment
	folder string
	record baseline.Record
	unlock func()
}

// takeBaseline measures the release that serves. first, which may be nil, may refuse before anything is measured.
func (a *app) takeBaseline(ctx context.Context, command string, runs int, name string, first func(folder string) error) (_ *takenBaseline, err error) {
	if runs < fewestRuns {
		return nil, wrong("--runs %d: fewer than %d runs give no interval", runs, fewestRuns)
	}
	env, _, err := a.openExisting()
	if err != nil {
		return nil, err
	}
	records, err := env.store.All()
	if err != nil {
		return nil, err
	}
	current := releases.Current(records)
	if current == nil {
		return nil, fault("no release serves; make one with: surety up%s", a.fileFlag())
	}
	if first != nil {
		if err := first(env.baselines()); err != nil {
			return nil, err
		}
	}
	release, err := env.lock(command) // a change meanwhile would be measured along
	if err != nil {
		return nil, err
	}
	t := &takenBaseline{env: env, folder: env.baselines(), unlock: func() { _ = release() }} // the kernel ends the lock with this process anyhow
	defer func() {
		if err != nil {
			t.unlock()
		}
	}()
	in, _, err := a.drillInput(ctx, env)
	if err != nil {
		return nil, err
	}
	plan, err := verify.PlanBaseline(ctx, in)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = fmt.Sprintf("release %d", current.Number)
	}
	before := loadAverage()
	long := a.screen().Measuring()
	t.record, err = plan.Take(ctx, name, runs, func(p verify.BaselineProgress) { long.Tell("baseline", p.String()) })
	a.screen().Doing("")
	if ctx.Err() != nil {
		return nil, fault("interrupted: nothing was kept; run it again")
	}
	if err != nil {
		return nil, err
	}
	notes := t.record.Notes
	notes["release"], notes["hash"], notes["tool"], notes["by"] = strconv.Itoa(current.Number), current.Hash, version, who()
	if before != "" {
		notes["load average"] = before + " before, " + loadAverage() + " after"
	}
	return t, nil
}

// savedDetail gives a saved baseline's medians as figures, for documents.
func savedDetail(r baseline.Record) verify.Detail {
	d := verify.Detail{Check: "baseline/saved", Suite: verify.Baseline, Subject: "environment", From: "its hosts", At: time.Now(),
		How: fmt.Sprintf("baseline %q: medians of short runs in turn", r.Name)}
	for _, s := range r.Series {
		if s.Missing != "" || len(s.Runs) < fewestRuns { // no interval
			continue
		}
		m := s.Median()
		d.Figures = append(d.Figures, benchmarks.Measurement{Quantity: s.Name, Unit: s.Unit, Value: m.Center, Low: m.Low, High: m.High, Count: len(s.Runs),
			Fingerprint: r.Fingerprint, At: r.Taken, How: s.How})
	}
	return d
}
