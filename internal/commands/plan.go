package commands

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"surety/blueprints"
	"surety/blueprints/architecture"
	"surety/internal/terminal"
	"surety/stacks"
	"surety/stacks/engine"
)

func (a *app) planCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "plan",
		Short: "Show what would be built or changed, and why",
		Long: `Shows each step, the requirement it serves, what has changed behind our back, the start order, the single points of
failure, and how each requirement will be proven. It changes nothing.
Exit 0 when nothing is to do, 2 when changes are pending, 5 when what stands differs from what was released.`,
		Example: `  surety plan
  surety plan --json | jq '.steps[] | select(.op != "same")'
  surety plan --no-refresh      do not look at what stands: compare with the state only`,
		Args: cobra.NoArgs,
	}
	noRefresh := c.Flags().Bool("no-refresh", false, "do not look for changes made behind our back")
	graph := c.Flags().String("graph", "", "plan a Graph from a JSON file instead of a spec")
	_ = c.Flags().MarkHidden("graph") // for measuring the engine
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *graph != "" {
			return a.planGraph(c.Context(), *graph)
		}
		p, err := a.prepare(c.Context())
		if err != nil {
			return err
		}
		steps, err := a.preview(c.Context(), p, !*noRefresh)
		if err != nil {
			return err
		}
		if err := a.showPlan(p, steps); err != nil {
			return err
		}
		switch {
		case len(steps.Drift) > 0:
			return ended(Drifted, "what stands differs from what was released")
		case steps.Changes():
			return ended(Findings, "changes are pending")
		}
		return nil
	}
	return c
}

// preview asks the engine what it would do, against the Graph as a release would place it.
func (a *app) preview(ctx context.Context, p *plan, refresh bool) (engine.Plan, error) {
	if refresh {
		if err := p.env.idle(); err != nil {
			return engine.Plan{}, err
		}
	}
	s := a.screen()
	s.Doing("planning")
	defer s.Doing("")
	steps, err := p.env.engine.Preview(ctx, p.env.artifacts.Place(p.graph), engine.Options{Refresh: refresh}, func(e engine.Event) {
		if e.Kind == engine.Log {
			s.More("  %s", e.Message)
		}
	})
	inOrder(steps.Steps, p.graph)
	inOrder(steps.Drift, p.graph)
	return steps, err
}

// losing names the resources whose data a plan loses: what holds data and is deleted or replaced.
func losing(p engine.Plan, able stacks.Capabilities) []string {
	names := []string{}
	for _, s := range p.Steps {
		if (s.Op == engine.OpDelete || s.Op == engine.OpReplace) && slices.Contains(able.Stateful, s.Type) && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// guard refuses a plan that loses data unless that was agreed to in so many words: --yes alone does not say it.
func guard(p engine.Plan, able stacks.Capabilities, agreed bool) error {
	lost := losing(p, able)
	if agreed || len(lost) == 0 {
		return nil
	}
	return fault("this would delete %s with all data in it, which nothing can undo; if that is meant, run it again with --accept-irreversible", strings.Join(lost, ", "))
}

// inOrder puts steps into the order in which the Graph says they can be done, which is the same each time; the engine does them as
// soon as they can be, several at once. What the Graph no longer has comes last.
func inOrder(steps []engine.Step, g stacks.Graph) {
	place := map[string]int{}
	for i, r := range g.Resources {
		place[r.Name] = i - len(g.Resources)
	}
	slices.SortStableFunc(steps, func(a, b engine.Step) int {
		return cmp.Or(cmp.Compare(place[a.Name], place[b.Name]), cmp.Compare(a.Name, b.Name))
	})
}

func (a *app) showPlan(p *plan, steps engine.Plan) error {
	prospects := architecture.Prospects(p.arch, p.doc.Requirements, p.able.Unproven)
	if a.json() {
		return a.print(struct {
			Name         string                    `json:"name"`
			Target       string                    `json:"target"`
			Findings     blueprints.Diagnostics    `json:"findings"`
			Architecture architecture.Architecture `json:"architecture"`
			Graph        stacks.Graph              `json:"graph"`
			Steps        []engine.Step             `json:"steps"`
			Drift        []engine.Step             `json:"drift"`
			Prospects    []architecture.Prospect   `json:"prospects"`
			Losing       []string                  `json:"losing"` // names of resources whose data would be lost
		}{p.doc.Spec.Name, a.target(), append(blueprints.Diagnostics{}, p.findings...), p.arch, p.graph, steps.Steps, steps.Drift, prospects, losing(steps, p.able)})
	}
	state, err := p.env.engine.State()
	if err != nil {
		return err
	}
	s := a.screen()
	s.Findings(p.findings)
	s.Plan(terminal.Plan{Document: p.doc, Architecture: p.arch, Graph: p.graph, Target: a.target(),
		Built: state.Exists && len(state.Resources) > 0, Steps: steps, Prospects: prospects, Losing: losing(steps, p.able)})
	return nil
}

// readGraph reads a Graph as "surety plan --json" writes it under "graph".
func readGraph(path string) (stacks.Graph, error) {
	var g stacks.Graph
	text, err := os.ReadFile(path)
	if err != nil {
		return g, wrong("read graph: %w", err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		return g, wrong("read graph %s: %w", path, err)
	}
	return g, nil
}

func (a *app) planGraph(ctx context.Context, path string) error {
	g, err := readGraph(path)
	if err != nil {
		return err
	}
	env, err := a.open(g.Project, ".")
	if err != nil {
		return err
	}
	steps, err := env.engine.Preview(ctx, g, engine.Options{}, func(engine.Event) {})
	if err != nil {
		return err
	}
	a.screen().Line("%s", terminal.Changes(steps))
	if steps.Changes() {
		return ended(Findings, "changes are pending")
	}
	return nil
}
