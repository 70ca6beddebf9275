package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"surety/internal/terminal"
	"surety/stacks/releases"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what stands now: release, hosts, entry points",
		Long: `Shows the release that serves, every host with whether it runs, the entry points, and what an interrupted command left to do.
Generated secrets are shown only with --show-secrets.`,
		Example: "  surety status\n  surety status --show-secrets",
		Args:    cobra.NoArgs,
	}
	secrets := c.Flags().Bool("show-secrets", false, "print the generated secrets in the clear")
	c.RunE = func(c *cobra.Command, _ []string) error {
		env, _, err := a.openExisting()
		if err != nil {
			return err
		}
		state, err := env.engine.State()
		if err != nil {
			return err
		}
		d, err := env.engine.Deployment(c.Context())
		if err != nil {
			return err
		}
		busy := env.idle()
		hosts, err := env.target.Status(c.Context(), busy != nil)
		if err != nil {
			return err
		}
		records, err := env.store.All()
		if err != nil {
			return err
		}
		current := releases.Current(records)
		shown := map[string]string{}
		if *secrets {
			for name, r := range d.Resources {
				if v, ok := r.Outputs["value"].(string); ok && r.Type == "surety:local:Secret" {
					shown[name] = v
				}
			}
		}
		number := 0
		if current != nil {
			number = current.Number
		}
		if a.json() {
			return a.print(map[string]any{"name": env.name, "target": a.target(), "release": number, "resources": len(state.Resources),
				"pending": state.Pending, "hosts": hosts, "entries": entries(d), "secrets": shown})
		}
		s := a.screen()
		release := "no release serves"
		if current != nil {
			release = fmt.Sprintf("release %d of %s", current.Number, current.Made.Local().Format("2006-01-02 15:04:05"))
		}
		s.Line("%s   %s · %s", s.Paint(terminal.Bold, env.name+" on "+a.target()), release, terminal.Count(len(state.Resources), "resource"))
		switch {
		case busy != nil:
			s.Line("%s", s.Paint(terminal.Yellow, busy.Error()))
		case state.Interrupted || len(state.Pending) > 0:
			var begun []string
			for _, p := range state.Pending {
				begun = append(begun, fmt.Sprintf("%s (%s)", p.Name, p.Op))
			}
			s.Line("%s", s.Paint(terminal.Yellow, fmt.Sprintf("the last command was interrupted %s; surety up%s or surety destroy%s goes on from there",
				strings.Join(append([]string{"at"}, begun...), " "), a.fileFlag(), a.fileFlag())))
		}
		t := s.Table("host", "component", "address", "state", "services")
		for _, h := range hosts {
			state := terminal.Cell{Text: "running", Style: terminal.Green}
			if !h.Running {
				state = terminal.Cell{Text: "down", Style: terminal.Red}
			}
			t.Row(terminal.Cell{Text: h.Name}, terminal.Cell{Text: h.Component}, terminal.Cell{Text: h.Address}, state, terminal.Cell{Text: h.Services})
		}
		t.Print()
		for _, url := range entries(d) {
			s.Line("entry: %s", url)
		}
		for _, name := range slices.Sorted(maps.Keys(shown)) {
			s.Line("%s: %s", name, shown[name])
		}
		return nil
	}
	return c
}
