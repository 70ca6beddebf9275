package commands

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"surety/internal/terminal"
	"surety/stacks"
	"surety/stacks/engine"
	"surety/stacks/releases"
	"surety/validate/verify"
)

func (a *app) upCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Build it, prove it, and keep it or roll it back",
		Long: `Plans, applies, verifies every requirement by measurement, and keeps the release; when applying or verification fails,
the previous release is put back and verified. Running it again after any interruption continues where it was.
What the spec expects of rates and latencies is measured by a short load on what was built; --load 0s drives none.
Exit 0 when kept, 3 when a requirement is breached and there was no previous release, 4 when rolled back.`,
		Example: `  surety up
  surety up --yes --json > release.json
  surety up --load 30s                       load for long enough to judge tight limits
  surety up -f examples/reader`,
		Args: cobra.NoArgs,
	}
	c.Flags().BoolP("yes", "y", false, "do not ask")
	irreversible := c.Flags().Bool("accept-irreversible", false, "agree to steps that nothing can undo: deleting or replacing what holds data")
	graph := c.Flags().String("graph", "", "build a Graph from a JSON file instead of a spec, without verification")
	_ = c.Flags().MarkHidden("graph") // for measuring the engine
	loadFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *graph != "" {
			return a.upGraph(c.Context(), *graph)
		}
		return a.up(c.Context(), *irreversible)
	}
	return c
}

func (a *app) up(ctx context.Context, irreversible bool) error {
	p, err := a.prepare(ctx)
	if err != nil {
		return err
	}
	if err := p.env.target.Ready(ctx); err != nil {
		return err
	}
	unlock, err := p.env.lock("up")
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	if !a.yes() && a.json() {
		return wrong("--json asks nobody; say that you agree with --yes")
	}
	steps, err := a.preview(ctx, p, true)
	if err != nil {
		return err
	}
	if err := guard(steps, p.able, irreversible); err != nil {
		return err
	}
	if !a.yes() {
		if err := a.showPlan(p, steps); err != nil {
			return err
		}
		if steps.Changes() || len(steps.Drift) > 0 {
			if err := a.confirm(ctx, "Build this?"); err != nil {
				return err
			}
		}
	}
	text, err := os.ReadFile(specPath(p.doc.File))
	if err != nil {
		return fmt.Errorf("read spec: %w", err)
	}
	return a.release(ctx, p.env, releases.Candidate{File: p.doc.File, Spec: string(text), Graph: p.graph, Cause: "up"})
}

// release makes a release with everything shown, and turns how it ended into the exit code.
func (a *app) release(ctx context.Context, env *environment, c releases.Candidate) error {
	runner := a.runner(env)
	record, err := runner.Release(ctx, c)
	if err != nil {
		return err
	}
	if a.json() {
		if err := a.print(record); err != nil {
			return err
		}
	} else {
		d, err := env.engine.Deployment(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		a.showRelease(record, d)
	}
	if err := a.keepMeasured(env, record); err != nil {
		return err
	}
	switch record.State {
	case releases.Kept:
		return nil
	case releases.RolledBack:
		return ended(RolledBack, "not kept, and rolled back: "+record.Reason)
	}
	if record.Verdict.Breached > 0 {
		return ended(Breached, record.Reason)
	}
	return ended(Fault, record.Reason)
}

// runner wires the parts of the tool together for making releases.
func (a *app) runner(env *environment) *releases.Runner {
	s := a.screen()
	var progress *terminal.Progress
	back := false
	return &releases.Runner{
		Engine: env.engine, Store: env.store, Artifacts: env.artifacts, Now: time.Now,
		By: who(), Tool: version, Fingerprint: a.fingerprint(), Grace: 5 * time.Minute,
		Entries: func(d stacks.Deployment) []string { return entries(d) },
		Stage: func(stage releases.Stage) {
			if progress != nil {
				progress.Done()
			}
			progress = s.Progress(string(stage))
			back = stage == releases.StageBack || stage == releases.StageVerifyBack
			if stage == releases.StageBack {
				s.Line("%s", s.Paint(terminal.Yellow, "rolling back to the previous release"))
			}
		},
		Events: func(e engine.Event) {
			if progress != nil {
				progress.Event(e)
			}
		},
		Verify: func(ctx context.Context, c releases.Candidate, d stacks.Deployment) (releases.Verdict, error) {
			defer s.Doing("")
			m, err := a.measure(ctx, env, c, d, nil, a.effort(nil))
			if err != nil {
				return releases.Verdict{}, err
			}
			m.back = back
			env.measured = append(env.measured, m)
			s.Results(m.results, verify.Headline)
			a.showFigures(m.details)
			s.LedgerSummary(m.ledger)
			return m.verdict()
		},
	}
}

func (a *app) showRelease(r *releases.Record, d stacks.Deployment) {
	s := a.screen()
	if r.Back != nil {
		if r.Back.Problem != "" {
			s.Line("%s %s", s.Paint(terminal.Red, "the previous release could not be put back:"), r.Back.Problem)
		} else {
			s.Line("rolled back to release %d in %s: %d met, %d breached, %d unproven", r.Back.To, terminal.Took(r.Back.Took),
				r.Back.Verdict.Met, r.Back.Verdict.Breached, r.Back.Verdict.Unproven)
		}
	}
	if r.Service != nil {
		s.Line("time without service: %s (%d of %d requests failed)", without(r.Service), r.Service.Failed, r.Service.Sent)
	}
	switch r.State {
	case releases.Kept:
		s.Line("%s in %s", s.Paint(terminal.Green, fmt.Sprintf("release %d kept", r.Number)), terminal.Took(r.Took))
		for _, url := range entries(d) {
			s.Line("  open it:    %s", s.Paint(terminal.Bold, url))
		}
		s.Line("  its proof:  surety ledger%s", a.fileFlag())
		s.Line("  remove it:  surety destroy%s", a.fileFlag())
	case releases.RolledBack:
		s.Line("release %d was not kept: %s", r.Number, r.Reason)
		s.Line("  study it:   surety show %d%s", r.Number, a.fileFlag())
	default:
		s.Line("%s: %s", s.Paint(terminal.Red, fmt.Sprintf("release %d failed", r.Number)), r.Reason)
		if r.Back == nil {
			s.Line("  there is no previous release to put back; what was built stands for study")
			s.Line("  look into it:  surety status%s, surety logs%s HOST", a.fileFlag(), a.fileFlag())
			s.Line("  then either:   surety up%s, or surety destroy%s", a.fileFlag(), a.fileFlag())
		}
	}
}

func without(s *releases.Service) string {
	switch {
	case s.Failed == 0:
		return "none"
	case s.Down:
		return terminal.Took(s.Without) + " and the service is still down"
	}
	return terminal.Took(s.Without)
}

// fileFlag repeats -f in advice, so that it can be typed as it stands.
func (a *app) fileFlag() string {
	if a.file() == "." {
		return ""
	}
	return " -f " + a.file()
}

// confirm asks a person. Without a terminal there is nobody to ask, so --yes is required.
func (a *app) confirm(ctx context.Context, question string) error {
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return wrong("this would change things and there is no terminal to ask; run it with --yes")
	}
	fmt.Fprintf(a.stdout, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(f).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return fault("interrupted; nothing was changed")
	case text := <-answer:
		if text != "y" && text != "yes" {
			return fault("not confirmed; nothing was changed")
		}
	}
	return nil
}

func (a *app) upGraph(ctx context.Context, path string) error {
	g, err := readGraph(path)
	if err != nil {
		return err
	}
	env, err := a.open(g.Project, ".")
	if err != nil {
		return err
	}
	unlock, err := env.lock("up --graph")
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel ends the lock with this process anyhow
	done, err := env.engine.Up(ctx, g, engine.Options{}, func(engine.Event) {})
	if err != nil {
		return err
	}
	a.screen().Line("%d steps, %d failed", len(done.Steps), len(done.Failed))
	if len(done.Failed) > 0 {
		return ended(Fault, "steps failed")
	}
	return nil
}
