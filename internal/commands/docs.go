package commands

import (
	"github.com/spf13/cobra"
)

func (a *app) docsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "docs",
		Short: "Write documents from what was compared",
		Long:  "Writes documents from the spec, the catalogue and the releases alone: nothing is measured, and the same records give the same bytes.",
		Example: `  surety docs sheet -o sheet.html
  surety docs proposal --lang zh-TW -o proposal.zh-TW.html`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.docsOffers()...)
	return c
}
